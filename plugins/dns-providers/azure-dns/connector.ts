import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { again, untilWritten } from '../shared/again.ts'
import { longestZone, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { createClient } from './client.ts'
import type { fields } from './manifest.ts'

const version = 'api-version=2018-05-01'
const Zones = Type.Object({
  value: Type.Array(Type.Object({ id: Type.String({ pattern: '^/subscriptions/[^/?#]+/[rR]esource[gG]roups/[^/?#]+/providers/[mM]icrosoft\\.[nN]etwork/[dD]ns[zZ]ones/[^/?#]+$' }), name: Type.String(), properties: Type.Optional(Type.Object({ zoneType: Type.Optional(Type.String()) })) })),
  nextLink: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const TextSet = Type.Object({ value: Type.Array(Type.String()) })
const RecordSet = Type.Object({
  etag: Type.String({ minLength: 1 }),
  properties: Type.Object({ TTL: Type.Optional(Type.Number()), metadata: Type.Optional(Type.Unknown()), TXTRecords: Type.Optional(Type.Array(TextSet)) }),
})
type Texts = Static<typeof TextSet>[]

const textOf = ({ value }: Static<typeof TextSet>) => value.join('')
const inParts = (value: string): string[] => value.match(/[^]{1,255}/g) ?? ['']

/** Writes whole sets of records, each time bound to the etag that was read: what others write between is never lost. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { subscriptionId, resourceGroup } = context.fields
  const { api, base, own } = createClient(context)
  let known: Map<string, string[]> | undefined

  async function zones(): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>()
    const within = resourceGroup === undefined ? 'providers/Microsoft.Network/dnszones' : `resourceGroups/${encodeURIComponent(resourceGroup)}/providers/Microsoft.Network/dnsZones`
    for (let url: string | undefined = `${base}/subscriptions/${encodeURIComponent(subscriptionId)}/${within}?${version}`; url !== undefined;) {
      const { value, nextLink }: Static<typeof Zones> = await api.json(Zones, { method: 'GET', url })
      for (const { id, name, properties } of value) if (properties?.zoneType !== 'Private') found.set(name.toLowerCase(), [...(found.get(name.toLowerCase()) ?? []), id])
      url = nextLink ? own(nextLink) : undefined
    }
    known = found
    return found
  }
  async function setAddress(record: Pick<TextRecord, 'zone' | 'name'>): Promise<string> {
    const ids = known?.get(record.zone) ?? (await zones()).get(record.zone) ?? []
    if (ids.length > 1) throw new CertloopError('DNS_RECORD_FAILED', `Azure DNS has ${ids.length} zones ${record.zone} in this subscription. Name the resource group of the one that is delegated to in the fields.`)
    if (ids[0] === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Azure DNS shows no public zone ${record.zone} to this application.`)
    return `${base}${ids[0]}/TXT/${relativeName(record)}?${version}`
  }
  /** Bound to what was read: 409 and 412 mean that it is no longer so. */
  function write(url: string, texts: Texts, set: Static<typeof RecordSet> | undefined, ttl: number): Promise<OutboundResponse> {
    const guard: Record<string, string> = set === undefined ? { 'if-none-match': '*' } : { 'if-match': set.etag }
    if (texts.length === 0) return api.send({ method: 'DELETE', url, headers: guard, accept: [404, 409, 412] })
    const { TTL = ttl, metadata } = set?.properties ?? {}
    const body = JSON.stringify({ properties: { TTL, TXTRecords: texts, ...(metadata === undefined || metadata === null ? {} : { metadata }) } })
    return api.send({ method: 'PUT', url, headers: { ...guard, 'content-type': 'application/json' }, body, accept: [409, 412] })
  }
  /** wanted: the new list; undefined: it stays as it is. */
  async function change(record: TextRecord, ttl: number, wanted: (texts: Texts) => Texts | undefined): Promise<void> {
    const url = await setAddress(record)
    await untilWritten(context, 'Azure DNS', async () => {
      const set = await api.jsonOrNot(RecordSet, { method: 'GET', url })
      const texts = wanted(set?.properties.TXTRecords ?? [])
      if (texts === undefined) return true
      const answer = await write(url, texts, set, ttl)
      if (answer.status === 409 || answer.status === 412) return again
      if (texts.length > 0) api.read(RecordSet, answer)
      return true
    })
  }
  const listZones = async () => [...(await zones()).keys()]

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      await change(record, record.ttl, (texts) => (texts.some((text) => textOf(text) === record.value) ? undefined : [...texts, { value: inParts(record.value) }]))
      return { set: `${record.zone}/TXT/${relativeName(record)}` }
    },
    async removeTxt(record) {
      await change(record, 60, (texts) => {
        const left = texts.filter((text) => textOf(text) !== record.value)
        return left.length === texts.length ? undefined : left
      })
    },
    test: (steps) => testByReading(steps, {
      title: 'Azure DNS', zones: listZones, read: async (zone, name) => api.jsonOrNot(RecordSet, { method: 'GET', url: await setAddress({ zone, name }) }),
      noZone: 'Give the application the role "DNS Zone Contributor" on the zones.',
    }),
  }
}
