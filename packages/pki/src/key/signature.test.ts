import assert from 'node:assert/strict'
import { constants, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { keyAlgorithms } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import { readElement } from '../der/der-reader.ts'
import { bitString, element, explicit, integer, nullElement, objectIdentifier, sequence, smallInteger } from '../der/der-writer.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { generateKey, readPrivateKey } from './key.ts'
import { keySigner, signatureFits, signatureName, type SignerOptions } from './signature.ts'
import { spkiOfKey } from './spki.ts'

const signed = Buffer.from('what is signed')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
const ed = generateKeyPairSync('ed25519').privateKey
const hashes = ['sha256', 'sha384', 'sha512'] as const

/** A key for RSASSA-PSS with one digest only. Its types have the length of the salt as text; Node itself takes a number. */
const limitedKey = (hashAlgorithm: string, mgf1HashAlgorithm: string, saltLength: number): KeyObject =>
  generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm, mgf1HashAlgorithm, saltLength: saltLength as unknown as string }).privateKey

/** Every kind of key with every way to sign it has. */
async function allWays(): Promise<{ key: KeyObject; options: SignerOptions; title: string }[]> {
  const ways: { key: KeyObject; options: SignerOptions; title: string }[] = []
  for (const algorithm of keyAlgorithms) {
    const key = readPrivateKey(await generateKey(algorithm))
    const chosen: SignerOptions[] = [{}]
    if (/^(rsa|ec)-/.test(algorithm)) chosen.push(...hashes.map((hash) => ({ hash })))
    if (algorithm.startsWith('rsa')) chosen.push({ pss: true }, ...hashes.map((hash) => ({ hash, pss: true })))
    for (const options of chosen) ways.push({ key, options, title: `${algorithm} ${JSON.stringify(options)}` })
  }
  ways.push({ key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, options: {}, title: 'rsa-pss without limits' })
  for (const hashAlgorithm of hashes) {
    const key = limitedKey(hashAlgorithm, hashAlgorithm, 70)
    ways.push({ key, options: {}, title: `rsa-pss for ${hashAlgorithm} with salts from 70` })
  }
  return ways
}
const ways = await allWays()

test('what is signed here fits its own key, and nothing else fits', async () => {
  for (const { key, options, title } of ways) {
    const signer = keySigner(key, options)
    const signature = await signer.sign(signed)
    const given = { signed, algorithm: readElement(signer.algorithm), signature }
    assert.equal(signatureFits(given, spkiOfKey(key)), true, title)
    assert.equal(signatureFits({ ...given, signed: Buffer.from('something else') }, spkiOfKey(key)), false, title)
    const bent = Buffer.from(signature)
    bent.writeUInt8(bent.readUInt8(40) ^ 1, 40)
    assert.equal(signatureFits({ ...given, signature: bent }, spkiOfKey(key)), false, title)
    for (const other of [rsa, ec, ed]) assert.equal(signatureFits(given, spkiOfKey(other)), false, title)
    assert.equal(signatureFits({ ...given, signature: Buffer.alloc(0) }, spkiOfKey(key)), false, title)
  }
  assert.equal(ways.length, 3 * 8 + 3 * 4 + 1 + 3 + 4)
})

test('openssl accepts what is signed here, with the algorithm that is written', { skip: leftOut('openssl') }, async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/text`, signed)
  let count = 0
  for (const { key, options, title } of ways.filter(({ key: one }) => /^(rsa|ec)/.test(one.asymmetricKeyType ?? ''))) {
    const signer = keySigner(key, options)
    const name = signatureName(readElement(signer.algorithm))
    writeFileSync(`${folder}/signature`, await signer.sign(signed))
    writeFileSync(`${folder}/key.pem`, spkiPem(key))
    const hash = options.hash ?? /sha\d+/i.exec(name)?.[0].toLowerCase() ?? key.asymmetricKeyDetails?.hashAlgorithm ?? 'sha256'
    const pss = name === 'rsassaPss' ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${key.asymmetricKeyDetails?.saltLength ?? 'auto'}`] : []
    assert.match(openssl(['dgst', `-${hash}`, ...pss, '-verify', `${folder}/key.pem`, '-signature', `${folder}/signature`, `${folder}/text`]), /Verified OK/, title)
    count++
  }
  assert.equal(count, 3 * 8 + 3 * 4 + 4)
})
const spkiPem = (key: KeyObject): string => `-----BEGIN PUBLIC KEY-----\n${spkiOfKey(key).toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----\n`

test('PSS certificates of openssl are checked', { skip: leftOut('openssl') }, (t) => {
  const folder = temporaryFolder(t)
  for (const [hash, salt] of [['sha256', '32'], ['sha384', '20'], ['sha512', '64'], ['sha1', '20'], ['sha256', '0']] as const) {
    openssl(['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${folder}/k`, '-outform', 'DER', '-out', `${folder}/c`, '-subj', '/CN=a', '-days', '2', `-${hash}`, '-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${salt}`])
    const [tbs, algorithm, signature] = certificateMembers(readFileSync(`${folder}/c`))
    assert.equal(signatureFits({ signed: tbs, algorithm: readElement(algorithm), signature }, spkiOfKey(readPrivateKey(readFileSync(`${folder}/k`, 'utf8')))), true, `${hash} ${salt}`)
  }
})
function certificateMembers(der: Buffer): [Buffer, Buffer, Buffer] {
  const tbs = readElement(readElement(der).content)
  const algorithm = readElement(readElement(der).content, tbs.raw.length)
  return [tbs.raw, algorithm.raw, readElement(readElement(der).content, tbs.raw.length + algorithm.raw.length).content.subarray(1)]
}

test('RSASSA-PSS is written in the bytes of BR 7.1.3.2.1', () => {
  const wanted = {
    sha256: '304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120',
    sha384: '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130',
    sha512: '304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140',
  }
  for (const hash of hashes) assert.equal(keySigner(rsa, { hash, pss: true }).algorithm.toString('hex'), wanted[hash])
})

test('hostile PSS parameters prove nothing and do not throw', () => {
  const good = sign('sha256', signed, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  const sha256 = sequence(objectIdentifier('2.16.840.1.101.3.4.2.1'), nullElement())
  const mgf = explicit(1, sequence(objectIdentifier('1.2.840.113549.1.1.8'), sha256))
  const hash = explicit(0, sha256)
  const salt = (value: Buffer): Buffer => explicit(2, element(0x02, value))
  const fits = (...parameters: Buffer[]): boolean | undefined => signatureFits({ signed, algorithm: readElement(sequence(objectIdentifier('1.2.840.113549.1.1.10'), ...parameters)), signature: good }, spkiOfKey(rsa))
  assert.equal(fits(sequence(hash, mgf, salt(Buffer.of(32)))), true)
  assert.equal(fits(sequence(hash, mgf, salt(Buffer.of(32)), explicit(3, smallInteger(1)))), true)
  // -1 and -2 mean "any length" to node:crypto: the true length would fit.
  for (const value of [Buffer.of(0xff), Buffer.of(0xfe), Buffer.of(0xff, 0xff), Buffer.alloc(9, 0x7f), Buffer.alloc(0), Buffer.of(0x7f, 0xff, 0xff, 0xff)]) assert.equal(fits(sequence(hash, mgf, salt(value))), false, value.toString('hex'))
  const wrong = [sequence(hash, mgf), sequence(hash, mgf, salt(Buffer.of(20))), sequence(mgf, hash, salt(Buffer.of(32))), sequence(hash, hash, mgf), sequence(hash, mgf, salt(Buffer.of(32)), explicit(3, smallInteger(2))), sequence(hash, mgf, element(0xa2)), smallInteger(1), sequence(sha256), sequence()]
  for (const [i, parameters] of wrong.entries()) assert.equal(fits(parameters), false, `case ${i}`)
  assert.equal(fits(), false, 'absent: SHA-1')
  // Well formed, but nothing node:crypto can check: nothing can be said.
  assert.equal(fits(sequence(hash, salt(Buffer.of(32)))), undefined)
  assert.equal(fits(sequence(explicit(0, sequence(objectIdentifier('1.2.3.4'))), mgf, salt(Buffer.of(32)))), undefined)
  assert.equal(fits(sequence(hash, explicit(1, sequence(objectIdentifier('1.2.3.4'), sha256)), salt(Buffer.of(32)))), undefined)
})

test('unknown algorithms and keys leave the question open', () => {
  const given = { signed, algorithm: readElement(sequence(objectIdentifier('1.2.3.4'))), signature: Buffer.alloc(64) }
  assert.equal(signatureFits(given, spkiOfKey(rsa)), undefined)
  assert.equal(signatureFits({ ...given, algorithm: readElement(sequence(objectIdentifier('1.2.840.113549.1.1.11'))) }, Buffer.from('no key')), undefined)
  assert.equal(signatureFits({ ...given, algorithm: readElement(sequence()) }, spkiOfKey(rsa)), undefined)
  assert.equal(signatureFits({ ...given, algorithm: readElement(sequence(integer(Buffer.of(1)))) }, spkiOfKey(rsa)), false)
})

test('an RSA exponent as long as its modulus is not worked with', () => {
  const modulus = Buffer.from(generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey.export({ format: 'jwk' }).n ?? '', 'base64url')
  const algorithm = readElement(sequence(objectIdentifier('1.2.840.113549.1.1.11'), nullElement()))
  const fits = (exponent: Buffer) => {
    const spki = sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullElement()), bitString(sequence(integer(modulus), integer(exponent))))
    return signatureFits({ signed, algorithm, signature: Buffer.alloc(384, 0x22) }, spki)
  }
  assert.equal(fits(Buffer.alloc(32, 0xff)), false)
  assert.equal(fits(Buffer.alloc(384, 0x3f)), undefined)
})

test('ways to sign that can not be are refused', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 512 }).privateKey
  const other = limitedKey('sha256', 'sha1', 20)
  const cases: [KeyObject, SignerOptions, string][] = [
    [ec, { pss: true }, 'INPUT_INVALID'], [ed, { pss: true }, 'INPUT_INVALID'], [ed, { hash: 'sha256' }, 'INPUT_INVALID'], [small, { hash: 'sha512' }, 'INPUT_INVALID'], [small, { pss: true, hash: 'sha256' }, 'INPUT_INVALID'],
    [generateKeyPairSync('x25519').privateKey, {}, 'KEY_ALGORITHM_UNSUPPORTED'], [generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey, {}, 'KEY_ALGORITHM_UNSUPPORTED'], [other, {}, 'KEY_ALGORITHM_UNSUPPORTED'],
    [limitedKey('sha512', 'sha512', 64), { hash: 'sha256' }, 'KEY_ALGORITHM_UNSUPPORTED'],
    [generateKeyPairSync('ed25519').publicKey, {}, 'INPUT_INVALID'],
  ]
  for (const [key, options, code] of cases) assert.throws(() => keySigner(key, options), { code }, `${key.asymmetricKeyType} ${JSON.stringify(options)}`)
})

test('RSA signatures are made beside the event loop', async () => {
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  const signer = keySigner(generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey)
  for (let i = 0; i < 20; i++) await signer.sign(signed)
  clearInterval(timer)
  assert.ok(turns > 1, `the loop turned ${turns} times`)
})
