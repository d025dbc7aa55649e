import type { FastifyReply, FastifyRequest } from 'fastify'

export const sessionCookieName = 'certloop_session'

/** The value of one cookie of a Cookie header. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim()
  }
  return undefined
}

/** True when the caller came by https: to this listener, or to a proxy on this machine that holds the public address. */
function cameSecurely(request: FastifyRequest): boolean {
  if (request.protocol === 'https') return true
  const publicUrl = new URL(request.server.publicUrl())
  return publicUrl.protocol === 'https:' && request.headers.host === publicUrl.host
}

declare module 'fastify' {
  interface FastifyInstance { publicUrl: () => string }
}

/** Sets the session cookie for `seconds`, or removes it with null. Only this site gets it, and no script sees it. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, value: string | null, seconds = 0): void {
  const secure = cameSecurely(request) ? '; Secure' : ''
  reply.header('set-cookie', `${sessionCookieName}=${value ?? ''}; Path=/; Max-Age=${value === null ? 0 : seconds}; HttpOnly; SameSite=Strict${secure}`)
}
