import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { readCertificate } from '@certloop/pki'
import { leftOut, startPebble } from '@certloop/test-kit'
import { drive, testConnector, testRequest } from './acme-testing.ts'

const skip = leftOut('pebble')

test('issues for a name, proven by HTTP, and leaves the root out', { skip }, async (t) => {
  const pebble = await startPebble(t, { strict: true })
  const { connector } = testConnector({ directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, httpPort: pebble.httpPort })
  const { chainPem, call } = await drive(connector, await testRequest(['shop.example.com']), pebble.challenges)
  const [leaf = '', ...issuers] = chainPem
  assert.deepEqual(readCertificate(leaf).names, ['shop.example.com'])
  assert.equal(issuers.length, 1)
  assert.ok(new X509Certificate(issuers[0] ?? '').verify(new X509Certificate(await pebble.root()).publicKey))
  assert.deepEqual(pebble.counts(), { accounts: 1, orders: 1, finalized: 1 })
  assert.match(call.notes.join('\n'), /Made the account .*\nOrdered at Test CA: .*\nHanded the certificate request in.*\nFetched the certificate/)
})
