import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { buildCertificate } from '../certificate/certificate-builder.ts'
import { basicConstraints, crlDistributionPoints, extension, keyUsage } from '../certificate/extensions.ts'
import { element, explicit, implicit, integer, nullElement, objectIdentifier, sequence } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import type { Signer } from '../key/signature.ts'
import { generalName } from '../name/general-names.ts'
import { oid } from '../oids.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { opensslCrl, run, testAuthority, testLeaf, validFrom, type TestAuthority } from './authority-testing.ts'
import { buildCrl, type CrlTemplate } from './crl-builder.ts'
import { checkCrl, type CrlQuestion } from './crl-check.ts'
import { readCrl, type Crl } from './crl.ts'

const thisUpdate = new Date('2026-11-20T00:00:00Z')
const nextUpdate = new Date('2026-11-27T00:00:00Z')
const at = new Date('2026-11-21T00:00:00Z')
const revokedAt = new Date('2026-10-01T00:00:00Z')
const serialNumber = '80'.repeat(16)
const shard = 'http://ca.example/crl/1.crl'
const listed = [{ serialNumber, revokedAt, reason: 'keyCompromise' as const }]

const authority = await testAuthority()
const [twin, stranger] = await Promise.all([testAuthority(), testAuthority('ec-256', 'Another CA')])
const [leaf, sharded, plain] = await Promise.all([testLeaf(authority, { serialNumber }), testLeaf(authority, { serialNumber, extensions: [crlDistributionPoints([shard])] }), testLeaf(authority, { serialNumber: '0a' })])

const listOf = (change: Partial<CrlTemplate> = {}, by: TestAuthority = authority, signer = by.signer): Promise<Crl> =>
  buildCrl({ issuer: by.subject, authorityKeyId: by.keyId, number: 7n, thisUpdate, nextUpdate, entries: [], ...change }, signer).then((der) => readCrl(der))

/** What buildCrl does not make: a list with these extensions. */
async function oddList(extensions: readonly Buffer[], entries: readonly Buffer[] = []): Promise<Crl> {
  const time = (date: Date): Buffer => element(0x17, Buffer.from(date.toISOString().replace(/^..|[-:T]|\.\d+/g, '')))
  const tbs = sequence(integer(Buffer.of(1)), authority.signer.algorithm, authority.subject, time(thisUpdate), time(nextUpdate), ...(entries.length > 0 ? [sequence(...entries)] : []), explicit(0, sequence(...extensions)))
  return readCrl(sequence(tbs, authority.signer.algorithm, element(0x03, Buffer.concat([Buffer.of(0), await authority.signer.sign(tbs)]))))
}
const point = (...parts: Buffer[]): Buffer => extension(oid.issuingDistributionPoint, true, sequence(...parts))
const yes = Buffer.of(0xff)
const entryOf = (serial: string, ...extensions: Buffer[]): Buffer => sequence(integer(Buffer.from(`00${serial}`, 'hex')), element(0x17, Buffer.from('261001000000Z')), ...(extensions.length > 0 ? [sequence(...extensions)] : []))

const outcomeOf = (question: Partial<CrlQuestion> & { crl: Crl }): [string | null, string[]] => {
  const { outcome, findings } = checkCrl({ certificate: leaf.pem, issuer: authority.pem, at, ...question })
  return [outcome, findings.map(({ code }) => code)]
}

test('good and revoked, with what the list says of it', async () => {
  assert.deepEqual(checkCrl({ crl: await listOf(), certificate: leaf.der, issuer: authority.pem, at }), { outcome: 'good', findings: [], entry: null, revokedAt: null, reason: null })
  const { entry, ...check } = checkCrl({ crl: await listOf({ entries: listed }), certificate: leaf.pem, issuer: authority.pem, at })
  assert.deepEqual([check, entry?.serialNumber], [{ outcome: 'revoked', findings: [], revokedAt, reason: 'keyCompromise' }, serialNumber])
  assert.deepEqual(outcomeOf({ crl: await listOf({ entries: listed }), certificate: plain.pem }), ['good', []])
  assert.throws(() => checkCrl({ crl: readCrl(opened), certificate: 'none', issuer: authority.pem, at }), { code: 'CERTIFICATE_INVALID' })
})
const opened = await buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 1n, thisUpdate, nextUpdate, entries: [] }, authority.signer)

test('a list that proves nothing decides nothing, revoked or not', async () => {
  const rsa = await testAuthority('rsa-2048')
  const over = (hash: string, last: string): Signer => ({ algorithm: sequence(objectIdentifier(`1.2.840.113549.1.1.${last}`), nullElement()), sign: (bytes) => Promise.resolve(sign(hash, bytes, rsa.keyPem)) })
  const rsaLeaf = await testLeaf(rsa, { serialNumber })
  const ofRsa = { certificate: rsaLeaf.pem, issuer: rsa.pem }
  const mute = toPem('CERTIFICATE', await buildCertificate({
    serialNumber: '01', issuer: authority.subject, subject: authority.subject, notBefore: validFrom, notAfter: nextUpdate, spki: authority.spki, extensions: [basicConstraints(true), keyUsage(['keyCertSign'])],
  }, authority.signer))
  const entries = listed
  const cases: [what: string, question: Partial<CrlQuestion> & { crl: Crl }, codes: string[]][] = [
    ['another key', { crl: await listOf({ entries }, authority, twin.signer) }, ['signature-wrong']],
    ['another issuer of the list', { crl: await listOf({ entries }, stranger) }, ['other-issuer']],
    ['another issuer of the certificate', { crl: await listOf({ entries }, stranger), issuer: stranger.pem }, ['other-issuer']],
    ['no right to sign lists', { crl: await listOf({ entries }), issuer: mute }, ['issuer-may-not-sign']],
    ['MD5', { crl: await listOf({ entries }, rsa, over('md5', '4')), ...ofRsa }, ['signature-broken']],
    ['an unknown signature', { crl: await listOf({ entries }, authority, { algorithm: sequence(objectIdentifier('1.2.3.4')), sign: () => Promise.resolve(Buffer.of(1)) }) }, ['signature-unknown']],
    ['too old', { crl: await listOf({ entries }), at: new Date('2026-11-27T00:05:01Z') }, ['stale']],
    ['of tomorrow', { crl: await listOf({ entries }), at: new Date('2026-11-19T23:54:59Z') }, ['not-yet-valid']],
    ['an unknown critical extension', { crl: await oddList([extension('1.2.3', true, nullElement())], [entryOf(serialNumber)]) }, ['critical-extension']],
    ['one in its entry', { crl: await oddList([], [entryOf(serialNumber, extension('1.2.3', true, nullElement()))]) }, ['critical-extension']],
    ['taken off a complete list', { crl: await oddList([], [entryOf(serialNumber, extension(oid.reasonCode, false, element(0x0a, Buffer.of(8))))]) }, ['entry-contradictory']],
  ]
  for (const [what, question, codes] of cases) assert.deepEqual(outcomeOf(question), [null, codes], what)
  assert.deepEqual(outcomeOf({ crl: await listOf({ entries }, rsa, over('sha1', '5')), ...ofRsa }), ['revoked', ['signature-weak']])
  assert.deepEqual(outcomeOf({ crl: await listOf(), at: new Date('2026-11-27T00:05:00Z') }), ['good', []])
})

test('a list that is about other certificates decides nothing of this one', async () => {
  const ofShard = await listOf({ distributionPoint: { addresses: [shard], onlyContainsUserCerts: true } })
  assert.deepEqual(outcomeOf({ crl: ofShard, certificate: sharded.pem }), ['good', []])
  assert.deepEqual(outcomeOf({ crl: ofShard }), [null, ['other-certificates']], 'the certificate names no list')
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { addresses: ['http://ca.example/crl/2.crl'] } }), certificate: sharded.pem }), [null, ['other-certificates']])
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { onlyContainsUserCerts: true } }) }), ['good', []])
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { onlyContainsUserCerts: true } }), certificate: authority.pem }), [null, ['other-certificates']])
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { onlyContainsCaCerts: true } }), certificate: authority.pem }), ['good', []])
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { onlyContainsCaCerts: true } }) }), [null, ['other-certificates']])
  assert.deepEqual(outcomeOf({ crl: await oddList([point(implicit(5, yes))]) }), [null, ['other-certificates']], 'attribute certificates')
  const named = (name: Buffer): Promise<Crl> => oddList([point(explicit(0, element(0xa0, explicit(4, name))))])
  assert.deepEqual(outcomeOf({ crl: await named(stranger.subject), certificate: sharded.pem }), [null, ['other-certificates']], 'a point that has no address')
  assert.deepEqual(outcomeOf({ crl: await named(authority.subject) }), ['good', []], 'the point of the issuer itself')
})

test('a list of some reasons decides what it names, and nothing more', async () => {
  const distributionPoint = { onlySomeReasons: ['keyCompromise'] as const }
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint }) }), [null, ['some-reasons']])
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint, entries: listed }) }), ['revoked', []])
  const place = explicit(0, explicit(0, generalName({ type: 'uri', value: shard })))
  const withReasons = await testLeaf(authority, { serialNumber, extensions: [extension(oid.crlDistributionPoints, false, sequence(sequence(place, implicit(1, Buffer.of(6, 0x40)))))] })
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { addresses: [shard] } }), certificate: withReasons.pem }), [null, ['some-reasons']])
  const byAnother = await testLeaf(authority, { serialNumber, extensions: [extension(oid.crlDistributionPoints, false, sequence(sequence(place, element(0xa2, explicit(4, stranger.subject)))))] })
  assert.deepEqual(outcomeOf({ crl: await listOf({ distributionPoint: { addresses: [shard] } }), certificate: byAnother.pem }), [null, ['other-certificates']])
})

test('in an indirect list the entry has to be of the same issuer', async () => {
  const of = (name: Buffer): Buffer => extension(oid.certificateIssuer, true, sequence(explicit(4, name)))
  const indirect = (...entries: Buffer[]): Promise<Crl> => oddList([point(implicit(4, yes))], entries)
  assert.deepEqual(outcomeOf({ crl: await indirect(entryOf(serialNumber)) }), ['revoked', []])
  assert.deepEqual(outcomeOf({ crl: await indirect(entryOf(serialNumber, of(stranger.subject))) }), ['good', []])
  assert.deepEqual(outcomeOf({ crl: await indirect(entryOf('0b', of(stranger.subject)), entryOf(serialNumber)) }), ['good', []], 'the issuer holds for those that follow')
})

test('changes go before the complete list, which may then be old', async () => {
  const held = await listOf({ entries: [{ serialNumber, revokedAt, reason: 'certificateHold' }] })
  const changes = (change: Partial<CrlTemplate> = {}): Promise<Crl> => listOf({ number: 9n, baseNumber: 7n, thisUpdate: new Date('2026-11-28T00:00:00Z'), nextUpdate: new Date('2026-11-29T00:00:00Z'), ...change })
  const later = new Date('2026-11-28T12:00:00Z')
  assert.deepEqual(outcomeOf({ crl: held, delta: await changes(), at: later }), ['revoked', []])
  assert.deepEqual(outcomeOf({ crl: held, delta: await changes({ entries: [{ serialNumber, revokedAt, reason: 'removeFromCRL' }] }), at: later }), ['good', []])
  assert.deepEqual(outcomeOf({ crl: await listOf(), delta: await changes({ entries: listed }), at: later }), ['revoked', []])
  assert.deepEqual(outcomeOf({ crl: held, delta: await changes(), at: new Date('2026-11-30T00:00:00Z') }), [null, ['stale']])
  assert.deepEqual(outcomeOf({ crl: held, delta: await changes({ baseNumber: 8n }), at: later }), [null, ['delta-unfit']])
  assert.deepEqual(outcomeOf({ crl: await changes(), at: later }), [null, ['delta-alone']])
  const forged = await buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 9n, baseNumber: 7n, thisUpdate, nextUpdate, entries: [] }, twin.signer)
  assert.deepEqual(outcomeOf({ crl: held, delta: readCrl(forged) }), [null, ['signature-wrong']])
})

test('openssl decides the same', { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
  const folder = temporaryFolder(t)
  for (const [name, content] of Object.entries({ 'ca-only.pem': authority.pem, 'leaf.pem': sharded.pem })) writeFileSync(join(folder, name), content)
  const idp = (lines: string): string => `issuingDistributionPoint=critical,@point\n[point]\n${lines}`
  for (const [rows, extensions, expected] of [
    [[], undefined, 'good'], [[{ serialNumber, revoked: '261001000000Z,keyCompromise' }], undefined, 'revoked'],
    [[], idp(`fullname=URI:${shard}`), 'good'], [[], idp('fullname=URI:http://ca.example/crl/2.crl'), null], [[], idp('onlyCA=TRUE'), null], [[], idp('onlysomereasons=keyCompromise'), null], [[], '2.5.29.99=critical,DER:0500', null],
  ] as const) {
    const crl = opensslCrl(folder, authority, rows, extensions)
    const moment = String(Date.UTC(2026, 10, 21) / 1000)
    const { text } = run('openssl', ['verify', '-attime', moment, '-crl_check', '-extended_crl', '-CAfile', join(folder, 'ca-only.pem'), '-CRLfile', join(folder, 'made.pem'), join(folder, 'leaf.pem')])
    const theirs = text.includes(': OK') ? 'good' : text.includes('certificate revoked') ? 'revoked' : null
    const ours = checkCrl({ crl: readCrl(crl), certificate: sharded.pem, issuer: authority.pem, at }).outcome
    assert.deepEqual([ours, theirs], [expected, expected], `${extensions} ${text}`)
  }
})

test('noise and mutated certificates and lists', { timeout: 120_000 }, async () => {
  const list = readCrl(opened)
  await fuzzParser({ corpus: [sharded.der, Buffer.from(authority.pem)], parse: (input) => checkCrl({ crl: list, certificate: input, issuer: authority.pem, at }), codes: ['CERTIFICATE_INVALID'] })
  await fuzzParser({ corpus: [opened], parse: (input) => checkCrl({ crl: readCrl(input), certificate: sharded.der, issuer: authority.pem, at }), codes: ['CRL_INVALID', 'LIMIT_EXCEEDED'] })
})
