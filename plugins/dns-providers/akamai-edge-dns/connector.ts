import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, OutboundResponse, TextRecord } from '@certloop/plugin-kit'
import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { baseAddress } from '../shared/address.ts'
import { again, untilWritten } from '../shared/again.ts'
import { bodyOf, createApi, type Problem } from '../shared/api.ts'
import { longestZone } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import { edgeGridHeader } from './edgegrid.ts'
import { addressOfHost, type fields } from './manifest.ts'

const Zones = Type.Object({ zones: Type.Array(Type.Object({ zone: Type.String(), type: Type.String() })) })
const RecordSet = Type.Object({ name: Type.String(), type: Type.String(), ttl: Type.Number(), rdata: Type.Array(Type.String()) })

function explain(answer: OutboundResponse): Problem {
  const { title, detail } = bodyOf<{ title: string; detail: string }>(answer)
  return { text: [title, detail].filter((each) => typeof each === 'string').join(': ') }
}

/** Writes whole sets of records: a new one only while there is none, a present one with what was read just before. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const { host, clientToken, clientSecret, accessToken, accountSwitchKey } = context.fields
  const base = `${baseAddress(addressOfHost(host))}/config-dns/v2`
  const api = createApi(context, {
    title: 'Edge DNS', secrets: [clientToken, clientSecret, accessToken], explain,
    authorize: (request) => ({ authorization: edgeGridHeader(request, { clientToken, clientSecret, accessToken }, { now: context.now(), nonce: randomUUID() }) }),
  })
  const address = (path: string, query: Record<string, string> = {}) => {
    const all = new URLSearchParams({ ...query, ...(accountSwitchKey === undefined ? {} : { accountSwitchKey }) }).toString()
    return `${base}${path}${all === '' ? '' : `?${all}`}`
  }
  async function listZones(): Promise<string[]> {
    const { zones } = await api.json(Zones, { method: 'GET', url: address('/zones', { showAll: 'true', types: 'PRIMARY' }) })
    return zones.filter(({ type }) => type.toUpperCase() === 'PRIMARY').map(({ zone }) => zone.toLowerCase())
  }
  const setAddress = ({ zone, name }: Pick<TextRecord, 'zone' | 'name'>) => address(`/zones/${encodeURIComponent(zone)}/names/${encodeURIComponent(name)}/types/TXT`)
  const setAt = (record: Pick<TextRecord, 'zone' | 'name'>) => api.jsonOrNot(RecordSet, { method: 'GET', url: setAddress(record) })

  /** 409: there is a set by now, or the zone was changed in the same moment. */
  const change = (record: TextRecord, ttl: number, wanted: (values: string[]) => string[] | undefined): Promise<boolean> => untilWritten(context, 'Edge DNS', async () => {
    const set = await setAt(record)
    const rdata = wanted(set?.rdata ?? [])
    if (rdata === undefined) return false
    const url = setAddress(record)
    const body = JSON.stringify({ name: record.name, type: 'TXT', ttl: set?.ttl ?? ttl, rdata })
    const answer = rdata.length === 0
      ? await api.send({ method: 'DELETE', url, accept: [404, 409] })
      : await api.send({ method: set === undefined ? 'POST' : 'PUT', url, body, headers: { 'content-type': 'application/json' }, accept: [404, 409] })
    if (answer.status === 409) return again
    if (answer.status === 404 && rdata.length > 0) throw new CertloopError('DNS_RECORD_FAILED', `Edge DNS shows no zone ${record.zone} to this API client: ${api.clean(explain(answer).text)}`)
    return true
  })

  return {
    listZones,
    findZone: async (name) => longestZone(await listZones(), name),
    async addTxt(record) {
      const wrote = await change(record, record.ttl, (values) => (values.some((value) => unquoted(value) === record.value) ? undefined : [...values, quoted(record.value)]))
      if (wrote && !((await setAt(record))?.rdata.some((value) => unquoted(value) === record.value) ?? false)) throw new CertloopError('DNS_RECORD_FAILED', `Edge DNS took the record for ${record.name}, and does not show it.`)
      return {}
    },
    async removeTxt(record) {
      await change(record, 120, (values) => {
        const left = values.filter((value) => unquoted(value) !== record.value)
        return left.length === values.length ? undefined : left
      })
    },
    test: (steps) => testByReading(steps, { title: 'Edge DNS', zones: listZones, read: (zone, name) => setAt({ zone, name }), noZone: 'Look whether the API client has the groups and contracts of the zones.' }),
  }
}
