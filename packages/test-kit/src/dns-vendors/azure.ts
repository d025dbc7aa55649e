import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, type ZoneStore } from './zone-store.ts'

export interface AzureSimulator {
  vendor: VendorServer
  store: ZoneStore
  tenantId: string
  clientId: string
  clientSecret: string
  subscriptionId: string
  /** Zones that are there as private ones. */
  privateZones: string[]
  /** Metadata of record sets, by zone and name. */
  metadata: Map<string, Record<string, string>>
  /** How many zones a page has; default 2. */
  pageSize: number
}

const failed = (status: number, code: string, message: string, headers: Record<string, string> = {}): VendorAnswer => ({ status, body: { error: { code, message } }, headers })
const notSignedIn = (error: string, description: string): VendorAnswer => ({ status: 401, body: { error, error_description: `${description}\r\nTrace ID: 0001\r\nCorrelation ID: 0002`, error_codes: [7000215] } })

/** Entra ID and Azure Resource Manager in one: tokens for client credentials, and record sets with etags. */
export async function startAzure(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<AzureSimulator> {
  const store = createZoneStore(zones)
  const tokens = new Set<string>()
  const groupOf = (zone: string) => `group-of-${zone.split('.')[0]}`
  const idOf = (zone: string) => `/subscriptions/${simulator.subscriptionId}/resourceGroups/${groupOf(zone)}/providers/Microsoft.Network/dnsZones/${zone}`
  const keyOf = (zone: string, name: string) => `${zone} ${name}`

  function signIn({ tenant }: Record<string, string>, { body }: VendorRequest): VendorAnswer {
    const form = new URLSearchParams(body)
    if (tenant !== simulator.tenantId) return { ...notSignedIn('invalid_request', `AADSTS90002: Tenant '${tenant}' not found.`), status: 400 }
    if (form.get('grant_type') !== 'client_credentials' || form.get('scope') !== 'https://management.azure.com/.default') return { ...notSignedIn('invalid_scope', 'AADSTS70011: The provided value for scope is not valid.'), status: 400 }
    if (form.get('client_id') !== simulator.clientId) return { ...notSignedIn('unauthorized_client', 'AADSTS700016: Application was not found in the directory.'), status: 400 }
    if (form.get('client_secret') !== simulator.clientSecret) return notSignedIn('invalid_client', 'AADSTS7000215: Invalid client secret provided.')
    const token = randomBytes(30).toString('base64url')
    tokens.add(token)
    return { status: 200, body: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token } }
  }
  function listZones(group: string | undefined, { query, path }: VendorRequest): VendorAnswer {
    const all = [...store.zones, ...simulator.privateZones].filter((zone) => group === undefined || groupOf(zone) === group)
    const from = Number(query.get('$skipToken') ?? 0)
    const rest = from + simulator.pageSize < all.length ? { nextLink: `${vendor.address}${path}?api-version=2018-05-01&$skipToken=${from + simulator.pageSize}` } : {}
    const value = all.slice(from, from + simulator.pageSize).map((zone) => ({ id: idOf(zone), name: zone, type: 'Microsoft.Network/dnszones', etag: 'e', location: 'global', properties: { zoneType: simulator.privateZones.includes(zone) ? 'Private' : 'Public', numberOfRecordSets: 2 } }))
    return { status: 200, body: { value, ...rest } }
  }
  const shown = (zone: string, name: string, relative: string) => ({
    id: `${idOf(zone)}/TXT/${relative}`, name: relative, type: 'Microsoft.Network/dnszones/TXT', etag: store.revision(zone, name, 'TXT'),
    properties: { fqdn: `${name}.`, TTL: store.records(zone, name, 'TXT')[0]?.ttl, TXTRecords: store.records(zone, name, 'TXT').map(({ value }) => ({ value: value.match(/[^]{1,255}/g) ?? [''] })), ...(simulator.metadata.has(keyOf(zone, name)) ? { metadata: simulator.metadata.get(keyOf(zone, name)) } : {}) },
  })
  function put(zone: string, name: string, relative: string, { json }: VendorRequest): VendorAnswer {
    const { properties } = json as { properties: { TTL: number; TXTRecords: { value: string[] }[]; metadata?: Record<string, string> } }
    if (properties.TXTRecords.some(({ value }) => value.length === 0 || value.some((part) => part.length > 255))) return failed(400, 'BadRequest', 'The value of a TXT record is longer than 255 characters.')
    const isNew = store.revision(zone, name, 'TXT') === undefined
    store.replace(zone, name, 'TXT', properties.TXTRecords.map(({ value }) => value.join('')), properties.TTL)
    if (properties.metadata) simulator.metadata.set(keyOf(zone, name), properties.metadata)
    else simulator.metadata.delete(keyOf(zone, name))
    return { status: isNew ? 201 : 200, body: shown(zone, name, relative) }
  }
  const isOvertaken = ({ headers: { 'if-match': match, 'if-none-match': noneMatch } }: VendorRequest, revision: string | undefined) =>
    (match !== undefined && match !== revision) || (noneMatch === '*' && revision !== undefined)
  function recordSet(values: Record<string, string>, request: VendorRequest): VendorAnswer {
    const [zone, relative, group, subscription] = [values['zone'] ?? '', values['name'] ?? '', values['group'], values['subscription']]
    if (subscription !== simulator.subscriptionId) return failed(404, 'SubscriptionNotFound', `The subscription '${subscription}' could not be found.`)
    if (!store.zones.includes(zone) || group !== groupOf(zone)) return failed(404, 'ResourceNotFound', `The Resource 'Microsoft.Network/dnszones/${zone}' under resource group '${group}' was not found.`)
    const name = relative === '@' ? zone : `${relative}.${zone}`
    const revision = store.revision(zone, name, 'TXT')
    if (request.method !== 'GET' && isOvertaken(request, revision)) return failed(412, 'PreconditionFailed', "The condition '*' in the If-None-Match header was not satisfied.")
    return answerOf(zone, name, relative, request)
  }
  function answerOf(zone: string, name: string, relative: string, request: VendorRequest): VendorAnswer {
    const revision = store.revision(zone, name, 'TXT')
    if (request.method === 'PUT') return put(zone, name, relative, request)
    if (request.method === 'GET') return revision === undefined ? failed(404, 'NotFound', `The resource record '${relative}' does not exist.`) : { status: 200, body: shown(zone, name, relative) }
    store.replace(zone, name, 'TXT', [], 0)
    return { status: revision === undefined ? 204 : 200 }
  }
  const setPath = '/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/dnsZones/{zone}/TXT/{name}'
  const vendor = await startVendor(t, (request) => {
    const login = routed([['POST', '/{tenant}/oauth2/v2.0/token', signIn]], request)
    if (login) return login
    if (!tokens.has(request.headers.authorization?.replace('Bearer ', '') ?? '')) return failed(401, 'AuthenticationFailed', 'Authentication failed.')
    if (request.query.get('api-version') !== '2018-05-01') return failed(400, 'InvalidApiVersionParameter', 'The api-version is invalid.')
    return routed([
      ['GET', '/subscriptions/{subscription}/providers/Microsoft.Network/dnszones', (_, each) => listZones(undefined, each)],
      ['GET', '/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/dnsZones', ({ group }, each) => listZones(group, each)],
      ...(['GET', 'PUT', 'DELETE'] as const).map((method) => [method, setPath, recordSet] as const),
    ], request) ?? failed(404, 'InvalidResourceType', 'no such operation')
  })
  const simulator: AzureSimulator = { vendor, store, tenantId: 'd3b07384-tenant', clientId: '6f4922f4-client', clientSecret: 'kZ8Q~simulated.secret-0123456789abcdef', subscriptionId: '11112222-3333-4444', privateZones: [], metadata: new Map(), pageSize: 2 }
  return simulator
}

const set = { id: 'text', name: 'text', type: 'text', etag: 'text', properties: { TTL: 'number', TXTRecords: [{ value: ['text'] }] } } as const
const setPath = '/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.Network/dnsZones/{zoneName}/TXT/{relativeRecordSetName}'

export const azureExcerpt: Excerpt = {
  source: 'Azure/azure-rest-api-specs, specification/dns/resource-manager/Microsoft.Network/Dns/stable/2018-05-01/dns.json: RecordSets_Get, _CreateOrUpdate, _Delete, Zones_List; the token endpoint: Microsoft identity platform, client credentials',
  operations: [
    { method: 'POST', path: '/{tenant}/oauth2/v2.0/token', body: 'anything', answers: { 200: { access_token: 'text', expires_in: 'number', token_type: 'text' } } },
    { method: 'GET', path: '/subscriptions/{subscriptionId}/providers/Microsoft.Network/dnszones', query: ['api-version!', '$top', '$skipToken'], answers: { 200: { value: [{ id: 'text', name: 'text', type: 'text', location: 'text', properties: { 'zoneType?': 'text' } }], 'nextLink?': 'text' } } },
    { method: 'GET', path: setPath, query: ['api-version!'], answers: { 200: set } },
    { method: 'PUT', path: setPath, query: ['api-version!'], body: { properties: { 'metadata?': 'anything', TTL: 'number', TXTRecords: [{ value: ['text'] }] } }, answers: { 200: set, 201: set } },
    { method: 'DELETE', path: setPath, query: ['api-version!'], answers: { 200: 'anything', 204: 'anything' } },
  ],
  errors: { error: { code: 'text', message: 'text' } },
}
