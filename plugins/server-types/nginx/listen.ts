import { plainAddress } from '../shared/pem-files/sockets.ts'

/** One socket that a server block listens on. */
export interface Listen {
  /** IP address; 0.0.0.0 and :: for all. */
  address: string
  port: number
  tls: boolean
  isDefault: boolean
  proxyProtocol: boolean
}

/** What a listen line means for proving; `left` says why a socket is left out. */
export interface ListenLine { sockets: Listen[]; left: string | null }

/** Ports of one range that are looked at. */
const maxRange = 64
const none = (left: string | null): ListenLine => ({ sockets: [], left })

/**
 * Reads the arguments of a `listen` line of an http, stream or mail server.
 * Forms: port, address, address:port, [IPv6]:port, *:port, localhost:port, port ranges, unix:path.
 */
export function parseListen(args: readonly string[]): ListenLine {
  const [value = '', ...options] = args
  if (value.startsWith('unix:')) return none('it listens on a unix socket')
  if (options.includes('quic')) return none('it listens for QUIC')
  if (options.includes('udp')) return none('it listens for UDP')
  const split = /^(?:(\*|\[[^\]]+\]|[^:[\]]+):)?(\d+)(?:-(\d+))?$/.exec(value)
  // A single number is a port, everything else without a port an address.
  const [host, first, last] = split ? [split[1] ?? '*', Number(split[2]), Number(split[3] ?? split[2])] : [value, 80, 80]
  const address = plainAddress(host)
  if (address === undefined) return none(`it listens on the name ${host}, not on an address`)
  const rest = { address, tls: options.includes('ssl'), isDefault: options.includes('default_server') || options.includes('default'), proxyProtocol: options.includes('proxy_protocol') }
  const count = Math.min(Math.max(last - first + 1, 0), maxRange)
  const ports = Array.from({ length: count }, (_, i) => first + i).filter((port) => port >= 1 && port <= 65535)
  return { sockets: ports.map((port) => ({ ...rest, port })), left: null }
}
