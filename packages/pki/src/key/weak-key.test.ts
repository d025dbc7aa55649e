import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, generatePrimeSync, hash, randomBytes, checkPrimeSync } from 'node:crypto'
import { test } from 'node:test'
import { keyAlgorithms } from '@certloop/contract'
import { bitString, element, integer, nullElement, objectIdentifier, sequence } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { openssl } from '../openssl-testing.ts'
import { bitLength, modularPower } from './big-number.ts'
import { generateKey, readPrivateKey } from './key.ts'
import { readKeyBlocklist } from './key-blocklist.ts'
import { createModulusPool, sharedPrimes } from './shared-primes.ts'
import { spkiOfKey } from './spki.ts'
import { keyProblems, type KeyProblemOptions } from './weak-key.ts'

const bytesOf = (n: bigint): Buffer => Buffer.from(n.toString(16).padStart(Math.ceil(n.toString(16).length / 2) * 2, '0'), 'hex')
const rsaSpki = (n: bigint, e = 65_537n): Buffer => sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullElement()), bitString(sequence(integer(bytesOf(n)), integer(bytesOf(e)))))
const codes = (spki: Buffer, options?: KeyProblemOptions): string[] => keyProblems(spki, options).map(({ code }) => code)
const prime = (bits: number): bigint => generatePrimeSync(bits, { bigint: true })
/** A modulus of an even number of bits from two primes of half of them. */
const modulusOf = (bits: number): bigint => {
  for (;;) {
    const n = prime(bits / 2) * prime(bits / 2)
    if (bitLength(n) === bits) return n
  }
}
const good = modulusOf(2048)

test('sound keys of every kind have no problem', async () => {
  for (const algorithm of keyAlgorithms) assert.deepEqual(keyProblems(spkiOfKey(readPrivateKey(await generateKey(algorithm)))), [], algorithm)
  assert.deepEqual(codes(rsaSpki(good)), [])
  assert.deepEqual(codes(rsaSpki(good, (1n << 256n) - 1n)), [])
  assert.deepEqual(codes(spkiOfKey(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey)), [])
})

test('sizes and exponents outside of BR 6.1.5 and 6.1.6 are named', () => {
  const cases: [Buffer, string[]][] = [
    [rsaSpki(modulusOf(1024)), ['rsa-too-small']], [rsaSpki(modulusOf(512)), ['rsa-too-small']], [rsaSpki(prime(1026) * prime(1025)), ['rsa-size-odd']],
    [rsaSpki((1n << 8192n) + 1n), ['rsa-too-large', 'rsa-size-odd']], [rsaSpki((1n << 100_000n) + 1n), ['rsa-too-large']],
    [rsaSpki(good, 1n), ['rsa-exponent-invalid']], [rsaSpki(good, 0n), ['rsa-exponent-invalid']], [rsaSpki(good, 65_536n), ['rsa-exponent-invalid']], [rsaSpki(good, 3n), ['rsa-exponent-too-small']],
    [rsaSpki(good, 65_535n), ['rsa-exponent-too-small']], [rsaSpki(good, (1n << 256n) + 1n), ['rsa-exponent-too-large']], [rsaSpki(good, 1n << 2000n), ['rsa-exponent-too-large']],
    [rsaSpki(0n), ['rsa-too-small', 'rsa-exponent-too-large', 'rsa-modulus-invalid']],
  ]
  for (const [spki, wanted] of cases) assert.deepEqual(codes(spki).filter((code) => code !== 'rsa-small-factor'), wanted)
  const negative = sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullElement()), bitString(sequence(element(0x02, Buffer.alloc(256, 0xff)), integer(Buffer.of(1, 0, 1)))))
  assert.deepEqual(codes(negative), ['rsa-modulus-invalid'])
})

test('small factors are found up to 751 (BR 6.1.6)', () => {
  for (const small of [2n, 3n, 5n, 7n, 661n, 743n, 751n]) assert.ok(codes(rsaSpki(good * small)).includes('rsa-small-factor'), String(small))
  assert.ok(!codes(rsaSpki(good * 757n)).includes('rsa-small-factor'))
})

test('keys of the ROCA generator are found at every size, and no others (CVE-2017-15361)', () => {
  for (const [bits, count] of [[512, 39], [1024, 71], [2048, 126]] as const) {
    const small: bigint[] = []
    for (let n = 2n; small.length < count; n++) if (checkPrimeSync(n)) small.push(n)
    const m = small.reduce((a, b) => a * b)
    const roca = (): bigint => {
      for (;;) {
        const k = BigInt(`0x${randomBytes(Math.max(1, (bits / 2 - bitLength(m)) >> 3)).toString('hex')}`) | (1n << BigInt(Math.max(1, bits / 2 - bitLength(m) - 1)))
        const candidate = k * m + modularPower(65_537n, BigInt(`0x${randomBytes(8).toString('hex')}`), m)
        if (checkPrimeSync(candidate)) return candidate
      }
    }
    assert.ok(codes(rsaSpki(roca() * roca())).includes('rsa-roca'), `${bits}`)
    assert.ok(!codes(rsaSpki(roca() * prime(bits / 2))).includes('rsa-roca'), `${bits}, one sound prime`)
  }
  for (let i = 0; i < 200; i++) assert.ok(!codes(rsaSpki(prime(128) * prime(128))).includes('rsa-roca'))
})

test('close primes are found (Fermat, CVE-2022-26320)', () => {
  const nextPrime = (from: bigint): bigint => { let n = from | 1n; while (!checkPrimeSync(n)) n += 2n; return n }
  const p = prime(1024)
  for (const distance of [2n, 1000n, 1n << 500n]) assert.ok(codes(rsaSpki(p * nextPrime(p + distance))).includes('rsa-close-primes'), String(distance))
  assert.ok(codes(rsaSpki(p * p)).includes('rsa-close-primes'), 'a square')
  assert.ok(!codes(rsaSpki(p * nextPrime(p + (1n << 900n)))).includes('rsa-close-primes'))
})

test('points that are not on their curve, small and unknown curves are named', () => {
  const ec = spkiOfKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const bent = Buffer.from(ec)
  bent.writeUInt8(bent.readUInt8(ec.length - 1) ^ 1, ec.length - 1)
  assert.deepEqual(codes(bent), ['ec-point-invalid'])
  const algorithm = sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.840.10045.3.1.7'))
  assert.deepEqual(codes(sequence(algorithm, bitString(Buffer.of(0)))), ['ec-point-invalid'], 'the point at infinity')
  assert.deepEqual(codes(spkiOfKey(generateKeyPairSync('ec', { namedCurve: 'prime192v1' }).privateKey)), ['ec-too-small'])
  assert.deepEqual(codes(sequence(sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier('1.2.3.4')), bitString(Buffer.alloc(65, 4)))), ['ec-curve-unknown'])
  const explicitCurve = openssl(['ec', '-pubout', '-param_enc', 'explicit', '-outform', 'PEM'], openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-param_enc', 'explicit']))
  assert.deepEqual(codes(Buffer.from(explicitCurve.replace(/-----[^-]+-----|\s/g, ''), 'base64')), ['ec-curve-unknown'])
  assert.deepEqual(codes(spkiOfKey(generateKeyPairSync('x25519').privateKey)), ['key-kind-unknown'])
})

test('Ed25519: weak points and bytes that are no point are named (RFC 8032, 5.1)', () => {
  const spki = (hex: string): Buffer => sequence(sequence(objectIdentifier('1.3.101.112')), bitString(Buffer.from(hex, 'hex')))
  const weak = [
    `01${'00'.repeat(31)}`, `ec${'ff'.repeat(30)}7f`, '00'.repeat(32), `${'00'.repeat(31)}80`, 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    `ed${'ff'.repeat(30)}7f`, `ee${'ff'.repeat(30)}7f`, 'ff'.repeat(32), '02'.padEnd(64, '0'), 'aabb',
  ]
  for (const hex of weak) assert.deepEqual(codes(spki(hex)), ['ed25519-point-invalid'], hex)
  for (let i = 0; i < 20; i++) assert.deepEqual(codes(spkiOfKey(generateKeyPairSync('ed25519').privateKey)), [])
})

test('keys that are printed in documents are known', () => {
  const rfc8410 = Buffer.from('MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=', 'base64')
  const rfc9500 = Buffer.from('MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQiVI+I+3gv+17KN0RFLHKh5Vj71vc75eSOkyMsxFxbFsTNEMTLjVuKFxOelIgsiZJXKZNCX0FBmrfpCkKklCcg==', 'base64')
  for (const spki of [rfc8410, rfc9500]) assert.deepEqual(codes(spki), ['key-published'])
  assert.match(keyProblems(rfc8410)[0]?.message ?? '', /RFC 8410/)
})

test('a list of broken keys in the form of openssl-blacklist is read and used', () => {
  const listed = modulusOf(2048)
  // By openssl itself: `openssl rsa -noout -modulus | sha1sum`, without the first 20 digits.
  const line = hash('sha1', openssl(['rsa', '-pubin', '-noout', '-modulus'], createPublicKey({ key: rsaSpki(listed), format: 'der', type: 'spki' }).export({ type: 'spki', format: 'pem' }))).slice(20)
  const known = readKeyBlocklist([`# comment\n${'0'.repeat(20)}\n${'f'.repeat(20)}\n`, `\n${line}\r\n${line}\n`])
  assert.equal(known.size, 3)
  assert.deepEqual(codes(rsaSpki(listed), { known }), ['key-listed'])
  assert.deepEqual(codes(rsaSpki(good), { known }), [])
  assert.deepEqual(codes(rsaSpki(good), { known: readKeyBlocklist([]) }), [])
  assert.throws(() => readKeyBlocklist(['# fine\nnot hex\n']), { code: 'INPUT_INVALID', message: /Line 2/ })
})

test('primes that two keys share are found, alone and in a pool', () => {
  const [p, q, r] = [prime(512), prime(512), prime(512)] as const
  const moduli = [modulusOf(1024), p * prime(512), modulusOf(1024), p * prime(512), q * r, q * prime(512), r * prime(512), modulusOf(1024)]
  moduli.push(moduli[0] ?? 0n)
  const found = sharedPrimes(moduli)
  assert.deepEqual([...found.entries()], [[1, p], [3, p], [4, q * r], [5, q], [6, r]])
  assert.deepEqual(sharedPrimes([]), new Map())
  assert.deepEqual(sharedPrimes([15n]), new Map())
  assert.deepEqual(sharedPrimes([15n, 15n]), new Map())
  assert.deepEqual(sharedPrimes([15n, 21n, 35n, 22n]), new Map([[0, 15n], [1, 21n], [2, 35n]]))
  const pool = createModulusPool()
  for (const [i, modulus] of moduli.entries()) {
    const before = sharedPrimes([...new Set([...moduli.slice(0, i), modulus])]).get(new Set([...moduli.slice(0, i), modulus]).size - 1) ?? null
    if (!moduli.slice(0, i).includes(modulus)) assert.equal(pool.sharesPrime(modulus), before, `modulus ${i}`)
    pool.add(modulus)
  }
  assert.equal(pool.size, 8)
  for (const [i, modulus] of moduli.entries()) assert.equal(pool.sharesPrime(modulus), found.get(i) ?? null, `modulus ${i} once all are in`)
  assert.equal(pool.sharesPrime(modulusOf(1024)), null)
  // In the pool itself, and both its primes in another product than its own.
  const other = createModulusPool()
  for (const modulus of [q * prime(512), r * prime(512), modulusOf(1024), modulusOf(1024), q * r]) other.add(modulus)
  assert.equal(other.sharesPrime(q * r), q * r)
  for (const bad of [0n, 1n, -5n, 1n << 16_384n]) {
    assert.throws(() => pool.add(bad), { code: 'INPUT_INVALID' })
    assert.throws(() => sharedPrimes([bad]), { code: 'INPUT_INVALID' })
  }
})

test('a thousand keys are compared in seconds', { timeout: 120_000 }, () => {
  const p = prime(1024)
  const moduli = Array.from({ length: 1000 }, () => BigInt(`0x80${randomBytes(255).toString('hex')}`) | 1n)
  const small = [3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n]
  // Random odd numbers share small primes: those are taken out, as they are in no real key.
  const without = moduli.map((n) => small.reduce((left, prime_) => { let rest = left; while (rest % prime_ === 0n) rest /= prime_; return rest }, n))
  const begin = performance.now()
  const found = sharedPrimes([...without, p * prime(1024), p * prime(1024)])
  assert.equal(found.get(1000), p)
  assert.equal(found.get(1001), p)
  assert.ok(performance.now() - begin < 30_000)
})

test('fuzz: no public key makes it throw or hang', { timeout: 60_000 }, async () => {
  const corpus = [rsaSpki(good), ...['ec', 'ed25519'].map((kind) => spkiOfKey(kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey : generateKeyPairSync('ed25519').privateKey)), spkiOfKey(generateKeyPairSync('ml-dsa-44').privateKey)]
  await fuzzParser({ corpus, parse: (input) => keyProblems(input), codes: [] })
})

test('hostile sizes cost nothing', () => {
  const begin = performance.now()
  for (const size of [10_000, 1_000_000, 10_000_000]) {
    const bytes = Buffer.alloc(size, 0x55)
    keyProblems(sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullElement()), bitString(sequence(integer(bytes), integer(bytes)))))
    keyProblems(sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), nullElement()), bitString(sequence(integer(bytesOf(good)), integer(bytes)))))
    keyProblems(bytes)
  }
  assert.ok(performance.now() - begin < 10_000)
})
