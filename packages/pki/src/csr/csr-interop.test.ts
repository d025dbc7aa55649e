import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Name } from '@peculiar/asn1-x509'
import { keyAlgorithms } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import { objectIdentifier, sequence } from '../der/der-writer.ts'
import { generateKey, readPrivateKey } from '../key/key.ts'
import { keySigner } from '../key/signature.ts'
import { spkiOfKey } from '../key/spki.ts'
import { subjectName } from '../name/subject.ts'
import { openssl, opensslKnows, temporaryFolder } from '../openssl-testing.ts'
import { splitPem } from '../pem.ts'
import { buildCsr, createCsr, type CsrContent } from './create-csr.ts'
import { readCsr } from './csr.ts'
import { certtoolRequest, certutilRequest, keytoolRequest, microsoftRequest, opensslRequest, run } from './csr-testing.ts'

const everything: CsrContent = {
  subject: [{ type: 'C', value: 'DE' }, { type: 'O', value: 'Bücher, Söhne' }, { type: 'OU', value: 'a' }, { type: 'OU', value: 'b' }, [{ type: 'CN', value: 'www.example.com' }, { type: 'UID', value: 'u' }]],
  names: ['www.example.com', '192.0.2.7'], alternativeNames: [{ type: 'email', value: 'a@example.com' }, { type: 'uri', value: 'https://example.com/a' }, { type: 'upn', value: 'ü@corp' }],
  keyUsage: ['digitalSignature', 'keyCertSign', 'cRLSign'], extendedKeyUsage: ['serverAuth', 'clientAuth', '1.2.3.4'], mustStaple: true, challengePassword: 'secret', certificateAuthority: { pathLength: 1 }, subjectKeyIdentifier: true,
}

function assertEverything(pem: string): void {
  const facts = readCsr(pem)
  assert.equal(facts.subject, 'CN=www.example.com+UID=u,OU=b,OU=a,O=Bücher\\, Söhne,C=DE')
  assert.deepEqual(facts.names, ['www.example.com', '192.0.2.7'])
  assert.deepEqual(facts.alternativeNames.slice(2), everything.alternativeNames)
  assert.deepEqual([facts.keyUsage, facts.extendedKeyUsage], [{ critical: true, usages: everything.keyUsage }, { critical: false, usages: everything.extendedKeyUsage }])
  assert.deepEqual([facts.mustStaple, facts.challengePassword, facts.basicConstraints], [true, { present: true, value: 'secret' }, { critical: true, isCa: true, pathLength: 1 }])
  assert.match(facts.subjectKeyId ?? '', /^[0-9a-f]{40}$/)
  assert.deepEqual([facts.otherAttributes, facts.otherExtensions], [[], []])
}

for (const algorithm of keyAlgorithms) {
  test(`a ${algorithm} request with everything comes back${opensslKnows(algorithm) ? ' and satisfies openssl' : ''}`, { timeout: 120_000 }, async () => {
    const pem = await createCsr({ privateKeyPem: await generateKey(algorithm), ...everything })
    assertEverything(pem)
    if (!opensslKnows(algorithm)) return
    const text = openssl(['req', '-verify', '-noout', '-text', '-nameopt', 'RFC2253,-esc_msb,utf8'], pem)
    for (const part of ['Subject: CN=www.example.com+UID=u,OU=b,OU=a,O=Bücher\\, Söhne,C=DE', 'challengePassword        :secret', 'CA:TRUE, pathlen:1', 'Digital Signature, Certificate Sign, CRL Sign', 'TLS Web Server Authentication, TLS Web Client Authentication, 1.2.3.4',
      'DNS:www.example.com, IP Address:192.0.2.7, email:a@example.com, URI:https://example.com/a, othername: UPN::ü@corp', 'status_request', 'X509v3 Subject Key Identifier']) assert.ok(text.includes(part), `${part} in ${text}`)
  })
}

test('certtool reads what is made here and finds its signature right', { skip: leftOut('certtool'), timeout: 120_000 }, async () => {
  for (const algorithm of ['rsa-2048', 'ec-256', 'ec-521', 'ed25519'] as const) {
    const pem = await createCsr({ privateKeyPem: await generateKey(algorithm), ...everything })
    const text = run('certtool', ['--crq-info'], pem)
    assert.match(text, /Self signature: verified/)
    for (const part of ['DNSname: www.example.com', 'IPAddress: 192.0.2.7', 'RFC822Name: a@example.com', 'URI: https://example.com/a', 'Certificate Authority (CA): TRUE', 'Path Length Constraint: 1', 'TLS WWW Server']) assert.ok(text.includes(part), `${part} in ${text}`)
  }
})

test('keytool reads what is made here', { skip: leftOut('keytool'), timeout: 120_000 }, async (t) => {
  const folder = temporaryFolder(t)
  for (const algorithm of ['rsa-2048', 'ec-256', 'ed25519'] as const) {
    writeFileSync(`${folder}/r`, await createCsr({ privateKeyPem: await generateKey(algorithm), ...everything }))
    const text = run('keytool', ['-J-Dfile.encoding=UTF-8', '-J-Duser.language=en', '-printcertreq', '-file', `${folder}/r`])
    for (const part of ['OU=b, OU=a', 'DNSName: www.example.com', 'IPAddress: 192.0.2.7', 'RFC822Name: a@example.com', 'URIName: https://example.com/a', 'PathLen:1', 'serverAuth', 'Key_CertSign']) assert.ok(text.includes(part), `${part} in ${text}`)
  }
})

test('certutil signs what is made here', { skip: leftOut('certutil'), timeout: 120_000 }, async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/noise`, Buffer.alloc(200, 7))
  run('certutil', ['-N', '-d', `sql:${folder}`, '--empty-password'])
  run('certutil', ['-S', '-d', `sql:${folder}`, '-n', 'ca', '-s', 'CN=ca', '-x', '-t', 'C,,', '-k', 'ec', '-q', 'nistp256', '-z', `${folder}/noise`])
  const { challengePassword: _, ...content } = everything // with it NSS leaves the extensions out
  const pem = await createCsr({ privateKeyPem: await generateKey('ec-256'), ...content })
  writeFileSync(`${folder}/r.der`, splitPem(pem)[0]?.der ?? '')
  run('certutil', ['-C', '-d', `sql:${folder}`, '-c', 'ca', '-i', `${folder}/r.der`, '-o', `${folder}/c.der`])
  assert.match(openssl(['x509', '-inform', 'DER', '-in', `${folder}/c.der`, '-noout', '-ext', 'subjectAltName']), /DNS:www\.example\.com, IP Address:192\.0\.2\.7/)
})

test('a request with everything of openssl is read', { timeout: 60_000 }, (t) => {
  const facts = readCsr(opensslRequest(temporaryFolder(t)))
  assert.equal(facts.subject, 'CN=www.example.com+UID=u,OU=b,OU=a,O=Ex ample,C=DE')
  assert.deepEqual(facts.alternativeNames, [{ type: 'dns', value: 'www.example.com' }, { type: 'ip', value: '192.0.2.7' }, { type: 'email', value: 'a@example.com' }, { type: 'uri', value: 'https://example.com/a' }, { type: 'upn', value: 'a@corp' }])
  assert.deepEqual([facts.keyUsage?.usages, facts.extendedKeyUsage?.usages, facts.mustStaple], [['digitalSignature', 'keyCertSign', 'cRLSign'], ['serverAuth', 'clientAuth', '1.2.3.4'], true])
  assert.deepEqual([facts.challengePassword, facts.basicConstraints], [{ present: true, value: 'geheim' }, { critical: true, isCa: true, pathLength: 1 }])
  assert.deepEqual([facts.otherAttributes, facts.otherExtensions], [['1.2.840.113549.1.9.2'], ['2.5.29.32', '1.2.3.4.5']])
  assert.match(facts.subjectKeyId ?? '', /^[0-9a-f]{40}$/)
  assert.deepEqual([facts.keyAlgorithm, facts.signatureAlgorithm], ['rsa-2048', 'sha256WithRSAEncryption'])
})

test('a request of GnuTLS is read', { skip: leftOut('certtool'), timeout: 60_000 }, (t) => {
  const facts = readCsr(certtoolRequest(temporaryFolder(t)))
  assert.equal(facts.subject, 'CN=www.example.com,O=Ex\\, ample,C=DE')
  assert.deepEqual(facts.alternativeNames.map(({ value }) => value).toSorted(), ['192.0.2.7', 'a@example.com', 'https://example.com/a', 'www.example.com'])
  assert.deepEqual([facts.keyUsage?.usages, facts.extendedKeyUsage?.usages, facts.mustStaple, facts.challengePassword], [['digitalSignature'], ['serverAuth'], true, { present: true, value: 'secret' }])
  assert.deepEqual(facts.basicConstraints, { critical: true, isCa: false, pathLength: null })
})

test('a request of Java is read', { skip: leftOut('keytool'), timeout: 60_000 }, (t) => {
  const facts = readCsr(keytoolRequest(temporaryFolder(t)))
  assert.equal(facts.subject, 'CN=www.example.com,O=Ex\\, ample,C=DE')
  assert.deepEqual(facts.alternativeNames, [{ type: 'dns', value: 'www.example.com' }, { type: 'ip', value: '192.0.2.7' }, { type: 'email', value: 'a@example.com' }, { type: 'uri', value: 'https://example.com/a' }, { type: 'registered-id', value: '1.2.3.4' }])
  assert.deepEqual([facts.keyUsage?.usages, facts.extendedKeyUsage?.usages, facts.basicConstraints], [['digitalSignature', 'keyEncipherment'], ['serverAuth', '1.2.3.4'], { critical: false, isCa: true, pathLength: 2 }])
})

test('a request of NSS is read, with its text around', { skip: leftOut('certutil'), timeout: 60_000 }, (t) => {
  const text = certutilRequest(temporaryFolder(t))
  assert.match(text, /Certificate request generated by Netscape certutil/)
  const facts = readCsr(text)
  assert.deepEqual([facts.subject, facts.names], ['CN=www.example.com,O=Example,C=DE', ['www.example.com', 'b.example.com', '192.0.2.7']])
  assert.deepEqual([facts.keyUsage?.usages, facts.extendedKeyUsage?.usages], [['digitalSignature'], ['serverAuth']])
})

test('a request as Windows makes it is read', async () => {
  const facts = readCsr(await microsoftRequest(await generateKey('rsa-2048')))
  assert.deepEqual([facts.commonName, facts.names, facts.keyUsage?.usages, facts.extendedKeyUsage?.usages], ['www.example.com', ['www.example.com'], ['digitalSignature', 'keyEncipherment'], ['serverAuth']])
  assert.deepEqual([facts.otherAttributes, facts.otherExtensions], [['1.3.6.1.4.1.311.13.2.3', '1.3.6.1.4.1.311.13.2.2', '1.3.6.1.4.1.311.21.20'], ['1.3.6.1.4.1.311.21.10']])
})

test('@peculiar/asn1-x509 reads the subject, and a request without subject is as ACME clients make it', async () => {
  const name = AsnConvert.parse(subjectName(everything.subject ?? []), Name)
  assert.deepEqual([...name].map((set) => [...set].map(({ type, value }) => `${type}=${value.toString()}`).join('+')), [
    '2.5.4.6=DE', '2.5.4.10=Bücher, Söhne', '2.5.4.11=a', '2.5.4.11=b', '0.9.2342.19200300.100.1.1=u+2.5.4.3=www.example.com',
  ])
  const facts = readCsr(await createCsr({ privateKeyPem: await generateKey('ec-256'), names: ['www.example.com'] }))
  assert.deepEqual([facts.subject, facts.subjectAttributes, facts.commonName, facts.names], ['', [], null, ['www.example.com']])
})

test('a signer whose key is elsewhere makes a request; one with another key is found out', async () => {
  const [one, other] = (await Promise.all([generateKey('ec-384'), generateKey('ec-384')])).map(readPrivateKey)
  assert.ok(one && other)
  const pem = await buildCsr(everything, { signer: keySigner(one), spki: spkiOfKey(one) })
  assertEverything(pem)
  openssl(['req', '-verify', '-noout'], pem)
  await assert.rejects(buildCsr(everything, { signer: keySigner(one), spki: spkiOfKey(other) }), { code: 'KEY_MISMATCH' })
  await assert.rejects(buildCsr(everything, { signer: { ...keySigner(one), algorithm: sequence(objectIdentifier('1.2.3.4')) }, spki: spkiOfKey(one) }), { code: 'KEY_ALGORITHM_UNSUPPORTED' })
})

test('digest and padding are as asked', { timeout: 60_000 }, async () => {
  const privateKeyPem = await generateKey('rsa-2048')
  for (const [options, name] of [[{ hash: 'sha384' }, 'sha384WithRSAEncryption'], [{ hash: 'sha512', pss: true }, 'rsassaPss']] as const) {
    const pem = await createCsr({ privateKeyPem, names: ['a.example'], ...options })
    assert.equal(readCsr(pem).signatureAlgorithm, name)
    openssl(['req', '-verify', '-noout'], pem)
  }
})
