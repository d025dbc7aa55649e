import { isIP } from 'node:net'
import { plainAddress, proofAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import type { Filter, General, Listener, TlsBlock } from './settings.ts'

/** One way to meet a listener: an address and a name for which the same settings count. */
export interface Context {
  listener: Listener
  /** null: at no address of this host that is known. */
  address: string | null
  serverName: string | null
  /** Names of the configuration, for the certificate. */
  names: string[]
  settings: ReadonlyMap<string, string>
}

export interface Contexts { contexts: Context[]; left: string[] }

const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '')

/** The sockets of a listener. */
export function socketsOf({ addresses, port, name }: Listener, listen: string): { sockets: Socket[]; left: string[] } {
  const found = words(addresses === '' ? listen : addresses).map((word) => ({ word, address: plainAddress(word) }))
  return {
    sockets: found.flatMap(({ address }) => (address === undefined ? [] : [{ address, port }])),
    left: found.flatMap(({ word, address }) => (address === undefined ? [`${name}: it listens on the name ${word}, not on an address`] : [])),
  }
}

/**
 * All ways to meet the listeners with TLS.
 * @param isThere whether the host really listens so; without IPv6, "::" is not there
 */
export function contextsOf({ listeners, listen, ssl }: General, blocks: readonly TlsBlock[], isThere: (socket: Socket) => boolean): Contexts {
  const all = listeners.map((listener) => ({ listener, ...socketsOf(listener, listen) }))
  const taken = new Set(all.flatMap(({ sockets }) => sockets.map(socketKey)))
  const result: Contexts = { contexts: [], left: blocks.flatMap(({ filters }) => filters.flatMap((filter) => doubt(filter))) }
  for (const { listener, sockets, left } of all.filter(({ listener: { startTls } }) => startTls !== undefined)) {
    result.left.push(...left)
    for (const socket of sockets.filter(isThere)) {
      for (const address of addressesOf(socket, taken, blocks)) result.contexts.push(...contextsAt(listener, address, blocks))
    }
  }
  result.contexts = result.contexts.filter(({ settings }) => (settings.get('ssl') ?? ssl) !== 'no')
  return result
}

/** Filters that can't be tried out from the host. */
function doubt({ kind, value }: Filter): string[] {
  if (kind === 'remote') return [`remote ${value}: its certificates are shown to certain clients alone`]
  return kind === 'local' && isIP(value) === 0 ? [`local ${value}: it is no single address`] : []
}

/** Where a socket is met: an address without settings of its own, and each address that has some. */
function addressesOf(socket: Socket, taken: ReadonlySet<string>, blocks: readonly TlsBlock[]): string[] {
  const special = new Set(blocks.flatMap(({ filters }) => filters.flatMap(({ kind, value }) => (kind === 'local' && isIP(value) !== 0 ? [plainAddress(value) ?? value] : []))))
  const isAll = socket.address === '0.0.0.0' || socket.address === '::'
  if (!isAll) return [socket.address]
  const family = socket.address === '::' ? 6 : 4
  const own = [...special].filter((address) => isIP(address) === family && !taken.has(socketKey({ address, port: socket.port })))
  const plain = proofAddress(socket, new Set([...taken, ...[...special].map((address) => socketKey({ address, port: socket.port }))]))
  return [...(plain === undefined ? [] : [plain]), ...own]
}

function contextsAt(listener: Listener, address: string, blocks: readonly TlsBlock[]): Context[] {
  const here = blocks.filter(({ filters }) => filters.every(({ kind, value }) => (kind === 'protocol' ? value === listener.protocol : kind === 'local' ? plainAddress(value) === address : kind === 'local_name')))
  const groups = [...new Set(here.flatMap(({ filters }) => filters.filter(({ kind }) => kind === 'local_name').map(({ value }) => value)))]
  return [undefined, ...groups].flatMap((group): Context[] => {
    const counting = here.filter(({ filters }) => filters.every(({ kind, value }) => kind !== 'local_name' || value === group))
    if (contradicts(counting)) return []
    const base = { listener, address, settings: merged(counting) }
    return group === undefined ? [{ ...base, serverName: null, names: [] }] : words(group).map((name) => ({ ...base, serverName: name.replace(/^\*/, 'certloop-proof').toLowerCase(), names: [name.toLowerCase()] }))
  })
}

/** Dovecot refuses handshakes for which two blocks say the same setting and none of them lies within the other's conditions. */
function contradicts(blocks: readonly TlsBlock[]): boolean {
  const includes = (a: TlsBlock, b: TlsBlock) => b.filters.every(({ kind, value }) => a.filters.some((filter) => filter.kind === kind && filter.value === value))
  return blocks.some((a, i) => blocks.slice(i + 1).some((b) => !includes(a, b) && !includes(b, a) && [...a.settings.keys()].some((name) => b.settings.has(name))))
}

const order = ['protocol', 'local', 'local_name']
const weight = ({ filters }: TlsBlock) => filters.reduce((sum, { kind }) => sum + 2 ** order.indexOf(kind), 0)

/** The more particular block wins. */
function merged(blocks: readonly TlsBlock[]): Map<string, string> {
  return new Map(blocks.toSorted((a, b) => weight(a) - weight(b)).flatMap(({ settings }) => [...settings]))
}
