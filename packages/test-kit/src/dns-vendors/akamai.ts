import { createHash, createHmac } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface AkamaiSimulator {
  vendor: VendorServer
  store: ZoneStore
  clientToken: string
  clientSecret: string
  accessToken: string
  /** Zones that are copied from elsewhere. */
  secondaryZones: string[]
}

const failed = (status: number, title: string, detail: string): VendorAnswer => ({ status, body: { type: `https://problems.luna.akamaiapis.test/${status}`, title, detail, status }, headers: { 'content-type': 'application/problem+json' } })
const hmac = (key: string, text: string) => createHmac('sha256', key).update(text).digest('base64')
interface Given { name: string; type: string; ttl: number; rdata: string[] }

/** Whole sets of records; no versions of sets. Signatures are made anew, and no nonce is taken twice. */
export async function startAkamai(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<AkamaiSimulator> {
  const store = createZoneStore(zones)
  const nonces = new Set<string>()

  function problemOf(request: VendorRequest): VendorAnswer | undefined {
    const claim = /^(?<unsigned>EG1-HMAC-SHA256 client_token=(?<client>[^;]+);access_token=(?<access>[^;]+);timestamp=(?<timestamp>[^;]+);nonce=(?<nonce>[^;]+);)signature=(?<signature>.+)$/.exec(request.headers.authorization ?? '')?.groups
    if (!claim || claim['client'] !== simulator.clientToken || claim['access'] !== simulator.accessToken) return failed(401, 'Not authorized', 'Unknown client or access token')
    const [timestamp, nonce] = [String(claim['timestamp']), String(claim['nonce'])]
    const at = Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(.+)\+0000$/, '$1-$2-$3T$4Z'))
    if (!(Math.abs(at - Date.now()) < 30_000)) return failed(401, 'Not authorized', 'Invalid timestamp')
    if (nonces.has(nonce)) return failed(401, 'Not authorized', 'Nonce was used before')
    nonces.add(nonce)
    return signatureOf(request, String(claim['unsigned']), timestamp) === claim['signature'] ? undefined : failed(401, 'Not authorized', 'The signature does not match')
  }
  function signatureOf({ method, target, headers, body }: VendorRequest, unsigned: string, timestamp: string): string {
    const content = method === 'POST' && body !== '' ? createHash('sha256').update(body).digest('base64') : ''
    return hmac(hmac(simulator.clientSecret, timestamp), [method, 'http', headers.host, target, '', content, unsigned].join('\t'))
  }
  const shown = (zone: string, name: string, type: string) => ({ name, type, ttl: store.records(zone, name, type)[0]?.ttl, rdata: store.records(zone, name, type).map(({ value }) => (type === 'TXT' ? inQuotes(value) : value)) })
  function write(zone: string, name: string, type: string, { method, json }: VendorRequest): VendorAnswer {
    const given = json as Given
    const isThere = store.records(zone, name, type).length > 0
    if (given.name !== name || given.type !== type) return failed(400, 'Bad Request', 'Name and type have to match the address')
    if (method === 'POST' && isThere) return failed(409, 'Conflict', 'The record set exists already')
    if (method === 'PUT' && !isThere) return failed(404, 'Not Found', 'The record set does not exist')
    store.replace(zone, name, type, given.rdata.map(outOfQuotes), given.ttl)
    return { status: method === 'POST' ? 201 : 200, body: shown(zone, name, type) }
  }
  const inSet = (answer: (zone: string, name: string, type: string, request: VendorRequest) => VendorAnswer) => ({ zone = '', name = '', type = '' }: Record<string, string>, request: VendorRequest) =>
    (store.zones.includes(zone) ? answer(zone, name, type, request) : failed(404, 'Not Found', `The zone ${zone} does not exist`))
  const none = failed(404, 'Not Found', 'The record set does not exist')
  const setPath = '/config-dns/v2/zones/{zone}/names/{name}/types/{type}'
  const vendor = await startVendor(t, (request) => problemOf(request) ?? routed([
    ['GET', '/config-dns/v2/zones', (_, { query }) => {
      const all = [...store.zones.map((zone) => ({ zone, type: 'PRIMARY' })), ...simulator.secondaryZones.map((zone) => ({ zone, type: 'SECONDARY' }))]
      const found = query.get('showAll') === 'true' ? all : all.slice(0, 25)
      return { status: 200, body: { metadata: { showAll: true, totalElements: found.length }, zones: found.map((zone) => ({ contractId: 'C-1', activationState: 'ACTIVE', ...zone })) } }
    }],
    ['GET', setPath, inSet((zone, name, type) => (store.records(zone, name, type).length === 0 ? none : { status: 200, body: shown(zone, name, type) }))],
    ['POST', setPath, inSet(write)],
    ['PUT', setPath, inSet(write)],
    ['DELETE', setPath, inSet((zone, name, type) => {
      if (store.records(zone, name, type).length === 0) return none
      store.replace(zone, name, type, [], 0)
      return { status: 204 }
    })],
  ], request) ?? failed(404, 'Not Found', 'no such operation'))
  const simulator: AkamaiSimulator = { vendor, store, clientToken: 'akab-simulated-client-token-0123456789', clientSecret: 'simulatedClientSecret0123456789abcdefghij=', accessToken: 'akab-simulated-access-token-0123456789', secondaryZones: [] }
  return simulator
}

const set = { name: 'text', type: 'text', ttl: 'number', rdata: ['text'] } as const
const setPath = '/config-dns/v2/zones/{zone}/names/{name}/types/{type}'
export const akamaiExcerpt: Excerpt = {
  source: 'akamai/akamai-apis, apis/config-dns/v2: paths/zones.yaml, paths/zone-type.yaml, schemas/recordset.yaml, schemas/problem.yaml',
  operations: [
    { method: 'GET', path: '/config-dns/v2/zones', query: ['contractIds', 'search', 'sortBy', 'types', 'page', 'pageSize', 'showAll'], answers: { 200: { zones: [{ zone: 'text', type: 'text', contractId: 'text' }], metadata: 'anything' } } },
    { method: 'GET', path: setPath, answers: { 200: set } },
    { method: 'POST', path: setPath, body: set, answers: { 201: set } },
    { method: 'PUT', path: setPath, body: set, answers: { 200: set } },
    { method: 'DELETE', path: setPath, answers: { 204: 'anything' } },
  ],
  errors: { type: 'text', title: 'text' },
}
