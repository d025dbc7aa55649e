import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { type ApiRequest, bodyOf, createApi, type Problem } from '../shared/api.ts'
import { longestZone, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const endpoints = { eu: 'https://eu.api.ovh.com/1.0', ca: 'https://ca.api.ovh.com/1.0', us: 'https://api.us.ovhcloud.com/1.0' } as const
const Names = Type.Array(Type.String())
const Ids = Type.Array(Type.Number())
const Found = Type.Object({ id: Type.Number(), fieldType: Type.String(), subDomain: Type.Union([Type.String(), Type.Null()]), target: Type.String() })
const Created = Type.Object({ id: Type.Number() })

const ofCredentials = /^(INVALID_SIGNATURE|NOT_CREDENTIAL|INVALID_CREDENTIAL|NOT_GRANTED_CALL|INVALID_KEY|QUERY_TIME_OUT)$/
/** A wrong signature comes as 400, and so does a call whose fields OVHcloud does not like. */
function explain(answer: OutboundResponse): Problem {
  const { class: kind, errorCode: code, message } = bodyOf<{ class: string; errorCode: string; message: string }>(answer)
  const text = [kind, code, message].filter((each) => typeof each === 'string').join(': ')
  return (typeof code === 'string' && ofCredentials.test(code)) || message === 'Invalid signature' ? { text, kind: 'refused' } : { text }
}

/** Records are made and deleted one by one. What was changed is served after a refresh of the zone, so each change ends with one. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { endpoint, applicationKey, applicationSecret, consumerKey } = context.fields
  const base = baseAddress(context.fields.apiAddress ?? endpoints[endpoint])
  const secrets = [applicationSecret, consumerKey]
  const open = createApi(context, { title: 'OVHcloud', secrets, authorize: () => ({ 'x-ovh-application': applicationKey }), explain })
  let aheadMs: Promise<number> | undefined
  /** How far the clock there is ahead: a signature is good for a short time. */
  const ahead = () => (aheadMs ??= open.json(Type.Number(), { method: 'GET', url: `${base}/auth/time` }).then((seconds) => seconds * 1000 - context.now().getTime()).catch((error: unknown) => { aheadMs = undefined; throw error }))

  async function authorize({ method, url, body = '' }: ApiRequest): Promise<Record<string, string>> {
    const timestamp = Math.floor((context.now().getTime() + (await ahead())) / 1000)
    const signature = createHash('sha1').update([applicationSecret, consumerKey, method, url, body, timestamp].join('+')).digest('hex')
    return { 'x-ovh-application': applicationKey, 'x-ovh-consumer': consumerKey, 'x-ovh-timestamp': String(timestamp), 'x-ovh-signature': `$1$${signature}` }
  }
  const api = createApi(context, { title: 'OVHcloud', secrets, authorize, explain })
  const zoneAddress = (zone: string) => `${base}/domain/zone/${encodeURIComponent(zone)}`
  const listZones = async () => (await api.json(Names, { method: 'GET', url: `${base}/domain/zone` })).map((name) => name.toLowerCase())
  const refresh = async (zone: string) => { await api.send({ method: 'POST', url: `${zoneAddress(zone)}/refresh` }) }

  async function idsOf(record: TextRecord): Promise<number[]> {
    const subDomain = relativeName(record, '')
    const ids = await api.jsonOrNot(Ids, { method: 'GET', url: `${zoneAddress(record.zone)}/record?${new URLSearchParams({ fieldType: 'TXT', subDomain }).toString()}` })
    if (ids === undefined) throw new CertloopError('DNS_RECORD_FAILED', `OVHcloud has no DNS zone ${record.zone} for this consumer key.`)
    const found = []
    for (const id of ids) found.push(await api.jsonOrNot(Found, { method: 'GET', url: `${zoneAddress(record.zone)}/record/${id}` }))
    return found.flatMap((each) => (each !== undefined && each.fieldType === 'TXT' && (each.subDomain ?? '') === subDomain && (each.target === record.value || unquoted(each.target) === record.value) ? [each.id] : []))
  }

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      const [present] = await idsOf(record)
      const body = { fieldType: 'TXT', subDomain: relativeName(record, ''), target: record.value, ttl: record.ttl }
      const id = present ?? (await api.json(Created, { method: 'POST', url: `${zoneAddress(record.zone)}/record`, body })).id
      // Also of what is there: a crash may have come between the record and its refresh.
      await refresh(record.zone)
      return { recordId: String(id) }
    },
    async removeTxt(record) {
      for (const id of await idsOf(record)) await api.send({ method: 'DELETE', url: `${zoneAddress(record.zone)}/record/${id}`, accept: [404] })
      await refresh(record.zone)
    },
    test: (steps) => testByReading(steps, { title: 'OVHcloud', zones: listZones, read: (zone, name) => idsOf({ zone, name, value: '' }), noZone: 'Look whether the consumer key was made by the account that has the zones.' }),
  }
}
