import type { CertloopError } from '@certloop/contract'

export type LogFacts = Record<string, string | number | boolean | null | readonly string[]>
/** One event, one line. Facts never hold keys, tokens, request bodies or proxy passwords. */
export interface Logger {
  info(message: string, facts?: LogFacts): void
  warn(message: string, facts?: LogFacts): void
  error(message: string, facts?: LogFacts): void
}

/** Writes one JSON object per line: time (UTC), level, message, then the facts. */
export function createLogger({ write, now }: { write: (line: string) => void; now: () => Date }): Logger {
  const at = (level: string) => (message: string, facts: LogFacts = {}) =>
    write(`${JSON.stringify({ time: now().toISOString(), level, message, ...facts })}\n`)
  return { info: at('info'), warn: at('warn'), error: at('error') }
}

/** What a log line says of an error. */
export const errorFacts = (error: CertloopError): LogFacts => ({ code: error.code, detail: error.message, remedy: error.spec.remedy })
