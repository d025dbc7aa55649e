import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rootCertificates } from 'node:tls'
import { boolean, element, explicit, integer, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { readCertificate } from './certificate.ts'
import { certificateFindings } from './certificate-findings.ts'
import { ecSpki, generalizedTime, goodExtensions, nameOf, oddCertificate, rawExtension, rsaSpki, utcTime, utf8, type OddParts } from './certificate-testing.ts'
import { authorityKeyIdentifier, basicConstraints, certificatePolicies, extendedKeyUsage, keyUsage, nameConstraints, subjectAltName, subjectKeyIdentifier } from './extensions.ts'

const codesOf = (der: Buffer | string, now?: Date): string[] => certificateFindings(readCertificate(der), now).map(({ code, severity }) => `${code} ${severity}`)

test('nothing is found in a good leaf', () => {
  assert.deepEqual(codesOf(oddCertificate()), [])
  assert.deepEqual(codesOf(oddCertificate(), new Date('2026-05-17T23:59:59.999Z')), [])
})

const sha1 = sequence(objectIdentifier('1.2.840.10045.4.1'))
const md5 = sequence(objectIdentifier('1.2.840.113549.1.1.4'))
const without = (index: number): Buffer[] => goodExtensions().filter((_, i) => i !== index)
const withOnly = (...extensions: Buffer[]): OddParts => ({ extensions: [authorityKeyIdentifier(Buffer.alloc(20, 2)), ...extensions] })
const named = (...names: string[]): OddParts => ({ subject: nameOf(utf8('An owner')), extensions: [...without(5), rawExtension('2.5.29.17', sequence(...names.map((name) => element(0x82, Buffer.from(name, 'latin1')))))] })
const ca = (...more: Buffer[]): OddParts => ({ subject: nameOf(utf8('A CA')), extensions: [authorityKeyIdentifier(Buffer.alloc(20, 2)), subjectKeyIdentifier(Buffer.alloc(20, 1)), ...more] })
const valid = (notBefore: string, notAfter: string, policies: string[] = []): OddParts =>
  ({ notBefore: utcTime(notBefore), notAfter: utcTime(notAfter), extensions: [...goodExtensions(), ...(policies.length > 0 ? [certificatePolicies(policies), timestampsOf()] : [])] })
const timestampsOf = (): Buffer => {
  const one = Buffer.concat([Buffer.of(0), Buffer.alloc(32, 7), Buffer.from('0000019a00000000', 'hex'), Buffer.of(0, 0, 4, 3, 0, 1, 9)])
  return rawExtension('1.3.6.1.4.1.11129.2.4.2', octetString(Buffer.concat([Buffer.of(0, one.length + 2, 0, one.length), one])))
}
const dv = ['2.23.140.1.2.1']

/** What is odd, and exactly what is to be found. */
const cases: Record<string, [OddParts, string[]]> = {
  'a negative serial number': [{ serial: element(2, Buffer.from('ff7f', 'hex')) }, ['serial-negative warning']],
  'a serial number of zero': [{ serial: integer(Buffer.of(0)) }, ['serial-zero warning']],
  'a serial number of 20 bytes': [{ serial: integer(Buffer.alloc(20, 0x7f)) }, []],
  'a serial number of 20 bytes and a sign': [{ serial: integer(Buffer.alloc(20, 0xff)) }, ['serial-too-long warning']],
  'a serial number of 21 bytes': [{ serial: integer(Buffer.alloc(21, 0x7f)) }, ['serial-too-long warning']],
  'a serial number with a byte that says nothing': [{ serial: element(2, Buffer.from('0001', 'hex')) }, ['serial-not-minimal warning']],
  'a negative serial number with a byte that says nothing': [{ serial: element(2, Buffer.from('ff80', 'hex')) }, ['serial-negative warning', 'serial-not-minimal warning']],
  'version 1': [{ version: null, extensions: null }, ['version-old notice', 'alternative-names-missing error']],
  'version 1 with extensions': [{ version: null }, ['extensions-in-old-version error']],
  'version 4': [{ version: explicit(0, smallInteger(3)) }, ['version-unknown error']],
  'an extension twice': [{ extensions: [...goodExtensions(), extendedKeyUsage('clientAuth')] }, ['extension-repeated error']],
  'an unknown critical extension': [{ extensions: [...goodExtensions(), rawExtension('1.2.3.4', Buffer.of(5, 0), true)] }, ['critical-extension-unknown error']],
  'an unknown extension': [{ extensions: [...goodExtensions(), rawExtension('1.2.3.4', Buffer.of(5, 0))] }, []],
  'different signature algorithms': [{ outerAlgorithm: sequence(objectIdentifier('1.2.840.10045.4.3.3')) }, ['algorithms-differ error']],
  'a damaged extension': [{ extensions: [...without(1), rawExtension('2.5.29.37', Buffer.from('3005', 'hex'))] }, ['extension-damaged error']],
  'bytes after the end': [{ after: Buffer.alloc(3) }, ['trailing-bytes warning']],
  'a TeletexString': [{ issuer: nameOf(element(0x14, Buffer.from('Some CA'))) }, ['string-type-old notice']],
  'a BMPString': [{ issuer: nameOf(element(0x1e, Buffer.from('00430041', 'hex'))) }, ['string-type-old notice']],
  'UTCTime without seconds': [{ notBefore: utcTime('2604010000Z') }, ['time-form warning']],
  'UTCTime with an offset': [{ notBefore: utcTime('260401000000+0100') }, ['time-form warning']],
  'GeneralizedTime before 2050': [{ notBefore: generalizedTime('20260401000000Z') }, ['time-form warning']],
  'dates reversed': [{ notBefore: utcTime('260601000000Z') }, ['validity-reversed error']],
  'SHA-1': [{ innerAlgorithm: sha1 }, ['signature-weak error']],
  'MD5': [{ innerAlgorithm: md5 }, ['signature-broken error']],
  'an unknown signature': [{ innerAlgorithm: sequence(objectIdentifier('1.2.3')) }, ['signature-unknown warning']],
  'PSS with its defaults': [{ innerAlgorithm: sequence(objectIdentifier('1.2.840.113549.1.1.10'), sequence()) }, ['signature-weak error']],
  'PSS with two digests': [{ innerAlgorithm: sequence(objectIdentifier('1.2.840.113549.1.1.10'), sequence(explicit(0, sequence(objectIdentifier('2.16.840.1.101.3.4.2.1'))))) }, ['pss-digests-differ notice']],
  'RSA of 512 bits': [{ spki: rsaSpki(512) }, ['key-broken error']],
  'RSA of 1024 bits': [{ spki: rsaSpki(1024) }, ['key-small error']],
  'RSA of 2048 bits': [{ spki: rsaSpki(2048) }, []],
  'a curve of 192 bits': [{ spki: ecSpki('1.2.840.10045.3.1.1') }, ['key-small error', 'key-curve-unusual warning']],
  'an unusual curve': [{ spki: ecSpki('1.3.132.0.10') }, ['key-curve-unusual warning']],
  'DSA': [{ spki: sequence(sequence(objectIdentifier('1.2.840.10040.4.1')), element(3, Buffer.of(0, 2, 1, 1))) }, ['key-old-kind warning']],
  'an unknown key': [{ spki: sequence(sequence(objectIdentifier('1.2.3.5')), element(3, Buffer.of(0, 1))) }, ['key-unknown warning']],
  'exponent 1': [{ spki: rsaSpki(2048, Buffer.of(1)) }, ['exponent-broken error']],
  'exponent 3': [{ spki: rsaSpki(2048, Buffer.of(3)) }, ['exponent-small warning']],
  'keyEncipherment with an EC key': [{ extensions: [keyUsage(['digitalSignature', 'keyEncipherment']), ...without(0)] }, ['key-usage-unfit warning']],
  'keyEncipherment with an RSA key': [{ spki: rsaSpki(2048), extensions: [keyUsage(['digitalSignature', 'keyEncipherment']), ...without(0)] }, []],
  'a common name alone': [{ extensions: without(5) }, ['alternative-names-missing error']],
  'a common name of a person alone': [{ subject: nameOf(utf8('A person')), extensions: without(5) }, []],
  'another common name': [{ subject: nameOf(utf8('shop.example.com')) }, ['common-name-not-in-names warning']],
  'no subject, alternative names not critical': [{ subject: sequence() }, ['alternative-names-not-critical warning']],
  'no subject, alternative names critical': [{ subject: sequence(), extensions: [...without(5), subjectAltName(['www.example.com'], true)] }, []],
  'NUL in the common name': [{ subject: nameOf(utf8('www.example.com\0.evil.example')) }, ['name-control-character error']],
  'NUL in a DNS name': [named('www.example.com\0.evil.example'), ['name-control-character error']],
  'a name outside of ASCII': [named('b\u00fccher.example'), ['name-not-ascii error']],
  'a name with a space': [named('www example.com'), ['name-malformed error']],
  'a name with an empty label': [named('www..example.com'), ['name-malformed error']],
  'a long name': [named(`${'a.'.repeat(150)}example`), ['name-malformed error']],
  'an underscore': [named('my_host.example.com'), ['name-underscore warning']],
  'a wildcard within': [named('www.*.example.com', 'w*.example.com', '*.com'), ['name-wildcard-invalid error']],
  'a wildcard': [named('*.example.com'), []],
  'an A-label that stands for nothing': [named('xn--zzzzzzzzz.example'), ['name-a-label-invalid warning']],
  'an A-label': [named('xn--bcher-kva.example'), []],
  'an IP address of five bytes': [{ extensions: [...without(5), rawExtension('2.5.29.17', sequence(element(0x82, Buffer.from('www.example.com')), element(0x87, Buffer.alloc(5))))] }, ['address-malformed warning']],
  '398 days in 2026': [valid('260314000000Z', '270415235959Z', dv), []],
  '399 days in 2026': [valid('260314000000Z', '270417000000Z', dv), ['validity-too-long error']],
  '200 days from 2026-03-15': [valid('260315000000Z', '260930235959Z', dv), []],
  '201 days from 2026-03-15': [valid('260315000000Z', '261001000000Z', dv), ['validity-too-long error']],
  '101 days from 2027-03-15': [valid('270315000000Z', '270623000000Z', dv), ['validity-too-long error']],
  '48 days from 2029-03-15': [valid('290315000000Z', '290501000000Z', dv), ['validity-too-long error']],
  '47 days from 2029-03-15': [valid('290315000000Z', '290430235959Z', dv), []],
  'years of a private CA': [valid('260315000000Z', '360315000000Z'), []],
  'no timestamps': [{ extensions: [...goodExtensions(), certificatePolicies(dv)] }, ['timestamps-missing warning']],
  'a CA': [ca(keyUsage(['keyCertSign']), basicConstraints(true)), []],
  'a CA without key usage': [ca(basicConstraints(true)), ['ca-without-key-usage warning']],
  'a CA that may not sign': [ca(keyUsage(['digitalSignature']), basicConstraints(true)), ['ca-may-not-sign error']],
  'a CA with basic constraints not critical': [ca(keyUsage(['keyCertSign']), rawExtension('2.5.29.19', sequence(boolean(true)))), ['basic-constraints-not-critical warning']],
  'a CA without key identifier': [{ subject: nameOf(utf8('A CA')), ...withOnly(keyUsage(['keyCertSign']), basicConstraints(true)) }, ['subject-key-id-missing notice']],
  'a leaf that may sign': [{ extensions: [keyUsage(['keyCertSign']), ...without(0)] }, ['signs-without-ca warning']],
  'a path length in a leaf': [{ extensions: [...without(2), rawExtension('2.5.29.19', sequence(smallInteger(0)))] }, ['path-length-without-ca warning']],
  'its own issuer': [{ issuer: nameOf(utf8('www.example.com')) }, ['leaf-self-issued warning']],
  'its own issuer with SHA-1': [{ issuer: nameOf(utf8('www.example.com')), innerAlgorithm: sha1 }, ['signature-weak notice', 'leaf-self-issued warning']],
  'its own issuer with MD5': [{ issuer: nameOf(utf8('www.example.com')), innerAlgorithm: md5 }, ['signature-broken notice', 'leaf-self-issued warning']],
  'no authority key identifier': [{ extensions: without(4) }, ['authority-key-id-missing warning']],
  'no issuer': [{ issuer: sequence() }, ['issuer-empty error']],
  'a precertificate': [{ extensions: [...goodExtensions(), rawExtension('1.3.6.1.4.1.11129.2.4.3', Buffer.of(5, 0), true)] }, ['precertificate error']],
  'name constraints in a leaf': [{ extensions: [...goodExtensions(), nameConstraints({ permitted: [{ type: 'dns', value: 'example.com' }], excluded: [] })] }, ['name-constraints-on-leaf warning']],
}

for (const [title, [parts, expected]] of Object.entries(cases)) {
  test(`found in a certificate: ${title}`, () => { assert.deepEqual(codesOf(oddCertificate(parts)), expected) })
}

test('a length in more bytes than needed is found', () => {
  const good = oddCertificate()
  const grown = Buffer.concat([Buffer.of(0x30, 0x83, 0), good.subarray(2)])
  assert.equal(good[1], 0x82)
  assert.deepEqual(codesOf(grown), ['length-not-minimal warning'])
})

test('what is expired or not yet valid is found when a day is given', () => {
  const der = oddCertificate()
  assert.deepEqual(codesOf(der, new Date('2026-05-18T00:00:00Z')), ['expired error'])
  assert.deepEqual(codesOf(der, new Date('2026-03-31T23:59:59Z')), ['not-yet-valid error'])
  assert.deepEqual(codesOf(der, new Date('2026-04-01T00:00:00Z')), [])
})

test('every sentence is one, and shows no control characters', () => {
  for (const [parts] of Object.values(cases)) {
    for (const { sentence, code } of certificateFindings(readCertificate(oddCertificate(parts)), new Date('2030-01-01T00:00:00Z'))) {
      assert.match(sentence, /^[A-Z][^\n\0]+[.]$/, code)
      assert.ok(sentence.length < 400)
    }
  }
})

test('in the public roots of Node only what is known of them is found', () => {
  const found = new Set(rootCertificates.flatMap((pem) => codesOf(pem)))
  for (const finding of found) assert.match(finding, /^(exponent-small warning|serial-zero warning|signature-weak notice|subject-key-id-missing notice|time-form warning|string-type-old notice|basic-constraints-not-critical warning|ca-without-key-usage warning|key-small error|version-old notice)$/)
})

test('old certificates of openssl are found to be old', { timeout: 60_000 }, (t) => {
  const key = `${temporaryFolder(t)}/key.pem`
  const old = openssl(['req', '-x509', '-nodes', '-newkey', 'rsa:512', '-md5', '-set_serial', '-5', '-subj', '/CN=www.example.com', '-keyout', key, '-days', '3'])
  assert.deepEqual(codesOf(old), ['serial-negative warning', 'signature-broken notice', 'key-broken error', 'ca-without-key-usage warning'])
})
