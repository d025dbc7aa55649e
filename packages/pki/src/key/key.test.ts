import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyAlgorithms } from '@certloop/contract'
import { generateKey, keyAlgorithmOf, keyMatchesCertificate, readPrivateKey, spkiDigestOfPrivateKey } from './key.ts'
import { openssl, opensslKnows, temporaryFolder } from '../openssl-testing.ts'
import { sha256Hex } from './spki.ts'

for (const algorithm of keyAlgorithms.filter(opensslKnows)) {
  test(`openssl reads a ${algorithm} key made here, and both see the same public key`, { timeout: 120_000 }, async () => {
    const pem = await generateKey(algorithm)
    assert.match(pem, /^-----BEGIN PRIVATE KEY-----/)
    openssl(['pkey', '-check', '-noout'], pem)
    const publicPem = openssl(['pkey', '-pubout'], pem)
    assert.equal(sha256Hex(Buffer.from(publicPem.replace(/-----[^-]+-----|\s/g, ''), 'base64')), spkiDigestOfPrivateKey(pem))
    assert.equal(keyAlgorithmOf(pem), algorithm)
    assert.equal(keyAlgorithmOf(publicPem), algorithm)
  })
}

test('keys are made beside the event loop', { timeout: 120_000 }, async () => {
  let ticks = 0
  const timer = setInterval(() => { ticks++ }, 1)
  await Promise.all([generateKey('rsa-3072'), generateKey('rsa-3072'), generateKey('rsa-3072')])
  clearInterval(timer)
  assert.ok(ticks > 3, `the loop turned ${ticks} times`)
})

test('keys of other tools are read whatever their form', { timeout: 60_000 }, () => {
  const forms: [string[], string][] = [
    [['genrsa', '-traditional', '1024'], 'rsa-1024'],
    [['ecparam', '-name', 'secp256k1', '-genkey', '-noout'], 'ec-secp256k1'],
    [['ecparam', '-name', 'prime256v1', '-genkey'], 'ec-256'],
    [['genpkey', '-algorithm', 'ed448'], 'ed448'],
    [['genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'], 'rsa-pss-2048'],
  ]
  for (const [args, algorithm] of forms) assert.equal(keyAlgorithmOf(openssl(args)), algorithm, args.join(' '))
})

test('what is no key is said to be none', () => {
  const encrypted = openssl(['genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', 'pass:secret'])
  for (const text of ['', 'no key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', encrypted]) {
    assert.throws(() => readPrivateKey(text), { code: 'KEY_INVALID' })
    assert.throws(() => keyAlgorithmOf(text), { code: 'KEY_INVALID' })
  }
})

test('a key belongs to its own certificate only', (t) => {
  const folder = temporaryFolder(t)
  openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`, '-subj', '/CN=a.example', '-days', '2'])
  const keyPem = openssl(['pkey', '-in', `${folder}/key.pem`])
  const certificatePem = openssl(['x509', '-in', `${folder}/cert.pem`])
  assert.equal(keyMatchesCertificate(keyPem, certificatePem), true)
  assert.equal(keyAlgorithmOf(certificatePem), 'ec-256')
  assert.equal(keyMatchesCertificate(openssl(['genpkey', '-algorithm', 'ed25519']), certificatePem), false)
  // The same key with a compressed point: other bytes, still the same key.
  const compressed = openssl(['ec', '-conv_form', 'compressed'], keyPem)
  assert.equal(keyMatchesCertificate(compressed, certificatePem), true)
})
