import { isIP } from 'node:net'

/** One TCP socket. Address: IP; 0.0.0.0 and :: for all. */
export interface Socket { address: string; port: number }

/** "*", "localhost", IPv4 and IPv6 with or without brackets as an IP address in one spelling; undefined for other names. */
export function plainAddress(host: string): string | undefined {
  if (host === '*') return '0.0.0.0'
  if (host === 'localhost') return '127.0.0.1'
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) === 4) return bare
  // One spelling for each IPv6 address (RFC 5952).
  if (isIP(bare) === 6) return new URL(`http://[${bare}]`).hostname.slice(1, -1)
  return undefined
}

export const socketKey = ({ address, port }: Socket): string => `${address} ${port}`

/** Addresses that reach a socket from the host itself; several where it takes all. */
export const nearAddresses = (address: string): string[] => (address === '0.0.0.0' ? ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'] : address === '::' ? ['::1'] : [address])

/**
 * Where to connect from the host itself to reach this socket and no other: all addresses become a loopback address
 * that no other socket of this server has for itself. Undefined when there is none.
 * @param taken keys of all sockets of this server
 */
export function proofAddress({ address, port }: Socket, taken: ReadonlySet<string>): string | undefined {
  return nearAddresses(address).find((candidate) => candidate === address || !taken.has(socketKey({ address: candidate, port })))
}
