import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { again, untilWritten } from '../shared/again.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { longestZone, relativeName } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import type { fields } from './manifest.ts'

const Domains = Type.Array(Type.Object({ fqdn: Type.String() }))
const RecordSet = Type.Object({ rrset_ttl: Type.Number(), rrset_values: Type.Array(Type.String()) })
const pageSize = 100

interface ErrorBody { message: string; cause: string; errors: { name?: string; description?: string }[] }
function explain(answer: OutboundResponse): Problem {
  const { message, cause, errors } = bodyOf<ErrorBody>(answer)
  const details = Array.isArray(errors) ? errors.map(({ name, description }) => `${name ?? ''}: ${description ?? ''}`) : []
  return { text: [cause, message, ...details].filter((each) => typeof each === 'string').join('; ') }
}

/** Writes whole sets of records: a new one only while there is none, a present one with what was read just before. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { token, apiAddress = 'https://api.gandi.net/v5/livedns' } = context.fields
  const base = `${baseAddress(apiAddress)}/domains`
  const api = createApi(context, { title: 'Gandi', secrets: [token], authorize: () => ({ authorization: `Bearer ${token}` }), explain })

  async function listZones(): Promise<string[]> {
    const names: string[] = []
    for (let page = 1; ; page++) {
      const part = await api.json(Domains, { method: 'GET', url: `${base}?page=${page}&per_page=${pageSize}` })
      names.push(...part.map(({ fqdn }) => fqdn.toLowerCase()))
      if (part.length < pageSize) return names
    }
  }
  const setAddress = (record: Pick<TextRecord, 'zone' | 'name'>) => `${base}/${record.zone}/records/${encodeURIComponent(relativeName(record))}/TXT`
  const setAt = (record: Pick<TextRecord, 'zone' | 'name'>) => api.jsonOrNot(RecordSet, { method: 'GET', url: setAddress(record) })

  /** Gandi has no etags: between look and change others may only write where it says 409. */
  const change = (record: TextRecord, ttl: number, wanted: (values: string[]) => string[] | undefined): Promise<boolean> => untilWritten(context, 'Gandi', async () => {
    const set = await setAt(record)
    const values = wanted(set?.rrset_values ?? [])
    if (values === undefined) return false
    if (values.length === 0) {
      await api.send({ method: 'DELETE', url: setAddress(record), accept: [404] })
      return true
    }
    const body = JSON.stringify({ rrset_ttl: set?.rrset_ttl ?? Math.max(ttl, 300), rrset_values: values })
    const answer = await api.send({ method: set === undefined ? 'POST' : 'PUT', url: setAddress(record), body, headers: { 'content-type': 'application/json' }, accept: [404, 409] })
    if (answer.status === 409) return again
    if (answer.status === 404) throw new CertloopError('DNS_RECORD_FAILED', `Gandi shows no domain ${record.zone} to this token: ${api.clean(explain(answer).text)}`)
    return true
  })

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      const wrote = await change(record, record.ttl, (values) => (values.some((value) => unquoted(value) === record.value) ? undefined : [...values, quoted(record.value)]))
      if (wrote && !((await setAt(record))?.rrset_values.some((value) => unquoted(value) === record.value) ?? false)) throw new CertloopError('DNS_RECORD_FAILED', `Gandi took the record for ${record.name}, and does not show it.`)
      return {}
    },
    async removeTxt(record) {
      await change(record, 300, (values) => {
        const left = values.filter((value) => unquoted(value) !== record.value)
        return left.length === values.length ? undefined : left
      })
    },
    test: (steps) => testByReading(steps, { title: 'Gandi', zones: listZones, read: (zone, name) => setAt({ zone, name }), noZone: 'Look whether the token holds for the domains, and whether they use the name servers of LiveDNS.' }),
  }
}
