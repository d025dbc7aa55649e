import { type Exchange, namecheapExcerpt, startNamecheap, type VendorRequest } from '@certloop/test-kit/dns-vendors'
import { XMLParser } from 'fast-xml-parser'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('namecheap')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = ['other.test', 'example.test']) {
  const simulator = await startNamecheap(t, zones)
  const { vendor, userName, apiKey, clientIp } = simulator
  const fields = { userName, apiKey, clientIp, apiAddress: `${vendor.address}/xml.response` }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, apiKey: 'wrongNamecheapKey0123456789abcdef' }, zoneBelow: false }
}
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', parseAttributeValue: false, parseTagValue: false, isArray: (name, _, __, isAttribute) => !isAttribute && ['host', 'Domain'].includes(name) })
const commandOf = ({ body }: VendorRequest) => new URLSearchParams(body).get('Command') ?? ''

/** Numbered values of a form as a list. */
function formOf(body: string): Record<string, unknown> {
  const [plain, hosts] = [{} as Record<string, unknown>, [] as Record<string, string>[]]
  for (const [name, value] of new URLSearchParams(body)) {
    const [, field, number] = /^(HostName|RecordType|Address|MXPref|TTL)(\d+)$/.exec(name) ?? []
    if (field === undefined) plain[name] = value
    else hosts[Number(number) - 1] = { ...hosts[Number(number) - 1], [field]: value }
  }
  return hosts.length === 0 ? plain : { ...plain, hosts }
}
const readExchange = ({ request, answer }: Exchange): Exchange => ({ request: { ...request, path: `${request.path}/${commandOf(request)}`, json: formOf(request.body) }, answer: { ...answer, body: parser.parse(String(answer.body)) as unknown } })
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: namecheapExcerpt, readExchange, neverGuarded: true })

const isWrite = (request: VendorRequest) => commandOf(request) === 'namecheap.domains.dns.setHosts'
const writes = (vendor: { exchanges: Exchange[] }) => vendor.exchanges.filter(({ request }) => isWrite(request)).length

test('Namecheap: the kind of e-mail service, times to live and all other records stay', async (t) => {
  const { store, simulator, fields } = await start(t)
  simulator.emailTypes.set('example.test', 'MX')
  store.add({ zone: 'example.test', name: 'example.test', type: 'MX', value: 'mail.example.test.', ttl: 7200 })
  store.add({ zone: 'example.test', name: 'example.test', type: 'TXT', value: 'v=spf1 "quoted" & <odd> -all', ttl: 300 })
  const shown = () => store.records('example.test').map(({ name, type, value, ttl }) => [name, type, value, ttl])
  const before = shown()
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  assert.deepEqual(shown(), [...before, [challenge().name, 'TXT', challenge().value, 600]])
  await provider.removeTxt(challenge(), null)
  assert.deepEqual(shown(), before)
  assert.equal(simulator.emailTypes.get('example.test'), 'MX')
})

test('Namecheap: a list that looks incomplete is never written', async (t) => {
  const { store, simulator, vendor, fields } = await start(t)
  const provider = await connectorOf(entry, fields)
  const before = store.records('example.test')
  const refused = async (tamper: ((xml: string) => string) | undefined, message: RegExp) => {
    simulator.tamper = tamper
    await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message })
  }
  await refused((xml) => xml.replaceAll(/<host [^>]*>/g, ''), /list is empty/)
  await refused((xml) => xml.replace(/ EmailType="\w*"/, ''), /EmailType/)
  await refused((xml) => xml.replace('EmailType="FWD"', 'EmailType="MX"'), /no MX record/)
  await refused((xml) => xml.replace('Type="A"', 'Type="SRV"'), /can not be written back/)
  await refused((xml) => xml.replace('IsDDNSEnabled="false"', 'IsDDNSEnabled="true"'), /dynamic/)
  await refused((xml) => xml.replace('IsUsingOurDNS="true"', 'IsUsingOurDNS="false"'), /name servers/)
  simulator.tamper = (xml) => xml.replace(/Address="[^"]*" /, '')
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE' })
  assert.equal(writes(vendor), 0)
  assert.deepEqual(store.records('example.test'), before)
})

test('Namecheap: what others write between the two looks is noticed and kept', async (t) => {
  const { store, vendor, fields } = await start(t)
  let reads = 0
  vendor.intercept = (request) => {
    if (commandOf(request) === 'namecheap.domains.dns.getHosts' && ++reads === 2) store.put(challenge().name, { type: 'TXT', value: 'theirs' })
    return undefined
  }
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value, 'theirs'].toSorted())
  assert.equal(writes(vendor), 1)
})

test('Namecheap: a record that is lost in writing is written again, and told when it stays lost', async (t) => {
  const { store, vendor, fields } = await start(t)
  const loseAfterwards = (times: number) => {
    let left = times
    vendor.intercept = (request) => {
      const last = vendor.exchanges.at(-1)
      if (left > 0 && last !== undefined && isWrite(last.request) && !isWrite(request)) {
        left--
        for (const { id } of store.records('example.test', 'www.example.test')) store.remove(id)
      }
      return undefined
    }
  }
  const provider = await connectorOf(entry, fields)
  loseAfterwards(1)
  await provider.addTxt(challenge())
  assert.equal(store.records('example.test', 'www.example.test').length, 1)
  loseAfterwards(2)
  await assert.rejects(provider.addTxt(challenge('second-0123456789')), { code: 'DNS_RECORD_FAILED', message: /www A 192\.0\.2\.1/ })
})

test('Namecheap: refusals of the key, of the calling address and of a domain are told apart', async (t) => {
  const { vendor, fields } = await start(t)
  await assert.rejects((await connectorOf(entry, { ...fields, clientIp: '192.0.2.8' })).addTxt(challenge()), { code: 'DNS_PROVIDER_REFUSED', message: /192\.0\.2\.8/ })
  await assert.rejects((await connectorOf(entry, fields)).addTxt({ ...challenge(), zone: 'foreign.test', name: '_acme-challenge.foreign.test' }), { code: 'DNS_RECORD_FAILED', message: /foreign\.test/ })
  vendor.intercept = () => ({ status: 200, body: '<ApiResponse Status="ERROR"><Errors><Error Number="500000">Too many requests</Error></Errors></ApiResponse>' })
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE' })
})

test('Namecheap: all pages of domains are read, without those served from elsewhere; the key is in no address', async (t) => {
  const zones = Array.from({ length: 230 }, (_, index) => `zone-${index}.test`)
  const { simulator, vendor, fields } = await start(t, zones)
  simulator.elsewhere.push('zone-7.test')
  assert.deepEqual(await (await connectorOf(entry, fields)).listZones?.(), zones.filter((zone) => zone !== 'zone-7.test'))
  assert.ok(vendor.exchanges.every(({ request }) => request.method === 'POST' && !request.target.includes('?')))
})
