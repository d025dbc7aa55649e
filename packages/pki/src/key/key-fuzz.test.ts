import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { defaultReadLimits } from '../container/keystore.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { openssl } from '../openssl-testing.ts'
import { generateKey } from './key.ts'
import { openPlainKey, openPrivateKey } from './open-private-key.ts'
import { keySigner, signatureFits } from './signature.ts'
import { spkiOfKey } from './spki.ts'
import { writePrivateKey } from './write-private-key.ts'

/** Small, so that mutated counts don't eat the time of the test. */
const limits = { ...defaultReadLimits, maxIterations: 20_000, maxMemory: 4 << 20 }
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
const password = 'secret'

async function corpus(): Promise<Buffer[]> {
  const plain = await writePrivateKey(ec)
  const files: (string | Buffer)[] = [
    plain, await writePrivateKey(ec, { encoding: 'der' }), await writePrivateKey(rsa, { encoding: 'der' }), await writePrivateKey(rsa, { format: 'pkcs1' }), await writePrivateKey(ec, { format: 'sec1', encoding: 'der' }),
    await writePrivateKey(rsa, { format: 'pkcs1', password }), await writePrivateKey(ec, { encoding: 'der', password, iterations: 10 }), await writePrivateKey(ec, { password, iterations: 10, encryption: 'old' }),
    await generateKey('ed25519'), await generateKey('ml-dsa-44'), openssl(['ecparam', '-name', 'secp521r1', '-genkey']), openssl(['genpkey', '-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:1024']),
    ...[['-v1', 'PBE-SHA1-3DES'], ['-v1', 'PBE-MD5-DES', '-provider', 'legacy', '-provider', 'default'], ['-scrypt', '-scrypt_N', '16', '-scrypt_r', '1', '-scrypt_p', '1']].map((args) => openssl(['pkcs8', '-topk8', '-passout', `pass:${password}`, ...args], plain)),
  ]
  return files.map((file) => Buffer.from(file))
}

test('fuzz: reading private keys, with and without password', { timeout: 120_000 }, async () => {
  const files = await corpus()
  const codes = ['KEY_INVALID', 'PASSWORD_WRONG', 'PASSWORD_NEEDED', 'LIMIT_EXCEEDED', 'KEY_ALGORITHM_UNSUPPORTED'] as const
  await fuzzParser({ corpus: files, parse: (input) => openPrivateKey(input, password, limits), codes })
  await fuzzParser({ corpus: files, parse: (input) => openPrivateKey(input.toString('latin1'), undefined, limits), codes })
  await fuzzParser({ corpus: files, parse: (input) => openPlainKey(input), codes: ['KEY_INVALID', 'LIMIT_EXCEEDED'] })
})

test('fuzz: algorithms of signatures', { timeout: 60_000 }, async () => {
  const signers = [keySigner(rsa, { pss: true }), keySigner(rsa), keySigner(ec)]
  const spki = spkiOfKey(rsa)
  await fuzzParser({
    corpus: signers.map(({ algorithm }) => algorithm), codes: [],
    parse: (input) => {
      const algorithm = { tag: 0x30, content: input.subarray(2), raw: input }
      assert.notEqual(signatureFits({ signed: Buffer.from('a'), algorithm, signature: Buffer.alloc(128, 1) }, spki), true)
    },
  })
})
