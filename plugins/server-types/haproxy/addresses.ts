import { plainAddress, type Socket } from '../shared/pem-files/sockets.ts'

const widestRange = 64

/** The TCP sockets of one address of a bind line, or why it has none that can be reached. */
export function socketsOf(address: string): { sockets: Socket[] } | { reason: string } {
  const [, family = '', rest = ''] = /^(?:([a-z0-9+]+)@)?(.*)$/.exec(address) ?? []
  if (family.startsWith('quic')) return { reason: `${address} speaks QUIC` }
  if (rest.startsWith('/') || otherFamilies.has(family)) return { reason: `${address} is no TCP port` }
  return tcpSockets(address, family, rest)
}

const otherFamilies = new Set(['unix', 'abns', 'abnsz', 'fd', 'sockpair', 'rhttp', 'uxst'])

function tcpSockets(address: string, family: string, rest: string): { sockets: Socket[] } | { reason: string } {
  const at = rest.lastIndexOf(':')
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(rest.slice(at + 1)) ?? []
  if (at === -1 || first === undefined) return { reason: `${address} names no port` }
  const host = rest.slice(0, at)
  const ip = host === '' ? (family.endsWith('6') ? '::' : '0.0.0.0') : plainAddress(host)
  if (ip === undefined) return { reason: `${address} is a host name` }
  const count = Number(last) - Number(first) + 1
  if (count > widestRange) return { reason: `${address} has more than ${widestRange} ports` }
  return { sockets: Array.from({ length: count }, (_, i) => ({ address: ip, port: Number(first) + i })) }
}

/** Where a stats socket can be spoken to; undefined for what only the process itself can use. */
export function commandSocket(address: string): { path: string } | Socket | undefined {
  const path = address.replace(/^unix@/, '')
  if (path.startsWith('/')) return { path }
  const found = socketsOf(address)
  const [socket] = 'sockets' in found ? found.sockets : []
  if (socket === undefined) return undefined
  return { ...socket, address: socket.address === '0.0.0.0' ? '127.0.0.1' : socket.address === '::' ? '::1' : socket.address }
}
