import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultReadLimits } from '../container/keystore.ts'
import { readChildren, readElement } from '../der/der-reader.ts'
import { bitString, element, explicit, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { splitPem, toPem } from '../pem.ts'
import { openPrivateKey } from './open-private-key.ts'
import { sha256Hex, spkiOfKey } from './spki.ts'
import { expandedMlDsa } from './testdata/expanded-ml-dsa.ts'
import { writePrivateKey } from './write-private-key.ts'

const digest = (key: KeyObject): string => sha256Hex(spkiOfKey(key))
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed = generateKeyPairSync('ed25519').privateKey
const members = (der: Buffer): Buffer[] => readChildren(readElement(der)).map(({ raw }) => raw)
const [ecVersion, ecScalar, ecCurve, ecPoint] = members(ec.export({ type: 'sec1', format: 'der' })) as [Buffer, Buffer, Buffer, Buffer]
const ecAlgorithm = sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.840.10045.3.1.7'))
const pkcs8Der = (algorithm: Buffer, inner: Buffer, ...more: Buffer[]): Buffer => sequence(smallInteger(more.length > 0 ? 1 : 0), algorithm, octetString(inner), ...more)

test('a key is recognised by its content, whatever its label says', async () => {
  const forms: [KeyObject, Buffer][] = [
    [rsa, rsa.export({ type: 'pkcs8', format: 'der' })], [rsa, rsa.export({ type: 'pkcs1', format: 'der' })],
    [ec, ec.export({ type: 'pkcs8', format: 'der' })], [ec, ec.export({ type: 'sec1', format: 'der' })], [ed, ed.export({ type: 'pkcs8', format: 'der' })],
  ]
  for (const [key, der] of forms) {
    for (const label of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ANY PRIVATE KEY', 'CERTIFICATE']) assert.equal(digest(await openPrivateKey(toPem(label, der))), digest(key), label)
    for (const input of [der, der.toString('base64'), new Uint8Array(der)]) assert.equal(digest(await openPrivateKey(input)), digest(key))
  }
})

test('byte order marks, CRLF, old Mac line ends, UTF-16 and text around are passed over', async () => {
  const pem = await writePrivateKey(ec)
  const certificate = '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n'
  const texts = [
    `\ufeff${pem}`, pem.replaceAll('\n', '\r\n'), pem.replaceAll('\n', '\r'), `Bag Attributes\n    friendlyName: a\nKey Attributes: <No Attributes>\n${pem}`, `${certificate}${pem}${certificate}`,
    pem.replaceAll('\n', '  \n'), `   ${pem}`, pem.trimEnd(),
  ]
  for (const text of texts) {
    assert.equal(digest(await openPrivateKey(text)), digest(ec), JSON.stringify(text))
    assert.equal(digest(await openPrivateKey(Buffer.from(text))), digest(ec), JSON.stringify(text))
  }
  assert.equal(digest(await openPrivateKey(Buffer.from(`\ufeff${pem}`, 'utf16le'))), digest(ec))
})

test('EC keys come with and without public key and parameters', async () => {
  const parameters = toPem('EC PARAMETERS', objectIdentifier('1.2.840.10045.3.1.7'))
  const forms: (Buffer | string)[] = [
    sequence(ecVersion, ecScalar, ecCurve), sequence(ecVersion, ecScalar, ecCurve, ecPoint), pkcs8Der(ecAlgorithm, sequence(ecVersion, ecScalar)),
    pkcs8Der(ecAlgorithm, sequence(ecVersion, ecScalar, ecCurve, ecPoint)), pkcs8Der(sequence(objectIdentifier('1.2.840.10045.2.1')), sequence(ecVersion, ecScalar, ecCurve)),
    parameters + toPem('EC PRIVATE KEY', sequence(ecVersion, ecScalar)), parameters + toPem('EC PRIVATE KEY', sequence(ecVersion, ecScalar, ecCurve, ecPoint)),
    openssl(['ec', '-conv_form', 'compressed'], await writePrivateKey(ec)),
  ]
  for (const form of forms) assert.equal(digest(await openPrivateKey(form)), digest(ec))
  // As GnuTLS writes it: no curve, but both halves, which fit together on one curve of their size only.
  for (const namedCurve of ['P-256', 'P-384', 'P-521', 'secp256k1', 'brainpoolP256r1']) {
    const key = generateKeyPairSync('ec', { namedCurve }).privateKey
    const [version, scalar, , point] = members(key.export({ type: 'sec1', format: 'der' })) as [Buffer, Buffer, Buffer, Buffer]
    assert.equal(digest(await openPrivateKey(sequence(version, scalar, point))), digest(key), namedCurve)
    await assert.rejects(openPrivateKey(sequence(version, scalar)), { code: 'KEY_INVALID', message: /which curve/ })
  }
  assert.equal((await openPrivateKey(openssl(['ecparam', '-name', 'secp384r1', '-genkey']))).asymmetricKeyDetails?.namedCurve, 'secp384r1')
})

test('Ed25519 keys come with public key, attributes and needless parameters', async () => {
  const inner = readChildren(readElement(ed.export({ type: 'pkcs8', format: 'der' })))[2]?.content ?? Buffer.alloc(0)
  const algorithm = sequence(objectIdentifier('1.3.101.112'))
  const point = spkiOfKey(ed).subarray(-32)
  for (const form of [pkcs8Der(algorithm, inner, element(0x81, Buffer.of(0), point)), pkcs8Der(algorithm, inner, element(0xa0)), pkcs8Der(sequence(objectIdentifier('1.3.101.112'), element(0x05)), inner)]) {
    assert.equal(digest(await openPrivateKey(form)), digest(ed))
  }
  await assert.rejects(openPrivateKey(pkcs8Der(algorithm, inner, element(0x81, Buffer.of(0), Buffer.alloc(32, 1)))), { code: 'KEY_INVALID', message: /another key/ })
})

test('ML-DSA keys come as seed, expanded key and both (RFC 9881, 6)', async () => {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  for (const [name, id] of [['ml-dsa-44', '2.16.840.1.101.3.4.3.17'], ['ml-dsa-65', '2.16.840.1.101.3.4.3.18'], ['ml-dsa-87', '2.16.840.1.101.3.4.3.19']] as const) {
    const expanded = Buffer.from(expandedMlDsa[name], 'base64')
    const algorithm = sequence(objectIdentifier(id))
    const keys = await Promise.all([element(0x80, seed), octetString(expanded), sequence(octetString(seed), octetString(expanded))].map((inner) => openPrivateKey(pkcs8Der(algorithm, inner))))
    assert.deepEqual(keys.map((key) => key.asymmetricKeyType), [name, name, name])
    assert.equal(new Set(keys.map(digest)).size, 1)
    for (const key of keys) assert.equal(digest(await openPrivateKey(await writePrivateKey(key))), digest(key))
    const others = [sequence(octetString(Buffer.alloc(32)), octetString(expanded)), octetString(expanded.subarray(1)), octetString(Buffer.from(expanded).fill(7, 64, 96)), element(0x80, seed.subarray(1))]
    for (const inner of others) await assert.rejects(openPrivateKey(pkcs8Der(algorithm, inner)), { code: 'KEY_INVALID' })
  }
})

test('a key whose parts belong to different keys is refused', async () => {
  const numbers = members(rsa.export({ type: 'pkcs1', format: 'der' }))
  const others = members(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'der' }))
  for (const place of [1, 3, 4, 5, 6, 7, 8]) {
    const mixed = sequence(...numbers.map((part, i) => (i === place ? others[i] ?? part : part)))
    await assert.rejects(openPrivateKey(mixed), { code: 'KEY_INVALID', message: /do not belong together/ }, `part ${place}`)
  }
  const [, , , otherPoint] = members(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'der' })) as [Buffer, Buffer, Buffer, Buffer]
  await assert.rejects(openPrivateKey(sequence(ecVersion, ecScalar, ecCurve, otherPoint)), { code: 'KEY_INVALID', message: /another key/ })
  await assert.rejects(openPrivateKey(sequence(ecVersion, ecScalar, ecCurve, explicit(1, bitString(Buffer.alloc(65, 4))))), { code: 'KEY_INVALID', message: /no point/ })
  for (const scalar of [Buffer.alloc(32), Buffer.alloc(32, 0xff), Buffer.alloc(40, 1), Buffer.alloc(0)]) {
    await assert.rejects(openPrivateKey(sequence(ecVersion, octetString(scalar), ecCurve)), { code: 'KEY_INVALID', message: /outside/ })
  }
  assert.equal(digest(await openPrivateKey(sequence(ecVersion, octetString(Buffer.of(1)), ecCurve))).length, 64, 'a short scalar is padded')
})

test('what is no private key is said to be what it is', async (t) => {
  const folder = temporaryFolder(t)
  openssl(['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`, '-subj', '/CN=a', '-days', '2'])
  openssl(['pkcs12', '-export', '-inkey', `${folder}/key.pem`, '-in', `${folder}/cert.pem`, '-out', `${folder}/store.p12`, '-passout', 'pass:x'])
  const certificate = readFileSync(join(folder, 'cert.pem'), 'utf8')
  const request = openssl(['req', '-new', '-key', `${folder}/key.pem`, '-subj', '/CN=a'])
  const publicPem = createPublicKey(ec).export({ type: 'spki', format: 'pem' })
  const derOf = (pem: string): Buffer => splitPem(pem)[0]?.der ?? Buffer.alloc(0)
  const cases: [string | Buffer, RegExp][] = [
    [certificate, /a certificate/], [derOf(certificate), /a certificate/], [request, /a certificate request/], [derOf(request), /a certificate request/],
    [publicPem, /a public key/], [derOf(publicPem), /a public key/], [createPublicKey(rsa).export({ type: 'pkcs1', format: 'der' }), /an RSA public key/],
    [readFileSync(join(folder, 'store.p12')), /PKCS#12/], [Buffer.from('feedfeed00000002', 'hex'), /JKS/], [Buffer.from('cececece00000002', 'hex'), /JCEKS/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU=\n-----END OPENSSH PRIVATE KEY-----\n', /OpenSSH/],
    ['PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n', /PuTTY/], ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== a@b', /SSH public key/], ['{"kty":"EC","crv":"P-256"}', /JSON web key/],
    ['-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----', /OpenPGP/],
    [openssl(['genpkey', '-genparam', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']), /there is none/],
    [openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-param_enc', 'explicit']), /written out in numbers/],
    [`${await writePrivateKey(ec)}${await writePrivateKey(ed)}`, /more than one/], ['', /there is none/], ['no key', /there is none/], [Buffer.alloc(0), /there is none/],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /begin like a key/], ['-----BEGIN PRIVATE KEY-----\nMC4C', /there is none/],
  ]
  for (const [input, words] of cases) {
    await assert.rejects(openPrivateKey(input), { code: 'KEY_INVALID', message: words }, String(input).slice(0, 60))
    await assert.rejects(openPrivateKey(input, 'password'), { code: 'KEY_INVALID', message: words }, String(input).slice(0, 60))
  }
  const dsa = generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey
  await assert.rejects(openPrivateKey(dsa.export({ type: 'pkcs8', format: 'pem' })), { code: 'KEY_INVALID', message: /DSA/ })
})

test('an OpenSSH key made by ssh-keygen is named as one', async (t) => {
  const folder = temporaryFolder(t)
  try {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${folder}/id`])
  } catch (error) {
    t.skip(`ssh-keygen is not installed: ${(error as Error).message}`)
    return
  }
  await assert.rejects(openPrivateKey(readFileSync(`${folder}/id`)), { code: 'KEY_INVALID', message: /OpenSSH/ })
})

test('no password, an empty one and a wrong one are three things', async () => {
  const iterations = 1_000
  for (const encrypted of [await writePrivateKey(ec, { password: '', iterations }), await writePrivateKey(ec, { format: 'sec1', password: '' })]) {
    await assert.rejects(openPrivateKey(encrypted), { code: 'PASSWORD_NEEDED' })
    await assert.rejects(openPrivateKey(encrypted, 'x'), { code: 'PASSWORD_WRONG' })
    assert.equal(digest(await openPrivateKey(encrypted, '')), digest(ec))
  }
  const encrypted = await writePrivateKey(ec, { password: 'pass phrase', iterations })
  await assert.rejects(openPrivateKey(encrypted, ''), { code: 'PASSWORD_WRONG' })
  assert.equal(digest(await openPrivateKey(await writePrivateKey(ec), 'not needed')), digest(ec))
})

test('a wrong password is said to be wrong also where the padding looks right by chance', async () => {
  for (const encrypted of [await writePrivateKey(ec, { password: 'right', iterations: 1 }), await writePrivateKey(rsa, { format: 'pkcs1', password: 'right' })]) {
    for (let i = 0; i < 1_500; i++) await assert.rejects(openPrivateKey(encrypted, `wrong ${i}`), { code: 'PASSWORD_WRONG' })
  }
})

test('what would cost too much is refused before the work', async () => {
  const encrypted = await writePrivateKey(ec, { password: 'x', iterations: 5_000 })
  const begin = performance.now()
  await assert.rejects(openPrivateKey(encrypted, 'x', { ...defaultReadLimits, maxIterations: 4_999 }), { code: 'LIMIT_EXCEEDED' })
  assert.equal(digest(await openPrivateKey(encrypted, 'x', { ...defaultReadLimits, maxIterations: 5_000 })), digest(ec))
  const derivation = sequence(objectIdentifier('1.2.840.113549.1.5.12'), sequence(octetString(Buffer.alloc(8)), element(0x02, Buffer.from('00989680', 'hex'))))
  const tenMillion = sequence(sequence(objectIdentifier('1.2.840.113549.1.5.13'), sequence(derivation, sequence(objectIdentifier('2.16.840.1.101.3.4.1.42'), octetString(Buffer.alloc(16))))), octetString(Buffer.alloc(64)))
  await assert.rejects(openPrivateKey(tenMillion, 'x'), { code: 'LIMIT_EXCEEDED', message: /20000000 iterations instead of at most 6000000/ }) // SHA-1 for a key of 32 bytes: twice
  const scrypt = openssl(['pkcs8', '-topk8', '-scrypt', '-passout', 'pass:x'], await writePrivateKey(ec))
  await assert.rejects(openPrivateKey(scrypt, 'x', { ...defaultReadLimits, maxMemory: 1 << 20 }), { code: 'LIMIT_EXCEEDED', message: /memory/ })
  await assert.rejects(openPrivateKey(scrypt, 'x', { ...defaultReadLimits, maxIterations: 1_000 }), { code: 'LIMIT_EXCEEDED', message: /iterations/ })
  await assert.rejects(openPrivateKey('x'.repeat(2_000), undefined, { ...defaultReadLimits, maxBytes: 1_000 }), { code: 'LIMIT_EXCEEDED' })
  await assert.rejects(openPrivateKey('-----BEGIN X-----\nAAAA\n-----END X-----\n'.repeat(11), undefined, { ...defaultReadLimits, maxEntries: 10 }), { code: 'LIMIT_EXCEEDED' })
  assert.ok(performance.now() - begin < 20_000)
})

test('large and deep inputs are read or refused in linear time', { timeout: 60_000 }, async () => {
  let deep: Buffer = Buffer.alloc(0)
  for (let i = 0; i < 20_000; i++) deep = i % 1000 === 0 ? sequence(deep) : Buffer.concat([Buffer.of(0x30, 0x84, 0, 0, 0, 0), deep])
  const inputs = [
    Buffer.alloc(10_000_000, 0x30), Buffer.alloc(10_000_000, 0x2d), deep, '-----BEGIN A-----\n'.repeat(500_000), '-'.repeat(10_000_000), 'A'.repeat(10_000_000), `-----BEGIN A-----\n${'A: b\\\n'.repeat(1_000_000)}-----END A-----`,
    `{${' '.repeat(5_000_000)}`, '\n'.repeat(10_000_000), sequence(smallInteger(0), ...Array.from({ length: 8 }, () => element(0x02, Buffer.alloc(1_000_000, 1)))),
  ]
  for (const [i, input] of inputs.entries()) {
    const begin = performance.now()
    await assert.rejects(openPrivateKey(input), { code: /KEY_INVALID|LIMIT_EXCEEDED/ })
    assert.ok(performance.now() - begin < 5_000, `input ${i}`)
  }
})
