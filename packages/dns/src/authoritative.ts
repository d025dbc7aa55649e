import { CertloopError } from '@certloop/contract'
import { isWithin, upwards } from './names.ts'
import { query } from './query.ts'
import type { Resolver } from './resolver.ts'
import { serverText, type DnsServer } from './transport.ts'

/** One name server of a zone with its addresses. */
export interface NameServer {
  /** "ns1.example.net"; the address where it has no name. */
  name: string
  /** Empty: `problem` says why. */
  servers: DnsServer[]
  problem: string | null
}
export interface Authority {
  /** null: no server told of a zone. */
  zone: string | null
  /** By name; at most 13. */
  nameServers: NameServer[]
}

const mostServers = 13

/** SOA of the name, else of the names above it. null: the servers do not answer such questions. */
export async function zoneOf(resolver: Resolver, name: string, signal?: AbortSignal): Promise<string | null> {
  for (const each of upwards(name)) {
    const answer = await resolver.ask({ name: each, type: 'SOA' }, signal).catch((error: unknown) => {
      if (error instanceof CertloopError && (error.facts['rcode'] === 'NOTIMP' || error.facts['rcode'] === 'REFUSED')) return undefined
      throw error
    })
    if (!answer) continue
    if (answer.answers.some((record) => record.type === 'SOA' && record.name === each)) return each
    // Behind an alias the SOA is that of the other zone.
    if (answer.answers.length > 0) continue
    const above = answer.authorities.find((record) => record.type === 'SOA' && isWithin(each, record.name))
    if (above) return above.name
  }
  return null
}

/** Those of the configured servers that answer for the zone themselves: with the AA flag, asked without recursion. */
async function ownServers(resolver: Resolver, zone: string, signal: AbortSignal | undefined): Promise<DnsServer[]> {
  const asked = await Promise.all(resolver.servers.map(async (server) => {
    const answer = await query(server, { name: zone, type: 'SOA' }, { recursion: false, signal }).catch(() => undefined)
    return answer?.authoritative === true && answer.rcode === 'NOERROR' && answer.answers.length > 0 ? [server] : []
  }))
  return asked.flat()
}

async function addressesOf(resolver: Resolver, name: string, own: readonly DnsServer[], signal: AbortSignal | undefined): Promise<NameServer> {
  try {
    const { addresses } = await resolver.addresses(name, signal)
    const servers = addresses.flatMap((address) => { const known = own.filter((each) => each.address === address); return known.length > 0 ? known : [{ address, port: 53 }] })
    return { name, servers, problem: servers.length > 0 ? null : 'the name has no address' }
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return { name, servers: [], problem: error.message }
  }
}

/**
 * Who answers for a name: its zone by SOA, the NS records of the zone, their addresses. Where one of the servers of the resolver
 * answers for the zone itself, it is asked at its own port, also when no NS record names it. Does not follow CNAME records.
 * @throws CertloopError DNS_LOOKUP_FAILED
 */
export async function authorityOfName(resolver: Resolver, name: string, signal?: AbortSignal): Promise<Authority> {
  const zone = await zoneOf(resolver, name, signal)
  if (zone === null) return { zone, nameServers: [] }
  const [own, { records }] = await Promise.all([ownServers(resolver, zone, signal), resolver.look({ name: zone, type: 'NS' }, signal)])
  const names = records.flatMap((each) => (each.type === 'NS' ? [each.data] : [])).toSorted().slice(0, mostServers)
  const named = await Promise.all(names.map((each) => addressesOf(resolver, each, own, signal)))
  const isNamed = (server: DnsServer) => named.some(({ servers }) => servers.includes(server))
  const others = own.filter((server) => !isNamed(server)).map((server) => ({ name: serverText(server), servers: [server], problem: null }))
  return { zone, nameServers: [...named, ...others].slice(0, mostServers) }
}
