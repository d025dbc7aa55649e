import { type ConfiguredPair, joinUses, type PairEndpoint, type PairProblem, type PairUse } from '../shared/pem-files/pairs.ts'
import { proofAddress, socketKey } from '../shared/pem-files/sockets.ts'
import { certificateNames, type NameTable, nameTable, proofNames } from './server-names.ts'
import type { PairSource, TlsServer } from './servers.ts'

/**
 * Pairs of certificate and key files with the endpoints where each is served.
 * Pairs that are no files (variables, engines) come back as problems; those that no TLS socket uses are left out.
 */
export function findPairs(servers: readonly TlsServer[]): { pairs: ConfiguredPair[]; problems: PairProblem[] } {
  const uses: PairUse[] = []
  const problems: PairProblem[] = []
  const groups = groupBySocket(servers)
  const taken = new Set(groups.keys())
  for (const server of servers) {
    const reach = endpointsOf(server, groups, taken)
    if (reach.endpoints.length === 0 && reach.left.length === 0) continue
    for (const source of server.pairs) {
      const problem = sourceProblem(source)
      if (problem === undefined) uses.push(...useOf(source, server, reach))
      else problems.push({ where: `${server.file}, line ${server.line}`, reason: problem })
    }
  }
  return { pairs: joinUses(uses), problems }
}

const sourceProblem = ({ certificate, key }: PairSource) =>
  certificate.kind === 'other' ? `ssl_certificate ${certificate.reason}` : key.kind === 'other' ? `ssl_certificate_key ${key.reason}` : undefined

function useOf({ certificate, key }: PairSource, server: TlsServer, reach: Reach): PairUse[] {
  if (certificate.kind !== 'file' || key.kind !== 'file') return []
  return [{ certificatePath: certificate.path, keyPath: key.path, chainPath: null, holder: server, of: server.pairs.length, names: certificateNames(server.names), ...reach }]
}

interface Group { servers: TlsServer[]; marked: TlsServer | undefined; table: NameTable<TlsServer> }
interface Reach { endpoints: PairEndpoint[]; left: string[] }

/** The servers of each socket; the default one is the marked one, or else the first. */
function groupBySocket(servers: readonly TlsServer[]): Map<string, Group> {
  const groups = new Map<string, Group>()
  for (const server of servers) {
    for (const socket of server.sockets) {
      const group = groups.get(socketKey(socket)) ?? { servers: [], marked: undefined, table: nameTable<TlsServer>([], undefined) }
      groups.set(socketKey(socket), group)
      if (!group.servers.includes(server)) group.servers.push(server)
      if (socket.isDefault) group.marked = server
    }
  }
  for (const group of groups.values()) group.table = nameTable(group.servers, group.marked ?? group.servers[0])
  return groups
}

/** Where and under which names a server shows its certificate, seen from the host itself. */
function endpointsOf(server: TlsServer, groups: ReadonlyMap<string, Group>, taken: ReadonlySet<string>): Reach {
  const reach: Reach = { endpoints: [], left: [...server.left] }
  if (server.rejects) return { endpoints: [], left: [] }
  const seen = new Set<string>()
  for (const socket of server.sockets) {
    const group = groups.get(socketKey(socket))
    if (!socket.tls || group === undefined || seen.has(socketKey(socket))) continue
    seen.add(socketKey(socket))
    const address = proofAddress(socket, taken)
    const reason = socket.proxyProtocol ? 'it expects the PROXY protocol' : address === undefined ? 'every loopback address has a socket of its own' : undefined
    const names = namesOn(server, group)
    if (reason !== undefined || address === undefined) reach.left.push(`${socket.address}:${socket.port}: ${reason ?? ''}`)
    else if (names.length === 0) reach.left.push(`${socket.address}:${socket.port}: no certain name leads to it (regular expressions, or names that another server has)`)
    else reach.endpoints.push(...names.map((serverName) => ({ address, port: socket.port, serverName, holder: server })))
  }
  return reach
}

/** SNI names that lead to a server on one socket; null, no SNI at all, leads to the default server. */
function namesOn(server: TlsServer, { table }: Group): (string | null)[] {
  const names: (string | null)[] = server.section === 'mail' ? [] : proofNames(server, table)
  return server === table.defaultServer ? [null, ...names] : names
}
