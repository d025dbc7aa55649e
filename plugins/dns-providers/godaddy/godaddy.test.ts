import { goDaddyExcerpt, startGoDaddy } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('godaddy')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startGoDaddy(t, zones)
  const fields = { apiKey: simulator.apiKey, apiSecret: simulator.apiSecret, apiAddress: simulator.vendor.address }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, apiSecret: 'wrongSecret0123456789' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: goDaddyExcerpt, removalNotGuarded: true })

test('GoDaddy: an account without the plan for the API is told so, with the way around it', async (t) => {
  const { simulator, fields } = await start(t)
  simulator.withoutPlan = true
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'DNS_PROVIDER_REFUSED')
    for (const word of ['ACCESS_DENIED', '10 domains', 'CNAME']) assert.ok(error.message.includes(word), error.message)
    return true
  })
})

test('GoDaddy: 429 says in its body when to come again', async (t) => {
  const { vendor, fields } = await start(t)
  vendor.intercept = () => ({ status: 429, body: { code: 'TOO_MANY_REQUESTS', message: 'Too many requests received within interval', retryAfterSec: 40 } })
  const now = () => new Date('2026-01-01T00:00:00Z')
  await assert.rejects((await connectorOf(entry, fields, { now })).addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE', facts: { status: 429, retryAt: '2026-01-01T00:00:40.000Z' } })
})

test('GoDaddy: values are appended, and a removal writes back just what was read', async (t) => {
  const { vendor, store, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  assert.deepEqual(vendor.exchanges.filter(({ request }) => request.method === 'PUT'), [])
  await provider.removeTxt(challenge(), null)
  assert.deepEqual(store.records('example.test', challenge().name).map(({ value, ttl }) => [value, ttl]), [['theirs', 7200]])
})

test('GoDaddy: all pages of domains are read', async (t) => {
  const zones = Array.from({ length: 2100 }, (_, index) => `zone-${String(index).padStart(4, '0')}.test`)
  const { fields } = await start(t, zones)
  assert.deepEqual(await (await connectorOf(entry, fields)).listZones?.(), zones)
})

test('GoDaddy: a duplicate that appears between is success', async (t) => {
  const { vendor, store, fields } = await start(t)
  vendor.intercept = ({ method }) => {
    if (method === 'PATCH') store.put(challenge().name, { type: 'TXT', value: challenge().value })
    return undefined
  }
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
})
