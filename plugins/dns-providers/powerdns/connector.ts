import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, TestSteps, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { again, untilWritten } from '../shared/again.ts'
import { type Api, bodyOf, createApi } from '../shared/api.ts'
import { possibleZones, withoutDot } from '../shared/names.ts'
import { quoted, unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const Zone = Type.Object({ name: Type.String(), kind: Type.String() })
const SetRecord = Type.Object({ content: Type.String(), disabled: Type.Optional(Type.Boolean()) })
const RecordSet = Type.Object({ name: Type.String(), type: Type.String(), ttl: Type.Integer(), records: Type.Array(SetRecord) })
const ZoneWithSets = Type.Object({ name: Type.String(), kind: Type.String(), rrsets: Type.Array(RecordSet) })
type Change = { changetype: 'REPLACE'; ttl: number; records: Static<typeof SetRecord>[] } | { changetype: 'DELETE' }

/** Kinds that take their records from elsewhere: what is written there is gone with the next transfer. */
const isCopy = ({ kind }: Static<typeof Zone>) => ['slave', 'secondary', 'consumer'].includes(kind.toLowerCase())
/** Kinds that tell their secondaries. */
const hasSecondaries = (kind: string) => ['master', 'primary', 'producer'].includes(kind.toLowerCase())

export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { url, apiKey, serverId, trustPem } = context.fields
  const outbound = () => context.outbound(trustPem === undefined ? {} : { trustPem })
  const base = `${url.replace(/\/+$/, '')}/api/v1/servers/${encodeURIComponent(serverId)}`
  const api = createApi({ ...context, outbound }, {
    title: 'PowerDNS', secrets: [apiKey], authorize: () => ({ 'x-api-key': apiKey }),
    explain: (answer) => {
      const { error, errors } = bodyOf<{ error: string; errors: string[] }>(answer)
      return { text: [error, ...(Array.isArray(errors) ? errors : [])].filter((each) => typeof each === 'string').join('; ') }
    },
  })
  const zoneUrl = (zone: string) => `${base}/zones/${encodeURIComponent(`${zone}.`)}`
  const zonesNamed = (zone?: string) => api.json(Type.Array(Zone), { method: 'GET', url: `${base}/zones${zone === undefined ? '' : `?zone=${encodeURIComponent(`${zone}.`)}`}` })
  const place = { api, zoneUrl, context }

  return {
    listZones: async () => (await zonesNamed()).filter((zone) => !isCopy(zone)).map(({ name }) => withoutDot(name)),
    async findZone(name) {
      for (const zone of possibleZones(name)) {
        const found = (await zonesNamed(zone)).find((each) => withoutDot(each.name) === zone)
        if (found) return isCopy(found) ? undefined : zone
      }
      return undefined
    },
    async addTxt({ ttl, ...record }) {
      await merge(place, record, (records, present) => {
        if (holds(records, record.value)) return undefined
        return { changetype: 'REPLACE', ttl: present ?? ttl, records: [...records, { content: quoted(record.value), disabled: false }] }
      })
      return {}
    },
    removeTxt: (record) => merge(place, record, (records, present) => {
      if (!records.some(({ content }) => unquoted(content) === record.value)) return undefined
      const left = records.filter(({ content }) => unquoted(content) !== record.value)
      return left.length === 0 ? { changetype: 'DELETE' } : { changetype: 'REPLACE', ttl: present ?? 60, records: left }
    }),
    test: (steps) => testPowerdns(steps, api, base, zonesNamed),
  }
}

/** A record that is switched off serves nobody. */
const holds = (records: readonly Static<typeof SetRecord>[], value: string) => records.some(({ content, disabled }) => disabled !== true && unquoted(content) === value)

/**
 * The API replaces whole sets and knows no locks: what is there is read, merged and written, and read again to see that nobody
 * else wrote between. Secondaries are told where there are any.
 */
async function merge({ api, zoneUrl, context }: { api: Api; zoneUrl: (zone: string) => string; context: DnsProviderContext<unknown> }, { zone, name }: TextRecord, change: (records: Static<typeof SetRecord>[], ttl: number | undefined) => Change | undefined): Promise<void> {
  const readSet = async () => {
    const found = await api.jsonOrNot(ZoneWithSets, { method: 'GET', url: `${zoneUrl(zone)}?rrset_name=${encodeURIComponent(`${name}.`)}&rrset_type=TXT` })
    if (!found) throw new CertloopError('DNS_RECORD_FAILED', `PowerDNS has no zone ${zone}.`)
    // Older releases answer with the whole zone.
    const set = found.rrsets.find((each) => each.type === 'TXT' && withoutDot(each.name) === name)
    return { kind: found.kind, wanted: change(set?.records ?? [], set?.ttl) }
  }
  let written = false
  const kind = await untilWritten(context, 'PowerDNS', async () => {
    const { kind, wanted } = await readSet()
    if (wanted === undefined) return kind
    await api.send({ method: 'PATCH', url: zoneUrl(zone), body: JSON.stringify({ rrsets: [{ name: `${name}.`, type: 'TXT', ...wanted }] }), headers: { 'content-type': 'application/json' } })
    written = true
    return (await readSet()).wanted === undefined ? kind : again
  })
  if (written && hasSecondaries(kind)) await api.send({ method: 'PUT', url: `${zoneUrl(zone)}/notify`, accept: [400, 422] })
}

async function testPowerdns(steps: TestSteps, api: Api, base: string, zones: () => Promise<Static<typeof Zone>[]>): Promise<void> {
  await steps.step('Ask the API for the server', () => api.json(Type.Object({ id: Type.String(), daemon_type: Type.String(), version: Type.String() }), { method: 'GET', url: base }), ({ daemon_type, version }) => `PowerDNS ${daemon_type} ${version} took the API key.`)
  await steps.step('List the zones', async () => {
    const found = await zones()
    if (!found.some((zone) => !isCopy(zone))) throw new CertloopError('DNS_RECORD_FAILED', found.length === 0 ? 'The server has no zones.' : 'The server has copies of zones alone (kind Secondary); changes belong to their primary.')
    return found.filter((zone) => !isCopy(zone))
  }, (found) => `${found.length} ${found.length === 1 ? 'zone' : 'zones'} can be written: ${found.slice(0, 10).map(({ name }) => withoutDot(name)).join(', ')}${found.length > 10 ? ' …' : ''}`)
}
