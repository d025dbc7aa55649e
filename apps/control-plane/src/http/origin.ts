import { CertloopError } from '@certloop/contract'
import type { FastifyRequest } from 'fastify'

const originOf = (address: string): string | undefined => (URL.canParse(address) ? new URL(address).origin : undefined)

function isSameOrigin(request: FastifyRequest, publicUrl: string): boolean | undefined {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  const { origin } = request.headers
  if (origin === undefined) return undefined
  return origin === `${request.protocol}://${request.headers.host ?? ''}` || origin === originOf(publicUrl)
}

/**
 * Keeps other sites from using somebody's session (CSRF). A browser always says where a changing request comes from;
 * with a session that word is needed and must be this site. Token callers send no cookie and need none.
 * @throws CertloopError ORIGIN_REFUSED
 */
export function refuseForeignOrigin(request: FastifyRequest, publicUrl: string): void {
  if (request.who.via === 'token') return
  const same = isSameOrigin(request, publicUrl)
  if (same === true || (same === undefined && request.who.via === 'none')) return
  throw new CertloopError('ORIGIN_REFUSED', same === undefined
    ? 'The request carries a session but neither Origin nor Sec-Fetch-Site.'
    : 'The request was sent from a page of another site.')
}
