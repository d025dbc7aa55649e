import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface GandiSimulator { vendor: VendorServer; store: ZoneStore; token: string }

const failed = (status: number, cause: string, message: string): VendorAnswer => ({ status, body: { code: status, message, object: `HTTP${cause.replaceAll(' ', '')}`, cause } })
interface Given { rrset_ttl: number; rrset_values: string[] }

/** Whole sets of records: made where there is none, or replaced; no versions, so writers of a present set can overtake each other. */
export async function startGandi(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<GandiSimulator> {
  const store = createZoneStore(zones)
  function write(zone: string, name: string, type: string, { method, json }: VendorRequest): VendorAnswer {
    const { rrset_ttl: ttl, rrset_values: given } = json as Given
    if (ttl < 300 || ttl > 2_592_000) return { status: 400, body: { code: 400, message: 'The server could not comply with the request', object: 'HTTPBadRequest', cause: 'Bad Request', errors: [{ location: 'body', name: 'rrset_ttl', description: `${ttl} is less than minimum value 300` }] } }
    const values = given.map(outOfQuotes)
    const present = store.records(zone, name, type).map(({ value }) => value)
    if (method === 'POST' && present.length > 0) return JSON.stringify(present) === JSON.stringify(values) ? { status: 200, body: { message: 'A DNS Record already exists with same value' } } : failed(409, 'Conflict', 'A DNS Record already exists.')
    store.replace(zone, name, type, values, ttl)
    return { status: 201, body: { message: 'DNS Record Created' } }
  }
  const inSet = (answer: (zone: string, name: string, type: string, request: VendorRequest) => VendorAnswer) => ({ zone = '', name = '', type = '' }: Record<string, string>, request: VendorRequest) =>
    (store.zones.includes(zone) ? answer(zone, name === '@' ? zone : `${name}.${zone}`, type, request) : failed(404, 'Not Found', 'The resource could not be found.'))
  const setPath = '/v5/livedns/domains/{zone}/records/{name}/{type}'
  const vendor = await startVendor(t, (request) => {
    if (request.headers.authorization !== `Bearer ${simulator.token}`) return failed(403, 'Forbidden', 'Access was denied to this resource.')
    return routed([
      ['GET', '/v5/livedns/domains', (_, { query }) => {
        const [page, size] = [Number(query.get('page') ?? 1), Math.min(100, Number(query.get('per_page') ?? 100))]
        return { status: 200, body: store.zones.slice((page - 1) * size, page * size).map((fqdn) => ({ fqdn, domain_href: `${vendor.address}/v5/livedns/domains/${fqdn}`, domain_records_href: `${vendor.address}/v5/livedns/domains/${fqdn}/records` })) }
      }],
      ['GET', setPath, inSet((zone, name, type) => {
        const records = store.records(zone, name, type)
        return records.length === 0 ? failed(404, 'Not Found', `Can't find the DNS record ${name}/${type} in the zone`) : { status: 200, body: { rrset_name: name, rrset_type: type, rrset_ttl: records[0]?.ttl, rrset_values: records.map(({ value }) => (type === 'TXT' ? inQuotes(value) : value)), rrset_href: `${vendor.address}${setPath}` } }
      })],
      ['POST', setPath, inSet(write)],
      ['PUT', setPath, inSet(write)],
      ['DELETE', setPath, inSet((zone, name, type) => { store.replace(zone, name, type, [], 0); return { status: 204 } })],
    ], request) ?? failed(404, 'Not Found', 'no such operation')
  })
  const simulator: GandiSimulator = { vendor, store, token: 'pat_simulated0123456789abcdefghij' }
  return simulator
}

const setPath = '/v5/livedns/domains/{fqdn}/records/{rrset_name}/{rrset_type}'
const body = { rrset_ttl: 'number', rrset_values: ['text'] } as const
export const gandiExcerpt: Excerpt = {
  source: "Gandi's description of LiveDNS (api.gandi.net/docs/livedns), which is no file; paths and bodies as go-acme/lego has them too",
  operations: [
    { method: 'GET', path: '/v5/livedns/domains', query: ['page', 'per_page'], answers: { 200: [{ fqdn: 'text' }] } },
    { method: 'GET', path: setPath, answers: { 200: { rrset_name: 'text', rrset_type: 'text', ...body } } },
    { method: 'POST', path: setPath, body, answers: { 201: { message: 'text' }, 200: { message: 'text' } } },
    { method: 'PUT', path: setPath, body, answers: { 201: { message: 'text' } } },
    { method: 'DELETE', path: setPath, answers: { 204: 'anything' } },
  ],
  errors: { code: 'number', message: 'text', object: 'text', cause: 'text' },
}
