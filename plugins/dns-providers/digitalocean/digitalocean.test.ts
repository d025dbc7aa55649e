import { digitalOceanExcerpt, startDigitalOcean } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('digitalocean')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startDigitalOcean(t, zones)
  const fields = { apiToken: simulator.token, apiAddress: simulator.vendor.address }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, apiToken: 'dop_v1_wrong0123456789abcdef' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: digitalOceanExcerpt })

test('DigitalOcean: all pages of domains and of records are read', async (t) => {
  const zones = Array.from({ length: 7 }, (_, index) => `zone-${index}.test`)
  const { simulator, store, fields } = await start(t, [...zones, 'example.test'])
  simulator.largestPage = 3
  const provider = await connectorOf(entry, fields)
  assert.deepEqual(await provider.listZones?.(), [...zones, 'example.test'])
  for (let index = 0; index < 5; index++) store.put(challenge().name, { type: 'TXT', value: `other-${index}` })
  await provider.addTxt(challenge())
  await provider.addTxt(challenge())
  assert.equal(valuesAt(store).filter((value) => value === challenge().value).length, 1)
  await provider.removeTxt(challenge(), null)
  assert.equal(valuesAt(store).length, 5)
})

test('DigitalOcean: the end of a limit is told, also where only its own header has it', async (t) => {
  const { vendor, fields } = await start(t)
  vendor.intercept = () => ({ status: 429, body: { id: 'too_many_requests', message: 'API Rate limit exceeded.' }, headers: { 'ratelimit-reset': '1893456000' } })
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE', facts: { status: 429, retryAt: '2030-01-01T00:00:00.000Z' } })
})
