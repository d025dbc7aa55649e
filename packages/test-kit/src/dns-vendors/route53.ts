import { createHash, createHmac } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { routed, startVendor, type VendorAnswer, type VendorRequest, type VendorServer } from './vendor-server.ts'
import { createZoneStore, inQuotes, outOfQuotes, type ZoneStore } from './zone-store.ts'

export interface Route53Simulator {
  vendor: VendorServer
  store: ZoneStore
  accessKeyId: string
  secretAccessKey: string
  /** So often a change is said to be PENDING; default 1. */
  pendingLooks: number
  /** Zones of these names are there as private ones too. */
  privateZones: string[]
  /** Names that have a second public zone. */
  twice: string[]
}

const namespace = 'https://route53.amazonaws.com/doc/2013-04-01/'
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
const xml = (status: number, body: string): VendorAnswer => ({ status, body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}`, headers: { 'content-type': 'text/xml' } })
const response = (name: string, inner: string) => xml(200, `<${name} xmlns="${namespace}">${inner}</${name}>`)
const failed = (status: number, code: string, message: string) => xml(status, `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped(message)}</Message></Error><RequestId>b7c9d5a2</RequestId></ErrorResponse>`)
const idOf = (zone: string) => `Z${createHash('sha256').update(zone).digest('hex').slice(0, 13).toUpperCase()}`
const text = (xmlText: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xmlText)?.[1]?.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&') ?? ''

const sha = (given: string) => createHash('sha256').update(given).digest('hex')
interface Claimed { key: string; day: string; region: string; service: string; names: string[]; signature: string; date: string }

function claimOf({ headers }: VendorRequest): Claimed | undefined {
  const [, key = '', day = '', region = '', service = '', names = '', signature = ''] = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '') ?? []
  return signature === '' ? undefined : { key, day, region, service, names: names.split(';'), signature, date: String(headers['x-amz-date']) }
}

/** The signature made anew from the request as it came in, with the secret on this side. */
function signatureOf({ method, target, headers, body }: VendorRequest, { day, region, service, names, date }: Claimed, secretAccessKey: string): string {
  const [path = '', query = ''] = target.split('?')
  const canonical = `${method}\n${path.replaceAll('%', '%25')}\n${query.split('&').filter(Boolean).toSorted().join('&')}\n${names.map((name) => `${name}:${String(headers[name])}\n`).join('')}\n${names.join(';')}\n${sha(body)}`
  let signing: Buffer | string = `AWS4${secretAccessKey}`
  for (const part of [day, region, service, 'aws4_request', `AWS4-HMAC-SHA256\n${date}\n${day}/${region}/${service}/aws4_request\n${sha(canonical)}`]) signing = createHmac('sha256', signing).update(part).digest()
  return signing.toString('hex')
}

function signatureProblem(request: VendorRequest, accessKeyId: string, secretAccessKey: string): VendorAnswer | undefined {
  const claim = claimOf(request)
  if (claim === undefined) return failed(403, 'MissingAuthenticationToken', 'Missing Authentication Token')
  if (claim.key !== accessKeyId) return failed(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.')
  const at = Date.parse(claim.date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(at - Date.now()) < 300_000) || !claim.date.startsWith(claim.day)) return failed(403, 'SignatureDoesNotMatch', `Signature expired: ${claim.date}`)
  if (claim.region !== 'us-east-1' || claim.service !== 'route53' || !['host', 'x-amz-date'].every((name) => claim.names.includes(name))) return failed(403, 'SignatureDoesNotMatch', 'Credential should be scoped to a valid region.')
  return signatureOf(request, claim, secretAccessKey) === claim.signature ? undefined : failed(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided.')
}

interface Asked { action: string; name: string; type: string; ttl: number; values: string[] }
const askedIn = (body: string): Asked[] => [...body.matchAll(/<Change>.*?<\/Change>/gs)].map(([each]) => ({
  action: text(each, 'Action'), name: text(each, 'Name').replace(/\.$/, ''), type: text(each, 'Type'), ttl: Number(text(each, 'TTL')), values: [...each.matchAll(/<Value>[^<]*<\/Value>/g)].map(([value]) => outOfQuotes(text(value, 'Value'))),
}))
/** Why one change of a batch is refused. gone: whether an earlier one of the batch took the set away. */
function problemOf({ action, values, ttl }: Asked, present: { value: string; ttl: number }[], gone: boolean): string | undefined {
  if (action === 'CREATE') return present.length > 0 && !gone ? 'it already exists' : undefined
  if (present.length === 0) return 'it was not found'
  const same = present.length === values.length && present.every((record) => values.includes(record.value) && record.ttl === ttl)
  return same ? undefined : 'the values provided do not match the current values'
}

const reversed = (name: string) => name.split('.').toReversed().join('.')

/** Sets of records changed by batches, each of which is made as a whole or not at all. */
export async function startRoute53(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<Route53Simulator> {
  const store = createZoneStore(zones)
  const looksLeft = new Map<string, number>()
  const isPrivateId = (id: string) => id.endsWith('P')

  function listZones({ query }: VendorRequest): VendorAnswer {
    const all = [...store.zones.map((zone) => ({ zone, id: idOf(zone) })), ...simulator.twice.map((zone) => ({ zone, id: `${idOf(zone)}2` })), ...simulator.privateZones.map((zone) => ({ zone, id: `${idOf(zone)}P` }))]
      .toSorted((a, b) => (`${reversed(a.zone)} ${a.id}` < `${reversed(b.zone)} ${b.id}` ? -1 : 1))
    const [from, fromId, size] = [query.get('dnsname')?.replace(/\.$/, ''), query.get('hostedzoneid'), Math.min(100, Number(query.get('maxitems') ?? 100))]
    const rest = all.filter(({ zone, id }) => from === undefined || (fromId === null ? reversed(zone) >= reversed(from) : `${reversed(zone)} ${id}` >= `${reversed(from)} ${fromId}`))
    const [part, next] = [rest.slice(0, size), rest[size]]
    const shown = part.map(({ zone, id }) => `<HostedZone><Id>/hostedzone/${id}</Id><Name>${zone}.</Name><CallerReference>c</CallerReference><Config><PrivateZone>${isPrivateId(id)}</PrivateZone></Config><ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>`)
    return response('ListHostedZonesByNameResponse', `<HostedZones>${shown.join('')}</HostedZones><IsTruncated>${next !== undefined}</IsTruncated>${next ? `<NextDNSName>${next.zone}.</NextDNSName><NextHostedZoneId>${next.id}</NextHostedZoneId>` : ''}<MaxItems>${size}</MaxItems>`)
  }
  function listSets(zone: string, { query }: VendorRequest): VendorAnswer {
    const sets = [...new Map(store.records(zone).map((record) => [`${reversed(record.name)} ${record.type}`, record])).entries()].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const rest = sets.filter(([key]) => key >= `${reversed(query.get('name') ?? '')} ${query.get('type') ?? ''}`).slice(0, Number(query.get('maxitems') ?? 100))
    const shown = rest.map(([, { name, type, ttl }]) => `<ResourceRecordSet><Name>${name}.</Name><Type>${type}</Type><TTL>${ttl}</TTL><ResourceRecords>${store.records(zone, name, type).map(({ value }) => `<ResourceRecord><Value>${escaped(type === 'TXT' ? inQuotes(value) : value)}</Value></ResourceRecord>`).join('')}</ResourceRecords></ResourceRecordSet>`)
    return response('ListResourceRecordSetsResponse', `<ResourceRecordSets>${shown.join('')}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>${query.get('maxitems') ?? 100}</MaxItems>`)
  }
  function change(zone: string, { body }: VendorRequest): VendorAnswer {
    const changes = askedIn(body)
    const gone = new Set<string>()
    for (const asked of changes) {
      const { action, name, type } = asked
      const problem = problemOf(asked, store.records(zone, name, type), gone.has(name))
      if (problem !== undefined) return failed(400, 'InvalidChangeBatch', `[Tried to ${action.toLowerCase()} resource record set [name='${name}.', type='${type}'] but ${problem}]`)
      if (action === 'DELETE') gone.add(name)
    }
    for (const { action, name, type, ttl, values } of changes) store.replace(zone, name, type, action === 'CREATE' ? values : [], ttl)
    const id = `C${looksLeft.size + 1}`
    looksLeft.set(id, simulator.pendingLooks)
    return response('ChangeResourceRecordSetsResponse', `<ChangeInfo><Id>/change/${id}</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>`)
  }
  function readChange(id: string): VendorAnswer {
    const left = looksLeft.get(id)
    if (left === undefined) return failed(404, 'NoSuchChange', `Could not find resource with ID: ${id}`)
    looksLeft.set(id, left - 1)
    return response('GetChangeResponse', `<ChangeInfo><Id>/change/${id}</Id><Status>${left > 0 ? 'PENDING' : 'INSYNC'}</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>`)
  }
  const inZone = (answer: (zone: string, request: VendorRequest, id: string) => VendorAnswer) => ({ id = '' }: Record<string, string>, request: VendorRequest) => {
    const zone = store.zones.find((each) => idOf(each) === id.replace(/[P2]$/, '') || idOf(each) === id)
    return zone === undefined ? failed(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${id}`) : answer(zone, request, id)
  }
  const vendor = await startVendor(t, (request) => signatureProblem(request, simulator.accessKeyId, simulator.secretAccessKey) ?? routed([
    ['GET', '/2013-04-01/hostedzonesbyname', (_, each) => listZones(each)],
    ['GET', '/2013-04-01/hostedzone/{id}', inZone((zone, _, id) => response('GetHostedZoneResponse', `<HostedZone><Id>/hostedzone/${id}</Id><Name>${zone}.</Name><CallerReference>c</CallerReference><Config><PrivateZone>${isPrivateId(id)}</PrivateZone></Config></HostedZone><DelegationSet><NameServers><NameServer>ns-1.awsdns-01.test</NameServer></NameServers></DelegationSet>`))],
    ['GET', '/2013-04-01/hostedzone/{id}/rrset', inZone(listSets)],
    ['POST', '/2013-04-01/hostedzone/{id}/rrset/', inZone(change)],
    ['GET', '/2013-04-01/change/{id}', ({ id = '' }) => readChange(id)],
  ], request) ?? failed(404, 'InvalidAction', 'no such operation'))
  const simulator: Route53Simulator = { vendor, store, accessKeyId: 'AKIATESTTESTTESTTEST', secretAccessKey: 'secret/of+the/simulator0123456789abcdefg', pendingLooks: 1, privateZones: [], twice: [] }
  return simulator
}

const changeInfo = { ChangeInfo: { Id: 'text', Status: 'text', SubmittedAt: 'text' } } as const
const zone = { Id: 'text', Name: 'text', CallerReference: 'text' } as const
const one = { Action: 'text', ResourceRecordSet: [{ Name: 'text', Type: 'text', TTL: 'text', ResourceRecords: { ResourceRecord: [{ Value: 'text' }] } }] } as const

/** For bodies read as objects, with lists of zones, sets, records and changes. */
export const route53Excerpt: Excerpt = {
  source: 'boto/botocore, data/route53/2013-04-01/service-2.json: ListHostedZonesByName, GetHostedZone, ListResourceRecordSets, ChangeResourceRecordSets, GetChange',
  operations: [
    { method: 'GET', path: '/2013-04-01/hostedzonesbyname', query: ['dnsname', 'hostedzoneid', 'maxitems'], answers: { 200: { ListHostedZonesByNameResponse: { HostedZones: { 'HostedZone?': [zone] }, IsTruncated: 'text', MaxItems: 'text', 'NextDNSName?': 'text', 'NextHostedZoneId?': 'text' } } } },
    { method: 'GET', path: '/2013-04-01/hostedzone/{Id}/rrset', query: ['name', 'type', 'identifier', 'maxitems'], answers: { 200: { ListResourceRecordSetsResponse: { ResourceRecordSets: { oneOf: ['text', { ResourceRecordSet: [{ Name: 'text', Type: 'text', TTL: 'text' }] }] }, IsTruncated: 'text', MaxItems: 'text' } } } },
    { method: 'POST', path: '/2013-04-01/hostedzone/{Id}/rrset/', body: { ChangeResourceRecordSetsRequest: { ChangeBatch: { Changes: { Change: [one] } } } }, answers: { 200: { ChangeResourceRecordSetsResponse: changeInfo } } },
    { method: 'GET', path: '/2013-04-01/change/{Id}', answers: { 200: { GetChangeResponse: changeInfo } } },
  ],
  errors: { ErrorResponse: { Error: { Code: 'text', Message: 'text' } } },
}
