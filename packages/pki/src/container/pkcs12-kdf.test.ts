import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { openssl } from '../openssl-testing.ts'
import { bmpPassword, pkcs12Kdf, type Pkcs12Digest } from './pkcs12-kdf.ts'
import { decryptRc2Cbc, rc4 } from './pkcs12-old-ciphers.ts'

/** Bytes for tests, always the same. */
const bytes = (name: string, size: number): Buffer => Buffer.concat(Array.from({ length: Math.ceil(size / 32) }, (_, i) => createHash('sha256').update(`${name} ${i}`).digest())).subarray(0, size)

test('the key derivation gives what OpenSSL gives: digests, purposes, sizes, passwords, salts', { timeout: 120_000 }, async () => {
  const purposes = { key: 1, iv: 2, mac: 3 } as const
  let count = 0
  for (const digest of ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512'] as const satisfies readonly Pkcs12Digest[]) {
    for (const [purpose, id] of Object.entries(purposes)) {
      for (const [text, saltSize, iterations, size] of [['smeg', 8, 1, 24], ['pässwörd€ 😀 that is longer than one block of any digest, and then some', 200, 3, 150]] as const) {
        const salt = bytes('salt', saltSize)
        const own = await pkcs12Kdf({ digest, purpose: purpose as keyof typeof purposes, password: bmpPassword(text), salt, iterations, size })
        const theirs = openssl(['kdf', '-keylen', `${size}`, '-kdfopt', `digest:${digest}`, '-kdfopt', `hexpass:${bmpPassword(text).toString('hex')}`, '-kdfopt', `hexsalt:${salt.toString('hex')}`, '-kdfopt', `iter:${iterations}`, '-kdfopt', `id:${id}`, 'PKCS12KDF'])
        assert.equal(own.toString('hex').toUpperCase(), theirs.replace(/[:\s]/g, ''), `${digest}, ${purpose}`)
        count++
      }
    }
  }
  assert.equal(count, 6 * 3 * 2)
})

test('a password is UTF-16 with an end mark', () => {
  assert.equal(bmpPassword('').toString('hex'), '0000')
  assert.equal(bmpPassword('ä€😀').toString('hex'), '00e420acd83dde000000')
})

test('the event loop goes on while a key is derived', async () => {
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  await pkcs12Kdf({ digest: 'sha256', purpose: 'mac', password: bmpPassword('x'), salt: bytes('salt', 8), iterations: 200_000, size: 32 })
  clearInterval(timer)
  assert.ok(turns >= 10, `${turns} turns`)
})

test('RC2 and RC4 give what OpenSSL gives', async () => {
  const legacy = (args: readonly string[], input: Buffer): Buffer => execFileSync('openssl', ['enc', '-provider', 'legacy', '-provider', 'default', ...args], { input, stdio: ['pipe', 'pipe', 'pipe'] })
  for (const size of [0, 1, 7, 8, 9, 1_000, 100_003]) {
    const plain = bytes('plain', size)
    for (const [cipher, keySize] of [['rc2-40-cbc', 5], ['rc2-cbc', 16]] as const) {
      const [key, iv] = [bytes('key', keySize), bytes('iv', 8)]
      const encrypted = legacy([`-${cipher}`, '-K', key.toString('hex'), '-iv', iv.toString('hex')], plain)
      assert.ok((await decryptRc2Cbc(key, iv, encrypted))?.equals(plain), `${cipher}, ${size} bytes`)
    }
    for (const [cipher, keySize] of [['rc4', 16], ['rc4-40', 5]] as const) {
      const key = bytes('key', keySize)
      assert.ok(rc4(key, legacy([`-${cipher}`, '-K', key.toString('hex')], plain)).equals(plain), `${cipher}, ${size} bytes`)
    }
  }
  assert.equal(await decryptRc2Cbc(bytes('key', 5), bytes('iv', 8), Buffer.alloc(0)), undefined)
  assert.equal(await decryptRc2Cbc(bytes('key', 5), bytes('iv', 8), bytes('noise', 15)), undefined)
})
