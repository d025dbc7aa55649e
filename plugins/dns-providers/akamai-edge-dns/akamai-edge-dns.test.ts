import { akamaiExcerpt, startAkamai } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('akamai-edge-dns')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startAkamai(t, zones)
  const { vendor, clientToken, clientSecret, accessToken } = simulator
  const fields = { host: vendor.address, clientToken, clientSecret, accessToken }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, clientSecret: 'wrongClientSecret0123456789abcdefghij=' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: akamaiExcerpt, removalNotGuarded: true })

test('Edge DNS: a zone that is changed in the same moment is tried again', async (t) => {
  const { vendor, store, fields } = await start(t)
  let conflicts = 3
  vendor.intercept = ({ method }) => (method === 'POST' && conflicts-- > 0 ? { status: 409, body: { type: 'https://problems.test/409', title: 'Conflict', detail: 'Concurrent zone modification' } } : undefined)
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
  conflicts = 1000
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge('other-0123456789', '_acme-challenge.example.test')), { code: 'DNS_PROVIDER_UNREACHABLE', message: /keep changing/ })
})

test('Edge DNS: a set of others keeps its time to live; zones that are copied from elsewhere do not count', async (t) => {
  const { simulator, store, fields } = await start(t)
  simulator.secondaryZones.push('copied.test')
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  const provider = await connectorOf(entry, fields)
  await provider.addTxt(challenge())
  assert.deepEqual(store.records('example.test', challenge().name).map(({ ttl }) => ttl), [7200, 7200])
  assert.deepEqual(await provider.listZones?.(), [...benchZones])
})

test('Edge DNS: the key of another account goes with each call, and is signed', async (t) => {
  const { vendor, fields } = await start(t)
  await (await connectorOf(entry, { ...fields, accountSwitchKey: 'A-1:B C' })).addTxt(challenge())
  assert.ok(vendor.exchanges.length >= 2 && vendor.exchanges.every(({ request, answer }) => request.query.get('accountSwitchKey') === 'A-1:B C' && answer.status !== 401))
})

test('Edge DNS: the host may be the bare name of the credentials, and nothing without TLS', () => {
  const problems = (host: string) => entry.manifest.check?.({ host, clientToken: 'x', clientSecret: 'x', accessToken: 'x' }).map(({ field }) => field)
  assert.deepEqual(problems('akab-xxx.luna.akamaiapis.net'), [])
  assert.deepEqual(problems('http://akab-xxx.luna.akamaiapis.net'), ['host'])
})
