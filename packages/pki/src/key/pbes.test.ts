import assert from 'node:assert/strict'
import { createCipheriv, pbkdf2Sync, scryptSync } from 'node:crypto'
import { test } from 'node:test'
import { defaultReadLimits } from '../container/keystore.ts'
import { DerError, readElement } from '../der/der-reader.ts'
import { element, integer, nullElement, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { decryptPbes, encryptPbes2, pbesIterations } from './pbes.ts'

const plain = Buffer.from('what nobody should read')
const [salt, iv, nonce] = [Buffer.alloc(8, 1), Buffer.alloc(16, 2), Buffer.alloc(12, 3)]
const count = (n: number): Buffer => integer(Buffer.from(n.toString(16).padStart(8, '0'), 'hex'))
const pbes2 = (derivation: Buffer, cipher: Buffer): Buffer => sequence(objectIdentifier('1.2.840.113549.1.5.13'), sequence(derivation, cipher))
const pbkdf2 = (...parts: Buffer[]): Buffer => sequence(objectIdentifier('1.2.840.113549.1.5.12'), sequence(...parts))
const scrypt = (...parts: Buffer[]): Buffer => sequence(objectIdentifier('1.3.6.1.4.1.11591.4.11'), sequence(...parts))
const aesCbc = sequence(objectIdentifier('2.16.840.1.101.3.4.1.42'), octetString(iv))
const open = (algorithm: Buffer, encrypted: Buffer, password = 'p', limits = defaultReadLimits): Promise<Buffer> => decryptPbes(readElement(algorithm), encrypted, password, limits)
function cbc(key: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  return Buffer.concat([cipher.update(plain), cipher.final()])
}

test('what is sealed is opened, in every cipher and digest', async () => {
  let tried = 0
  for (const cipher of ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc'] as const) {
    for (const prf of ['sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const) {
      const { algorithm, encrypted } = await encryptPbes2(plain, 'pässword', { cipher, prf, iterations: 300 })
      assert.deepEqual(await open(algorithm, encrypted, 'pässword'), plain)
      assert.equal(pbesIterations(readElement(algorithm)), 300)
      tried++
    }
  }
  assert.equal(tried, 20)
  assert.equal(pbesIterations(readElement((await encryptPbes2(plain, '')).algorithm)), 600_000)
})

test('AES-GCM is opened, and what was changed is refused (RFC 5084)', async () => {
  for (const [id, bytes, name] of [['2.16.840.1.101.3.4.1.6', 16, 'aes-128-gcm'], ['2.16.840.1.101.3.4.1.46', 32, 'aes-256-gcm']] as const) {
    for (const tag of [12, 16]) {
      const cipher = createCipheriv(name, pbkdf2Sync('p', salt, 10, bytes, 'sha256'), nonce, { authTagLength: tag })
      const encrypted = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
      const parameters = sequence(octetString(nonce), ...(tag === 12 ? [] : [smallInteger(tag)]))
      const algorithm = pbes2(pbkdf2(octetString(salt), count(10), smallInteger(bytes), sequence(objectIdentifier('1.2.840.113549.2.9'), nullElement())), sequence(objectIdentifier(id), parameters))
      assert.deepEqual(await open(algorithm, encrypted), plain)
      for (const place of [0, encrypted.length - 1]) {
        const bent = Buffer.from(encrypted)
        bent.writeUInt8(bent.readUInt8(place) ^ 1, place)
        await assert.rejects(open(algorithm, bent), { code: 'PASSWORD_WRONG' })
      }
      await assert.rejects(open(algorithm, encrypted.subarray(0, 8)), DerError)
    }
  }
})

test('an absent digest is HMAC-SHA-1, an absent length is the cipher\'s (RFC 8018, A.2)', async () => {
  assert.deepEqual(await open(pbes2(pbkdf2(octetString(salt), count(10)), aesCbc), cbc(pbkdf2Sync('p', salt, 10, 32, 'sha1'))), plain)
  assert.deepEqual(await open(pbes2(pbkdf2(octetString(salt), count(10), smallInteger(32)), aesCbc), cbc(pbkdf2Sync('p', salt, 10, 32, 'sha1'))), plain)
})

test('scrypt is opened within its limits only (RFC 7914)', async () => {
  const algorithm = pbes2(scrypt(octetString(salt), count(1024), smallInteger(8), smallInteger(2)), aesCbc)
  const encrypted = cbc(scryptSync('p', salt, 32, { N: 1024, r: 8, p: 2 }))
  assert.deepEqual(await open(algorithm, encrypted), plain)
  assert.equal(pbesIterations(readElement(algorithm)), 16_384)
  await assert.rejects(open(algorithm, encrypted, 'p', { ...defaultReadLimits, maxMemory: 1_000_000 }), { code: 'LIMIT_EXCEEDED' })
  await assert.rejects(open(algorithm, encrypted, 'p', { ...defaultReadLimits, maxIterations: 16_383 }), { code: 'LIMIT_EXCEEDED' })
  const huge = integer(Buffer.alloc(20, 0x40))
  for (const [n, r, p] of [[count(1 << 30), smallInteger(8), smallInteger(1)], [huge, smallInteger(1), smallInteger(1)], [count(2), huge, smallInteger(1)], [count(2), smallInteger(1), huge]] as const) {
    await assert.rejects(open(pbes2(scrypt(octetString(salt), n, r, p), aesCbc), encrypted), (error: unknown) => error instanceof DerError || (error as { code?: string }).code === 'LIMIT_EXCEEDED')
  }
})

test('too many iterations are refused at once, whatever their size', async () => {
  const begin = performance.now()
  for (const iterations of [count(6_000_001), count(10_000_000), count(0x7fffffff), integer(Buffer.alloc(8, 0x7f)), integer(Buffer.alloc(1000, 0x7f))]) {
    await assert.rejects(open(pbes2(pbkdf2(octetString(salt), iterations), aesCbc), Buffer.alloc(16)), { code: 'LIMIT_EXCEEDED' })
    await assert.rejects(open(sequence(objectIdentifier('1.2.840.113549.1.5.10'), sequence(octetString(salt), iterations)), Buffer.alloc(16)), { code: 'LIMIT_EXCEEDED' })
  }
  assert.ok(performance.now() - begin < 2_000)
})

test('parameters that are not of their form, and unknown kinds, are told apart', async () => {
  const damaged = [
    pbes2(pbkdf2(octetString(salt)), aesCbc), pbes2(pbkdf2(octetString(salt), smallInteger(0)), aesCbc), pbes2(pbkdf2(octetString(salt), element(0x02, Buffer.of(0xff))), aesCbc),
    pbes2(pbkdf2(octetString(salt), count(1), smallInteger(16)), aesCbc), pbes2(pbkdf2(octetString(salt), count(1)), sequence(objectIdentifier('2.16.840.1.101.3.4.1.42'), octetString(nonce))),
    pbes2(pbkdf2(octetString(salt), count(1)), sequence(objectIdentifier('2.16.840.1.101.3.4.1.46'), sequence(octetString(nonce), smallInteger(4)))), sequence(objectIdentifier('1.2.840.113549.1.5.13')), nullElement(),
    pbes2(scrypt(octetString(salt), count(1023), smallInteger(8), smallInteger(1)), aesCbc), pbes2(scrypt(octetString(salt), count(1024)), aesCbc),
    pbes2(scrypt(octetString(salt), count(1024), smallInteger(8)), aesCbc), pbes2(scrypt(octetString(salt), count(65_536), smallInteger(1), smallInteger(1)), aesCbc),
  ]
  for (const [i, algorithm] of damaged.entries()) await assert.rejects(open(algorithm, Buffer.alloc(16)), DerError, `case ${i}`)
  for (const size of [0, 1, 15, 17]) await assert.rejects(open(pbes2(pbkdf2(octetString(salt), count(1)), aesCbc), Buffer.alloc(size)), DerError, `${size} bytes`)
  const unknown = [
    sequence(objectIdentifier('1.2.3.4')), pbes2(sequence(objectIdentifier('1.2.3.4'), sequence()), aesCbc), pbes2(pbkdf2(octetString(salt), count(1)), sequence(objectIdentifier('1.2.3.4'), octetString(iv))),
    pbes2(pbkdf2(octetString(salt), count(1), sequence(objectIdentifier('1.2.3.4'))), aesCbc), sequence(objectIdentifier('1.2.840.113549.1.5.11'), sequence(octetString(salt), count(1))), sequence(objectIdentifier('1.2.840.113549.1.5.1'), sequence(octetString(salt), count(1))),
  ]
  for (const [i, algorithm] of unknown.entries()) await assert.rejects(open(algorithm, Buffer.alloc(16)), { code: 'KEY_ALGORITHM_UNSUPPORTED' }, `case ${i}`)
})

test('the event loop goes on while a key is derived, with PBES1 as well', { timeout: 60_000 }, async () => {
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  await assert.rejects(open(sequence(objectIdentifier('1.2.840.113549.1.5.10'), sequence(octetString(salt), count(200_000))), Buffer.alloc(8, 9)), { code: 'PASSWORD_WRONG' })
  const afterFirst = turns
  await encryptPbes2(plain, 'p', { iterations: 600_000 })
  clearInterval(timer)
  assert.ok(afterFirst > 3 && turns > afterFirst + 3, `the loop turned ${afterFirst} and ${turns} times`)
})
