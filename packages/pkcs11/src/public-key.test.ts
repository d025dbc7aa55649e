import assert from 'node:assert/strict'
import { createPublicKey, ECDH, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { buildCertificate, der, keySigner, nameOfCommonName } from '@certloop/pki'
import fc from 'fast-check'
import { createLayout, layoutOf, offsetsOf } from './layout.ts'
import { digestMechanisms } from './constants.ts'
import { curves, ed25519Parameters, spkiOfCertificate, spkiOfEcPoint, spkiOfEdwardsPoint, spkiOfRsa } from './public-key.ts'
import { schemeOf } from './signature-scheme.ts'

const wrapped = (tag: number, bytes: Buffer) => Buffer.concat([Buffer.from(bytes.length < 0x80 ? [tag, bytes.length] : [tag, 0x81, bytes.length]), bytes])

test('a point is understood wrapped, bare, in a bit string and compressed', () => {
  for (const { openssl, parameters: [parameters = ''], size } of curves) {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: openssl })
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const point = spki.subarray(-1 - 2 * size)
    const compressed = ECDH.convertKey(point, openssl, undefined, undefined, 'compressed') as Buffer
    for (const form of [point, wrapped(4, point), wrapped(3, Buffer.concat([Buffer.of(0), point])), compressed, wrapped(4, compressed)]) {
      assert.deepEqual(spkiOfEcPoint(Buffer.from(parameters, 'hex'), form), spki)
    }
    const off = Buffer.from(point)
    off[5] = (off[5] ?? 0) ^ 1
    assert.throws(() => spkiOfEcPoint(Buffer.from(parameters, 'hex'), off), { code: 'KEY_INVALID' })
  }
  const edwards = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' })
  for (const parameters of ed25519Parameters) for (const form of [edwards.subarray(-32), wrapped(4, edwards.subarray(-32))]) assert.deepEqual(spkiOfEdwardsPoint(parameters, form), edwards)
  assert.throws(() => spkiOfEcPoint(Buffer.from('06052b8104000a', 'hex'), Buffer.alloc(65)), { code: 'KEY_ALGORITHM_UNSUPPORTED' })
})

test('whatever a token gives as a public key, the error is a plain one', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
  const parameters = fc.oneof(bytes, fc.constantFrom(...ed25519Parameters, ...curves.map(({ parameters: [hex = ''] }) => Buffer.from(hex, 'hex'))))
  fc.assert(fc.property(parameters, bytes, fc.nat(2), (first, second, which) => {
    try {
      createPublicKey({ key: [spkiOfEcPoint, spkiOfEdwardsPoint, spkiOfRsa][which]?.(first, second) ?? Buffer.alloc(0), format: 'der', type: 'spki' })
    } catch (error) {
      assert.ok(error instanceof CertloopError, String(error))
    }
  }), { numRuns: 20_000, interruptAfterTimeLimit: 3_000, markInterruptAsFailure: false, seed: 20_261_121 })
})

test('structures lie as the standard says, packed on Windows', () => {
  const [unix, windows] = [layoutOf('linux', 'x64'), layoutOf('win32', 'x64')]
  assert.deepEqual(offsetsOf(unix, ['ulong', 'pointer', 'ulong']), [0, 8, 16, 24])
  assert.deepEqual(offsetsOf(windows, ['ulong', 'pointer', 'ulong']), [0, 4, 12, 16])
  assert.deepEqual([createLayout(unix).functionOffset(1), createLayout(windows).functionOffset(1)], [16, 10])
  assert.deepEqual([createLayout(unix).tokenInfoSize, createLayout(windows).tokenInfoSize], [208, 160])
  assert.throws(() => layoutOf('linux', 'ia32'), { code: 'PKCS11_UNAVAILABLE' })
  assert.throws(() => layoutOf('linux', 's390x', 'BE'), { code: 'PKCS11_UNAVAILABLE' })
})

test('a token that only hashes itself gets the whole data', () => {
  const ulong = createLayout(layoutOf('linux', 'x64')).ulongBytes
  const inside = schemeOf('rsa-2048', { pss: true, digest: 'sha512' }, new Set([digestMechanisms.sha512.rsaPss]), ulong)
  assert.deepEqual([inside.mechanism, inside.digest, inside.parameter?.length], [0x45, null, 24])
  assert.equal(schemeOf('ec-384', {}, new Set([digestMechanisms.sha384.ecdsa]), ulong).mechanism, 0x1045)
  assert.throws(() => schemeOf('ec-256', {}, new Set([1]), ulong), { code: 'KEY_ALGORITHM_UNSUPPORTED' })
})

test('a certificate in a token whose key is not known here is said to be so', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const name = nameOfCommonName('Odd')
  const certificate = (spki: Buffer) => buildCertificate({ serialNumber: '01', issuer: name, subject: name, spki, notBefore: new Date(0), notAfter: new Date(0), extensions: [] }, keySigner(privateKey))
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  assert.deepEqual(spkiOfCertificate(await certificate(spki)), spki)
  const odd = await certificate(der.sequence(der.sequence(der.objectIdentifier('1.2.3.4')), der.bitString(Buffer.of(1))))
  assert.throws(() => spkiOfCertificate(odd), { code: 'KEY_INVALID' })
  assert.throws(() => spkiOfCertificate(Buffer.of(0x30)), { code: 'CERTIFICATE_INVALID' })
})
