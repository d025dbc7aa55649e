import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface HetznerSimulator {
  vendor: VendorServer
  store: ZoneStore
  token: string
  /** So often an action is said to be running; default 1. */
  runningLooks: number
  /** What actions end with. */
  outcome: 'success' | 'error'
  /** Zones that are copied from elsewhere. */
  secondaryZones: string[]
  pageSize: number
}

const failed = (status: number, code: string, message: string): VendorAnswer => ({ status, body: { error: { code, message, details: {} } } })
interface Given { ttl?: number; records: { value: string }[] }

/** Values added to sets and taken from them, by actions that run for a while. */
export async function startHetzner(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<HetznerSimulator> {
  const store = createZoneStore(zones)
  const looksLeft = new Map<number, number>()
  const all = () => [...store.zones.map((name) => ({ name, mode: 'primary' })), ...simulator.secondaryZones.map((name) => ({ name, mode: 'secondary' }))].map((zone, index) => ({ id: 4000 + index, ...zone, ttl: 3600, status: 'ok', record_count: 2 }))
  const action = (id: number, command: string) => {
    const status = (looksLeft.get(id) ?? 0) > 0 ? 'running' : simulator.outcome
    return { id, command, status, progress: status === 'running' ? 50 : 100, started: '2026-01-01T00:00:00+00:00', finished: null, resources: [{ id: 4000, type: 'zone' }], error: status === 'error' ? { code: 'action_failed', message: 'Action failed' } : null }
  }
  const begun = (command: string): VendorAnswer => {
    const id = looksLeft.size + 1
    looksLeft.set(id, simulator.runningLooks)
    return { status: 201, body: { action: action(id, command) } }
  }
  function listZones({ query }: VendorRequest): VendorAnswer {
    const found = all().filter(({ name }) => query.get('name') === null || query.get('name') === name)
    const [page, size] = [Number(query.get('page') ?? 1), Math.min(Number(query.get('per_page') ?? 25), simulator.pageSize)]
    const next = page * size < found.length ? page + 1 : null
    return { status: 200, body: { zones: found.slice((page - 1) * size, page * size), meta: { pagination: { page, per_page: size, previous_page: null, next_page: next, last_page: 9, total_entries: found.length } } } }
  }
  function add(zone: string, name: string, type: string, { ttl, records }: Given): VendorAnswer {
    const present = store.records(zone, name, type)
    const presentTtl = present[0]?.ttl
    if (ttl !== undefined && ttl < 60) return failed(422, 'invalid_input', "invalid input in field 'ttl'")
    if (ttl !== undefined && presentTtl !== undefined && presentTtl !== ttl) return failed(422, 'invalid_input', "invalid input in field 'ttl': does not match the TTL of the RRSet")
    const values = records.map(({ value }) => outOfQuotes(value))
    if (present.some(({ value }) => values.includes(value))) return failed(409, 'uniqueness_error', 'a record of this value exists')
    for (const value of values) store.add({ zone, name, type, value, ttl: presentTtl ?? ttl ?? 3600 })
    return begun('add_rrset_records')
  }
  function remove(zone: string, name: string, type: string, { records }: Given): VendorAnswer {
    const gone = records.map(({ value }) => store.records(zone, name, type).find((record) => record.value === outOfQuotes(value)))
    if (gone.includes(undefined)) return failed(404, 'not_found', 'record not found')
    for (const record of gone) store.remove(record?.id ?? 0)
    return begun('remove_rrset_records')
  }
  const inSet = (answer: (zone: string, name: string, type: string, request: VendorRequest) => VendorAnswer) => ({ id, name = '', type = '' }: Record<string, string>, request: VendorRequest) => {
    const zone = all().find((each) => String(each.id) === id || each.name === id)
    if (!zone) return failed(404, 'not_found', `zone with ID '${id}' not found`)
    if (zone.mode !== 'primary') return failed(422, 'incorrect_zone_mode', "This operation is not supported for this Zone's mode.")
    return answer(zone.name, name === '@' ? zone.name : `${name}.${zone.name}`, type, request)
  }
  const setPath = '/v1/zones/{id}/rrsets/{name}/{type}'
  const vendor = await startVendor(t, (request) => {
    if (request.headers.authorization !== `Bearer ${simulator.token}`) return failed(401, 'unauthorized', 'the provided token is not valid')
    return routed([
      ['GET', '/v1/zones', (_, each) => listZones(each)],
      ['GET', setPath, inSet((zone, name, type) => {
        const records = store.records(zone, name, type)
        return records.length === 0 ? failed(404, 'not_found', 'rrset not found') : { status: 200, body: { rrset: { id: `${name}/${type}`, name, type, ttl: records[0]?.ttl, labels: {}, protection: { change: false }, records: records.map(({ value }) => ({ value: type === 'TXT' ? inQuotes(value) : value, comment: '' })), zone: 4000 } } }
      })],
      ['POST', `${setPath}/actions/add_records`, inSet((zone, name, type, { json }) => add(zone, name, type, json as Given))],
      ['POST', `${setPath}/actions/remove_records`, inSet((zone, name, type, { json }) => remove(zone, name, type, json as Given))],
      ['GET', '/v1/actions/{id}', ({ id }) => {
        looksLeft.set(Number(id), (looksLeft.get(Number(id)) ?? 0) - 1)
        return { status: 200, body: { action: action(Number(id), 'rrset_records') } }
      }],
    ], request) ?? failed(404, 'not_found', 'no such operation')
  })
  const simulator: HetznerSimulator = { vendor, store, token: 'simulatedHetznerProjectToken0123456789', runningLooks: 1, outcome: 'success', secondaryZones: [], pageSize: 2 }
  return simulator
}

const action = { action: { id: 'number', command: 'text', status: 'text', progress: 'number', error: { oneOf: ['null', { code: 'text', message: 'text' }] } } } as const
const setPath = '/v1/zones/{id_or_name}/rrsets/{rr_name}/{rr_type}'
export const hetznerExcerpt: Excerpt = {
  source: "Hetzner's description of the Cloud API (docs.hetzner.cloud), as hetznercloud/hcloud-go (hcloud/schema) and the models generated from it have it",
  operations: [
    { method: 'GET', path: '/v1/zones', query: ['name', 'page', 'per_page'], answers: { 200: { zones: [{ id: 'number', name: 'text', mode: 'text' }], meta: { pagination: { page: 'number', next_page: { oneOf: ['number', 'null'] } } } } } },
    { method: 'GET', path: setPath, answers: { 200: { rrset: { id: 'text', name: 'text', type: 'text', ttl: 'number', records: [{ value: 'text' }] } } } },
    { method: 'POST', path: `${setPath}/actions/add_records`, body: { records: [{ value: 'text' }], 'ttl?': 'number' }, answers: { 201: action } },
    { method: 'POST', path: `${setPath}/actions/remove_records`, body: { records: [{ value: 'text' }] }, answers: { 201: action } },
    { method: 'GET', path: '/v1/actions/{id}', answers: { 200: action } },
  ],
  errors: { error: { code: 'text', message: 'text' } },
}
