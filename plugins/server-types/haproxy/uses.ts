import { joinUses, type ConfiguredPair, type PairUse } from '../shared/pem-files/pairs.ts'
import { proofAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import type { Content, Loaded } from './certificates.ts'
import { answerers, type Candidate, namesFor, sample } from './names.ts'

/** A bind line with its certificates in the order in which HAProxy loads them. */
export interface LoadedBind {
  where: string
  sockets: Socket[]
  /** Why it can't be seen on some or all of its addresses. */
  left: string[]
  strictSni: boolean
  certificates: Loaded[]
}

interface Entry extends Candidate { loaded: Loaded; index: number }

/**
 * The pairs of all bind lines, each with the names it answers for there.
 * @param contentOf what a certificate file holds, now or with a new certificate
 */
export function pairsOf(binds: readonly LoadedBind[], taken: ReadonlySet<string>, contentOf: (certificatePath: string) => Pick<Content, 'names' | 'keyType'>): ConfiguredPair[] {
  return joinUses(binds.flatMap((bind) => usesOf(bind, taken, contentOf)))
}

function usesOf(bind: LoadedBind, taken: ReadonlySet<string>, contentOf: (certificatePath: string) => Pick<Content, 'names' | 'keyType'>): PairUse[] {
  const entries = bind.certificates.map((loaded, index): Entry => {
    const content = contentOf(loaded.certificatePath)
    return { loaded, index, names: namesFor(loaded.filters, content.names), excluded: loaded.excluded, keyType: content.keyType }
  })
  const places = bind.sockets.flatMap((socket) => {
    const address = proofAddress(socket, taken)
    return address === undefined ? [] : [{ address, port: socket.port }]
  })
  const uses = new Map(entries.map((entry) => [entry, [] as PairUse[]]))
  const add = (entry: Entry, of: number, holder: object, serverName: string | null) => uses.get(entry)?.push({
    certificatePath: entry.loaded.certificatePath, keyPath: entry.loaded.keyPath, chainPath: null, holder, of, names: entry.names,
    endpoints: places.map((place) => ({ ...place, serverName, holder })), left: bind.left,
  })
  const [first] = entries
  // Without a name, or with one that nobody has, the first answers.
  if (first !== undefined && !bind.strictSni) add(first, 1, {}, null)
  for (const name of new Set(entries.flatMap(({ names }) => names))) {
    const serverName = sample(name, entries)
    if (serverName === undefined) continue
    const holder = {}
    const found = answerers(serverName, entries)
    for (const entry of found) add(entry, found.length, holder, serverName)
  }
  return entries.flatMap((entry) => {
    const own = uses.get(entry) ?? []
    if (own.length > 0) return own
    const { certificatePath, keyPath } = entry.loaded
    return [{ certificatePath, keyPath, chainPath: null, holder: {}, of: 1, names: entry.names, endpoints: [], left: [...bind.left, `${bind.where}: other certificates answer for each of its names`] }]
  })
}

/** All sockets of all bind lines, with TLS or without. */
export const takenSockets = (sockets: readonly Socket[]): Set<string> => new Set(sockets.map(socketKey))
