import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, type ZoneStore } from './zone-store.ts'

export interface GoDaddySimulator {
  vendor: VendorServer
  store: ZoneStore
  apiKey: string
  apiSecret: string
  /** An account without the plan that the API needs. */
  withoutPlan: boolean
}

const failed = (status: number, code: string, message: string, more: object = {}): VendorAnswer => ({ status, body: { code, message, ...more } })
interface Given { type?: string; name?: string; data: string; ttl?: number }

/** Appends records, replaces or deletes all of a name; no versions, so writers can overtake each other. */
export async function startGoDaddy(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<GoDaddySimulator> {
  const store = createZoneStore(zones)
  const absolute = (name: string, zone: string) => (name === '@' ? zone : `${name}.${zone}`)
  const problemOf = (records: readonly Given[]) => (records.some(({ ttl = 600 }) => ttl < 600) ? failed(422, 'INVALID_BODY', "Request body doesn't fulfill schema, see details in `fields`", { fields: [{ code: 'UNEXPECTED_VALUE', message: 'must be at least 600', path: 'records[0].ttl' }] }) : undefined)

  function append(zone: string, { json }: VendorRequest): VendorAnswer {
    const records = json as Given[]
    const problem = problemOf(records)
    if (problem) return problem
    for (const { type = '', name = '', data, ttl = 3600 } of records) {
      if (store.records(zone, absolute(name, zone), type).some(({ value }) => value === data)) return failed(422, 'DUPLICATE_RECORD', 'Another record with the same attributes already exists')
      store.add({ zone, name: absolute(name, zone), type, value: data, ttl })
    }
    return { status: 200 }
  }
  function replace(zone: string, { type = '', name = '' }: Record<string, string>, { json }: VendorRequest): VendorAnswer {
    const records = json as Given[]
    const problem = problemOf(records)
    if (problem) return problem
    store.replace(zone, absolute(name, zone), type, records.map(({ data }) => data), records[0]?.ttl ?? 3600)
    return { status: 200 }
  }
  const inZone = (answer: (zone: string, values: Record<string, string>, request: VendorRequest) => VendorAnswer) => (values: Record<string, string>, request: VendorRequest) =>
    (store.zones.includes(values['domain'] ?? '') ? answer(values['domain'] ?? '', values, request) : failed(404, 'UNKNOWN_DOMAIN', 'The given domain is not registered, or does not have a zone file'))
  const vendor = await startVendor(t, (request) => {
    const given = /^sso-key ([^:]+):(.+)$/.exec(request.headers.authorization ?? '')
    if (given?.[1] !== simulator.apiKey || given[2] !== simulator.apiSecret) return failed(401, 'UNABLE_TO_AUTHENTICATE', 'Unauthorized : Could not authenticate API key/secret')
    if (simulator.withoutPlan) return failed(403, 'ACCESS_DENIED', 'Authenticated user is not allowed access')
    return routed([
      ['GET', '/v1/domains', (_, { query }) => {
        const from = query.get('marker')
        const sorted = store.zones.toSorted()
        return { status: 200, body: sorted.filter((zone) => from === null || zone > from).slice(0, Math.min(1000, Number(query.get('limit') ?? 100))).map((domain, index) => ({ domain, domainId: index + 1, status: 'ACTIVE' })) }
      }],
      ['PATCH', '/v1/domains/{domain}/records', inZone((zone, _, each) => append(zone, each))],
      ['GET', '/v1/domains/{domain}/records/{type}/{name}', inZone((zone, { type, name = '' }) => ({ status: 200, body: store.records(zone, absolute(name, zone), type).map((record) => ({ data: record.value, name, ttl: record.ttl, type: record.type })) }))],
      ['PUT', '/v1/domains/{domain}/records/{type}/{name}', inZone(replace)],
      ['DELETE', '/v1/domains/{domain}/records/{type}/{name}', inZone((zone, { type = '', name = '' }) => { store.replace(zone, absolute(name, zone), type, [], 0); return { status: 204 } })],
    ], request) ?? failed(404, 'NOT_FOUND', 'no such operation')
  })
  const simulator: GoDaddySimulator = { vendor, store, apiKey: 'simulatedKey_0123456789', apiSecret: 'simulatedSecret0123456', withoutPlan: false }
  return simulator
}

export const goDaddyExcerpt: Excerpt = {
  source: "GoDaddy's description of its Domains API (developer.godaddy.com/doc/endpoint/domains): list, recordAdd, recordGet, recordReplaceTypeName, recordDeleteTypeName",
  operations: [
    { method: 'GET', path: '/v1/domains', query: ['statuses', 'limit', 'marker'], answers: { 200: [{ domain: 'text', status: 'text' }] } },
    { method: 'PATCH', path: '/v1/domains/{domain}/records', body: [{ type: 'text', name: 'text', data: 'text', ttl: 'number' }], answers: { 200: 'anything' } },
    { method: 'GET', path: '/v1/domains/{domain}/records/{type}/{name}', query: ['offset', 'limit'], answers: { 200: [{ type: 'text', name: 'text', data: 'text', ttl: 'number' }] } },
    { method: 'PUT', path: '/v1/domains/{domain}/records/{type}/{name}', body: [{ data: 'text', ttl: 'number' }], answers: { 200: 'anything' } },
    { method: 'DELETE', path: '/v1/domains/{domain}/records/{type}/{name}', answers: { 204: 'anything' } },
  ],
  errors: { code: 'text', message: 'text' },
}
