import type { IssuerId } from '@certloop/contract'

/** Where clients find what an issuer publishes. Plain http, as RFC 5280 (8) and the Baseline Requirements ask: it is all signed. */
export interface CaAddresses {
  issuer(id: IssuerId): string
  crl(id: IssuerId, shard: number | null): string
  deltaCrl(id: IssuerId): string
  ocsp(id: IssuerId): string
}

/** @param origin "http://pki.example.com", without a slash at its end */
export function addressesAt(origin: string): CaAddresses {
  return {
    issuer: (id) => `${origin}/ca/${id}.cer`,
    crl: (id, shard) => `${origin}/crl/${id}${shard === null ? '' : `-${shard}`}.crl`,
    deltaCrl: (id) => `${origin}/crl/${id}-delta.crl`,
    ocsp: (id) => `${origin}/ocsp/${id}`,
  }
}

const isOfThisMachine = (host: string) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(host)

/**
 * What goes into certificates: the address set for it, or the public one over plain http. undefined when that could be
 * reached from this machine alone: a certificate that names it would make its clients wait in vain.
 */
export function caAddresses(pkiUrl: string | null, publicUrl: string): CaAddresses | undefined {
  if (pkiUrl !== null) return addressesAt(pkiUrl)
  const { hostname, port } = new URL(publicUrl)
  if (isOfThisMachine(hostname) || port === '0') return undefined
  return addressesAt(`http://${hostname}${port === '' ? '' : `:${port}`}`)
}
