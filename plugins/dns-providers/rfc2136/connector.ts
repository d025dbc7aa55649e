import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { CertloopError, type Static } from '@certloop/contract'
import { query, sendUpdate, serverText, tsigKey, type AskOptions, type Change, type DnsAnswer, type DnsServer, type QuestionType } from '@certloop/dns'
import type { DnsProviderConnector, DnsProviderContext, TestSteps } from '@certloop/plugin-kit'
import { longestZone, possibleZones, withoutDot } from '../shared/names.ts'
import { problemOf } from './problem.ts'
import type { fields } from './manifest.ts'

type Context = DnsProviderContext<Static<typeof fields>>
const timeoutMs = 10_000

/** @throws CertloopError DNS_PROVIDER_UNREACHABLE, ADDRESS_NOT_ALLOWED */
async function findServer({ fields: { server, port = 53 }, guard }: Context): Promise<DnsServer> {
  const addresses = isIP(server) !== 0 ? [server] : (await lookup(server, { all: true }).catch((error: NodeJS.ErrnoException) => {
    throw new CertloopError('DNS_PROVIDER_UNREACHABLE', `The name ${server} of the DNS server leads to no address: ${error.code ?? error.message}.`, {}, error)
  })).map(({ address }) => address)
  const bad = addresses.find((address) => !guard.allows(address))
  if (bad !== undefined) throw new CertloopError('ADDRESS_NOT_ALLOWED', `${server}${bad === server ? '' : ` (${bad})`} is an address that outgoing calls may not reach.`, { address: bad })
  return { address: addresses[0] ?? server, port }
}

/** What does not come back from the server, in the words of a provider. */
function asProvider(error: unknown): never {
  if (!(error instanceof CertloopError) || error.code !== 'DNS_LOOKUP_FAILED') throw error
  throw new CertloopError('DNS_PROVIDER_UNREACHABLE', error.message, { problem: String(error.facts['problem'] ?? '') }, error)
}

export function connector(context: Context): DnsProviderConnector {
  const { keyName, algorithm, secret, zones } = context.fields
  const allowed = zones?.map(withoutDot)
  const key = tsigKey(keyName, algorithm, secret)
  const options: AskOptions = { tcp: true, timeoutMs, signal: context.signal, tsig: { key, now: context.now } }
  const fail = (answer: DnsAnswer, what: string) => problemOf(answer, { keyName, what, now: context.now() })

  async function ask(name: string, type: QuestionType): Promise<DnsAnswer> {
    const answer = await query(await findServer(context), { name, type }, { ...options, recursion: false }).catch(asProvider)
    // A key that is not taken is not taken for any name.
    if (answer.rcode === 'NOTAUTH' || (answer.tsig?.error ?? 'NOERROR') !== 'NOERROR') throw fail(answer, `a question for ${name || 'the root'}`)
    return answer
  }
  async function change(zone: string, name: string, changes: readonly Change[]): Promise<void> {
    const answer = await sendUpdate(await findServer(context), { zone, changes }, options).catch(asProvider)
    if (answer.rcode !== 'NOERROR') throw fail(answer, `the change of ${name} in the zone ${zone}`)
  }
  /** A set has one time to live: that of others who have values there stays. */
  async function ttlAt(name: string): Promise<number | undefined> {
    const { answers } = await ask(name, 'TXT')
    return answers.find((record) => record.type === 'TXT' && record.name === name)?.ttl
  }

  return {
    ...(allowed ? { listZones: async () => allowed } : {}),
    async findZone(name) {
      if (allowed) return longestZone(allowed, name)
      for (const candidate of possibleZones(name)) {
        const { authoritative, answers, authorities } = await ask(candidate, 'SOA')
        const found = [...answers, ...authorities].find((record) => record.type === 'SOA')
        // Behind a CNAME record it would be the zone of another name.
        const isLedOn = answers.some(({ type }) => type === 'CNAME' || type === 'DNAME')
        if (authoritative && found && !isLedOn && found.name !== '') return found.name
      }
      return undefined
    },
    async addTxt({ zone, name, value, ttl }) {
      await change(zone, name, [{ kind: 'add', name, type: 'TXT', ttl: await ttlAt(name) ?? ttl, value }])
      return {}
    },
    removeTxt: ({ zone, name, value }) => change(zone, name, [{ kind: 'remove', name, type: 'TXT', value }]),
    test: (steps) => testServer(steps, context, ask, allowed),
  }
}

async function testServer(steps: TestSteps, context: Context, ask: (name: string, type: QuestionType) => Promise<DnsAnswer>, allowed: readonly string[] | undefined): Promise<void> {
  const { keyName } = context.fields
  await steps.step('Find the server', () => findServer(context), (server) => `${context.fields.server} is ${serverText(server)}.`)
  await steps.step('Ask it with the key', () => ask('', 'SOA'), ({ rcode, tsig }) => `It answered ${rcode} over TCP${tsig?.verified ? `, signed with the key "${keyName}": key, secret and clocks fit` : ''}. Whether the key may change a name shows when a record is written.`)
  for (const zone of allowed ?? []) {
    await steps.step(`Look for the zone ${zone}`, async () => {
      const { authoritative, answers, rcode } = await ask(zone, 'SOA')
      const soa = answers.find((record) => record.type === 'SOA' && record.name === zone)
      if (!authoritative || soa?.type !== 'SOA') throw new CertloopError('DNS_RECORD_FAILED', `The server does not hold the zone ${zone}: it answers ${rcode}${soa ? ' from its cache' : ''}.`)
      return soa.data
    }, ({ primary, serial }) => `It is there with serial number ${serial}; its primary server is ${primary}.`)
  }
}
