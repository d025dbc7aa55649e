import { generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface GoogleSimulator {
  vendor: VendorServer
  store: ZoneStore
  /** The JSON file of a key that is taken. */
  serviceAccountKey: string
  /** One of a key that the account does not have. */
  foreignKey: string
  /** So often a change is said to be pending; default 1. */
  pendingLooks: number
  privateZones: string[]
  /** Names that have a second public zone. */
  twice: string[]
  /** How many zones a page has; default 2. */
  pageSize: number
}

const failed = (status: number, reason: string, message: string): VendorAnswer => ({ status, body: { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } } })
const notSignedIn = (error: string, description: string): VendorAnswer => ({ status: 400, body: { error, error_description: description } })
const decoded = (part: string | undefined) => JSON.parse(Buffer.from(part ?? '', 'base64url').toString()) as Record<string, unknown>
interface RecordSet { name: string; type: string; ttl: number; rrdatas: string[] }
const email = 'certloop@simulated-project.iam.gserviceaccount.test'

// Making RSA keys takes long; each test file needs one pair that fits and one that does not.
const pairs = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }))

/** Tokens for statements signed by the service account, and changes that are made as a whole or not at all. */
export async function startGoogle(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<GoogleSimulator> {
  const store = createZoneStore(zones)
  const tokens = new Set<string>()
  const looksLeft = new Map<string, number>()
  const nameOf = (zone: string) => zone.replaceAll('.', '-')

  /** Why a statement is not taken: signature, time, account, audience, scope. */
  function problemOf(assertion: string): [error: string, description: string] | undefined {
    const [header, payload, signature = ''] = assertion.split('.')
    const { iss, aud, scope, iat, exp } = decoded(payload)
    if (decoded(header)['alg'] !== 'RS256' || !verify('RSA-SHA256', Buffer.from(`${header}.${payload}`), pairs[0]?.publicKey ?? '', Buffer.from(signature, 'base64url'))) return ['invalid_grant', 'Invalid JWT Signature.']
    const seconds = Date.now() / 1000
    if (!(Number(iat) <= seconds + 60 && Number(exp) > seconds && Number(exp) - Number(iat) <= 3600)) return ['invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.']
    if (iss !== email || aud !== `${vendor.address}/token`) return ['invalid_grant', 'Invalid JWT: audience or issuer.']
    return scope === 'https://www.googleapis.com/auth/ndev.clouddns.readwrite' ? undefined : ['invalid_scope', 'Invalid OAuth scope.']
  }
  function signIn({ body }: VendorRequest): VendorAnswer {
    const form = new URLSearchParams(body)
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return notSignedIn('unsupported_grant_type', 'Invalid grant_type')
    const problem = problemOf(form.get('assertion') ?? '')
    if (problem) return notSignedIn(...problem)
    const token = `ya29.${randomBytes(30).toString('base64url')}`
    tokens.add(token)
    return { status: 200, body: { access_token: token, expires_in: 3599, token_type: 'Bearer' } }
  }
  const shownZone = (zone: string, name = nameOf(zone)) => ({ kind: 'dns#managedZone', id: '1', name, dnsName: `${zone}.`, visibility: name.startsWith('private-') ? 'private' : 'public' })
  function listZones({ query }: VendorRequest): VendorAnswer {
    const all = [...simulator.privateZones.map((zone) => shownZone(zone, `private-${nameOf(zone)}`)), ...store.zones.map((zone) => shownZone(zone)), ...simulator.twice.map((zone) => shownZone(zone, `${nameOf(zone)}-2`))].filter(({ dnsName }) => query.get('dnsName') === null || query.get('dnsName') === dnsName)
    const from = Number(query.get('pageToken') ?? 0)
    const rest = from + simulator.pageSize < all.length ? { nextPageToken: String(from + simulator.pageSize) } : {}
    return { status: 200, body: { kind: 'dns#managedZonesListResponse', managedZones: all.slice(from, from + simulator.pageSize), ...rest } }
  }
  const setOf = (zone: string, name: string, type: string) => {
    const records = store.records(zone, name, type)
    return records.length === 0 ? undefined : { kind: 'dns#resourceRecordSet', name: `${name}.`, type, ttl: records[0]?.ttl, rrdatas: records.map(({ value }) => (type === 'TXT' ? inQuotes(value) : value)), signatureRrdatas: [] }
  }
  function change(zone: string, { json }: VendorRequest): VendorAnswer {
    const { additions = [], deletions = [] } = json as { additions?: RecordSet[]; deletions?: RecordSet[] }
    const plain = ({ name }: RecordSet) => name.replace(/\.$/, '')
    for (const [index, set] of deletions.entries()) {
      const present = setOf(zone, plain(set), set.type)
      if (!present) return failed(404, 'notFound', `The 'entity.change.deletions[${index}]' resource named '${set.name} (${set.type})' does not exist.`)
      if (present.ttl !== set.ttl || JSON.stringify(present.rrdatas.toSorted()) !== JSON.stringify(set.rrdatas.toSorted())) return failed(412, 'conditionNotMet', `Precondition not met for 'entity.change.deletions[${index}]'`)
    }
    for (const [index, set] of additions.entries()) {
      if (setOf(zone, plain(set), set.type) && !deletions.some(({ name, type }) => name === set.name && type === set.type)) return failed(409, 'alreadyExists', `The resource 'entity.change.additions[${index}]' named '${set.name} (${set.type})' already exists`)
    }
    for (const set of deletions) store.replace(zone, plain(set), set.type, [], 0)
    for (const set of additions) store.replace(zone, plain(set), set.type, set.rrdatas.map(outOfQuotes), set.ttl)
    const id = String(looksLeft.size + 1)
    looksLeft.set(id, simulator.pendingLooks)
    return { status: 200, body: { kind: 'dns#change', id, status: 'pending', startTime: '2026-01-01T00:00:00Z', additions, deletions } }
  }
  function readChange(id: string): VendorAnswer {
    const left = looksLeft.get(id) ?? 0
    looksLeft.set(id, left - 1)
    return { status: 200, body: { kind: 'dns#change', id, status: left > 0 ? 'pending' : 'done', startTime: '2026-01-01T00:00:00Z' } }
  }
  const inZone = (answer: (zone: string, request: VendorRequest, values: Record<string, string>) => VendorAnswer) => (values: Record<string, string>, request: VendorRequest) => {
    const zone = [...store.zones, ...simulator.privateZones].find((each) => [nameOf(each), `${nameOf(each)}-2`, `private-${nameOf(each)}`].includes(values['zone'] ?? ''))
    return zone === undefined ? failed(404, 'notFound', `The 'parameters.managedZone' resource named '${values['zone']}' does not exist.`) : answer(zone, request, values)
  }
  const base = '/dns/v1/projects/simulated-project/managedZones'
  const vendor = await startVendor(t, (request) => {
    if (request.path === '/token') return signIn(request)
    if (!tokens.has(request.headers.authorization?.replace('Bearer ', '') ?? '')) return failed(401, 'authError', 'Request had invalid authentication credentials.')
    return routed([
      ['GET', base, (_, each) => listZones(each)],
      ['GET', `${base}/{zone}`, inZone((zone, _, values) => ({ status: 200, body: shownZone(zone, values['zone']) }))],
      ['GET', `${base}/{zone}/rrsets`, inZone((zone, { query }) => ({ status: 200, body: { kind: 'dns#resourceRecordSetsListResponse', rrsets: [setOf(zone, query.get('name')?.replace(/\.$/, '') ?? '', query.get('type') ?? '')].filter(Boolean) } }))],
      ['POST', `${base}/{zone}/changes`, inZone(change)],
      ['GET', `${base}/{zone}/changes/{change}`, inZone((_, __, values) => readChange(values['change'] ?? ''))],
    ], request) ?? failed(404, 'notFound', 'no such operation')
  })
  const keyFile = (index: number) => JSON.stringify({ type: 'service_account', project_id: 'simulated-project', private_key_id: `key-${index}`, private_key: pairs[index]?.privateKey, client_email: email, token_uri: `${vendor.address}/token` })
  const simulator: GoogleSimulator = { vendor, store, serviceAccountKey: keyFile(0), foreignKey: keyFile(1), pendingLooks: 1, privateZones: [], twice: [], pageSize: 2 }
  return simulator
}

const set = { name: 'text', type: 'text', ttl: 'number', rrdatas: ['text'], 'kind?': 'text', 'signatureRrdatas?': ['text'] } as const
const zonePath = '/dns/v1/projects/{project}/managedZones/{managedZone}'

export const googleExcerpt: Excerpt = {
  source: 'googleapis/google-api-go-client, dns/v1/dns-api.json: managedZones.list, resourceRecordSets.list, changes.create, changes.get; the token endpoint: RFC 7523 as Google describes it for service accounts',
  operations: [
    { method: 'POST', path: '/token', body: 'anything', answers: { 200: { access_token: 'text', expires_in: 'number' } } },
    { method: 'GET', path: '/dns/v1/projects/{project}/managedZones', query: ['dnsName', 'maxResults', 'pageToken'], answers: { 200: { kind: 'text', managedZones: [{ name: 'text', dnsName: 'text', visibility: 'text' }], 'nextPageToken?': 'text' } } },
    { method: 'GET', path: `${zonePath}/rrsets`, query: ['name', 'type', 'maxResults', 'pageToken'], answers: { 200: { kind: 'text', rrsets: [set] } } },
    { method: 'POST', path: `${zonePath}/changes`, query: ['clientOperationId'], body: { 'additions?': [set], 'deletions?': [set] }, answers: { 200: { id: 'text', status: 'text' } } },
    { method: 'GET', path: `${zonePath}/changes/{changeId}`, query: ['clientOperationId'], answers: { 200: { id: 'text', status: 'text' } } },
  ],
  errors: { error: { code: 'number', message: 'text', errors: [{ reason: 'text' }] } },
}
