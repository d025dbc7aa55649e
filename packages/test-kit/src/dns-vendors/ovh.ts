import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, type ZoneStore } from './zone-store.ts'

export interface OvhSimulator {
  vendor: VendorServer
  /** What the name servers answer with: as of the last refresh. */
  store: ZoneStore
  applicationKey: string
  applicationSecret: string
  consumerKey: string
  /** The clock there is so many seconds ahead. */
  aheadSeconds: number
  refreshes(zone: string): number
}

const failed = (status: number, code: string, message: string): VendorAnswer => ({ status, body: { class: `Client::${code}`, errorCode: code, message, httpCode: `${status}` } })
const now = () => Math.floor(Date.now() / 1000)

/** Records one by one, which are served only after a refresh of their zone. Signatures are made anew. */
export async function startOvh(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<OvhSimulator> {
  const [served, edited, counts] = [createZoneStore(zones), createZoneStore(zones), new Map<string, number>()]
  const relative = (name: string, zone: string) => (name === zone ? '' : name.slice(0, -(zone.length + 1)))

  function problemOf({ method, target, headers, body }: VendorRequest): VendorAnswer | undefined {
    if (headers['x-ovh-application'] !== simulator.applicationKey) return failed(403, 'INVALID_KEY', 'This application key is invalid')
    if (headers['x-ovh-consumer'] !== simulator.consumerKey) return failed(403, 'NOT_CREDENTIAL', 'This credential does not exist')
    const timestamp = Number(headers['x-ovh-timestamp'])
    if (!(Math.abs(timestamp - now() - simulator.aheadSeconds) < 30)) return failed(400, 'QUERY_TIME_OUT', 'Query out of time')
    const text = `${simulator.applicationSecret}+${simulator.consumerKey}+${method}+${vendor.address}${target}+${body}+${timestamp}`
    return headers['x-ovh-signature'] === `$1$${createHash('sha1').update(text).digest('hex')}` ? undefined : failed(400, 'INVALID_SIGNATURE', 'Invalid signature')
  }
  function refresh(zone: string): VendorAnswer {
    counts.set(zone, (counts.get(zone) ?? 0) + 1)
    for (const { id } of served.records(zone)) served.remove(id)
    for (const record of edited.records(zone)) served.add(record)
    return { status: 200, body: 'null', headers: { 'content-type': 'application/json' } }
  }
  function create(zone: string, { json }: VendorRequest): VendorAnswer {
    const { fieldType, subDomain, target, ttl } = json as { fieldType: string; subDomain: string; target: string; ttl: number }
    if (ttl !== 0 && ttl < 60) return failed(400, 'BadRequest', 'TTL must be at least 60')
    const { id } = edited.add({ zone, name: subDomain === '' ? zone : `${subDomain}.${zone}`, type: fieldType, value: target, ttl })
    return { status: 200, body: { id, zone, fieldType, subDomain, target, ttl } }
  }
  const inZone = (answer: (zone: string, request: VendorRequest, values: Record<string, string>) => VendorAnswer) => (values: Record<string, string>, request: VendorRequest) =>
    (edited.zones.includes(values['zone'] ?? '') ? answer(values['zone'] ?? '', request, values) : failed(404, 'NotFound', 'This service does not exist'))
  const missing = failed(404, 'NotFound', 'The requested object does not exist')
  const vendor = await startVendor(t, (request) => {
    if (request.path === '/1.0/auth/time') return { status: 200, body: String(now() + simulator.aheadSeconds), headers: { 'content-type': 'application/json' } }
    return problemOf(request) ?? routed([
      ['GET', '/1.0/domain/zone', () => ({ status: 200, body: edited.zones })],
      ['GET', '/1.0/domain/zone/{zone}/record', inZone((zone, { query }) => {
        const subDomain = query.get('subDomain')
        const name = subDomain === null ? undefined : subDomain === '' ? zone : `${subDomain}.${zone}`
        return { status: 200, body: edited.records(zone, name, query.get('fieldType') ?? undefined).map(({ id }) => id) }
      })],
      ['GET', '/1.0/domain/zone/{zone}/record/{record}', inZone((zone, _, { record }) => {
        const found = edited.records(zone).find(({ id }) => id === Number(record))
        return found ? { status: 200, body: { id: found.id, zone, fieldType: found.type, subDomain: relative(found.name, zone), target: found.value, ttl: found.ttl } } : missing
      })],
      ['POST', '/1.0/domain/zone/{zone}/record', inZone(create)],
      ['DELETE', '/1.0/domain/zone/{zone}/record/{record}', inZone((_, __, { record }) => (edited.remove(Number(record)) ? { status: 200, body: 'null', headers: { 'content-type': 'application/json' } } : missing))],
      ['POST', '/1.0/domain/zone/{zone}/refresh', inZone(refresh)],
    ], request) ?? failed(404, 'NotFound', 'Got an invalid (or empty) URL')
  })
  const store: ZoneStore = { ...served, put(name, record) { edited.put(name, record); served.put(name, record) } }
  const simulator: OvhSimulator = { vendor, store, applicationKey: 'simulatedAppKey1', applicationSecret: 'simulatedApplicationSecret012345', consumerKey: 'simulatedConsumerKey0123456789ab', aheadSeconds: 0, refreshes: (zone) => counts.get(zone) ?? 0 }
  return simulator
}

const record = { id: 'number', zone: 'text', fieldType: 'text', subDomain: 'text', target: 'text', ttl: 'number' } as const
export const ovhExcerpt: Excerpt = {
  source: 'go-ovh (signatures, /auth/time) and go-acme/lego (record, refresh); the description at /1.0/domain.json is not published as a file',
  operations: [
    { method: 'GET', path: '/1.0/auth/time', answers: { 200: 'number' } },
    { method: 'GET', path: '/1.0/domain/zone', answers: { 200: ['text'] } },
    { method: 'GET', path: '/1.0/domain/zone/{zoneName}/record', query: ['fieldType', 'subDomain'], answers: { 200: ['number'] } },
    { method: 'GET', path: '/1.0/domain/zone/{zoneName}/record/{id}', answers: { 200: record } },
    { method: 'POST', path: '/1.0/domain/zone/{zoneName}/record', body: { fieldType: 'text', subDomain: 'text', target: 'text', ttl: 'number' }, answers: { 200: record } },
    { method: 'DELETE', path: '/1.0/domain/zone/{zoneName}/record/{id}', answers: { 200: 'anything' } },
    { method: 'POST', path: '/1.0/domain/zone/{zoneName}/refresh', answers: { 200: 'anything' } },
  ],
  errors: { class: 'text', message: 'text' },
}
