import { ovhExcerpt, startOvh } from '@certloop/test-kit/dns-vendors'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { dnsProviders } from '../index.ts'
import { benchZones, challenge, connectorOf, valuesAt, vendorTests } from '../shared/vendor-testing.ts'

const entry = dnsProviders.find('ovh')
assert.ok(entry)
async function start(t: TestContext, zones: readonly string[] = benchZones) {
  const simulator = await startOvh(t, zones)
  const { vendor, applicationKey, applicationSecret, consumerKey } = simulator
  const fields = { endpoint: 'eu', applicationKey, applicationSecret, consumerKey, apiAddress: `${vendor.address}/1.0` }
  return { ...simulator, simulator, fields, wrongCredentials: { ...fields, applicationSecret: 'wrongApplicationSecret0123456789' } }
}
vendorTests(entry, { folder: new URL('./', import.meta.url), start, excerpt: ovhExcerpt, parse: (text) => (text === '' ? undefined : JSON.parse(text) as unknown) })

test('OVHcloud: what is changed is refreshed, also after a crash between the two', async (t) => {
  const { simulator, vendor, store, fields } = await start(t)
  const provider = await connectorOf(entry, fields)
  vendor.intercept = ({ path }) => (path.endsWith('/refresh') ? { status: 503, body: '' } : undefined)
  await assert.rejects(provider.addTxt(challenge()), { code: 'DNS_PROVIDER_UNREACHABLE' })
  assert.deepEqual(valuesAt(store), [])
  vendor.intercept = undefined
  await provider.addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
  assert.equal(simulator.refreshes('example.test'), 1)
  vendor.intercept = ({ path }) => (path.endsWith('/refresh') ? { status: 503, body: '' } : undefined)
  await assert.rejects(provider.removeTxt(challenge(), null), { code: 'DNS_PROVIDER_UNREACHABLE' })
  vendor.intercept = undefined
  await provider.removeTxt(challenge(), null)
  assert.deepEqual(valuesAt(store), [])
})

test('OVHcloud: signatures follow the clock there', async (t) => {
  const { simulator, store, fields } = await start(t)
  simulator.aheadSeconds = 5000
  await (await connectorOf(entry, fields)).addTxt(challenge())
  assert.deepEqual(valuesAt(store), [challenge().value])
})

test('OVHcloud: a wrong signature and rights that were not granted are matters of the credentials', async (t) => {
  const { vendor, fields, wrongCredentials } = await start(t)
  await assert.rejects((await connectorOf(entry, wrongCredentials)).addTxt(challenge()), { code: 'DNS_PROVIDER_REFUSED', message: /INVALID_SIGNATURE/ })
  vendor.intercept = ({ path }) => (path.includes('/record') ? { status: 403, body: { class: 'Client::Forbidden', message: 'This call has not been granted', errorCode: 'NOT_GRANTED_CALL' } } : undefined)
  await assert.rejects((await connectorOf(entry, fields)).addTxt(challenge()), { code: 'DNS_PROVIDER_REFUSED', message: /not been granted/ })
})
