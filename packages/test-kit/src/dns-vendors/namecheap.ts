import type { TestContext } from 'node:test'
import type { Excerpt } from './excerpt.ts'
import { startVendor, type VendorAnswer, type VendorServer } from './vendor-server.ts'
import { createZoneStore, type ZoneStore } from './zone-store.ts'

export interface NamecheapSimulator {
  vendor: VendorServer
  store: ZoneStore
  userName: string
  apiKey: string
  clientIp: string
  /** By domain; MX, FWD, … Default FWD. */
  emailTypes: Map<string, string>
  /** Attributes that records of a type have besides. */
  attributes: Map<string, string>
  /** Domains that are served from elsewhere. */
  elsewhere: string[]
  /** Changes an answer of getHosts before it is sent. */
  tamper: ((xml: string) => string) | undefined
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
const response = (command: string, status: string, errors: string, inner: string): VendorAnswer => ({
  status: 200, headers: { 'content-type': 'text/xml; charset=utf-8' },
  body: `<?xml version="1.0" encoding="utf-8"?>\n<ApiResponse Status="${status}" xmlns="http://api.namecheap.com/xml.response">\n  <Errors${errors === '' ? ' />' : `>${errors}</Errors>`}\n  <Warnings />\n  <RequestedCommand>${command}</RequestedCommand>\n  ${inner}\n  <Server>PHX01</Server>\n  <GMTTimeDifference>--5:00</GMTTimeDifference>\n  <ExecutionTime>0.1</ExecutionTime>\n</ApiResponse>`,
})
const ok = (command: string, inner: string) => response(command, 'OK', '', `<CommandResponse Type="${command}">${inner}</CommandResponse>`)
const failed = (number: number, message: string) => response('', 'ERROR', `<Error Number="${number}">${escaped(message)}</Error>`, '')

/** The whole list of records of a domain, read and replaced. */
export async function startNamecheap(t: Pick<TestContext, 'after'>, zones: readonly string[]): Promise<NamecheapSimulator> {
  const store = createZoneStore(zones)
  // A domain without any record would be refused; each has one from the start.
  for (const zone of zones) store.add({ zone, name: `www.${zone}`, type: 'A', value: '192.0.2.1', ttl: 1800 })
  const emailOf = (zone: string) => simulator.emailTypes.get(zone) ?? 'FWD'

  function getHosts(command: string, zone: string): VendorAnswer {
    const hosts = store.records(zone).map(({ id, name, type, value, ttl }) => `<host HostId="${id}" Name="${name === zone ? '@' : name.slice(0, -(zone.length + 1))}" Type="${type}" Address="${escaped(value)}" MXPref="10" TTL="${ttl}" AssociatedAppTitle="" FriendlyName="" IsActive="true" IsDDNSEnabled="false" ${simulator.attributes.get(type) ?? ''}/>`.replace(/IsActive="true" IsDDNSEnabled="false" (?=Is)/, ''))
    const { body, ...rest } = ok(command, `<DomainDNSGetHostsResult Domain="${zone}" EmailType="${emailOf(zone)}" IsUsingOurDNS="${!simulator.elsewhere.includes(zone)}">${hosts.join('')}</DomainDNSGetHostsResult>`)
    return { ...rest, body: simulator.tamper?.(String(body)) ?? body }
  }
  function setHosts(command: string, zone: string, form: URLSearchParams): VendorAnswer {
    const numbers = [...form.keys()].flatMap((name) => /^HostName(\d+)$/.exec(name)?.[1] ?? [])
    const records = numbers.map((number) => ({ name: form.get(`HostName${number}`) ?? '', type: form.get(`RecordType${number}`) ?? '', value: form.get(`Address${number}`) ?? '', ttl: Number(form.get(`TTL${number}`) ?? 1800) }))
    if (records.some(({ ttl }) => ttl < 60 || ttl > 60_000)) return failed(2_015_280, 'TTL is out of range')
    for (const { id } of store.records(zone)) store.remove(id)
    for (const { name, ...record } of records) store.add({ zone, name: name === '@' ? zone : `${name}.${zone}`, ...record })
    simulator.emailTypes.set(zone, form.get('EmailType') ?? 'NONE')
    return ok(command, `<DomainDNSSetHostsResult Domain="${zone}" IsSuccess="true"><Warnings /></DomainDNSSetHostsResult>`)
  }
  function getList(command: string, form: URLSearchParams): VendorAnswer {
    const [page, size] = [Number(form.get('Page') ?? 1), Number(form.get('PageSize') ?? 20)]
    const part = store.zones.slice((page - 1) * size, page * size).map((zone, index) => `<Domain ID="${index}" Name="${zone}" User="u" Created="01/01/2020" Expires="01/01/2030" IsExpired="false" IsLocked="false" AutoRenew="true" WhoisGuard="ENABLED" IsPremium="false" IsOurDNS="${!simulator.elsewhere.includes(zone)}"/>`)
    return ok(command, `<DomainGetListResult>${part.join('')}</DomainGetListResult><Paging><TotalItems>${store.zones.length}</TotalItems><CurrentPage>${page}</CurrentPage><PageSize>${size}</PageSize></Paging>`)
  }
  function problemOf(form: URLSearchParams): VendorAnswer | undefined {
    if (form.get('ApiUser') !== simulator.userName || form.get('UserName') !== simulator.userName || form.get('ApiKey') !== simulator.apiKey) return failed(1_011_102, 'API Key is invalid or API access has not been enabled')
    return form.get('ClientIp') === simulator.clientIp ? undefined : failed(1_011_150, `Invalid request IP: ${form.get('ClientIp')}`)
  }
  const vendor = await startVendor(t, (request) => {
    const form = request.method === 'POST' ? new URLSearchParams(request.body) : request.query
    const problem = problemOf(form)
    if (problem) return problem
    const [command, zone] = [form.get('Command') ?? '', `${form.get('SLD')}.${form.get('TLD')}`]
    if (command === 'namecheap.domains.getList') return getList(command, form)
    if (!store.zones.includes(zone)) return failed(2_019_166, `The domain (${zone}) doesn't seem to be associated with your account.`)
    if (command === 'namecheap.domains.dns.getHosts') return getHosts(command, zone)
    return command === 'namecheap.domains.dns.setHosts' ? setHosts(command, zone, form) : failed(1_010_105, 'Parameter Command is invalid')
  })
  const simulator: NamecheapSimulator = { vendor, store, userName: 'simulated', apiKey: 'simulatedNamecheapKey0123456789ab', clientIp: '192.0.2.7', emailTypes: new Map(), attributes: new Map(), elsewhere: [], tamper: undefined }
  return simulator
}

const asked = { ApiUser: 'text', ApiKey: 'text', UserName: 'text', ClientIp: 'text', Command: 'text' } as const
/** For calls with the command at the end of their path, forms and answers read as objects. */
export const namecheapExcerpt: Excerpt = {
  source: "Namecheap's pages on namecheap.domains.getList, namecheap.domains.dns.getHosts and namecheap.domains.dns.setHosts",
  operations: [
    { method: 'POST', path: '/xml.response/namecheap.domains.getList', body: { ...asked, ListType: 'text', Page: 'text', PageSize: 'text' }, answers: { 200: { ApiResponse: { Status: 'text', CommandResponse: { DomainGetListResult: { Domain: [{ Name: 'text', IsOurDNS: 'text' }] }, Paging: { TotalItems: 'text', CurrentPage: 'text', PageSize: 'text' } } } } } },
    { method: 'POST', path: '/xml.response/namecheap.domains.dns.getHosts', body: { ...asked, SLD: 'text', TLD: 'text' }, answers: { 200: { ApiResponse: { Status: 'text', CommandResponse: { DomainDNSGetHostsResult: { Domain: 'text', IsUsingOurDNS: 'text', host: [{ HostId: 'text', Name: 'text', Type: 'text', Address: 'text', MXPref: 'text', TTL: 'text' }] } } } } } },
    { method: 'POST', path: '/xml.response/namecheap.domains.dns.setHosts', body: { ...asked, SLD: 'text', TLD: 'text', EmailType: 'text', hosts: [{ HostName: 'text', RecordType: 'text', Address: 'text', MXPref: 'text', TTL: 'text' }] }, answers: { 200: { ApiResponse: { Status: 'text', CommandResponse: { DomainDNSSetHostsResult: { Domain: 'text', IsSuccess: 'text' } } } } } },
  ],
}
