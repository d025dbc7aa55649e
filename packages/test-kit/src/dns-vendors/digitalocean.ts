import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, type ZoneStore } from './zone-store.ts'

export interface DigitalOceanSimulator { vendor: VendorServer; store: ZoneStore; token: string; /** Items of a page at most; default 200. */ largestPage: number }

const failed = (status: number, id: string, message: string): VendorAnswer => ({ status, body: { id, message, request_id: '4d9d8375-3c56' } })

/** Records one by one, names relative to the domain, and pages of everything. */
export async function startDigitalOcean(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<DigitalOceanSimulator> {
  const store = createZoneStore(zones)
  const relative = (name: string, zone: string) => (name === zone ? '@' : name.slice(0, -(zone.length + 1)))
  const shown = ({ id, type, name, value, ttl, zone }: ReturnType<ZoneStore['add']>) => ({ id, type, name: relative(name, zone), data: value, priority: null, port: null, ttl, weight: null, flags: null, tag: null })

  function paged<T>(key: string, all: T[], { query, path }: VendorRequest): VendorAnswer {
    const [page, size] = [Number(query.get('page') ?? 1), Math.min(Number(query.get('per_page') ?? 20), simulator.largestPage)]
    const next = page * size < all.length ? { pages: { next: `${vendor.address}${path}?page=${page + 1}`, last: `${vendor.address}${path}?page=9` } } : {}
    return { status: 200, body: { [key]: all.slice((page - 1) * size, page * size), links: next, meta: { total: all.length } } }
  }
  function create(zone: string, { json }: VendorRequest): VendorAnswer {
    const { type, name, data, ttl } = json as { type: string; name: string; data: string; ttl: number }
    if (ttl < 30) return failed(422, 'unprocessable_entity', 'TTL must be greater than or equal to 30.')
    return { status: 201, body: { domain_record: shown(store.add({ zone, name: name === '@' ? zone : `${name}.${zone}`, type, value: data, ttl })) } }
  }
  const inZone = (answer: (zone: string, request: VendorRequest, values: Record<string, string>) => VendorAnswer) => (values: Record<string, string>, request: VendorRequest) =>
    (store.zones.includes(values['domain'] ?? '') ? answer(values['domain'] ?? '', request, values) : failed(404, 'not_found', 'The resource you were accessing could not be found.'))
  const vendor = await startVendor(t, (request) => {
    if (request.headers.authorization !== `Bearer ${simulator.token}`) return failed(401, 'Unauthorized', 'Unable to authenticate you')
    return routed([
      ['GET', '/v2/domains', (_, each) => paged('domains', store.zones.map((name) => ({ name, ttl: 1800, zone_file: '' })), each)],
      ['GET', '/v2/domains/{domain}', inZone((name) => ({ status: 200, body: { domain: { name, ttl: 1800, zone_file: '' } } }))],
      ['GET', '/v2/domains/{domain}/records', inZone((zone, each) => paged('domain_records', store.records(zone, each.query.get('name') ?? undefined, each.query.get('type') ?? undefined).map(shown), each))],
      ['POST', '/v2/domains/{domain}/records', inZone(create)],
      ['DELETE', '/v2/domains/{domain}/records/{record}', inZone((_, __, { record }) => (store.remove(Number(record)) ? { status: 204 } : failed(404, 'not_found', 'The resource you were accessing could not be found.')))],
    ], request) ?? failed(404, 'not_found', 'no such operation')
  })
  const simulator: DigitalOceanSimulator = { vendor, store, token: 'dop_v1_simulated0123456789abcdef', largestPage: 200 }
  return simulator
}

const record = { id: 'number', type: 'text', name: 'text', data: 'text', ttl: 'number' } as const
export const digitalOceanExcerpt: Excerpt = {
  source: 'digitalocean/openapi, specification/resources/domains: domains_list, domains_get, domainRecords_list, domainRecords_create, domainRecords_delete',
  operations: [
    { method: 'GET', path: '/v2/domains', query: ['page', 'per_page'], answers: { 200: { domains: [{ name: 'text' }], links: 'anything', meta: { total: 'number' } } } },
    { method: 'GET', path: '/v2/domains/{domain_name}', answers: { 200: { domain: { name: 'text' } } } },
    { method: 'GET', path: '/v2/domains/{domain_name}/records', query: ['name', 'type', 'page', 'per_page'], answers: { 200: { domain_records: [record], links: 'anything', meta: { total: 'number' } } } },
    { method: 'POST', path: '/v2/domains/{domain_name}/records', body: { type: 'text', name: 'text', data: 'text', ttl: 'number' }, answers: { 201: { domain_record: record } } },
    { method: 'DELETE', path: '/v2/domains/{domain_name}/records/{domain_record_id}', answers: { 204: 'anything' } },
  ],
  errors: { id: 'text', message: 'text' },
}
