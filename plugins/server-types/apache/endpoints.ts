import { isIP } from 'node:net'
import { nearAddresses } from '../shared/pem-files/sockets.ts'
import type { DumpedHost, DumpedSocket } from './dump.ts'
import { proofNames } from './names.ts'
import type { ListenSocket } from './servers.ts'

/** Where a virtual host can be reached from the host itself, and why not elsewhere. */
export interface Reach { endpoints: { address: string; port: number; serverName: string | null }[]; left: string[] }

/** httpd's choice for a connection: the exact address first, "*" after that; the exact port before "*". */
export function socketFor(sockets: readonly DumpedSocket[], address: string, port: number): DumpedSocket | undefined {
  const fits = (own: string, wanted: string) => sockets.find((socket) => socket.address === own && socket.port === wanted)
  return fits(address, String(port)) ?? fits(address, '*') ?? fits('*', String(port)) ?? fits('*', '*')
}

const any4 = nearAddresses('0.0.0.0')
const any6 = nearAddresses('::')

/** Addresses to try for one Listen line: for all addresses those of virtual hosts and loopback. */
function candidates({ address }: ListenSocket, sockets: readonly DumpedSocket[]): string[] {
  const named = sockets.map((socket) => socket.address).filter((one) => one !== '*')
  if (address === null) return [...any4, ...named, ...any6]
  if (address === '0.0.0.0') return [...any4, ...named.filter((one) => isIP(one) === 4)]
  if (address === '::') return [...any6, ...named.filter((one) => isIP(one) === 6)]
  return isIP(address) === 0 ? [] : [address]
}

const label = ({ address, port }: DumpedSocket) => `${address.includes(':') ? `[${address}]` : address}:${port}`

/**
 * Endpoints of one virtual host. Each of its sockets is proven once for each Listen line that leads there.
 * @param ownAddresses of this machine, loopback apart
 * @param isTls whether the default host of a socket speaks TLS, which decides for all its hosts
 */
export function reachOf(isHost: (host: DumpedHost) => boolean, listens: readonly ListenSocket[], sockets: readonly DumpedSocket[], ownAddresses: readonly string[], isTls: (host: DumpedHost) => boolean): Reach {
  const reach: Reach = { endpoints: [], left: [] }
  for (const socket of sockets) {
    for (const host of socket.hosts.filter(isHost)) {
      const [first] = socket.hosts
      const names = proofNames(host, socket)
      const places = placesOf(socket, listens, sockets, ownAddresses)
      if (first !== undefined && !isTls(first)) reach.left.push(`${label(socket)}: the first virtual host there speaks no TLS, so none does`)
      else if (places.length === 0) reach.left.push(`${label(socket)}: no address of this machine leads there alone`)
      else if (names.length === 0) reach.left.push(`${label(socket)}: no name leads to it that an earlier virtual host does not have`)
      else reach.endpoints.push(...places.flatMap((place) => names.map((serverName) => ({ ...place, serverName }))))
    }
  }
  return reach
}

/** Where connections end at this socket and no other; one address for each Listen line. */
function placesOf(socket: DumpedSocket, listens: readonly ListenSocket[], sockets: readonly DumpedSocket[], ownAddresses: readonly string[]): { address: string; port: number }[] {
  const isOurs = (address: string) => /^127\.|^::1$/.test(address) || ownAddresses.includes(address)
  return listens.flatMap((listen) => {
    const address = candidates(listen, sockets).find((one) => (isOurs(one) || one === listen.address) && socketFor(sockets, one, listen.port) === socket)
    return address === undefined ? [] : [{ address, port: listen.port }]
  })
}

/** Where the main server answers: sockets that no virtual host has. */
export function mainReach(listens: readonly ListenSocket[], sockets: readonly DumpedSocket[]): Reach {
  const endpoints = listens.flatMap((listen) => {
    const address = candidates(listen, sockets).find((one) => socketFor(sockets, one, listen.port) === undefined)
    return address === undefined ? [] : [{ address, port: listen.port, serverName: null }]
  })
  return { endpoints, left: [] }
}
