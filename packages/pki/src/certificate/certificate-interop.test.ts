import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { leftOut } from '@certloop/test-kit'
import { fuzzParser } from '../fuzz-testing.ts'
import { keyAlgorithmOfSpki } from '../key/spki.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { certificateParts, readCertificate } from './certificate.ts'
import type { CertificateFacts, KeyFacts } from './certificate-facts.ts'
import { certificateFindings } from './certificate-findings.ts'
import { purposes } from './extensions.ts'
import { madeByCerttool, madeByCertutil, madeByKeytool, madeByOpenssl } from './tools-testing.ts'

const colons = (text: string) => text.replaceAll(':', '').toLowerCase()

/** What Node reads of a certificate, and with it OpenSSL. */
function agreesWithNode(facts: CertificateFacts): void {
  const node = new X509Certificate(facts.pem)
  assert.deepEqual([facts.fingerprint, facts.fingerprintSha1], [colons(node.fingerprint256), colons(node.fingerprint)])
  assert.deepEqual([facts.notBefore, facts.notAfter, facts.isCa, facts.signatureAlgorithm], [node.validFromDate, node.validToDate, node.ca, node.signatureAlgorithm])
  assert.equal(BigInt(`0x${facts.serialNumber}`), BigInt(`0x${node.serialNumber}`))
  assert.deepEqual(facts.key, nodeKey(node))
  const legacy = node.toLegacyObject()
  assert.deepEqual((facts.extendedKeyUsage?.usages ?? []).map((usage) => (Object.hasOwn(purposes, usage) ? purposes[usage as keyof typeof purposes] : usage)), legacy.ext_key_usage ?? [])
  assert.deepEqual([facts.ocspUrls, facts.issuerUrls], [legacy.infoAccess?.['OCSP - URI'] ?? [], legacy.infoAccess?.['CA Issuers - URI'] ?? []])
  const nodeNames = [...(node.subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):([^,]+)/g)].map(([, name = '']) => (name.includes(':') ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name.toLowerCase()))
  assert.deepEqual(facts.names, nodeNames)
  assert.equal(facts.keyAlgorithm, keyAlgorithmOfSpki(certificateParts(facts.pem).spki.raw))
  assert.deepEqual(structuredClone(facts), facts)
}

function nodeKey({ publicKey }: X509Certificate): KeyFacts {
  const { modulusLength, publicExponent, namedCurve } = publicKey.asymmetricKeyDetails ?? {}
  const curve = Object.entries(curves).find(([name]) => name === namedCurve)?.[1]
  return { kind: publicKey.asymmetricKeyType ?? '', bits: modulusLength ?? curve?.[1] ?? null, curve: curve?.[0] ?? null, exponent: publicExponent?.toString() ?? null }
}
const curves = { prime256v1: ['P-256', 256], secp384r1: ['P-384', 384], secp521r1: ['P-521', 521] } as const

/** Critical marks and texts of the extensions as `openssl x509 -text` has them. */
function opensslText(pem: string): { text: string; after: (title: string) => string[] } {
  const text = openssl(['x509', '-noout', '-text', '-nameopt', 'RFC2253'], pem)
  const lines = text.split('\n').map((line) => line.trim())
  return { text, after: (title) => { const at = lines.findIndex((line) => line.startsWith(title)); return at < 0 ? [] : [lines[at]?.slice(title.length).trim() ?? '', lines[at + 1] ?? ''] } }
}

test('all public roots of Node are read as Node and openssl read them', { timeout: 120_000 }, () => {
  for (const pem of rootCertificates) {
    const facts = readCertificate(pem)
    agreesWithNode(facts)
    assert.equal(facts.version, 3)
  }
  for (const pem of rootCertificates.filter((_, i) => i % 7 === 0)) {
    const facts = readCertificate(pem)
    const { after } = opensslText(pem)
    assert.deepEqual(after('X509v3 Key Usage:'), usageText(facts))
    assert.deepEqual(after('X509v3 Basic Constraints:'), constraintText(facts))
    assert.equal(colons(after('X509v3 Subject Key Identifier:')[1] ?? ''), facts.subjectKeyId ?? '')
  }
})
const usageText = ({ keyUsage }: CertificateFacts): string[] => (keyUsage === null ? [] : [keyUsage.critical ? 'critical' : '', keyUsage.usages.map((usage) => usageTexts[usage]).join(', ')])
const constraintText = ({ basicConstraints: basic }: CertificateFacts): string[] => (basic === null ? [] : [basic.critical ? 'critical' : '', `CA:TRUE${basic.pathLength === null ? '' : `, pathlen:${basic.pathLength}`}`])
const usageTexts: Record<string, string> = {
  digitalSignature: 'Digital Signature', nonRepudiation: 'Non Repudiation', keyEncipherment: 'Key Encipherment', dataEncipherment: 'Data Encipherment', keyAgreement: 'Key Agreement',
  keyCertSign: 'Certificate Sign', cRLSign: 'CRL Sign', encipherOnly: 'Encipher Only', decipherOnly: 'Decipher Only',
}

test('every extension that openssl writes is read', (t) => {
  const pem = madeByOpenssl(temporaryFolder(t))
  const facts = readCertificate(pem)
  agreesWithNode(facts)
  const { text, after } = opensslText(pem)
  assert.deepEqual([facts.version, facts.isSelfIssued, facts.commonName], [3, true, 'www.example.com'])
  assert.deepEqual(facts.subjectFields.map(({ type, value }) => `${type}=${value}`), ['C=DE', 'O=Ex, ample', 'OU=Web; Shop', 'CN=www.example.com', 'emailAddress=a@b.example'])
  assert.deepEqual(facts.names, ['www.example.com', '*.xn--bcher-kva.example', '192.0.2.7', '2001:db8::7'])
  assert.deepEqual(facts.unicodeNames, ['www.example.com', '*.bücher.example', '192.0.2.7', '2001:db8::7'])
  assert.deepEqual(facts.alternativeNames.slice(4).map(({ type, value }) => `${type} ${value}`), ['email a@b.example', 'uri https://example.com/x', 'upn anna@example.com', 'registered-id 1.2.3.4', 'directory CN=Somebody,C=DE'])
  assert.deepEqual(after('X509v3 Key Usage:'), ['critical', facts.keyUsage?.usages.map((usage) => usageTexts[usage]).join(', ')])
  assert.deepEqual(facts.extendedKeyUsage, { critical: false, usages: ['serverAuth', 'clientAuth', '1.2.3.4'] })
  assert.deepEqual(facts.basicConstraints, { critical: false, isCa: false, pathLength: null })
  assert.equal(colons(after('X509v3 Subject Key Identifier:')[1] ?? ''), facts.subjectKeyId)
  assert.equal(facts.authorityKeyId, facts.subjectKeyId)
  assert.deepEqual(facts.crlUrls, ['http://crl.example/1.crl', 'ldap://crl.example/cn=1', 'http://crl.example/2.crl'])
  assert.deepEqual(facts.freshestCrlUrls, ['http://crl.example/delta.crl'])
  assert.deepEqual(facts.policies, [{ oid: '2.23.140.1.2.2', statements: [] }, { oid: '1.3.6.1.4.1.99999.1', statements: [] }, { oid: '1.3.6.1.4.1.99999.2', statements: ['http://cps.example/1', 'http://cps.example/2'] }])
  assert.deepEqual([facts.validation, facts.mustStaple, facts.ocspNoCheck, facts.isPrecertificate], ['OV', true, true, false])
  assert.match(text, /Log ID *: (?:AB:){16}/)
  assert.match(text, /Timestamp *: Nov 25 21:15:18.418 2025 GMT/)
  assert.deepEqual(facts.timestamps, Array.from({ length: 2 }, () => ({ version: 0, logId: 'ab'.repeat(32), time: new Date('2025-11-25T21:15:18.418Z') })))
  assert.equal(facts.extensions.length, [...text.matchAll(/^ {12}\S.*: *(?:critical)?$/gm)].length)
  assert.deepEqual([facts.unknownCritical, facts.oddities], [[], []])
})

test('name constraints and path length of openssl are read', (t) => {
  const facts = readCertificate(madeByOpenssl(temporaryFolder(t), 'ca'))
  assert.deepEqual(facts.basicConstraints, { critical: true, isCa: true, pathLength: 3 })
  assert.equal(facts.nameConstraints?.critical, true)
  assert.deepEqual(facts.nameConstraints?.permitted, [{ type: 'dns', value: 'example.com' }, { type: 'ip', value: '10.0.0.0/8' }, { type: 'ip', value: '2001:db8::/32' }])
  assert.deepEqual(facts.nameConstraints?.excluded.map(({ type, value }) => `${type} ${value}`), ['email .bad.example', 'ip 10.1.0.0/255.0.255.0', 'directory CN=Somebody,C=DE'])
  agreesWithNode(facts)
})

test('keys of every kind are told', { timeout: 60_000 }, (t) => {
  const folder = temporaryFolder(t)
  const made = (...key: string[]) => readCertificate(madeByOpenssl(folder, 'all', key))
  const ec = (curve: string) => made('-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`).key
  assert.deepEqual(ec('brainpoolP512r1'), { kind: 'ec', bits: 512, curve: 'brainpoolP512r1', exponent: null })
  for (const [curve, bits] of [['secp112r1', 112], ['secp160k1', 160], ['sect163k1', 168]] as const) {
    const facts = made('-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${curve}`)
    assert.deepEqual([facts.key.bits, certificateFindings(facts).some(({ code }) => code === 'key-small')], [bits, true], curve)
  }
  assert.deepEqual(ec('P-521'), { kind: 'ec', bits: 521, curve: 'P-521', exponent: null })
  assert.deepEqual(made('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit').key, { kind: 'ec', bits: null, curve: 'explicit', exponent: null })
  assert.deepEqual(made('-newkey', 'ed25519').key, { kind: 'ed25519', bits: null, curve: null, exponent: null })
  assert.deepEqual(made('-newkey', 'rsa:2048', '-pkeyopt', 'rsa_keygen_pubexp:4294967297').key, { kind: 'rsa', bits: 2048, curve: null, exponent: '4294967297' })
  const pss = made('-newkey', 'rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20', '-sigopt', 'rsa_mgf1_md:sha384', '-sha256')
  assert.deepEqual([pss.key.kind, pss.signature], ['rsa-pss', { oid: '1.2.840.113549.1.1.10', name: 'rsassaPss', hash: 'sha256', pss: { hash: 'sha256', mgfHash: 'sha384', saltLength: 20 } }])
})

test('a certificate of GnuTLS is read as certtool reads it', { skip: leftOut('certtool'), timeout: 60_000 }, (t) => {
  const { pem, text } = madeByCerttool(temporaryFolder(t))
  const facts = readCertificate(pem)
  const said = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, value = '']) => value)
  assert.deepEqual([facts.subject], said(/^\tSubject: (.*)$/gm))
  assert.deepEqual([facts.serialNumber], said(/Serial Number \(hex\): (.*)/g))
  assert.deepEqual([facts.fingerprintSha1, facts.fingerprint, facts.spkiDigest], [...said(/Fingerprint:\s+sha1:(\w+)/g), ...said(/sha256:(\w+)/g).slice(0, 2)])
  assert.deepEqual(facts.alternativeNames.filter(({ type }) => type === 'dns').map(({ value }) => value), said(/DNSname: (\S+)/g))
  assert.deepEqual(facts.unicodeNames.slice(1, 2), said(/DNSname: \S+ \((.*)\)/g))
  assert.deepEqual([...facts.ocspUrls, ...facts.issuerUrls], said(/Access Location URI: (.*)/g))
  assert.deepEqual([facts.policies[0]?.oid], said(/(2\.23\.140[.\d]+) \(CA\/B Organization Validated\)/g))
  assert.deepEqual([facts.validation, facts.policies[0]?.statements, facts.mustStaple], ['OV', ['http://cps.example'], true])
  assert.deepEqual([facts.subjectKeyId], said(/Subject Key Identifier \(not critical\):\s+(\w+)/g))
  assert.deepEqual([facts.notBefore.toISOString(), facts.notAfter.toISOString()], ['2026-01-01T00:00:00.000Z', '2026-06-01T00:00:00.000Z'])
  assert.deepEqual([facts.key.kind, facts.signature.pss], ['rsa-pss', { hash: 'sha256', mgfHash: 'sha256', saltLength: 32 }])
  assert.equal(facts.extensions.length, said(/^\t\t(\w.*\((?:not )?critical\)):$/gm).length)
})

test('certificates of Java and NSS are read as Node reads them', { skip: leftOut('keytool') || leftOut('certutil'), timeout: 60_000 }, (t) => {
  const folder = temporaryFolder(t)
  const java = readCertificate(madeByKeytool(folder))
  agreesWithNode(java)
  assert.deepEqual([java.keyUsage, java.crlUrls], [{ critical: true, usages: ['digitalSignature', 'keyAgreement'] }, ['http://crl.example/1.crl']])
  const nss = readCertificate(madeByCertutil(folder))
  agreesWithNode(nss)
  assert.deepEqual([nss.names, nss.keyUsage], [['www.example.com', 'shop.example.com'], { critical: true, usages: ['digitalSignature'] }])
})

test('fuzz: changed certificates of several tools are read or refused with CERTIFICATE_INVALID', { timeout: 120_000 }, async (t) => {
  const folder = temporaryFolder(t)
  const pems = [madeByOpenssl(folder), madeByOpenssl(folder, 'ca'), madeByOpenssl(folder, 'all', ['-newkey', 'rsa:2048']), ...rootCertificates.slice(0, 10)]
  if (!leftOut('certtool')) pems.push(madeByCerttool(folder).pem)
  if (!leftOut('keytool')) pems.push(madeByKeytool(folder))
  if (!leftOut('certutil')) pems.push(madeByCertutil(folder))
  const parse = (input: Buffer | string) => {
    const facts = readCertificate(input)
    assert.deepEqual(structuredClone(facts), facts)
    certificateFindings(facts, new Date('2026-11-21T00:00:00Z'))
  }
  await fuzzParser({ corpus: pems.map((pem) => new X509Certificate(pem).raw), parse, codes: ['CERTIFICATE_INVALID'] })
  await fuzzParser({ corpus: pems.map((pem) => Buffer.from(pem)), parse: (input) => parse(input.toString('latin1')), codes: ['CERTIFICATE_INVALID'] })
})
