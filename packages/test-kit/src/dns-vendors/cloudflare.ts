import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface CloudflareSimulator { vendor: VendorServer; store: ZoneStore; token: string; zoneToken: string; apiAddress: string }

const ok = (result: unknown, extra: object = {}): VendorAnswer => ({ status: 200, body: { success: true, errors: [], messages: [], result, ...extra } })
const failed = (status: number, code: number, message: string, more: object = {}): VendorAnswer => ({ status, body: { success: false, errors: [{ code, message, ...more }], messages: [], result: null } })
const idOf = (zone: string) => Buffer.from(zone).toString('hex').padEnd(32, '0').slice(0, 32)

/** Records one by one, in zones that the token may see; pages of zones. */
export async function startCloudflare(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<CloudflareSimulator> {
  const store = createZoneStore(zones)
  const [token, zoneToken] = ['dns-edit-token-0123456789abcdefghij', 'zone-read-token-0123456789abcdefgh']
  const shown = (record: ReturnType<ZoneStore['add']>) => ({ id: String(record.id), type: record.type, name: record.name, content: record.type === 'TXT' ? inQuotes(record.value) : record.value, ttl: record.ttl, proxied: false })

  function listZones({ query }: VendorRequest): VendorAnswer {
    const [page, perPage] = [Number(query.get('page') ?? 1), Number(query.get('per_page') ?? 20)]
    if (perPage < 5 || perPage > 50) return failed(400, 1, 'per_page is out of range')
    const found = store.zones.filter((zone) => query.get('name') === null || query.get('name') === zone)
    const part = found.slice((page - 1) * perPage, page * perPage)
    return ok(part.map((name) => ({ id: idOf(name), name, status: 'active' })), { result_info: { page, per_page: perPage, count: part.length, total_count: found.length, total_pages: Math.ceil(found.length / perPage) } })
  }
  function create(zone: string, { json }: VendorRequest): VendorAnswer {
    const { type, name, content, ttl } = json as { type: string; name: string; content: string; ttl: number }
    if (ttl !== 1 && (ttl < 60 || ttl > 86_400)) return failed(400, 9021, 'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.')
    const value = outOfQuotes(content)
    if (store.records(zone, name, type).some((record) => record.value === value)) return failed(400, 81_058, 'An identical record already exists.')
    return ok(shown(store.add({ zone, name, type, value, ttl })))
  }
  const inZone = (answer: (zone: string, values: Record<string, string>, request: VendorRequest) => VendorAnswer) => (values: Record<string, string>, request: VendorRequest) => {
    const zone = store.zones.find((each) => idOf(each) === values['zone'])
    return zone === undefined ? failed(404, 7003, `Could not route to /zones/${values['zone']}, perhaps your object identifier is invalid?`) : answer(zone, values, request)
  }
  const vendor = await startVendor(t, (request) => {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined) return failed(400, 6003, 'Invalid request headers', { error_chain: [{ code: 6111, message: 'Invalid format for Authorization header' }] })
    if (given !== token && given !== zoneToken) return failed(403, 9109, 'Invalid access token')
    if (given === zoneToken && request.path !== '/client/v4/zones') return failed(403, 10_000, 'Authentication error')
    return routed([
      ['GET', '/client/v4/zones', (_, each) => listZones(each)],
      ['GET', '/client/v4/zones/{zone}/dns_records', inZone((zone, _, { query }) => {
        const found = store.records(zone, query.get('name.exact') ?? undefined, query.get('type') ?? undefined)
        return ok(found.map(shown), { result_info: { page: 1, per_page: 100, count: found.length, total_count: found.length, total_pages: 1 } })
      })],
      ['POST', '/client/v4/zones/{zone}/dns_records', inZone((zone, _, each) => create(zone, each))],
      ['DELETE', '/client/v4/zones/{zone}/dns_records/{record}', inZone((_, { record = '' }) => (store.remove(Number(record)) ? ok({ id: record }) : failed(404, 81_044, 'Record does not exist.')))],
    ], request) ?? failed(404, 7000, 'No route for that URI')
  })
  return { vendor, store, token, zoneToken, apiAddress: `${vendor.address}/client/v4` }
}

const envelope = (result: Excerpt['errors'] & object | 'anything') => ({ success: 'flag', errors: ['anything'], messages: ['anything'], result }) as const

export const cloudflareExcerpt: Excerpt = {
  source: 'cloudflare/cloudflare-typescript, resources dns/records and zones; go-acme/lego, providers/dns/cloudflare',
  operations: [
    { method: 'GET', path: '/client/v4/zones', query: ['name', 'status', 'page', 'per_page'], answers: { 200: { ...envelope([{ id: 'text', name: 'text' }]), result_info: { page: 'number', per_page: 'number', count: 'number', total_count: 'number' } } } },
    { method: 'GET', path: '/client/v4/zones/{zone_id}/dns_records', query: ['type', 'name.exact', 'page', 'per_page'], answers: { 200: envelope([{ id: 'text', type: 'text', name: 'text', content: 'text', ttl: 'number' }]) } },
    { method: 'POST', path: '/client/v4/zones/{zone_id}/dns_records', body: { type: 'text', name: 'text', content: 'text', ttl: 'number' }, answers: { 200: envelope({ id: 'text' }) } },
    { method: 'DELETE', path: '/client/v4/zones/{zone_id}/dns_records/{dns_record_id}', answers: { 200: envelope({ id: 'text' }) } },
  ],
  errors: { success: 'flag', errors: [{ code: 'number', message: 'text' }], messages: ['anything'] },
}
