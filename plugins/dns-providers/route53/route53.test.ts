import { type Route53Simulator, route53Excerpt, startRoute53 } from '@certloop/test-kit/dns-vendors'
import { XMLParser } from 'fast-xml-parser'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('route53')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startRoute53(t, zones)
  const fields = { accessKeyId: simulator.accessKeyId, secretAccessKey: simulator.secretAccessKey, cloud: 'aws', apiAddress: simulator.vendor.address }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, secretAccessKey: 'another-secret-0123456789abcdefghijkl' } }
}
const lists = new Set(['HostedZone', 'ResourceRecordSet', 'ResourceRecord', 'Change'])
const parser = new XMLParser({ parseTagValue: false, ignoreDeclaration: true, isArray: (name) => lists.has(name) })
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: route53Excerpt, parse: (text) => (text === '' ? undefined : parser.parse(text) as unknown), isChange: ({ method }) => method === 'POST' })

const countOf = ({ vendor }: Pick<Route53Simulator, 'vendor'>, pattern: RegExp) => vendor.exchanges.filter(({ request }) => pattern.test(`${request.method} ${request.path}`)).length

test('Route 53: a change is waited for until all servers have it, and not for ever', async (t) => {
  const { simulator, fields } = await start(t)
  const waits: number[] = []
  const provider = await connectorOf(entry, fields, { waits })
  simulator.pendingLooks = 3
  assert.equal((await provider.addTxt(challenge())).status, 'INSYNC')
  assert.deepEqual(waits, [4000, 4000, 4000])
  simulator.pendingLooks = 1000
  waits.length = 0
  assert.equal((await provider.addTxt(challenge('another-0123456789'))).status, 'PENDING')
  assert.equal(waits.reduce((sum, wait) => sum + wait, 0), 120_000)
})

test('Route 53: "Rate exceeded" is waited out a few times, and then told as no time', async (t) => {
  const { vendor, store, fields } = await start(t)
  const throttled = (times: number) => {
    let left = times
    vendor.intercept = () => (left-- > 0 ? { status: 400, body: '<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>' } : undefined)
  }
  const waits: number[] = []
  const provider = await connectorOf(entry, fields, { waits })
  throttled(3)
  await provider.addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
  assert.ok(waits.length >= 3 && waits.slice(0, 3).every((wait, index, all) => index === 0 || wait > (all[index - 1] ?? 0)), String(waits))
  throttled(1000)
  await assert.rejects(provider.addTxt(challenge('late-0123456789')), { code: 'DNS_PROVIDER_UNREACHABLE', message: /five a second/ })
})

test('Route 53: private zones do not count, and two public ones of a name have to be told apart', async (t) => {
  const { simulator, fields, vendor } = await start(t)
  simulator.privateZones.push('example.test', 'inside.test')
  const provider = await connectorOf(entry, fields)
  assert.deepEqual((await provider.listZones?.())?.toSorted(), [...benchZones].toSorted())
  assert.equal(await provider.findZone('_acme-challenge.inside.test'), undefined)
  await provider.addTxt(challenge())
  assert.equal(countOf({ vendor }, /^POST .*P\/rrset\/$/), 0)
  simulator.twice.push('example.test')
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /2 public hosted zones example\.test.*Hosted zone ID/ })
  const id = vendor.exchanges.map(({ request }) => /hostedzone\/(Z[0-9A-F]+)\/rrset/.exec(request.path)?.[1]).find(Boolean)
  const chosen = await connectorOf(entry, { ...fields, hostedZoneId: id })
  assert.equal(await chosen.findZone('_acme-challenge.www.example.test'), 'example.test')
  assert.deepEqual(await chosen.listZones?.(), ['example.test'])
  await chosen.addTxt(challenge('chosen-0123456789'))
  await assert.rejects(chosen.addTxt({ ...challenge(), zone: 'other.test', name: '_acme-challenge.other.test' }), { code: 'DNS_RECORD_FAILED' })
})

test('Route 53: all pages of zones are read', async (t) => {
  const zones = Array.from({ length: 250 }, (_, index) => `zone-${index}.test`)
  const { fields } = await start(t, zones)
  assert.deepEqual((await (await connectorOf(entry, fields)).listZones?.())?.toSorted(), zones.toSorted())
})

test('Route 53: the time to live of a set of others stays', async (t) => {
  const { store, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  assert.deepEqual(store.records('example.test', challenge().name).map(({ value, ttl }) => [value, ttl]), [['theirs', 7200], [challenge().value, 7200]])
  await provider.removeTxt(challenge(), null)
  assert.deepEqual(store.records('example.test', challenge().name).map(({ value, ttl }) => [value, ttl]), [['theirs', 7200]])
})

test('Route 53: a change that is wrong for good is told at once, others that never rest after six times', async (t) => {
  const { vendor, store, fields } = await start(t)
  const waits: number[] = []
  const provider = await connectorOf(entry, fields, { waits })
  vendor.intercept = ({ method }) => (method === 'POST' ? { status: 400, body: '<InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages><Message>RRSet of type TXT with DNS name x. is not permitted as it conflicts with other records</Message></Messages></InvalidChangeBatch>' } : undefined)
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /conflicts with other records/ })
  assert.deepEqual(waits, [])
  let count = 0
  vendor.intercept = ({ method }) => {
    if (method === 'POST') store.put(challenge().name, { type: 'TXT', value: `restless-${count++}` })
    return undefined
  }
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE', message: /keep changing/ })
  assert.equal(count, 6)
  assert.ok(!valuesAt(store).includes(challenge().value))
})
