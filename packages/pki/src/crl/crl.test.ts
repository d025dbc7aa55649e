import assert from 'node:assert/strict'
import { createPublicKey, sign } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { leftOut } from '@certloop/test-kit'
import { buildCertificate } from '../certificate/certificate-builder.ts'
import { extension } from '../certificate/extensions.ts'
import { bitString, element, enumerated, explicit, implicit, integer, nullElement, objectIdentifier, octetString, sequence, smallInteger, time, utf8String } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { nameOfCommonName } from '../name/distinguished-name.ts'
import { generalName } from '../name/general-names.ts'
import { oid } from '../oids.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { opensslCrl, run, testAuthority, type TestAuthority } from './authority-testing.ts'
import { buildCrl } from './crl-builder.ts'
import { readCrl } from './crl.ts'
import { applyDelta, crlSignatureFits, findInCrl } from './crl-use.ts'

const thisUpdate = new Date('2026-11-01T00:00:00Z')
const nextUpdate = new Date('2026-12-01T00:00:00Z')
const revokedAt = new Date('2026-03-01T00:00:00Z')

const rows = [
  { serialNumber: '01', revoked: '260301000000Z' },
  { serialNumber: '02' },
  ...['unspecified', 'keyCompromise', 'CACompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'certificateHold'].map((reason, i) => ({ serialNumber: `8${i}`, revoked: `260301000000Z,${reason}` })),
  { serialNumber: 'ff'.repeat(20), revoked: '260301000000Z,keyTime,20260228111213Z' },
  { serialNumber: 'A0', revoked: '490301000000Z,CAkeyTime,20510228111213Z' },
]

for (const algorithm of ['rsa-2048', 'ec-256', 'ed25519'] as const) {
  test(`a CRL of openssl ca is read: ${algorithm}`, { skip: leftOut('openssl'), timeout: 60_000 }, async (t) => {
    const authority = await testAuthority(algorithm)
    const pem = opensslCrl(temporaryFolder(t), authority, rows)
    const crl = readCrl(pem)
    assert.deepEqual([crl.issuer, crl.number, crl.baseNumber, crl.thisUpdate, crl.nextUpdate, crl.authorityKeyId], ['CN=Example CA', '0100', null, thisUpdate, nextUpdate, authority.keyId.toString('hex')])
    assert.deepEqual([crl.scope, crl.freshestCrl, crl.unknownCritical, crl.damagedExtensions, crl.entryCount], [null, [], [], [], 10])
    assert.deepEqual([...crl.entries()].map(({ serialNumber, reason }) => [serialNumber, reason]), [
      ['01', undefined], ['80', 'unspecified'], ['81', 'keyCompromise'], ['82', 'cACompromise'], ['83', 'affiliationChanged'], ['84', 'superseded'],
      ['85', 'cessationOfOperation'], ['86', 'certificateHold'], ['a0', 'cACompromise'], ['ff'.repeat(20), 'keyCompromise'],
    ].toSorted((a, b) => Buffer.compare(Buffer.from(a[0] ?? '', 'hex'), Buffer.from(b[0] ?? '', 'hex'))))
    assert.deepEqual(findInCrl(crl, 'ff'.repeat(20)), { serialNumber: 'ff'.repeat(20), revokedAt, reason: 'keyCompromise', invalidityDate: new Date('2026-02-28T11:12:13Z'), certificateIssuer: null, unknownCritical: [], damagedExtensions: [] })
    assert.deepEqual([findInCrl(crl, 'a0')?.revokedAt, findInCrl(crl, 'a0')?.invalidityDate], [new Date('2049-03-01T00:00:00Z'), new Date('2051-02-28T11:12:13Z')])
    for (const missing of ['02', '00', 'ff', '0100', '-80', 'ff'.repeat(19)]) assert.equal(findInCrl(crl, missing), null, missing)
    assert.equal(crlSignatureFits(crl, authority.pem), true)
    assert.equal(crlSignatureFits(crl, (await testAuthority(algorithm)).pem), false)
    assert.equal(crlSignatureFits(crl, (await testAuthority(algorithm, 'Another CA')).pem), false)
  })
}

test('issuing distribution point, delta indicator and freshest CRL of openssl are read', { skip: leftOut('openssl') }, async (t) => {
  const authority = await testAuthority()
  const extensions = `issuingDistributionPoint=critical,@point\ndeltaCRL=critical,DER:020164\nfreshestCRL=URI:http://a.example/d1,URI:http://a.example/d2
2.5.29.99=critical,DER:0500\n[point]\nfullname=URI:http://a.example/7,DNS:a.example\nonlyuser=TRUE\nonlysomereasons=keyCompromise,CACompromise\nindirectCRL=TRUE`.replace('deltaCRL', '2.5.29.27')
  const crl = readCrl(opensslCrl(temporaryFolder(t), authority, [], extensions))
  const names = [Buffer.from('\x86\x12http://a.example/7', 'latin1').toString('hex'), Buffer.from('\x82\x09a.example', 'latin1').toString('hex')]
  assert.deepEqual(crl.scope, { addresses: ['http://a.example/7'], names, onlyContainsUserCerts: true, onlyContainsCaCerts: false, onlyContainsAttributeCerts: false, onlySomeReasons: ['keyCompromise', 'cACompromise'], indirect: true })
  assert.deepEqual([crl.baseNumber, crl.freshestCrl, crl.unknownCritical, crl.entryCount], ['64', ['http://a.example/d1', 'http://a.example/d2'], ['2.5.29.99'], 0])
})

/** Makes a CA and a list with certtool. */
function gnutlsCrl(folder: string): { ca: string; crl: Buffer } {
  const at = (name: string) => join(folder, name)
  const certtool = (...args: string[]) => { const { code, text } = run('certtool', args); assert.equal(code, 0, text) }
  writeFileSync(at('ca.cfg'), 'cn=GnuTLS CA\nca\ncert_signing_key\ncrl_signing_key\nexpiration_days=1000\nserial=1\n')
  writeFileSync(at('leaf.cfg'), 'cn=leaf\nserial=0x00ff01\nexpiration_days=10\n')
  writeFileSync(at('crl.cfg'), 'crl_next_update=30\ncrl_number=7\n')
  certtool('--generate-privkey', '--key-type', 'ecdsa', '--outfile', at('ca.key'))
  certtool('--generate-self-signed', '--load-privkey', at('ca.key'), '--template', at('ca.cfg'), '--outfile', at('ca.pem'))
  certtool('--generate-certificate', '--load-privkey', at('ca.key'), '--load-ca-certificate', at('ca.pem'), '--load-ca-privkey', at('ca.key'), '--template', at('leaf.cfg'), '--outfile', at('leaf.pem'))
  certtool('--generate-crl', '--load-ca-privkey', at('ca.key'), '--load-ca-certificate', at('ca.pem'), '--load-certificate', at('leaf.pem'), '--template', at('crl.cfg'), '--outfile', at('crl.pem'))
  return { ca: readFileSync(at('ca.pem'), 'utf8'), crl: readFileSync(at('crl.pem')) }
}

test('a CRL of GnuTLS is read', { skip: leftOut('certtool'), timeout: 60_000 }, (t) => {
  const { ca, crl: pem } = gnutlsCrl(temporaryFolder(t))
  const crl = readCrl(pem)
  assert.deepEqual([crl.issuer, crl.number, [...crl.entries()].map(({ serialNumber }) => serialNumber), crlSignatureFits(crl, ca)], ['CN=GnuTLS CA', '07', ['ff01'], true])
})

/** Makes a CA and a list with NSS. Its extensions of lists are not DER: the value itself stands where an INTEGER should. */
function nssCrl(folder: string): { ca: string; crl: Buffer } {
  const at = (name: string) => join(folder, name)
  const database = ['-d', `sql:${folder}`]
  const nss = (tool: string, ...args: string[]): string => { const { code, text } = run(tool, args); assert.equal(code, 0, text); return text }
  writeFileSync(at('noise'), Buffer.alloc(64, 7))
  writeFileSync(at('script'), 'update=20261101000000Z\nnextupdate=20261201000000Z\naddcert 40-42 20260301000000Z\naddext crlNumber 0 45\n')
  nss('certutil', '-N', ...database, '--empty-password')
  nss('certutil', '-S', ...database, '-n', 'ca', '-s', 'CN=NSS CA', '-x', '-t', 'CT,C,C', '-z', at('noise'), '-k', 'ec', '-q', 'nistp256', '-v', '100', '-m', '1', '--keyUsage', 'certSigning,crlSigning')
  nss('crlutil', '-G', ...database, '-n', 'ca', '-c', at('script'), '-o', at('crl.der'))
  return { ca: nss('certutil', '-L', ...database, '-n', 'ca', '-a'), crl: readFileSync(at('crl.der')) }
}

test('a CRL of NSS is read, and its damaged number named', { skip: leftOut('certutil'), timeout: 60_000 }, (t) => {
  const { ca, crl: der } = nssCrl(temporaryFolder(t))
  const crl = readCrl(der)
  assert.deepEqual([crl.issuer, crl.thisUpdate, crl.nextUpdate, crl.number, crl.damagedExtensions], ['CN=NSS CA', thisUpdate, nextUpdate, null, [oid.crlNumber]])
  assert.deepEqual([...crl.entries()].map(({ serialNumber }) => serialNumber).toSorted(), ['28', '29', '2a'])
  assert.equal(crlSignatureFits(crl, ca), true)
})

/** Makes a CA and a list with keytool: version 1, without any extension. */
function javaCrl(folder: string): { ca: string; crl: Buffer } {
  const store = ['-keystore', join(folder, 'store.p12'), '-storepass', 'secret', '-alias', 'ca']
  const keytool = (...args: string[]) => { const { code, text } = run('keytool', args); assert.equal(code, 0, text); return text }
  keytool('-genkeypair', ...store, '-keyalg', 'EC', '-dname', 'CN=Java CA', '-ext', 'bc:c')
  keytool('-gencrl', ...store, '-id', '1000', '-id', '18446744073709551615', '-file', join(folder, 'crl.der'))
  keytool('-exportcert', ...store, '-rfc', '-file', join(folder, 'ca.pem'))
  return { ca: readFileSync(join(folder, 'ca.pem'), 'utf8'), crl: readFileSync(join(folder, 'crl.der')) }
}

test('a CRL of Java, version 1, is read', { skip: leftOut('keytool'), timeout: 60_000 }, (t) => {
  const { ca, crl: der } = javaCrl(temporaryFolder(t))
  const crl = readCrl(der)
  assert.deepEqual([crl.issuer, crl.number, crl.authorityKeyId, [...crl.entries()].map(({ serialNumber }) => serialNumber).toSorted()], ['CN=Java CA', null, null, ['03e8', 'ff'.repeat(8)]])
  assert.equal(crlSignatureFits(crl, ca), true)
})

/** A list written part by part, for forms that no tool makes. */
async function handMade(authority: TestAuthority, entries: readonly Buffer[], extensions: readonly Buffer[] = [], nextUpdateTime: readonly Buffer[] = [time(nextUpdate)]): Promise<Buffer> {
  const { signer } = authority
  const tbs = sequence(smallInteger(1), signer.algorithm, authority.subject, time(thisUpdate), ...nextUpdateTime, sequence(...entries), explicit(0, sequence(...extensions)))
  return sequence(tbs, signer.algorithm, bitString(await signer.sign(tbs)))
}
const entryOf = (serial: Buffer, ...extensions: Buffer[]): Buffer => sequence(serial, time(revokedAt), ...(extensions.length > 0 ? [sequence(...extensions)] : []))

test('an indirect CRL: the issuer of an entry holds for those after it (RFC 5280, 5.3.3)', { skip: leftOut('openssl') }, async () => {
  const authority = await testAuthority()
  const other = nameOfCommonName('Another CA')
  const issuerExtension = (name: Buffer) => extension(oid.certificateIssuer, true, sequence(generalName({ type: 'directory', value: '', der: name.toString('hex') })))
  const [one, two, three] = [1, 2, 3].map(smallInteger)
  assert.ok(one && two && three)
  const der = await handMade(authority, [entryOf(one), entryOf(two, issuerExtension(other)), entryOf(three), entryOf(two, issuerExtension(authority.subject))], [extension(oid.issuingDistributionPoint, true, sequence(implicit(4, Buffer.of(0xff))))])
  assert.match(run('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], der).text, /Indirect CRL[^]+Serial Number: 02\n.+\n.+\n +X509v3 Certificate Issuer: critical\n +DirName:\/?CN ?= ?Another CA\n/)
  const crl = readCrl(der)
  assert.equal(crl.scope?.indirect, true)
  const names = [...crl.entries()].map(({ certificateIssuer }) => (certificateIssuer?.type === 'directory' ? certificateIssuer.value : null))
  assert.deepEqual(names, [null, 'CN=Another CA', 'CN=Another CA', 'CN=Example CA'])
  assert.deepEqual(['01', '02', '03'].map((serial) => findInCrl(crl, serial)?.serialNumber), ['01', '02', undefined])
  assert.deepEqual(['01', '02', '03'].map((serial) => findInCrl(crl, serial, other)?.serialNumber), [undefined, '02', '03'])
})

test('odd lists are read: no next update, a negative serial, needless zeros, an unknown critical entry extension', async () => {
  const authority = await testAuthority('ed25519')
  const odd = [entryOf(element(0x02, Buffer.of(0xff))), entryOf(element(0x02, Buffer.of(0, 0, 0, 9))), entryOf(integer(Buffer.of(0xff)), extension('2.5.29.99', true, octetString(Buffer.of(1)))), entryOf(smallInteger(5), extension(oid.reasonCode, false, enumerated(7)))]
  const crl = readCrl(await handMade(authority, odd, [], []))
  assert.equal(crl.nextUpdate, null)
  assert.deepEqual([...crl.entries()].map(({ serialNumber, unknownCritical, reason }) => [serialNumber, unknownCritical, reason]), [['-01', [], undefined], ['09', [], undefined], ['ff', ['2.5.29.99'], undefined], ['05', [], undefined]])
  assert.deepEqual(['-01', '09', 'ff', '05', '01'].map((serial) => findInCrl(crl, serial)?.serialNumber), ['-01', '09', 'ff', '05', undefined])
})

test('an entry is found however the length of its serial number is written', async () => {
  const crl = readCrl(await handMade(await testAuthority('ed25519'), [entryOf(Buffer.of(0x02, 0x81, 0x01, 0x07)), entryOf(smallInteger(8))], [], []))
  assert.deepEqual([...crl.entries()].map(({ serialNumber }) => serialNumber), ['07', '08'])
  assert.deepEqual(['07', '08', '09'].map((serial) => findInCrl(crl, serial)?.serialNumber), ['07', '08', undefined])
})

test('a list signed by a certificate that may not sign lists, or that names two algorithms, does not fit', async () => {
  const authority = await testAuthority()
  const der = await buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 1n, thisUpdate, nextUpdate, entries: [] }, authority.signer)
  const [crl, broken] = [readCrl(der), Buffer.from(der)]
  assert.equal(crlSignatureFits(crl, authority.pem), true)
  broken[broken.lastIndexOf(authority.signer.algorithm) + authority.signer.algorithm.length - 1] = 3 // ecdsa-with-SHA384
  assert.equal(crlSignatureFits(readCrl(broken), authority.pem), false)
  const rsa = await testAuthority('rsa-2048')
  const signedOver = (hash: string, last: string) => buildCrl({ issuer: rsa.subject, authorityKeyId: rsa.keyId, number: 1n, thisUpdate, nextUpdate, entries: [] }, {
    algorithm: sequence(objectIdentifier(`1.2.840.113549.1.1.${last}`), nullElement()), sign: (bytes) => Promise.resolve(sign(hash, bytes, rsa.keyPem)),
  }).then((list) => crlSignatureFits(readCrl(list), rsa.pem))
  assert.deepEqual([await signedOver('md5', '4'), await signedOver('sha1', '5')], [false, true])
  const usage = Buffer.from('0603551d0f0101ff040403020186', 'hex') // digitalSignature, keyCertSign, cRLSign
  const ca = Buffer.from(authority.pem.split('\n').slice(1, -2).join(''), 'base64')
  const place = ca.indexOf(usage)
  assert.ok(place > 0)
  ca[place + usage.length - 1] = 0x84
  assert.equal(crlSignatureFits(crl, ca), false)
  assert.throws(() => crlSignatureFits(crl, 'no certificate'), { code: 'CERTIFICATE_INVALID' })
})

test('a delta CRL is applied to its complete one, and only to that', async () => {
  const authority = await testAuthority('ed25519')
  const build = (change: object) => buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 10n, thisUpdate, nextUpdate, entries: [], ...change }, authority.signer).then(readCrl)
  const base = await build({ entries: ['01', '02', '03'].map((serialNumber) => ({ serialNumber, revokedAt, reason: 'certificateHold' })) })
  const delta = await build({ number: 12n, baseNumber: 9n, entries: [{ serialNumber: '02', revokedAt, reason: 'removeFromCRL' }, { serialNumber: '03', revokedAt, reason: 'keyCompromise' }, { serialNumber: '04', revokedAt }, { serialNumber: '05', revokedAt, reason: 'removeFromCRL' }] })
  const merged = await build({ number: 12n, entries: applyDelta(base, delta) })
  assert.deepEqual([...merged.entries()].map(({ serialNumber, reason }) => [serialNumber, reason]), [['01', 'certificateHold'], ['03', 'keyCompromise'], ['04', undefined]])
  const another = await testAuthority('ed25519', 'Another CA')
  const wrong: [delta: typeof delta, message: RegExp][] = [
    [base, /complete one/],
    [await build({ number: 12n, baseNumber: 11n }), /continues number 0b, and this is 0a/],
    [await build({ number: 9n, baseNumber: 8n }), /older/],
    [await build({ number: 12n, baseNumber: 9n, distributionPoint: { onlyContainsUserCerts: true } }), /different certificates/],
    [await build({ number: 12n, baseNumber: 9n, issuer: another.subject }), /different issuers/],
    [await build({ number: 12n, baseNumber: 9n, authorityKeyId: another.keyId }), /different keys/],
  ]
  for (const [one, message] of wrong) assert.throws(() => applyDelta(base, one), { code: 'CRL_INVALID', message })
  assert.throws(() => applyDelta(delta, delta), { code: 'CRL_INVALID', message: /delta CRL itself/ })
})

const invalid = { code: 'CRL_INVALID' }

test('what is no CRL is refused', async () => {
  const authority = await testAuthority('ed25519')
  const good = await handMade(authority, [])
  for (const bad of ['', 'hello', authority.pem, toPem('X509 CRL', Buffer.from('3000', 'hex')), toPem('X509 CRL', good).replace('-----END', '-----ENT'), good.subarray(0, -1), good.subarray(1), Buffer.alloc(0)]) assert.throws(() => readCrl(bad), invalid)
  assert.throws(() => readCrl(sequence(utf8String('x'))), invalid)
  const cut = await handMade(authority, [Buffer.from('300502', 'hex')])
  assert.throws(() => readCrl(cut), invalid)
  const late = readCrl(await handMade(authority, [entryOf(smallInteger(1)), sequence(objectIdentifier('1.2.3'))]))
  assert.throws(() => [...late.entries()], invalid)
  assert.equal(findInCrl(late, '01')?.serialNumber, '01')
  for (const id of [oid.issuingDistributionPoint, oid.deltaCrlIndicator]) {
    const damaged = await handMade(authority, [], [extension(id, false, Buffer.of(5))])
    assert.throws(() => readCrl(damaged), invalid, id)
  }
})

test('limits: bytes, entries, nesting, lists of nothing', { timeout: 60_000 }, async () => {
  const authority = await testAuthority('ed25519')
  const three = await handMade(authority, [1, 2, 3].map((serial) => entryOf(smallInteger(serial))))
  assert.throws(() => readCrl(three, { maxBytes: three.length - 1 }), { code: 'LIMIT_EXCEEDED' })
  assert.throws(() => readCrl(three, { maxEntries: 2 }), { code: 'LIMIT_EXCEEDED' })
  assert.equal(readCrl(three, { maxEntries: 3, maxBytes: three.length }).entryCount, 3)
  assert.throws(() => readCrl('-'.repeat(30_000_000)), invalid)
  const nested = Buffer.concat(Array.from({ length: 1_700_000 }, (_, i) => { const head = Buffer.from('308400000000', 'hex'); head.writeUInt32BE((1_700_000 - i - 1) * 6, 2); return head }))
  assert.throws(() => readCrl(nested), invalid)
  const begin = performance.now()
  const nothing = readCrl(await handMade(authority, [Buffer.from('3000'.repeat(2_000_000), 'hex')]))
  assert.equal(nothing.entryCount, 2_000_000)
  assert.equal(findInCrl(nothing, '01'), null)
  assert.throws(() => nothing.entries().next(), invalid)
  assert.ok(performance.now() - begin < 5_000)
})

test('fuzz: any input is read or refused with CRL_INVALID', { timeout: 120_000 }, async (t: TestContext) => {
  const authority = await testAuthority('ed25519')
  const corpus: Uint8Array[] = [
    await buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 300n, thisUpdate, nextUpdate, baseNumber: 1n, distributionPoint: { addresses: ['http://a.example/1'], onlySomeReasons: ['superseded'] }, entries: [{ serialNumber: '80', revokedAt, reason: 'superseded', invalidityDate: revokedAt }, { serialNumber: '01', revokedAt }] }, authority.signer),
    await handMade(authority, [entryOf(smallInteger(1), extension(oid.certificateIssuer, true, sequence(generalName({ type: 'directory', value: '', der: authority.subject.toString('hex') }))))], [extension(oid.issuingDistributionPoint, true, sequence(implicit(4, Buffer.of(0xff))))]),
  ]
  const derOf = (pem: Buffer) => Buffer.from(pem.toString('latin1').split('\n').filter((line) => line !== '' && !/[-:]/.test(line)).join(''), 'base64')
  const folderFor = (name: string) => { const folder = join(temporaryFolder(t), name); mkdirSync(folder); return folder }
  if (!leftOut('openssl')) corpus.push(derOf(opensslCrl(folderFor('plain'), authority, rows, '')), derOf(opensslCrl(folderFor('openssl'), authority, rows, 'authorityKeyIdentifier=keyid\nfreshestCRL=URI:http://a.example/d1')))
  if (!leftOut('certtool')) corpus.push(gnutlsCrl(folderFor('gnutls')).crl)
  if (!leftOut('certutil')) corpus.push(nssCrl(folderFor('nss')).crl)
  for (const one of corpus) readCrl(one)
  await fuzzParser({
    corpus, codes: ['CRL_INVALID'],
    parse: (input) => {
      const crl = readCrl(input)
      crlSignatureFits(crl, authority.pem)
      findInCrl(crl, '80')
      for (const one of crl.entries()) findInCrl(crl, one.serialNumber)
    },
  })
})

test('a key usage counts by its bits, however its length is written, and not at all when damaged', async () => {
  const authority = await testAuthority()
  const spki = createPublicKey(authority.pem).export({ type: 'spki', format: 'der' })
  const crl = readCrl(await buildCrl({ issuer: authority.subject, authorityKeyId: authority.keyId, number: 1n, thisUpdate, nextUpdate, entries: [] }, authority.signer))
  const fits = async (usage: string) => crlSignatureFits(crl, await buildCertificate({
    serialNumber: '01', issuer: authority.subject, subject: authority.subject, spki, notBefore: thisUpdate, notAfter: nextUpdate, extensions: [extension(oid.keyUsage, true, Buffer.from(usage, 'hex'))],
  }, authority.signer))
  assert.deepEqual(await Promise.all(['03020102', '0381020102', '0382000202ff', '03020780', '038200020780', '', '03', '040201ff'].map(fits)), [true, true, true, false, false, false, false, false])
})
