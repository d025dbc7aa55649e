import { gandiExcerpt, startGandi } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('gandi')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startGandi(t, zones)
  const fields = { token: simulator.token, apiAddress: `${simulator.vendor.address}/v5/livedns` }
  return { ...simulator, fields, wrongCredentials: { ...fields, token: 'pat_wrong0123456789abcdef' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: gandiExcerpt, removalNotGuarded: true })

test('Gandi: the time to live of a set of others stays, a new one has at least 300', async (t) => {
  const { store, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  assert.deepEqual(store.records('example.test', challenge().name).map(({ ttl }) => ttl), [7200, 7200])
  await provider.addTxt({ ...challenge('short-0123456789', '_acme-challenge.example.test'), ttl: 60 })
  assert.equal(store.records('example.test', '_acme-challenge.example.test')[0]?.ttl, 300)
})

test('Gandi: all pages of domains are read', async (t) => {
  const zones = Array.from({ length: 230 }, (_, index) => `zone-${index}.test`)
  const { fields } = await start(t, zones)
  assert.deepEqual(await (await connectorOf(entry, fields)).listZones?.(), zones)
})

test('Gandi: a value that is lost to another writer at once is no success', async (t) => {
  const { vendor, store, fields } = await start(t)
  store.put(challenge().name, { type: 'TXT', value: 'theirs' })
  vendor.intercept = ({ method, path }) => {
    if (method !== 'PUT') return undefined
    assert.ok(path.endsWith('/TXT'))
    return { status: 201, body: { message: 'DNS Record Created' } }
  }
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /does not show it/ })
  assert.deepEqual(valuesAt(store), ['theirs'])
})
