import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { bodyOf, createApi, type Problem, resetAt } from '../shared/api.ts'
import { possibleZones, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const links = Type.Optional(Type.Object({ pages: Type.Optional(Type.Object({ next: Type.Optional(Type.String()) })) }))
const Domains = Type.Object({ domains: Type.Array(Type.Object({ name: Type.String() })), links })
const Domain = Type.Object({ domain: Type.Object({ name: Type.String() }) })
const Records = Type.Object({ domain_records: Type.Array(Type.Object({ id: Type.Number(), type: Type.String(), name: Type.String(), data: Type.String() })), links })
const Created = Type.Object({ domain_record: Type.Object({ id: Type.Number() }) })

function explain(answer: OutboundResponse): Problem {
  const { id, message } = bodyOf<{ id: string; message: string }>(answer)
  return { text: [id, message].filter((each) => typeof each === 'string').join(': '), retryAt: resetAt(answer) }
}

/** Records are made and deleted one by one, so nothing of others is ever written. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { apiToken, apiAddress = 'https://api.digitalocean.com' } = context.fields
  const base = `${baseAddress(apiAddress)}/v2/domains`
  const api = createApi(context, { title: 'DigitalOcean', secrets: [apiToken], authorize: () => ({ authorization: `Bearer ${apiToken}` }), explain })

  async function allPages<T>(read: (page: string) => Promise<{ items: T[]; next: string | undefined }>): Promise<T[]> {
    const all: T[] = []
    for (let page = 1; ; page++) {
      const { items, next } = await read(`page=${page}&per_page=200`)
      all.push(...items)
      if (next === undefined || items.length === 0) return all
    }
  }
  const listZones = () => allPages(async (page) => {
    const { domains, links: more } = await api.json(Domains, { method: 'GET', url: `${base}?${page}` })
    return { items: domains.map(({ name }) => name.toLowerCase()), next: more?.pages?.next }
  })
  async function idsOf(record: TextRecord): Promise<number[]> {
    const query = new URLSearchParams({ type: 'TXT', name: record.name }).toString()
    const all = await allPages(async (page) => {
      const { domain_records: items, links: more } = await api.json(Records, { method: 'GET', url: `${base}/${record.zone}/records?${query}&${page}` })
      return { items, next: more?.pages?.next }
    })
    const relative = relativeName(record)
    return all.filter(({ type, name, data }) => type === 'TXT' && name === relative && (data === record.value || unquoted(data) === record.value)).map(({ id }) => id)
  }
  /** A domain that is not there is told by its name. */
  const inZone = <T>(zone: string, run: () => Promise<T>): Promise<T> => run().catch((error: unknown) => {
    if (error instanceof CertloopError && error.code === 'DNS_RECORD_FAILED' && error.facts['status'] === 404) throw new CertloopError('DNS_RECORD_FAILED', `DigitalOcean shows no domain ${zone} to this token.`, error.facts, error)
    throw error
  })

  return {
    listZones,
    async findZone(name) {
      for (const zone of possibleZones(name)) if ((await api.jsonOrNot(Domain, { method: 'GET', url: `${base}/${zone}` })) !== undefined) return zone
      return undefined
    },
    addTxt: (record) => inZone(record.zone, async () => {
      const [present] = await idsOf(record)
      if (present !== undefined) return { recordId: String(present) }
      const { domain_record: made } = await api.json(Created, { method: 'POST', url: `${base}/${record.zone}/records`, body: { type: 'TXT', name: relativeName(record), data: record.value, ttl: record.ttl } })
      return { recordId: String(made.id) }
    }),
    removeTxt: (record) => inZone(record.zone, async () => {
      for (const id of await idsOf(record)) await api.send({ method: 'DELETE', url: `${base}/${record.zone}/records/${id}`, accept: [404] })
    }),
    test: (steps) => testByReading(steps, { title: 'DigitalOcean', zones: listZones, read: (zone, name) => idsOf({ zone, name, value: '' }), noZone: 'Add the domain under Networking, in the team of the token.' }),
  }
}
