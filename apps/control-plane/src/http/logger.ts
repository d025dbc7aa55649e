import { pino, type Logger } from 'pino'

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/**
 * JSON lines on standard output. Of requests only method, path, status, time and caller are ever logged; the list here
 * is a second net under that, for objects that others log.
 */
export function createLogger(level: LogLevel): Logger {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['headers.authorization', 'headers.cookie', 'req.headers', 'res.headers', 'request.headers', 'body', '*.body', '*.password', '*.secret', '*.token', 'password', 'secret', 'token'], censor: '[removed]' },
  })
}
