import { hetznerExcerpt, startHetzner } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('hetzner')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startHetzner(t, zones)
  const fields = { apiToken: simulator.token, apiAddress: `${simulator.vendor.address}/v1` }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, apiToken: 'wrongHetznerProjectToken0123456789' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: hetznerExcerpt })

test('Hetzner: an action is waited for until its end, which may be an error', async (t) => {
  const { simulator, fields } = await start(t)
  const waits: number[] = []
  const provider = await connectorOf(entry, fields, { waits })
  simulator.runningLooks = 3
  await provider.addTxt(challenge())
  assert.ok(waits.length >= 2 && waits.every((wait) => wait === 1000), String(waits))
  simulator.outcome = 'error'
  await assert.rejects(provider.addTxt(challenge('failing-0123456789')), { code: 'DNS_RECORD_FAILED', message: /Action failed/ })
  simulator.runningLooks = 1000
  await assert.rejects(provider.addTxt(challenge('endless-0123456789')), { code: 'DNS_PROVIDER_UNREACHABLE', message: /within a minute/ })
})

test('Hetzner: a locked zone is waited for a few times', async (t) => {
  const { vendor, store, fields } = await start(t)
  let locked = 3
  vendor.intercept = ({ method }) => (method === 'POST' && locked-- > 0 ? { status: 423, body: { error: { code: 'locked', message: 'item is locked', details: null } } } : undefined)
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
  locked = 1000
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge('another-0123456789')), { code: 'DNS_PROVIDER_UNREACHABLE' })
  assert.equal(locked, 994)
})

test('Hetzner: a set of others keeps its time to live; a token that may only read is refused', async (t) => {
  const { vendor, store, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(store.records('example.test', challenge().name).map(({ ttl }) => ttl), [7200, 7200])
  vendor.intercept = ({ method }) => (method === 'POST' ? { status: 403, body: { error: { code: 'token_readonly', message: 'the token is only allowed to perform GET requests' } } } : undefined)
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge('another-0123456789')), { code: 'DNS_PROVIDER_REFUSED' })
})

test('Hetzner: zones that are copied from elsewhere do not count; all pages are read', async (t) => {
  const zones = Array.from({ length: 7 }, (_, index) => `zone-${index}.test`)
  const { simulator, fields } = await start(t, zones)
  simulator.secondaryZones.push('copied.test')
  const provider = await connectorOf(entry, fields)
  assert.deepEqual(await provider.listZones?.(), zones)
  assert.equal(await provider.findZone('_acme-challenge.copied.test'), undefined)
})
