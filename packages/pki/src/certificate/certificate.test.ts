import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { readCertificate, readCertificates } from './certificate.ts'
import { nameOf, oddCertificate, rawExtension, utf8 } from './certificate-testing.ts'
import { element, integer, objectIdentifier, sequence } from '../der/der-writer.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'

const selfSigned = (folder: string, args: string[], more: string[] = []): string =>
  openssl(['req', '-x509', '-nodes', ...args, '-keyout', `${folder}/key.pem`, '-days', '3', ...more])

const sample = (folder: string) => selfSigned(folder, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], ['-subj', '/C=DE/O=Ex\\, ample+OU=b/CN=www.example.com', '-addext', 'subjectAltName=DNS:WWW.example.com,DNS:*.example.com,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example'])

test('a certificate of openssl is read as openssl and Node read it', (t) => {
  const pem = sample(temporaryFolder(t))
  const facts = readCertificate(pem)
  const node = new X509Certificate(pem)
  assert.equal(`subject=${facts.subject}\nissuer=${facts.issuer}\n`, openssl(['x509', '-noout', '-subject', '-issuer', '-nameopt', 'RFC2253'], pem))
  assert.equal(facts.fingerprint, node.fingerprint256.replaceAll(':', '').toLowerCase())
  assert.equal(facts.serialNumber, node.serialNumber.toLowerCase())
  assert.deepEqual([facts.notBefore, facts.notAfter], [node.validFromDate, node.validToDate])
  assert.deepEqual(facts.names, ['www.example.com', '*.example.com', '192.0.2.1', '2001:db8::1'])
  assert.deepEqual([facts.commonName, facts.keyAlgorithm, facts.signatureAlgorithm, facts.isCa], ['www.example.com', 'ec-256', 'ecdsa-with-SHA256', true])
  assert.equal(facts.pem, pem.slice(pem.indexOf('-----BEGIN')))
  assert.deepEqual(readCertificate(node.raw), facts)
})

test('all public roots that Node carries are read as Node reads them', () => {
  assert.ok(rootCertificates.length > 100)
  for (const pem of rootCertificates) {
    const facts = readCertificate(pem)
    const node = new X509Certificate(pem)
    assert.equal(facts.fingerprint, node.fingerprint256.replaceAll(':', '').toLowerCase())
    assert.equal(BigInt(`0x${facts.serialNumber}`), BigInt(`0x${node.serialNumber}`))
    assert.deepEqual([facts.notBefore, facts.notAfter, facts.isCa], [node.validFromDate, node.validToDate, node.ca])
    const { modulusLength, namedCurve } = node.publicKey.asymmetricKeyDetails ?? {}
    const curve = { prime256v1: 'ec-256', secp384r1: 'ec-384', secp521r1: 'ec-521' }[namedCurve ?? '']
    assert.equal(facts.keyAlgorithm, modulusLength === undefined ? curve : `rsa-${modulusLength}`)
    assert.equal(facts.signatureAlgorithm, node.signatureAlgorithm)
    const commonName = /^CN=(.*)$/m.exec(node.subject)?.[1]
    if (commonName !== undefined && !/[\\"+,]/.test(commonName)) assert.equal(facts.commonName, commonName)
  }
})

test('old and odd certificates of openssl are read', { timeout: 60_000 }, (t) => {
  const folder = temporaryFolder(t)
  assert.equal(readCertificate(selfSigned(folder, ['-newkey', 'rsa:512'], ['-sha1', '-subj', '/CN=old'])).keyAlgorithm, 'rsa-512')
  assert.equal(readCertificate(selfSigned(folder, ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], ['-subj', '/CN=k1'])).keyAlgorithm, 'ec-secp256k1')
  assert.equal(readCertificate(selfSigned(folder, ['-newkey', 'ed448'], ['-subj', '/'])).subject, '')
  const md5 = readCertificate(selfSigned(folder, ['-newkey', 'rsa:1024'], ['-md5', '-set_serial', '-5', '-subj', '/CN=minus']))
  assert.deepEqual([md5.serialNumber, md5.signatureAlgorithm], ['-05', 'md5WithRSAEncryption'])
  const long = readCertificate(selfSigned(folder, ['-newkey', 'ed25519'], ['-subj', '/CN=long', '-days', '40000']))
  assert.ok(long.notAfter.getUTCFullYear() > 2100)
})

test('non-conforming certificates that Node can not use are read all the same', () => {
  const unknown = { innerAlgorithm: sequence(objectIdentifier('1.2.3.4')), spki: sequence(sequence(objectIdentifier('1.2.3.5')), element(3, Buffer.of(0, 1))) }
  const facts = readCertificate(oddCertificate({ ...unknown, subject: nameOf(utf8('odd')), version: null, extensions: null }))
  assert.deepEqual([facts.keyAlgorithm, facts.signatureAlgorithm, facts.commonName, facts.names, facts.isCa], ['1.2.3.5', '1.2.3.4', 'odd', [], false])
  assert.equal(readCertificate(oddCertificate({ serial: element(2, Buffer.from('ff7f', 'hex')) })).serialNumber, '-81')
  assert.equal(readCertificate(oddCertificate({ serial: integer(Buffer.alloc(40, 0xee)) })).serialNumber, 'ee'.repeat(40))
  assert.equal(readCertificate(oddCertificate({ subject: nameOf(element(0x1e, Buffer.from('00e40062', 'hex'))) })).commonName, 'äb')
  assert.equal(readCertificate(oddCertificate({ subject: nameOf(element(0x14, Buffer.from('e4', 'hex'))) })).commonName, 'ä')
  assert.equal(readCertificate(oddCertificate({ subject: nameOf(element(0x1c, Buffer.from('0001f60000ffffff', 'hex'))) })).commonName, '😀\ufffd')
  assert.equal(readCertificate(oddCertificate({ subject: nameOf(utf8('a,b "c" \n')) })).subject, 'CN=a\\,b \\"c\\" \\0A')
  assert.equal(readCertificate(oddCertificate({ subject: nameOf(integer(Buffer.of(1))) })).subject, 'CN=#020101')
  assert.equal(readCertificate(oddCertificate({ notBefore: element(0x17, Buffer.from('0001010000+0100')) })).notBefore.toISOString(), '1999-12-31T23:00:00.000Z')
  const damaged = rawExtension('2.5.29.17', Buffer.from('3082ffff', 'hex'))
  assert.deepEqual(readCertificate(oddCertificate({ extensions: [damaged] })).names, [])
  const trailing = Buffer.concat([oddCertificate({}), Buffer.alloc(10)])
  assert.equal(readCertificate(trailing).fingerprint, readCertificate(oddCertificate({})).fingerprint)
})

test('garbage of every kind is CERTIFICATE_INVALID', () => {
  const nested = (depth: number) => { let bytes: Buffer = Buffer.alloc(0); for (let i = 0; i < depth; i++) bytes = sequence(bytes); return bytes }
  const inputs: (string | Uint8Array)[] = [
    '', 'hello', Buffer.alloc(0), Buffer.from('3080', 'hex'), Buffer.from('3084ffffffff', 'hex'), Buffer.from('30', 'hex'), Buffer.alloc(1_000_001, 0x30), nested(2000),
    toPem('CERTIFICATE', Buffer.from('3000', 'hex')), toPem('PRIVATE KEY', Buffer.from('3000', 'hex')), '-----BEGIN CERTIFICATE-----\nAAAA',
    oddCertificate({ notBefore: element(0x17, Buffer.from('999999999999Z')) }), oddCertificate({ spki: sequence() }),
  ]
  for (const input of inputs) assert.throws(() => readCertificate(input), { code: 'CERTIFICATE_INVALID' })
})

test('property: mutated certificates are read or refused with CERTIFICATE_INVALID', (t) => {
  const originals = [sample(temporaryFolder(t)), ...rootCertificates.slice(0, 20)].map((pem) => new X509Certificate(pem).raw)
  const changes = fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { minLength: 1, maxLength: 6 })
  fc.assert(fc.property(fc.constantFrom(...originals), changes, fc.option(fc.nat(3000)), (original, list, cut) => {
    const bytes = Buffer.from(cut === null ? original : original.subarray(0, cut))
    for (const [at, value] of list) if (bytes.length > 0) bytes[at % bytes.length] = value
    try {
      readCertificate(bytes)
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'CERTIFICATE_INVALID', String(error))
    }
  }), { numRuns: 5000 })
})

test('a certificate cut off anywhere is refused', (t) => {
  const { raw } = new X509Certificate(sample(temporaryFolder(t)))
  for (let length = 0; length < raw.length; length++) assert.throws(() => readCertificate(raw.subarray(0, length)), { code: 'CERTIFICATE_INVALID' })
})

test('all certificates of a text are read in order, other blocks passed over', (t) => {
  const folder = temporaryFolder(t)
  const [a, b] = ['a', 'b'].map((name) => selfSigned(folder, ['-newkey', 'ed25519'], ['-subj', `/CN=${name}`]))
  const key = openssl(['pkey', '-in', `${folder}/key.pem`])
  assert.deepEqual(readCertificates(`${a}${key}text\n${b}`).map(({ commonName }) => commonName), ['a', 'b'])
  assert.deepEqual(readCertificates(key), [])
  assert.throws(() => readCertificates(`${a}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n`), { code: 'CERTIFICATE_INVALID' })
})
