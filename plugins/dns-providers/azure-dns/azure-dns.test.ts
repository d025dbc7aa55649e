import { azureExcerpt, startAzure } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('azure-dns')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startAzure(t, zones)
  const { vendor: { address }, tenantId, clientId, clientSecret, subscriptionId } = simulator
  const fields = { tenantId, clientId, clientSecret, subscriptionId, cloud: 'public', managementAddress: address, loginAddress: address }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, clientSecret: 'wrong~secret-0123456789abcdef' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: azureExcerpt, isChange: ({ method }) => method === 'PUT' || method === 'DELETE' })

test('Azure DNS: time to live and metadata of a set of others stay', async (t) => {
  const { store, metadata, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  metadata.set(`example.test ${challenge().name}`, { owner: 'mail team' })
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  await provider.removeTxt(challenge(), null)
  assert.deepEqual(store.records('example.test', challenge().name).map(({ value, ttl }) => [value, ttl]), [['theirs', 7200]])
  assert.deepEqual(metadata.get(`example.test ${challenge().name}`), { owner: 'mail team' })
})

test('Azure DNS: the token is kept until shortly before its end', async (t) => {
  const { vendor, fields } = await start(t)
  let minutes = 0
  const began = Date.now()
  const provider = await connectorOf(entry, fields, { now: () => new Date(began + minutes * 60_000) })
  const signIns = () => vendor.exchanges.filter(({ request }) => request.path.endsWith('/token')).length
  await Promise.all([provider.listZones?.(), provider.addTxt(challenge())])
  minutes = 50
  await provider.listZones?.()
  assert.equal(signIns(), 1)
  minutes = 59.5
  await provider.listZones?.()
  assert.equal(signIns(), 2)
})

test('Azure DNS: all pages of zones are read, private ones left out, and the token goes to no other address', async (t) => {
  const zones = Array.from({ length: 9 }, (_, index) => `zone-${index}.test`)
  const { simulator, vendor, fields } = await start(t, zones)
  simulator.privateZones.push('inside.test')
  const provider = await connectorOf(entry, fields)
  assert.deepEqual(await provider.listZones?.(), zones)
  assert.deepEqual(await (await connectorOf(entry, { ...fields, resourceGroup: 'group-of-zone-3' })).listZones?.(), ['zone-3.test'])
  vendor.intercept = ({ path }) => (path.endsWith('/dnszones') ? { status: 200, body: { value: [], nextLink: 'https://elsewhere.test/next' } } : undefined)
  await assert.rejects(provider.listZones?.() ?? Promise.resolve(), { code: 'DNS_PROVIDER_UNREACHABLE', message: /not sent there/ })
})

test('Azure DNS: two zones of the same name have to be told apart', async (t) => {
  const { vendor, fields, subscriptionId } = await start(t)
  const zone = (group: string) => ({ id: `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Network/dnszones/example.test`, name: 'example.test', location: 'global', properties: {} })
  vendor.intercept = ({ path }) => (path.endsWith('/dnszones') ? { status: 200, body: { value: [zone('one'), { ...zone('two'), id: zone('two').id.toLowerCase() }] } } : undefined)
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /resource group/ })
})

test('Azure DNS: records of the zone itself have the name "@"', async (t) => {
  const { vendor, store, fields } = await start(t)
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge('top-0123456789', 'example.test'))
  assert.deepEqual(valuesAt(store, 'example.test'), ['top-0123456789'])
  assert.ok(vendor.exchanges.some(({ request }) => request.method === 'PUT' && request.path.endsWith('/TXT/@')))
})

test('Azure DNS: what Entra ID says of a wrong secret is told without its trace ids', async (t) => {
  const { fields } = await start(t)
  await assert.rejects((await connectorOf(entry, { ...fields, clientSecret: 'wrong~secret-0123456789abcdef' })).listZones?.() ?? Promise.resolve(), (error: Error) => /AADSTS7000215/.test(error.message) && !error.message.includes('Trace'))
})
