import { CertloopError, type ProofExpected } from '@certloop/contract'
import { authorityOfName, plainName, query, serverText, type DnsAnswer, type DnsServer, type NameServer } from '@certloop/dns'
import { delegatedName } from './delegation.ts'
import { bad, doubt, excerpt, good, problem, type Finding, type Sight } from './finding.ts'

type DnsExpected = Extract<ProofExpected, { kind: 'dns' }>

/** What one address said. lame: it answers, but not for this zone. */
type Said = { kind: 'value' | 'other' | 'lame' | 'silent'; words: string }

function said(answer: DnsAnswer, name: string, { recordType, value }: DnsExpected, recursive: boolean): Said {
  if (answer.rcode !== 'NOERROR' && answer.rcode !== 'NXDOMAIN') return { kind: 'lame', words: `answers ${answer.rcode}` }
  const values = answer.answers.flatMap((each) => (each.name === name && each.type === recordType ? [String(each.data)] : []))
  const isWanted = (each: string) => (recordType === 'CNAME' ? plainName(each) === plainName(value) : each === value)
  if (values.some(isWanted)) return { kind: 'value', words: `has the value${values.length > 1 ? ` among ${values.length}` : ''}` }
  if (values.length > 0) return { kind: 'other', words: `has ${values.slice(0, 3).map((each) => `"${excerpt(each, 70)}"`).join(', ')}${values.length > 3 ? ' and others' : ''}, not the value` }
  if (!answer.authoritative && !recursive) return { kind: 'lame', words: 'does not answer for this zone' }
  return { kind: 'other', words: answer.rcode === 'NXDOMAIN' ? 'says that the name does not exist' : `has no ${recordType} record there` }
}

async function ask({ guard, resolver, timeoutMs, signal }: Sight, server: DnsServer, name: string, expected: DnsExpected, recursive: boolean): Promise<Said> {
  if (!resolver.servers.includes(server) && !guard.allows(server.address)) return { kind: 'silent', words: `${serverText(server)} is an address that outgoing calls may not reach` }
  try {
    return said(await query(server, { name, type: expected.recordType }, { recursion: recursive, timeoutMs, signal }), name, expected, recursive)
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    return { kind: 'silent', words: error.message }
  }
}

interface Asked { nameServer: NameServer; said: { server: DnsServer; said: Said }[] }

/** One name server: what answers wrongly at any of its addresses counts; what does not answer is for others to make up for. */
function findingOf({ nameServer: { name, problem: why }, said: all }: Asked, { value, recordType }: DnsExpected, somebodyHasIt: boolean): Finding {
  const words = (kind: Said['kind']) => all.filter((each) => each.said.kind === kind).map(({ server, said: { words: text } }) => (kind === 'silent' ? text : `${serverText(server)} ${text}`)).join('; ')
  if (all.some((each) => each.said.kind === 'other')) {
    const message = `${words('other')}.`
    return bad(name, somebodyHasIt ? problem('DNS_SERVERS_DIFFER', message, { server: name }) : problem('VALIDATION_NOT_VISIBLE', message, { server: name, value, recordType }))
  }
  if (all.some((each) => each.said.kind === 'value')) return good(name, [words('value'), words('lame'), words('silent')].filter(Boolean).join('; '))
  return doubt(name, problem('DNS_LOOKUP_FAILED', [words('lame'), words('silent'), why ?? ''].filter(Boolean).join('; ') || 'It can not be asked.', { server: name }))
}

async function askAll(sight: Sight, nameServers: readonly NameServer[], name: string, expected: DnsExpected, recursive: boolean): Promise<{ visible: boolean; answered: boolean; findings: Finding[] }> {
  const asked = await Promise.all(nameServers.map(async (nameServer) => ({ nameServer, said: await Promise.all(nameServer.servers.map(async (server) => ({ server, said: await ask(sight, server, name, expected, recursive) }))) })))
  const kinds = asked.flatMap(({ said: all }) => all.map((each) => each.said.kind))
  const [hasValue, hasOther] = [kinds.includes('value'), kinds.includes('other')]
  return { visible: hasValue && !hasOther, answered: hasValue || hasOther, findings: asked.map((each) => findingOf(each, expected, hasValue)) }
}

/**
 * Asks every authoritative server for the record, after the CNAME records that lead on from it. Visible when all that answer have
 * it; one that does not answer is passed over, as authorities pass it over. Where none can be asked, the configured servers are.
 */
export async function lookForRecord(sight: Sight, expected: DnsExpected): Promise<{ visible: boolean; findings: Finding[] }> {
  const { resolver, signal } = sight
  const findings: Finding[] = []
  // What is to be a CNAME record itself is not followed.
  const { name, chain } = expected.recordType === 'CNAME' ? { name: plainName(expected.recordName), chain: [] } : await delegatedName(sight, expected.recordName)
  if (chain.length > 0) findings.push(good(`CNAME of ${expected.recordName}`, chain.join(' → ')))
  const { zone, nameServers } = await authorityOfName(resolver, name, signal)
  const direct = await askAll(sight, nameServers, name, expected, false)
  if (direct.answered) return { visible: direct.visible, findings: [...findings, ...direct.findings] }
  const why = zone === null ? `No zone is known for ${name}` : nameServers.length === 0 ? `No DNS server is named for ${zone}` : `No DNS server of ${zone} can be asked from here`
  findings.push(...direct.findings, doubt(`DNS servers of ${zone ?? name}`, problem('DNS_LOOKUP_FAILED', `${why}. The configured DNS servers are asked instead, which may remember older answers.`, { name })))
  const indirect = await askAll(sight, resolver.servers.map((server) => ({ name: serverText(server), servers: [server], problem: null })), name, expected, true)
  if (!indirect.answered) findings.push(bad(name, problem('DNS_LOOKUP_FAILED', `No DNS server tells of ${name}.`, { name })))
  return { visible: indirect.visible, findings: [...findings, ...indirect.findings] }
}
