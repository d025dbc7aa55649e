import { googleExcerpt, startGoogle } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('google-cloud-dns')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startGoogle(t, zones)
  const fields = { serviceAccountKey: simulator.serviceAccountKey, apiAddress: simulator.vendor.address }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, serviceAccountKey: simulator.foreignKey } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: googleExcerpt, isChange: ({ method, path }) => method === 'POST' && path.endsWith('/changes') })

test('Google Cloud DNS: a change is waited for until it is done, and not for ever', async (t) => {
  const { simulator, fields } = await start(t)
  const waits: number[] = []
  const provider = await connectorOf(entry, fields, { waits })
  simulator.pendingLooks = 2
  assert.equal((await provider.addTxt(challenge())).status, 'done')
  assert.deepEqual(waits, [3000, 3000])
  simulator.pendingLooks = 1000
  assert.equal((await provider.addTxt(challenge('another-0123456789'))).status, 'pending')
  assert.equal(waits.reduce((sum, wait) => sum + wait, 0), 126_000)
})

test('Google Cloud DNS: a used up quota passes, other refusals do not', async (t) => {
  const { vendor, fields } = await start(t)
  const provider = await connectorOf(entry, fields)
  const forbidden = (reason: string) => { vendor.intercept = ({ path }) => (path === '/token' ? undefined : { status: 403, body: { error: { code: 403, message: 'No.', errors: [{ reason }] } } }) }
  forbidden('rateLimitExceeded')
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE' })
  forbidden('forbidden')
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_PROVIDER_REFUSED' })
})

test('Google Cloud DNS: private zones do not count, two public ones of a name have to be told apart, all pages are read', async (t) => {
  const { simulator, fields, store } = await start(t)
  simulator.privateZones.push('example.test', 'inside.test')
  const provider = await connectorOf(entry, fields)
  assert.deepEqual((await provider.listZones?.())?.toSorted(), [...benchZones].toSorted())
  assert.equal(await provider.findZone('_acme-challenge.inside.test'), undefined)
  simulator.twice.push('example.test')
  simulator.pageSize = 10
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /example-test, example-test-2.*Zone name/ })
  const chosen = await connectorOf(entry, { ...fields, managedZone: 'example-test' })
  assert.equal(await chosen.findZone(challenge().name), 'example.test')
  await chosen.addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
  await assert.rejects((await connectorOf(entry, { ...fields, managedZone: 'private-example-test' })).addTxt(challenge()), { code: 'DNS_RECORD_FAILED', message: /private/ })
})

test('Google Cloud DNS: the time to live of a set of others stays', async (t) => {
  const { store, fields } = await start(t)
  store.add({ zone: 'example.test', name: challenge().name, type: 'TXT', value: 'theirs', ttl: 7200 })
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(store.records('example.test', challenge().name).map(({ ttl }) => ttl), [7200, 7200])
})

test('Google Cloud DNS: a key that is none, and one that would sign in without TLS, are told at its field', async (t) => {
  const { serviceAccountKey } = await start(t)
  const problems = (key: string) => entry.manifest.check?.({ serviceAccountKey: key }).map(({ field }) => field)
  assert.deepEqual(problems('{"type":"authorized_user"}'), ['serviceAccountKey'])
  assert.deepEqual(problems('no JSON'), ['serviceAccountKey'])
  assert.deepEqual(problems(JSON.stringify({ ...JSON.parse(serviceAccountKey) as object, token_uri: 'http://elsewhere.test/token' })), ['serviceAccountKey'])
  assert.deepEqual(problems(serviceAccountKey), [])
})

test('Google Cloud DNS: a private key that can not be read is a matter of the credentials', async (t) => {
  const { serviceAccountKey, fields } = await start(t)
  const broken = JSON.stringify({ ...JSON.parse(serviceAccountKey) as object, private_key: 'no key at all' })
  await assert.rejects((await connectorOf(entry, { ...fields, serviceAccountKey: broken })).addTxt(challenge()), { code: 'DNS_PROVIDER_REFUSED', message: /private key/ })
})
