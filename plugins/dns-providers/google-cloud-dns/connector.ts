import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { again, eventuallySo, untilWritten } from '../shared/again.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { withoutDot } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'
import { accessTokens, readKey } from './service-account.ts'
import { createZones } from './zones.ts'

const RecordSet = Type.Object({ name: Type.String(), type: Type.String(), ttl: Type.Number(), rrdatas: Type.Optional(Type.Array(Type.String())) })
const RecordSets = Type.Object({ kind: Type.String(), rrsets: Type.Optional(Type.Array(RecordSet)) })
const Change = Type.Object({ id: Type.String({ minLength: 1 }), status: Type.String() })

interface ErrorBody { error: { message?: string; errors?: { reason?: string }[] } }
const reasonsOf = (answer: OutboundResponse): string[] => {
  const { error } = bodyOf<ErrorBody>(answer)
  return Array.isArray(error?.errors) ? error.errors.flatMap(({ reason }) => (typeof reason === 'string' ? [reason] : [])) : []
}
const quotas = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'quotaExceeded', 'dailyLimitExceeded'])

/** A quota that is used up comes as 403 too. */
function explain(answer: OutboundResponse): Problem {
  const { error } = bodyOf<ErrorBody>(answer)
  const reasons = reasonsOf(answer)
  const text = `${typeof error?.message === 'string' ? error.message : ''}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`
  return reasons.some((reason) => quotas.has(reason)) ? { text, kind: 'busy' } : { text }
}
/** What a change takes away is not as it was read, or what it adds is there by now. */
const overtaken = (answer: OutboundResponse) => [409, 412].includes(answer.status) || (answer.status === 404 && answer.text().includes('change.deletions'))

/** Each change takes away exactly the set that was read and adds the new one: Cloud DNS makes both or nothing. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { serviceAccountKey, managedZone, apiAddress = 'https://dns.googleapis.com' } = context.fields
  const key = readKey(serviceAccountKey)
  if (key === undefined) throw new CertloopError('INPUT_INVALID', 'The key of the service account is not the JSON file that Google Cloud gives.')
  const secrets = [serviceAccountKey, key.private_key]
  const token = accessTokens(context, key, secrets)
  const api = createApi(context, { title: 'Cloud DNS', secrets, authorize: async () => ({ authorization: `Bearer ${await token()}` }), explain })
  const base = `${baseAddress(apiAddress)}/dns/v1/projects/${encodeURIComponent(context.fields.project ?? key.project_id ?? '')}/managedZones`

  const { listZones, findZone, addressOf } = createZones(api, base, managedZone)
  async function setAt(address: string, name: string): Promise<Static<typeof RecordSet> | undefined> {
    const { rrsets = [] } = await api.json(RecordSets, { method: 'GET', url: `${address}/rrsets?${String(new URLSearchParams({ name: `${name}.`, type: 'TXT' }))}` })
    const set = rrsets.find((each) => withoutDot(each.name) === name && each.type === 'TXT')
    if (set !== undefined && set.rrdatas === undefined) throw new CertloopError('DNS_RECORD_FAILED', `${name} has TXT records under a routing policy of Cloud DNS. Remove that policy, or validate by a CNAME record to another name.`)
    return set
  }
  /** @returns the change; undefined: nothing was to be changed */
  const change = (address: string, { name }: TextRecord, ttl: number, wanted: (values: string[]) => string[] | undefined): Promise<Static<typeof Change> | undefined> => untilWritten(context, 'Cloud DNS', async () => {
    const set = await setAt(address, name)
    const rrdatas = wanted(set?.rrdatas ?? [])
    if (rrdatas === undefined) return undefined
    const additions = rrdatas.length === 0 ? [] : [{ name: `${name}.`, type: 'TXT', ttl: set?.ttl ?? ttl, rrdatas }]
    const body = JSON.stringify({ ...(set === undefined ? {} : { deletions: [set] }), ...(additions.length === 0 ? {} : { additions }) })
    const answer = await api.send({ method: 'POST', url: `${address}/changes`, body, headers: { 'content-type': 'application/json' }, accept: [404, 409, 412] })
    if (answer.status < 300) return api.read(Change, answer)
    if (overtaken(answer)) return again
    throw api.failure(answer)
  })

  return {
    listZones, findZone,
    async addTxt(record) {
      const address = await addressOf(record.zone)
      const made = await change(address, record, record.ttl, (present) => (present.some((value) => unquoted(value) === record.value) ? undefined : [...present, quoted(record.value)]))
      if (made === undefined) return {}
      const url = `${address}/changes/${encodeURIComponent(made.id)}`
      const done = made.status === 'done' || (await eventuallySo(context, async () => (await api.json(Change, { method: 'GET', url })).status === 'done', { everyMs: 3000, limitMs: 120_000 }))
      return { changeId: made.id, status: done ? 'done' : 'pending' }
    },
    async removeTxt(record) {
      await change(await addressOf(record.zone), record, 60, (present) => {
        const left = present.filter((value) => unquoted(value) !== record.value)
        return left.length === present.length ? undefined : left
      })
    },
    test: (steps) => testByReading(steps, { title: 'Cloud DNS', zones: listZones, read: async (zone, name) => setAt(await addressOf(zone), name), noZone: 'Look whether the project is the right one, and give the service account the role "DNS Administrator".' }),
  }
}
