import { connect } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { authorityOfName, findCaa, judgeCaa, query, serverText, zoneOf, type DnsServer, type NameServer } from '@certloop/dns'
import type { Preflight } from '../validation-deps.ts'
import { addressesOf, hasNoWay, inUrl } from './addresses.ts'
import { delegatedName, isRegistry } from './delegation.ts'
import { bad, doubt, good, problem, type Finding, type Sight } from './finding.ts'
import { getAt, unreachable, type Got } from './http-get.ts'

type Asked = Preflight

/** As RFC 8657 names the ways. */
const caaMethods: Readonly<Record<Asked['method'], string | null>> = { file: 'http-01', http: 'http-01', dns: 'dns-01', 'dns-persist': 'dns-persist-01', 'tls-alpn': 'tls-alpn-01', manual: null, none: null }

/** A DNS server that answers wrongly will not answer the authority better; one that can't be reached from here may answer it. */
const isSure = (error: CertloopError): boolean => error.code !== 'DNS_LOOKUP_FAILED' || error.facts['problem'] === 'DNSSEC' || error.facts['rcode'] === 'SERVFAIL'
const asFinding = (title: string, error: CertloopError): Finding => (isSure(error) ? bad(title, error) : doubt(title, error))

/** What is thrown becomes a finding. */
async function part(title: string, run: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return [asFinding(title, error)]
  }
}

async function caa({ resolver, signal }: Sight, { name, wildcard, method, caa: known }: Asked): Promise<Finding[]> {
  if (known === null) return []
  const title = `CAA of ${name}`
  const { allowed, why } = judgeCaa(await findCaa(resolver, name, signal), { wildcard, identities: known.identities, accountUri: known.accountUri, method: caaMethods[method] })
  if (allowed === 'yes') return [good(title, why)]
  const error = problem('CAA_FORBIDS', why, { name })
  return [allowed === 'no' ? bad(title, error) : doubt(title, error)]
}

/** For a record to be written: its domain has to be there, and where CNAME records lead has to be a place. */
async function record(sight: Sight, { name, method }: Asked): Promise<Finding[]> {
  const recordName = `${method === 'dns-persist' ? '_validation-persist' : '_acme-challenge'}.${name}`
  const zone = await zoneOf(sight.resolver, name, sight.signal)
  if (zone !== null && isRegistry(zone)) return [bad(`domain of ${name}`, problem('DNS_NAME_UNKNOWN', `${name} is in no registered domain: only ${zone === '' ? 'the root' : zone} answers for it.`, { name }))]
  const { chain } = await delegatedName(sight, recordName)
  return [good(`CNAME of ${recordName}`, chain.length > 0 ? chain.join(' → ') : 'There is none: the record is looked for at the name itself.')]
}

const connectsTo = ({ timeoutMs, signal }: Sight, address: string, port: number): Promise<void> => new Promise((resolve, reject) => {
  const socket = connect({ host: address, port })
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const finish = (settle: () => void) => { until.removeEventListener('abort', onTime); socket.removeAllListeners().on('error', () => {}); socket.destroy(); settle() }
  const onTime = () => finish(() => reject(Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' })))
  until.addEventListener('abort', onTime, { once: true })
  socket.on('connect', () => finish(resolve)).on('error', (error) => finish(() => reject(error)))
})

/** What tells one web server from another when both are asked for a file that is not there. */
const likeness = ({ status, server, urls }: Got) => [status, server, ...urls.slice(1)].join(' ')
const probePath = '/.well-known/acme-challenge/certloop-looks-before'

async function seeWeb(sight: Sight, { name, method, httpPort, tlsPort }: Asked, address: string): Promise<{ finding: Finding; like: string | null }> {
  const port = method === 'tls-alpn' ? tlsPort : httpPort
  const title = `port ${port} at ${address}`
  try {
    if (method === 'tls-alpn') {
      await connectsTo(sight, address, port)
      return { finding: good(title, 'takes connections'), like: null }
    }
    const url = new URL(`http://${inUrl(name)}${port === 80 ? '' : `:${port}`}${probePath}`)
    const got = await getAt(sight, url, address, new Set([80, 443, httpPort, tlsPort]))
    const redirects = got.urls.length > 1 ? ` after redirects: ${got.urls.slice(1).join(' → ')}` : ''
    return { finding: good(title, `answers ${got.statusText}${got.server ? ` (${got.server})` : ''}${redirects}`), like: likeness(got) }
  } catch (error) {
    const known = unreachable(error, `${inUrl(address)} port ${port}`)
    // What answers a TLS validation may be there only once it is placed; what serves files has to be there before.
    const isInTheWay = known.code === 'WEB_REDIRECT_WRONG' || (known.code === 'WEB_PORT_CLOSED' && method !== 'tls-alpn')
    return { finding: isInTheWay ? bad(title, known) : doubt(title, known), like: null }
  }
}

/** Every address of the name on the port that the authority looks at. An address that fails stops nothing while another answers. */
async function web(sight: Sight, asked: Asked): Promise<Finding[]> {
  const { addresses, findings } = await addressesOf(sight, asked.name)
  const seen = await Promise.all(addresses.map((address) => seeWeb(sight, asked, address)))
  const isReached = seen.some(({ finding }) => finding.ok)
  const softened = seen.map(({ finding }) => {
    const { error } = finding
    const isUnreached = error?.code === 'WEB_PORT_CLOSED'
    return !finding.ok && isUnreached && (isReached || hasNoWay(String(error.facts['errno'] ?? ''))) ? { ...finding, ok: true } : finding
  })
  const likes = new Set(seen.flatMap(({ like }) => like ?? []))
  const differing = likes.size > 1 ? [doubt(`addresses of ${asked.name}`, problem('WEB_ADDRESSES_DIFFER', `The addresses answer the same question differently, so they may be different servers: ${seen.flatMap(({ finding, like }) => (like === null ? [] : [`${finding.title} ${finding.seen}`])).join('; ')}.`, { name: asked.name }))] : []
  return [...findings, ...softened, ...differing]
}

interface Serial { name: string; over: 'UDP' | 'TCP'; serial: number | null; words: string }

async function serialAt({ guard, resolver, timeoutMs, signal }: Sight, server: DnsServer, zone: string, tcp: boolean): Promise<Omit<Serial, 'name'>> {
  const over = tcp ? 'TCP' as const : 'UDP' as const
  if (!resolver.servers.includes(server) && !guard.allows(server.address)) return { over, serial: null, words: `${serverText(server)} is an address that outgoing calls may not reach` }
  try {
    const answer = await query(server, { name: zone, type: 'SOA' }, { recursion: false, tcp, timeoutMs, signal })
    const [soa] = answer.answers
    if (answer.rcode === 'NOERROR' && answer.authoritative && soa?.type === 'SOA') return { over, serial: soa.data.serial, words: '' }
    return { over, serial: null, words: `${serverText(server)} does not answer for ${zone} (${answer.rcode})` }
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return { over, serial: null, words: error.message }
  }
}

async function seeNameServer(sight: Sight, zone: string, { name, servers, problem: why }: NameServer): Promise<{ finding: Finding; serials: number[] }> {
  const answers = await Promise.all(servers.flatMap((server) => [serialAt(sight, server, zone, false), serialAt(sight, server, zone, true)]))
  const serials = [...new Set(answers.flatMap(({ serial }) => serial ?? []))]
  const faults = [...new Set(answers.flatMap(({ words }) => (words === '' ? [] : [words])))]
  if (faults.length === 0 && why === null) return { finding: good(name, `answers over UDP and TCP, serial number ${serials.join(', ')}`), serials }
  return { finding: doubt(name, problem('DNS_LOOKUP_FAILED', [...faults, ...(why === null ? [] : [why])].join(' '), { server: name })), serials }
}

/** The DNS servers of the domain: there, over UDP and TCP, and of one mind. What they lack is told; authorities ask the others. */
async function nameServers(sight: Sight, { name }: Asked): Promise<Finding[]> {
  const { zone, nameServers: all } = await authorityOfName(sight.resolver, name, sight.signal)
  if (zone === null || isRegistry(zone)) return []
  const seen = await Promise.all(all.map((each) => seeNameServer(sight, zone, each)))
  const serials = [...new Set(seen.flatMap((each) => each.serials))]
  const differing = serials.length > 1 ? [doubt(`DNS servers of ${zone}`, problem('DNS_SERVERS_DIFFER', `They have different versions of the zone: serial numbers ${serials.join(', ')}. One may be behind for a moment, or for good.`, { zone }))] : []
  return [...seen.map(({ finding }) => finding), ...differing]
}

/** What would be in the way of a validation. `visible`: nothing is sure to fail. */
export async function lookBefore(sight: Sight, asked: Asked): Promise<{ visible: boolean; findings: Finding[] }> {
  const isName = asked.type === 'dns'
  const overWeb = asked.method === 'file' || asked.method === 'http' || asked.method === 'tls-alpn'
  const overDns = asked.method === 'dns' || asked.method === 'dns-persist'
  const parts = await Promise.all([
    overWeb ? part(`addresses of ${asked.name}`, () => web(sight, asked)) : [],
    isName && overDns ? part(`CNAME for ${asked.name}`, () => record(sight, asked)) : [],
    isName && asked.method !== 'none' ? part(`CAA of ${asked.name}`, () => caa(sight, asked)) : [],
    isName && asked.method !== 'none' ? part(`DNS servers of ${asked.name}`, () => nameServers(sight, asked)) : [],
  ])
  const findings = parts.flat()
  return { visible: findings.every(({ ok }) => ok), findings }
}
