import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { longestZone, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const Domains = Type.Array(Type.Object({ domain: Type.String() }))
const Records = Type.Array(Type.Object({ data: Type.String(), ttl: Type.Optional(Type.Number()) }))
type Found = Static<typeof Records>
const pageSize = 1000

interface ErrorBody { code: string; message: string; fields: { path?: string; message?: string }[]; retryAfterSec: number }
const noAccess = 'GoDaddy gives its API since 2024 only to accounts with at least 10 domains or a Discount Domain Club plan; a valid key of another account gets this answer. Without such a plan, point _acme-challenge of the names with CNAME records to a zone at another DNS provider'

function explain(answer: OutboundResponse, now: Date): Problem {
  const { code, message, fields: wrong, retryAfterSec: seconds } = bodyOf<ErrorBody>(answer)
  const details = Array.isArray(wrong) ? wrong.map(({ path, message: why }) => `${path ?? ''} ${why ?? ''}`) : []
  const text = [[code, message].filter((each) => typeof each === 'string').join(': '), ...details].join('; ')
  if (answer.status === 403 && code === 'ACCESS_DENIED') return { text: `${text}. ${noAccess}` }
  return { text, retryAt: answer.status === 429 && typeof seconds === 'number' ? new Date(now.getTime() + seconds * 1000) : undefined }
}
const isRecord = (value: string) => ({ data }: Found[number]) => data === value || unquoted(data) === value

/** Adds by the call that appends. Only a removal has to write what is left: there is no call that removes one value. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { apiKey, apiSecret, shopperId, apiAddress = 'https://api.godaddy.com' } = context.fields
  const base = `${baseAddress(apiAddress)}/v1/domains`
  const authorization = { authorization: `sso-key ${apiKey}:${apiSecret}`, ...(shopperId === undefined ? {} : { 'x-shopper-id': shopperId }) }
  const api = createApi(context, { title: 'GoDaddy', secrets: [apiSecret, `${apiKey}:${apiSecret}`], authorize: () => authorization, explain: (answer) => explain(answer, context.now()) })

  async function listZones(): Promise<string[]> {
    const names: string[] = []
    for (let marker = ''; ;) {
      const query = new URLSearchParams({ statuses: 'ACTIVE', limit: String(pageSize), ...(marker === '' ? {} : { marker }) }).toString()
      const page = (await api.json(Domains, { method: 'GET', url: `${base}?${query}` })).map(({ domain }) => domain)
      names.push(...page.filter((name) => !names.includes(name)).map((name) => name.toLowerCase()))
      const last = page.at(-1)
      if (page.length < pageSize || last === undefined || last === marker) return names
      marker = last
    }
  }
  const setAddress = (record: Pick<TextRecord, 'zone' | 'name'>) => `${base}/${record.zone}/records/TXT/${encodeURIComponent(relativeName(record))}`
  async function recordsAt(record: Pick<TextRecord, 'zone' | 'name'>): Promise<Found> {
    const found = await api.jsonOrNot(Records, { method: 'GET', url: setAddress(record) })
    if (found === undefined) throw new CertloopError('DNS_RECORD_FAILED', `GoDaddy shows no domain ${record.zone} to this key.`)
    return found.filter(({ data }) => data !== '')
  }

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      if ((await recordsAt(record)).some(isRecord(record.value))) return {}
      const body = JSON.stringify([{ type: 'TXT', name: relativeName(record), data: record.value, ttl: record.ttl }])
      const answer = await api.send({ method: 'PATCH', url: `${base}/${record.zone}/records`, body, headers: { 'content-type': 'application/json' }, accept: [422] })
      if (answer.status === 422 && bodyOf<ErrorBody>(answer).code !== 'DUPLICATE_RECORD') throw api.failure(answer)
      if (!(await recordsAt(record)).some(isRecord(record.value))) throw new CertloopError('DNS_RECORD_FAILED', `GoDaddy took the record for ${record.name}, and does not show it.`)
      return {}
    },
    async removeTxt(record) {
      const present = await recordsAt(record)
      const left = present.filter((each) => !isRecord(record.value)(each))
      if (left.length === present.length) return
      if (left.length === 0) await api.send({ method: 'DELETE', url: setAddress(record), accept: [404] })
      else await api.send({ method: 'PUT', url: setAddress(record), body: JSON.stringify(left.map(({ data, ttl = 3600 }) => ({ data, ttl }))), headers: { 'content-type': 'application/json' } })
    },
    test: (steps) => testByReading(steps, { title: 'GoDaddy', zones: listZones, read: (zone, name) => recordsAt({ zone, name }), noZone: 'Look whether the domain is in this account and active.' }),
  }
}
