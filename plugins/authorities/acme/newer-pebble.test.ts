import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import type { ProofWay, WantedProof } from '@certloop/plugin-kit'
import { newerPebble, startPebble, type RunningPebble } from '@certloop/test-kit'
import { drive, testCall, testConnector, testRequest } from './acme-testing.ts'

const program = newerPebble()
const skip = program === undefined ? 'CERTLOOP_TEST_PEBBLE names no Pebble of 2.9 or later, which has renewal information, profiles and records of the account' : false
const fieldsOf = (pebble: RunningPebble) => ({ directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, httpPort: pebble.httpPort })
const start = (t: Parameters<typeof startPebble>[0], options: Parameters<typeof startPebble>[1]) => startPebble(t, { ...options, ...(program ? { program } : {}) })

test('asks when to renew, says what is replaced, and orders without saying so when it was replaced before', { skip }, async (t) => {
  const pebble = await start(t, { alwaysValid: true })
  const { connector } = testConnector(fieldsOf(pebble))
  const { chainPem: [certificatePem = ''] } = await drive(connector, await testRequest(['a.example.com']), pebble.challenges)
  const { fingerprint, serialNumber, notBefore, notAfter } = readCertificate(certificatePem)
  const replaces = { certificatePem, fingerprint, serialNumber, reference: null }
  const window = await connector.renewalWindow?.(replaces)
  assert.ok(window && window.start > notBefore && window.end < notAfter && window.end > window.start && window.askAgainAt)
  const first = await drive(connector, await testRequest(['a.example.com'], { replaces }), pebble.challenges)
  assert.doesNotMatch(first.call.notes.join('\n'), /without saying so/)
  const second = await drive(connector, await testRequest(['a.example.com'], { replaces }), pebble.challenges)
  assert.match(second.call.notes.join('\n'), /\((alreadyReplaced|malformed)\); it is ordered without saying so/)
  assert.equal(pebble.counts().finalized, 3)
  const foreign = await drive(connector, await testRequest(['other.example.com'], { replaces }), pebble.challenges)
  assert.match(foreign.call.notes.join('\n'), /it is ordered without saying so/)
  await connector.revoke?.(replaces, 'keyCompromise')
  const now = await connector.renewalWindow?.(replaces)
  assert.ok(now && now.end <= new Date(), 'a revoked certificate is to be renewed at once')
})

test('issues by the profile that is asked for, and names what there is', { skip }, async (t) => {
  const pebble = await start(t, { alwaysValid: true, profiles: { short: { description: 'six days', validityPeriod: 518_400 }, long: { description: 'a month', validityPeriod: 2_592_000 } } })
  const { connector } = testConnector(fieldsOf(pebble))
  assert.deepEqual((await connector.templates?.())?.toSorted((a, b) => a.name.localeCompare(b.name)), [{ name: 'long', description: 'a month' }, { name: 'short', description: 'six days' }])
  for (const [profile, days] of [['short', 6], ['long', 30]] as const) {
    const { chainPem } = await drive(connector, await testRequest(['a.example.com'], { profile }), pebble.challenges)
    const { notBefore, notAfter } = readCertificate(chainPem[0] ?? '')
    assert.equal(Math.round((notAfter.getTime() - notBefore.getTime()) / 86_400_000), days)
  }
  await assert.rejects(connector.submit(await testRequest(['a.example.com'], { profile: 'odd' }), testCall()), (error: unknown) => error instanceof CertloopError && error.code === 'PROFILE_REFUSED' && error.message.includes('short'))
})

test('proves by records of the account, wildcards too', { skip }, async (t) => {
  const pebble = await start(t, { strict: true })
  const { connector } = testConnector({ ...fieldsOf(pebble), dnsAccount: true })
  const records: string[] = []
  const place = async (_proof: WantedProof, way: ProofWay) => {
    if (way.kind !== 'dns') return
    records.push(way.recordName)
    await pebble.challenges.setTxt(way.recordName, way.value)
  }
  const { chainPem } = await drive(connector, await testRequest(['a.example.com', '*.a.example.com']), pebble.challenges, { kind: () => 'dns', place })
  assert.equal(readCertificate(chainPem[0] ?? '').names.length, 2)
  assert.ok(records.length === 2 && records.every((name) => /^_[a-z2-7]{16}\._acme-challenge\.a\.example\.com$/.test(name)))
})
