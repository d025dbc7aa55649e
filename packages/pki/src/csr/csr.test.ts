import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { CertloopError, keyAlgorithms } from '@certloop/contract'
import fc from 'fast-check'
import { createCsr } from './create-csr.ts'
import { readCsr } from './csr.ts'
import { generateKey, spkiDigestOfPrivateKey } from '../key/key.ts'
import { openssl, opensslKnows, temporaryFolder } from '../openssl-testing.ts'
import { splitPem, toPem } from '../pem.ts'

for (const algorithm of keyAlgorithms.filter(opensslKnows)) {
  test(`openssl accepts a ${algorithm} request made here`, { timeout: 120_000 }, async () => {
    const privateKeyPem = await generateKey(algorithm)
    const names = ['www.example.com', '*.example.com', '192.0.2.7', '2001:db8::7']
    const pem = await createCsr({ privateKeyPem, commonName: 'www.example.com', names })
    const text = openssl(['req', '-verify', '-noout', '-text', '-nameopt', 'RFC2253'], pem)
    assert.match(text, /Subject: CN=www\.example\.com\n/)
    assert.match(text, /DNS:www\.example\.com, DNS:\*\.example\.com, IP Address:192\.0\.2\.7, IP Address:2001:DB8:0:0:0:0:0:7\n/)
    const facts = readCsr(pem)
    assert.deepEqual([facts.commonName, facts.names, facts.keyAlgorithm, facts.spkiDigest], ['www.example.com', names, algorithm, spkiDigestOfPrivateKey(privateKeyPem)])
  })
}

test('a request without common name or without names is possible', async () => {
  const privateKeyPem = await generateKey('ec-256')
  const nameless = readCsr(await createCsr({ privateKeyPem, commonName: null, names: ['a.example'] }))
  assert.deepEqual([nameless.commonName, nameless.names], [null, ['a.example']])
  const plain = await createCsr({ privateKeyPem, commonName: 'bot_1', names: [] })
  openssl(['req', '-verify', '-noout'], plain)
  assert.deepEqual([readCsr(plain).commonName, readCsr(plain).names], ['bot_1', []])
})

test('a bad name or key is refused before anything is signed', async () => {
  const privateKeyPem = await generateKey('ec-256')
  await assert.rejects(createCsr({ privateKeyPem, commonName: null, names: ['a b'] }), { code: 'NAME_INVALID' })
  await assert.rejects(createCsr({ privateKeyPem, commonName: 'x'.repeat(65), names: [] }), { code: 'NAME_INVALID' })
  await assert.rejects(createCsr({ privateKeyPem: 'no key', commonName: null, names: [] }), { code: 'KEY_INVALID' })
  await assert.rejects(createCsr({ privateKeyPem: openssl(['genpkey', '-algorithm', 'x25519']), commonName: null, names: [] }), { code: 'KEY_ALGORITHM_UNSUPPORTED' })
})

const requests: [what: string, args: string[], algorithm: string][] = [
  ['RSA 2048', ['-newkey', 'rsa:2048'], 'rsa-2048'],
  ['RSA 2048 with PSS', ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32', '-sha256'], 'rsa-2048'],
  ['RSA 2048 with PSS, SHA-512', ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1', '-sha512'], 'rsa-2048'],
  ['RSA 2048 with PSS, all parameters left to their defaults', ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20', '-sha1'], 'rsa-2048'],
  ['RSA 2048 with SHA-384', ['-newkey', 'rsa:2048', '-sha384'], 'rsa-2048'],
  ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], 'ec-384'],
  ['Ed25519', ['-newkey', 'ed25519'], 'ed25519'],
  ['Ed448', ['-newkey', 'ed448'], 'ed448'],
]
for (const [what, args, algorithm] of requests) {
  test(`a request of openssl is read: ${what}`, { timeout: 60_000 }, (t) => {
    const folder = temporaryFolder(t)
    const pem = openssl(['req', '-new', '-nodes', ...args, '-keyout', `${folder}/key.pem`, '-subj', '/O=Example/CN=Www.Example.com', '-addext', 'subjectAltName=DNS:Www.Example.com,email:a@b.example,IP:2001:db8:0::1', '-addext', 'keyUsage=digitalSignature'])
    const facts = readCsr(pem)
    assert.deepEqual([facts.commonName, facts.names, facts.keyAlgorithm], ['Www.Example.com', ['www.example.com', '2001:db8::1'], algorithm])
    assert.equal(facts.spkiDigest, spkiDigestOfPrivateKey(openssl(['pkey', '-in', `${folder}/key.pem`])))
  })
}

test('a request whose signature is of another key is refused', async () => {
  const [one, other] = await Promise.all([generateKey('ec-256'), generateKey('ec-256')])
  const [a, b] = await Promise.all([one, other].map((privateKeyPem) => createCsr({ privateKeyPem, commonName: 'a', names: ['a.example'] })))
  const spki = Buffer.from(readCsr(a ?? '').publicKeySpki)
  const der = Buffer.from(splitPem(b ?? '')[0]?.der ?? '')
  const at = der.indexOf(Buffer.from(readCsr(b ?? '').publicKeySpki))
  assert.ok(at > 0)
  spki.copy(der, at)
  assert.throws(() => readCsr(toPem('CERTIFICATE REQUEST', der)), { code: 'CSR_INVALID', message: /signature/ })
})

test('a request that names another signature algorithm than its key has is refused', async () => {
  const der = Buffer.from(splitPem(await createCsr({ privateKeyPem: await generateKey('rsa-2048'), commonName: 'a', names: [] }))[0]?.der ?? '')
  const rsaSha256 = Buffer.from('300d06092a864886f70d01010b0500', 'hex')
  const at = der.lastIndexOf(rsaSha256)
  assert.ok(at > 0)
  // ecdsa-with-SHA256 has the same digest; only the kind of key tells them apart. The NULL keeps the length.
  Buffer.from('300d06082a8648ce3d040302040100', 'hex').copy(der, at)
  assert.throws(() => readCsr(toPem('CERTIFICATE REQUEST', der)), { code: 'CSR_INVALID', message: /signature/ })
})

test('garbage, a certificate, two requests and an oversized text are refused', async (t) => {
  const folder = temporaryFolder(t)
  const good = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: 'a', names: [] })
  const certificate = openssl(['req', '-x509', '-newkey', 'ed25519', '-nodes', '-keyout', `${folder}/k.pem`, '-subj', '/CN=a'])
  for (const text of ['', 'hello', certificate, good + good, good.replace('-----END', '-----ENT'), toPem('CERTIFICATE REQUEST', Buffer.from('3000', 'hex')), toPem('CERTIFICATE REQUEST', Buffer.concat([splitPem(good)[0]?.der ?? Buffer.alloc(0), Buffer.of(0)])), 'x'.repeat(300_000)]) {
    assert.throws(() => readCsr(text), { code: 'CSR_INVALID' })
  }
})

test('property: a changed byte never passes and never gives another error', async (t) => {
  const pem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: 'www.example.com', names: ['www.example.com', '192.0.2.1'] })
  const der = splitPem(pem)[0]?.der ?? Buffer.alloc(0)
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/good.pem`, pem)
  fc.assert(fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
    const changed = Buffer.from(cut ? der.subarray(0, at) : der)
    if (!cut) changed[at] = (changed[at] ?? 0) ^ change
    try {
      readCsr(changed.length === 0 ? '' : toPem('CERTIFICATE REQUEST', changed))
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'CSR_INVALID', String(error))
      return
    }
    assert.fail(`byte ${at} changed by ${change} went unnoticed`)
  }), { numRuns: 3000 })
})
