import { CertloopError, type Static } from '@certloop/contract'
import type { DnsProviderConnector, DnsProviderContext, TextRecord } from '@certloop/plugin-kit'
import { again, eventuallySo, untilWritten } from '../shared/again.ts'
import { withoutDot } from '../shared/names.ts'
import { testByReading } from '../shared/test-by-reading.ts'
import { quoted, unquoted } from '../shared/text.ts'
import { createClient } from './client.ts'
import type { fields } from './manifest.ts'
import { type Change, ChangeRead, Changed, changeBatch, readXml, type RecordSet, RecordSets } from './xml.ts'
import { createZones, plainId } from './zones.ts'

const valuesOf = (set: RecordSet | undefined): string[] => set?.ResourceRecords?.ResourceRecord.map(({ Value: value }) => value) ?? []

/** Writes by a DELETE of exactly what was read and a CREATE in one batch: it fails as a whole when somebody wrote between. */
export function connector(context: DnsProviderContext<Static<typeof fields>>): DnsProviderConnector {
  const client = createClient(context)
  const { idOf, listZones, findZone } = createZones(client, context.fields.hostedZoneId)

  async function setAt(id: string, name: string): Promise<RecordSet | undefined> {
    const { ResourceRecordSets: sets } = readXml(RecordSets, await client.get(`/hostedzone/${id}/rrset`, { name, type: 'TXT', maxitems: '1' })).ListResourceRecordSetsResponse
    const set = (sets === '' ? [] : sets.ResourceRecordSet).find((each) => withoutDot(each.Name) === name && each.Type === 'TXT')
    if (set?.SetIdentifier !== undefined) throw new CertloopError('DNS_RECORD_FAILED', `${name} has TXT records under a routing policy of Route 53 (${client.clean(set.SetIdentifier)}). Remove that policy, or validate by a CNAME record to another name.`)
    return set
  }
  /** @returns the id of the change, or that somebody wrote between */
  async function write(id: string, changes: Change[]): Promise<string | typeof again> {
    const text = await client.post(`/hostedzone/${id}/rrset/`, changeBatch(changes))
    return text === again ? again : plainId(readXml(Changed, text).ChangeResourceRecordSetsResponse.ChangeInfo.Id)
  }
  /** @returns the id of the change; undefined: nothing was to be changed */
  const change = (id: string, { name }: TextRecord, ttl: number, wanted: (values: string[]) => string[] | undefined): Promise<string | undefined> => untilWritten(context, 'Route 53', async () => {
    const set = await setAt(id, name)
    const present = valuesOf(set)
    const values = wanted(present)
    if (values === undefined) return undefined
    const ttlText = set?.TTL ?? String(ttl)
    const away: Change[] = present.length === 0 ? [] : [{ action: 'DELETE', name, ttl: ttlText, values: present }]
    return write(id, values.length === 0 ? away : [...away, { action: 'CREATE', name, ttl: ttlText, values }])
  })

  return {
    listZones, findZone,
    async addTxt(record) {
      const id = await idOf(record.zone)
      const changeId = await change(id, record, record.ttl, (present) => (present.some((value) => unquoted(value) === record.value) ? undefined : [...present, quoted(record.value)]))
      if (changeId === undefined) return { zoneId: id }
      const inSync = await eventuallySo(context, async () => readXml(ChangeRead, await client.get(`/change/${changeId}`)).GetChangeResponse.ChangeInfo.Status === 'INSYNC', { everyMs: 4000, limitMs: 120_000 })
      return { zoneId: id, changeId, status: inSync ? 'INSYNC' : 'PENDING' }
    },
    async removeTxt(record) {
      const left = (present: string[]) => present.filter((value) => unquoted(value) !== record.value)
      await change(await idOf(record.zone), record, 60, (present) => (left(present).length === present.length ? undefined : left(present)))
    },
    test: (steps) => testByReading(steps, { title: 'Route 53', zones: listZones, read: async (zone, name) => setAt(await idOf(zone), name), noZone: 'Look whether the account has a public hosted zone.' }),
  }
}
