import { CertloopError } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { type Static, Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { possibleZones } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const Zones = Type.Object({ result: Type.Array(Type.Object({ id: Type.String(), name: Type.String() })), result_info: Type.Optional(Type.Object({ total_pages: Type.Optional(Type.Number()) })) })
const Records = Type.Object({ result: Type.Array(Type.Object({ id: Type.String(), type: Type.String(), name: Type.String(), content: Type.String() })) })
const Created = Type.Object({ result: Type.Object({ id: Type.String() }) })

interface ErrorBody { errors: { code?: number; message?: string; error_chain?: { code?: number; message?: string }[] }[] }
/** Of credentials: headers that can't be read, no or another authentication, a token that is not known or may not do this. */
const ofCredentials = new Set([6003, 9103, 9106, 9107, 9109, 10000, 10001])
const sameRecordExists = new Set([81057, 81058])
const codesOf = (answer: OutboundResponse): number[] => (bodyOf<ErrorBody>(answer).errors ?? []).flatMap(({ code }) => (code === undefined ? [] : [code]))

function explain(answer: OutboundResponse): Problem {
  const { errors = [] } = bodyOf<ErrorBody>(answer)
  const all = errors.flatMap((error) => [error, ...(error.error_chain ?? [])])
  const text = all.map(({ code, message }) => `${message ?? ''}${code === undefined ? '' : ` (${code})`}`).join('; ')
  return errors.some(({ code = 0 }) => ofCredentials.has(code)) ? { text, kind: 'refused' } : { text }
}

/** Records are made and deleted one by one, so nothing of others is ever written. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { apiToken, zoneToken = apiToken, apiAddress = 'https://api.cloudflare.com/client/v4' } = context.fields
  const base = baseAddress(apiAddress)
  const withToken = (token: string) => createApi(context, { title: 'Cloudflare', secrets: [apiToken, zoneToken], authorize: () => ({ authorization: `Bearer ${token}` }), explain })
  const [api, zoneApi] = [withToken(apiToken), withToken(zoneToken)]
  const known = new Map<string, string>()

  const zonesPage = (query: Record<string, string>) => zoneApi.json(Zones, { method: 'GET', url: `${base}/zones?${String(new URLSearchParams({ ...query, status: 'active', per_page: '50' }))}` })
  async function zoneId(zone: string): Promise<string | undefined> {
    const id = known.get(zone) ?? (await zonesPage({ name: zone })).result.find(({ name }) => name === zone)?.id
    if (id !== undefined) known.set(zone, id)
    return id
  }
  async function idOf(zone: string): Promise<string> {
    const id = await zoneId(zone)
    if (id === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Cloudflare shows no active zone ${zone} to this token.`)
    return id
  }
  async function recordsOf(id: string, { name, value }: TextRecord): Promise<string[]> {
    const query = new URLSearchParams({ type: 'TXT', 'name.exact': name, per_page: '100' })
    const { result } = await api.json(Records, { method: 'GET', url: `${base}/zones/${id}/dns_records?${String(query)}` })
    return result.filter((record) => record.type === 'TXT' && record.name === name && unquoted(record.content) === value).map((record) => record.id)
  }
  async function create(id: string, { name, value, ttl }: TextRecord & { ttl: number }): Promise<string | undefined> {
    const body = JSON.stringify({ type: 'TXT', name, content: quoted(value), ttl })
    const answer = await api.send({ method: 'POST', url: `${base}/zones/${id}/dns_records`, body, headers: { 'content-type': 'application/json' }, accept: [400] })
    if (answer.status !== 400) return api.read(Created, answer).result.id
    if (codesOf(answer).some((code) => sameRecordExists.has(code))) return undefined
    throw api.failure(answer)
  }

  async function listZones(): Promise<string[]> {
    const names: string[] = []
    for (let page = 1; ; page++) {
      const { result, result_info: info } = await zonesPage({ page: String(page) })
      names.push(...result.map(({ name }) => name))
      if (result.length === 0 || page >= (info?.total_pages ?? 1)) return names
    }
  }

  return {
    listZones,
    async findZone(name) {
      for (const zone of possibleZones(name)) if ((await zoneId(zone)) !== undefined) return zone
      return undefined
    },
    async addTxt(record) {
      const id = await idOf(record.zone)
      const [present] = await recordsOf(id, record)
      const recordId = present ?? (await create(id, record)) ?? (await recordsOf(id, record))[0]
      if (recordId === undefined) throw new CertloopError('DNS_RECORD_FAILED', `Cloudflare says that ${record.name} has this value already, and does not show it.`)
      return { zoneId: id, recordId }
    },
    async removeTxt(record) {
      const id = await idOf(record.zone)
      for (const recordId of await recordsOf(id, record)) await api.send({ method: 'DELETE', url: `${base}/zones/${id}/dns_records/${recordId}`, accept: [404] })
    },
    test: (steps) => testByReading(steps, {
      title: 'Cloudflare', zones: async () => (await zonesPage({})).result.map(({ name }) => name),
      read: async (zone, name) => recordsOf(await idOf(zone), { zone, name, value: '' }), noZone: 'Give the token Zone / Zone / Read for the zones.',
    }),
  }
}
