import { cloudflareExcerpt, startCloudflare } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('cloudflare')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const { vendor, store, token, zoneToken, apiAddress } = await startCloudflare(t, zones)
  return { vendor, store, zoneToken, fields: { apiToken: token, apiAddress }, wrongCredentials: { apiToken: 'no-token-of-ours-0123456789', apiAddress } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start: (t) => start(t), excerpt: cloudflareExcerpt })

test('Cloudflare: all pages of zones are read', async (t) => {
  const zones = Array.from({ length: 120 }, (_, index) => `zone-${index}.test`)
  const { fields } = await start(t, zones)
  assert.deepEqual(await (await connectorOf(entry, fields)).listZones?.(), zones)
})

test('Cloudflare: a record that appears between is found again and is success', async (t) => {
  const { vendor, store, fields } = await start(t)
  vendor.intercept = ({ method }) => {
    if (method === 'POST') store.put(challenge().name, { type: 'TXT', value: challenge().value })
    return undefined
  }
  const receipt = await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.match(receipt['recordId'] ?? '', /^\d+$/)
  assert.deepEqual(valuesAt(store), [challenge().value])
})

test('Cloudflare: zones are found with a token of their own, which records do not get', async (t) => {
  const { vendor, fields, zoneToken } = await start(t)
  const provider = await connectorOf(entry, { ...fields, zoneToken })
  assert.equal(await provider.findZone('_acme-challenge.www.example.test'), 'example.test')
  await provider.addTxt(challenge())
  const tokens = vendor.exchanges.map(({ request }) => [request.path.endsWith('/zones'), request.headers.authorization === `Bearer ${zoneToken}`])
  assert.ok(tokens.length > 3 && tokens.every(([zones, own]) => zones === own), JSON.stringify(tokens))
})

test('Cloudflare: a token that shows no zone fails the test with what to do', async (t) => {
  const { fields } = await start(t, [])
  const steps = { step: async <T>(_: string, run: () => Promise<T>) => run() }
  await assert.rejects((await connectorOf(entry, fields)).test(steps), { code: 'DNS_PROVIDER_REFUSED', message: /Zone \/ Zone \/ Read/ })
})

test('Cloudflare: credentials go to no address without TLS beside loopback', () => {
  for (const apiAddress of ['http://api.cloudflare.com/client/v4', 'ftp://127.0.0.1/', 'https://user:pass@api.cloudflare.com/', 'nowhere']) {
    assert.deepEqual(entry.manifest.check?.({ apiToken: 'x', apiAddress }).map(({ field }) => field), ['apiAddress'], apiAddress)
  }
  for (const apiAddress of ['http://127.0.0.1:8080/x', 'http://[::1]:1/', 'https://api.cloudflare.com/client/v4']) assert.deepEqual(entry.manifest.check?.({ apiToken: 'x', apiAddress }), [], apiAddress)
})
