import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'

/** True for this host itself: nothing between can read or alter what is said. */
export function isLoopback(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** @throws CertloopError ADDRESS_INSECURE for http to another host */
export function controlPlaneUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol === 'https:' || isLoopback(url)) return url
  throw new CertloopError('ADDRESS_INSECURE', `The address ${url.origin} has no TLS and is not this host.`, { address: url.origin })
}
