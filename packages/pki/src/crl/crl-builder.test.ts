import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import fc from 'fast-check'
import { crlDistributionPoints } from '../certificate/extensions.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { run, testAuthority, testLeaf, type TestAuthority, type TestLeaf } from './authority-testing.ts'
import { buildCrl, type CrlTemplate } from './crl-builder.ts'
import { readCrl } from './crl.ts'
import { crlSignatureFits } from './crl-use.ts'
import type { CrlEntry } from './crl-entry-writer.ts'
import { revocationReasons, type RevocationReason } from './revocation-reason.ts'

const thisUpdate = new Date('2026-11-20T00:00:00Z')
const nextUpdate = new Date('2026-12-20T00:00:00Z')
const at = String(new Date('2026-11-21T00:00:00Z').getTime() / 1000)

const templateOf = (authority: TestAuthority, entries: readonly CrlEntry[]): CrlTemplate =>
  ({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 300n, thisUpdate, nextUpdate, entries })

/** Writes a list and everything openssl needs to use it. */
function files(t: TestContext, authority: TestAuthority, contents: Record<string, Buffer | string>): string {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'ca.pem'), authority.pem)
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content)
  return folder
}

const longest = 'ff'.repeat(20)
const reasons = Object.keys(revocationReasons).filter((reason) => reason !== 'removeFromCRL') as RevocationReason[]
const allKinds: CrlEntry[] = [
  { serialNumber: longest, revokedAt: new Date('2026-03-01T00:00:00Z') },
  { serialNumber: '7f', revokedAt: new Date('2049-12-31T23:59:59Z'), invalidityDate: new Date('1999-12-31T23:59:59Z') },
  { serialNumber: '000080', revokedAt: new Date('2050-01-01T00:00:00Z') },
  ...reasons.map((reason, i) => ({ serialNumber: (0x100 + i).toString(16), revokedAt: new Date('2026-01-02T03:04:05.678Z'), reason, invalidityDate: new Date('2025-02-28T13:14:15Z') })),
]
const words = ['Key Compromise', 'CA Compromise', 'Affiliation Changed', 'Superseded', 'Cessation Of Operation', 'Certificate Hold', 'Privilege Withdrawn', 'AA Compromise']

for (const algorithm of ['rsa-2048', 'ec-256', 'ec-384', 'ec-521', 'ed25519'] as const satisfies KeyAlgorithm[]) {
  test(`openssl reads a CRL signed with ${algorithm}, verifies it and goes by it`, { timeout: 60_000, skip: leftOut('openssl') }, async (t) => {
    const authority = await testAuthority(algorithm)
    const [good, bad] = await Promise.all([testLeaf(authority, { serialNumber: '02' }), testLeaf(authority, { serialNumber: longest })])
    const crl = await buildCrl(templateOf(authority, allKinds), authority.signer)
    const folder = files(t, authority, { 'crl.pem': toPem('X509 CRL', crl), 'good.pem': good.pem, 'bad.pem': bad.pem })
    const { text } = run('openssl', ['crl', '-noout', '-text', '-verify', '-CAfile', `${folder}/ca.pem`], toPem('X509 CRL', crl))
    assert.match(text, /verify OK/)
    assert.match(text, /X509v3 CRL Number: \n +300\n/)
    assert.match(text, /Last Update: Nov 20 00:00:00 2026 GMT\n +Next Update: Dec 20 00:00:00 2026 GMT/)
    assert.deepEqual([...text.matchAll(/Serial Number: (\w+)/g)].map(([, serial]) => serial), [longest.toUpperCase(), '7F', '80', ...reasons.map((_, i) => `0${(0x100 + i).toString(16)}`.toUpperCase())])
    assert.deepEqual([...text.matchAll(/CRL Reason Code: \n +(.+)\n/g)].map(([, word]) => word), words)
    assert.match(text, /Serial Number: 7F\n +Revocation Date: Dec 31 23:59:59 2049 GMT\n.+\n +Invalidity Date: \n +Dec 31 23:59:59 1999 GMT/)
    assert.match(text, /Serial Number: 80\n +Revocation Date: Jan +1 00:00:00 2050 GMT\n/)
    assert.match(text, /Serial Number: 0101\n +Revocation Date: Jan +2 03:04:05 2026 GMT\n/)
    for (const check of ['-crl_check', '-crl_check_all']) {
      const verified = run('openssl', ['verify', '-attime', at, check, '-CAfile', `${folder}/ca.pem`, '-CRLfile', `${folder}/crl.pem`, `${folder}/good.pem`, `${folder}/bad.pem`]).text
      assert.match(verified, /good\.pem: OK/)
      assert.match(verified, /certificate revoked\nerror .*bad\.pem/)
    }
  })
}

test('a CRL signed with ML-DSA is read and verified here; a changed byte shows', { timeout: 60_000 }, async () => {
  for (const algorithm of ['ml-dsa-44', 'ml-dsa-87'] as const) {
    const authority = await testAuthority(algorithm)
    const crl = readCrl(await buildCrl(templateOf(authority, allKinds), authority.signer))
    assert.deepEqual([crl.signatureAlgorithm, crl.entryCount, crlSignatureFits(crl, authority.pem)], [algorithm.toUpperCase(), allKinds.length, true])
    crl.parts.list[5] = (crl.parts.list[5] ?? 0) ^ 1
    assert.equal(crlSignatureFits(crl, authority.pem), false)
  }
})

test('GnuTLS reads and verifies a CRL', { skip: leftOut('certtool'), timeout: 60_000 }, async (t) => {
  const authority = await testAuthority('rsa-2048')
  const crl = await buildCrl(templateOf(authority, allKinds), authority.signer)
  const folder = files(t, authority, { 'crl.der': crl, 'crl.pem': toPem('X509 CRL', crl) })
  const info = run('certtool', ['--crl-info', '--inder', '--infile', `${folder}/crl.der`])
  assert.equal(info.code, 0, info.text)
  assert.match(info.text, /Revoked certificates \(12\):/)
  assert.match(info.text, /CRL Number \(not critical\): 012c/)
  const verified = run('certtool', ['--verify-crl', '--load-ca-certificate', `${folder}/ca.pem`, '--infile', `${folder}/crl.pem`])
  assert.match(verified.text, /Verification output: Verified/)
})

test('Java reads a CRL', { skip: leftOut('keytool'), timeout: 60_000 }, async (t) => {
  const authority = await testAuthority()
  const folder = files(t, authority, { 'crl.der': await buildCrl(templateOf(authority, allKinds), authority.signer) })
  const { code, text } = run('keytool', ['-J-Duser.language=en', '-printcrl', '-file', `${folder}/crl.der`])
  assert.equal(code, 0, text)
  assert.match(text, /Revoked Certificates: 12/)
  for (const reason of ['KEY_COMPROMISE', 'CA_COMPROMISE', 'CERTIFICATE_HOLD', 'PRIVILEGE_WITHDRAWN', 'AA_COMPROMISE']) assert.match(text, new RegExp(`Reason Code: ${reason}`))
})

test('NSS takes a CRL into its database, its signature checked, and shows it', { skip: leftOut('certutil'), timeout: 60_000 }, async (t) => {
  const authority = await testAuthority('ec-384')
  const crl = await buildCrl(templateOf(authority, allKinds), authority.signer)
  const forged = Buffer.from(crl)
  forged[crl.indexOf(Buffer.from(longest, 'hex'))] = 0x7e
  const folder = files(t, authority, { 'crl.der': crl, 'forged.der': forged })
  const database = ['-d', `sql:${join(folder, 'db')}`]
  mkdirSync(join(folder, 'db'))
  assert.equal(run('certutil', ['-N', ...database, '--empty-password']).code, 0)
  assert.equal(run('certutil', ['-A', ...database, '-n', 'ca', '-t', 'CT,C,C', '-i', `${folder}/ca.pem`, '-a']).code, 0)
  assert.notEqual(run('crlutil', ['-I', ...database, '-i', `${folder}/forged.der`]).code, 0)
  const imported = run('crlutil', ['-I', ...database, '-i', `${folder}/crl.der`])
  assert.equal(imported.code, 0, imported.text)
  const { text } = run('crlutil', ['-L', ...database, '-n', 'ca'])
  assert.match(text, /Entry 12 \(0xc\)/)
  assert.match(text, /Serial Number:\n +00:ff:ff/)
})

test('an empty CRL has no list at all (RFC 5280, 5.1.2.6)', { skip: leftOut('openssl') }, async () => {
  const authority = await testAuthority()
  const crl = await buildCrl({ ...templateOf(authority, []), nextUpdate: new Date('2050-01-01T00:00:00Z') }, authority.signer)
  const { text } = run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], crl)
  assert.match(text, /No Revoked Certificates/)
  assert.match(text, /Next Update: Jan +1 00:00:00 2050 GMT/)
  assert.deepEqual([readCrl(crl).entryCount, [...readCrl(crl).entries()]], [0, []])
})

interface Lists { [name: string]: Buffer }
function verified(t: TestContext, authority: TestAuthority, { pem }: TestLeaf, lists: Lists, ...options: string[]): string {
  const folder = files(t, authority, { 'leaf.pem': pem, 'lists.pem': Object.values(lists).map((list) => toPem('X509 CRL', list)).join('') })
  return run('openssl', ['verify', '-attime', at, '-crl_check', ...options, '-CAfile', `${folder}/ca.pem`, '-CRLfile', `${folder}/lists.pem`, `${folder}/leaf.pem`]).text
}

test('openssl tells shards apart by their issuing distribution point', { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
  const authority = await testAuthority()
  const address = (shard: number) => `http://ca.example/crl/${shard}.crl`
  const leafOf = (serialNumber: string, shard: number) => testLeaf(authority, { serialNumber, extensions: [crlDistributionPoints([address(shard)])] })
  const [good, bad] = await Promise.all([leafOf('0a', 1), leafOf('0b', 2)])
  const shard = (number: number, entries: CrlEntry[]) => buildCrl({ ...templateOf(authority, entries), distributionPoint: { addresses: [address(number)], onlyContainsUserCerts: true } }, authority.signer)
  const revokedAt = new Date('2026-10-01T00:00:00Z')
  const [one, two] = await Promise.all([shard(1, []), shard(2, [{ serialNumber: '0b', revokedAt, reason: 'superseded' }])])
  assert.match(verified(t, authority, good, { one, two }, '-extended_crl'), /: OK/)
  assert.match(verified(t, authority, bad, { one, two }, '-extended_crl'), /certificate revoked/)
  assert.match(verified(t, authority, bad, { one }, '-extended_crl'), /unable to get certificate CRL|Different CRL scope/i)
  const text = run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], two).text
  assert.match(text, /Issuing Distribution Point: critical\n +Full Name:\n +URI:http:\/\/ca\.example\/crl\/2\.crl\s+Only User Certificates/)
})

test('every part of the issuing distribution point is read by openssl and here', { skip: leftOut('openssl') }, async () => {
  const authority = await testAuthority()
  const distributionPoint = { addresses: ['http://a.example/1', 'http://b.example/1'], onlyContainsCaCerts: true, onlySomeReasons: ['keyCompromise', 'aACompromise'] as const }
  const crl = await buildCrl({ ...templateOf(authority, []), distributionPoint }, authority.signer)
  assert.match(run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], crl).text, /URI:http:\/\/b\.example\/1\s+Only CA Certificates\n +Only Some Reasons:\n +Key Compromise, AA Compromise/)
  const names = distributionPoint.addresses.map((address) => Buffer.from(`\x86\x12${address}`, 'latin1').toString('hex'))
  assert.deepEqual(readCrl(crl).scope, { ...distributionPoint, names, onlySomeReasons: ['keyCompromise', 'aACompromise'], onlyContainsUserCerts: false, onlyContainsAttributeCerts: false, indirect: false })
})

test('openssl applies a delta CRL to its complete one', { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
  const authority = await testAuthority()
  const freshest = ['http://ca.example/delta.crl']
  const [added, taken, kept] = await Promise.all(['0a', '0b', '0c'].map((serialNumber) => testLeaf(authority, { serialNumber })))
  assert.ok(added && taken && kept)
  const revokedAt = new Date('2026-10-01T00:00:00Z')
  const complete = await buildCrl({ ...templateOf(authority, [{ serialNumber: '0b', revokedAt, reason: 'certificateHold' }, { serialNumber: '0c', revokedAt }]), freshestCrl: freshest }, authority.signer)
  const delta = await buildCrl({ ...templateOf(authority, [{ serialNumber: '0a', revokedAt }, { serialNumber: '0b', revokedAt, reason: 'removeFromCRL' }]), number: '12d', baseNumber: 300n }, authority.signer)
  assert.match(verified(t, authority, added, { complete, delta }), /: OK/)
  for (const [leaf, expected] of [[added, /certificate revoked/], [taken, /: OK/], [kept, /certificate revoked/]] as const) {
    assert.match(verified(t, authority, leaf, { complete, delta }, '-use_deltas', '-extended_crl'), expected)
  }
  const text = run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], delta).text
  assert.match(text, /Delta CRL Indicator: critical\n +300\n/)
  assert.match(text, /Remove From CRL/)
  assert.match(run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], complete).text, /Freshest CRL: \n +Full Name:\n +URI:http:\/\/ca\.example\/delta\.crl/)
})

const entry = { serialNumber: '01', revokedAt: thisUpdate }
const refused: [what: string, change: Partial<CrlTemplate>, message: RegExp][] = [
  ['a serial number that is no hex', { entries: [entry, { ...entry, serialNumber: '0x12' }] }, /"0x12".*not hex/],
  ['a negative serial number', { entries: [{ ...entry, serialNumber: '-01' }] }, /not hex/],
  ['a serial number with other letters', { entries: [{ ...entry, serialNumber: '1é' }] }, /not hex/],
  ['an empty serial number', { entries: [{ ...entry, serialNumber: '' }] }, /1 to 20 bytes/],
  ['a serial number of 21 bytes', { entries: [{ ...entry, serialNumber: '01'.repeat(21) }] }, /1 to 20 bytes/],
  ['a date that is none', { entries: [{ ...entry, revokedAt: new Date(Number.NaN) }] }, /date/],
  ['a date after the year 9999', { entries: [{ ...entry, invalidityDate: new Date('+010000-01-01T00:00:00Z') }] }, /date/],
  ['a list of no date', { thisUpdate: new Date(Number.NaN) }, /date of the CRL/],
  ['a next list after the year 9999', { nextUpdate: new Date('+010000-01-01T00:00:00Z') }, /date of the CRL/],
  ['removeFromCRL in a complete list', { entries: [{ ...entry, reason: 'removeFromCRL' }] }, /delta CRL/],
  ['a negative number', { number: -1n }, /CRL number/],
  ['a number of 21 bytes', { number: '01'.repeat(21) }, /CRL number/],
  ['delta CRLs of a delta CRL', { baseNumber: 1n, freshestCrl: ['http://a.example'] }, /delta CRL/],
  ['a distribution point that says nothing', { distributionPoint: {} }, /says nothing/],
  ['users only and CAs only', { distributionPoint: { onlyContainsUserCerts: true, onlyContainsCaCerts: true } }, /at once/],
]
for (const [what, change, message] of refused) {
  test(`${what} is refused`, async () => {
    const authority = await testAuthority('ed25519')
    await assert.rejects(buildCrl({ ...templateOf(authority, []), ...change }, authority.signer), { code: 'INPUT_INVALID', message })
  })
}

const second = fc.date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }).map((date) => new Date(Math.floor(date.getTime() / 1000) * 1000))
const serial = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex').replace(/^(?:00)+(?=..)/, ''))
const anyReason = fc.constantFrom(...Object.keys(revocationReasons) as RevocationReason[]).filter((reason) => reason !== 'unspecified')
const anyEntry: fc.Arbitrary<CrlEntry> = fc.record({ serialNumber: serial, revokedAt: second, reason: anyReason, invalidityDate: second }, { requiredKeys: ['serialNumber', 'revokedAt'], noNullPrototype: true })

test('property: entries are read as they were written, in their order, whether or not they come at once', { timeout: 120_000 }, async () => {
  const authority = await testAuthority('ed25519')
  async function* oneByOne(entries: readonly CrlEntry[]): AsyncGenerator<CrlEntry> { for (const one of entries) yield await Promise.resolve(one) }
  await fc.assert(fc.asyncProperty(fc.array(anyEntry, { maxLength: 200 }), async (entries) => {
    const template = { ...templateOf(authority, entries), baseNumber: 1n }
    const crl = readCrl(await buildCrl(template, authority.signer))
    assert.equal(crl.entryCount, entries.length)
    assert.deepEqual([...crl.entries()], entries.map((one) => ({ ...one, certificateIssuer: null, unknownCritical: [], damagedExtensions: [] })))
    assert.deepEqual(await buildCrl({ ...template, entries: oneByOne(entries) }, authority.signer), crl.parts.der)
  }), { numRuns: 200 })
})

test('an error of the entries or of the signer comes through', async () => {
  const authority = await testAuthority()
  function* broken(): Generator<CrlEntry> { yield entry; throw new Error('the database is gone') }
  await assert.rejects(buildCrl({ ...templateOf(authority, []), entries: broken() }, authority.signer), /the database is gone/)
  const signer = { algorithm: authority.signer.algorithm, sign: () => Promise.reject(new Error('the token is gone')) }
  await assert.rejects(buildCrl(templateOf(authority, []), signer), /the token is gone/)
})

test('a signature longer than was thought of has room as well', async () => {
  const authority = await testAuthority()
  const crl = readCrl(await buildCrl(templateOf(authority, [entry]), { algorithm: authority.signer.algorithm, sign: async () => Buffer.alloc(20_000, 7) }))
  assert.deepEqual([crl.parts.signature.length, crl.entryCount], [20_000, 1])
})

test('a long CRL is made while others run', { timeout: 120_000 }, async () => {
  const authority = await testAuthority()
  const count = 100_000
  function* entries(): Generator<CrlEntry> {
    for (let i = 0; i < count; i++) yield { serialNumber: (0x80000000000000000000000000000000n + BigInt(i)).toString(16), revokedAt: thisUpdate, reason: 'keyCompromise' }
  }
  let turns = 0
  let timer = setImmediate(function turn() { turns++; timer = setImmediate(turn) })
  const crl = await buildCrl({ ...templateOf(authority, []), entries: entries() }, authority.signer)
  clearImmediate(timer)
  assert.ok(turns > count / 4000, `others had only ${turns} turns`)
  const read = readCrl(crl)
  assert.equal(read.entryCount, count)
  assert.equal(crlSignatureFits(read, authority.pem), true)
})
