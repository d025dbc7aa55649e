import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, generatePrimeSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createCsr, generateKey } from '@certloop/pki'
import { tempFolder } from '@certloop/test-kit'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import { blocklistIn } from './key-blocklist.ts'

const exponent = 65_537n

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}
const base64url = (value: bigint): string => {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
}
/** An RSA key of these primes, PEM. */
function keyOf(p: bigint, q: bigint, e = exponent): string {
  const d = inverse(e, (p - 1n) * (q - 1n))
  const jwk = { kty: 'RSA', n: p * q, e, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const key = createPrivateKey({ key: Object.fromEntries(Object.entries(jwk).map(([name, value]) => [name, typeof value === 'bigint' ? base64url(value) : value])), format: 'jwk' })
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
/** A prime of 1024 bits, the two highest set, that goes with the exponent. */
function prime(): bigint {
  for (;;) {
    const found = generatePrimeSync(1024, { bigint: true })
    if (found >> 1022n === 3n && (found - 1n) % exponent !== 0n) return found
  }
}
const requestWith = async (reference: string, privateKeyPem: string) => serverRequest(reference, { csrPem: await createCsr({ privateKeyPem, commonName: null, names: ['shop.example'] }) })

test('a key that shares a prime with one certified before is refused, and stays refused', { timeout: 120_000 }, async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database)
  const [p, q, r] = [prime(), prime(), prime()]
  await ca.issue(await requestWith('first', keyOf(p, q)))
  const shared = await requestWith('second', keyOf(p, r))
  await assert.rejects(ca.issue(shared), { code: 'KEY_WEAK', message: /shares a prime/ })
  await assert.rejects(ca.issue({ ...shared, reference: 'third' }), { code: 'KEY_WEAK' })
  assert.equal((await database.db.selectFrom('ca_weak_key').selectAll().execute()).length, 1)
  // The same key again is no weakness, and neither is a sound one.
  await ca.issue(await requestWith('again', keyOf(p, q)))
  await ca.issue(await requestWith('sound', await generateKey('rsa-2048')))
  assert.equal(await ca.findByReference('second'), undefined)
})

test('close primes and small exponents are refused', { timeout: 120_000 }, async (t) => {
  const { ca } = await caWorld(t, await emptyDatabase(t))
  const p = prime()
  let q = p + 2n
  while (!isProbablePrime(q) || (q - 1n) % exponent === 0n) q += 2n
  await assert.rejects(ca.issue(await requestWith('close', keyOf(p, q))), { code: 'KEY_WEAK', message: /close|factor/i })
  let [a, b] = [prime(), prime()]
  while (a % 3n !== 2n) a = prime()
  while (b % 3n !== 2n) b = prime()
  await assert.rejects(ca.issue(await requestWith('exponent', keyOf(a, b, 3n))), { code: 'KEY_WEAK', message: /exponent/i })
})

/** Fermat's test to the base 2: enough for a number chosen here. */
function isProbablePrime(n: bigint): boolean {
  let [result, base] = [1n, 2n]
  for (let left = n - 1n; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * base) % n
    base = (base * base) % n
  }
  return result === 1n
}

test('keys on a list of broken ones are refused; a folder without lists stops the start', async (t) => {
  const folder = await tempFolder(t, 'blocklist')
  await assert.rejects(blocklistIn(folder), { code: 'SETTINGS_INVALID' })
  await assert.rejects(blocklistIn(join(folder, 'away')), { code: 'SETTINGS_INVALID' })
  const broken = await generateKey('rsa-2048')
  // As Debian's package was made: the end of the SHA-1 over what openssl prints.
  const modulus = execFileSync('openssl', ['rsa', '-noout', '-modulus'], { input: broken, encoding: 'utf8', stdio: 'pipe' })
  await writeFile(join(folder, 'blacklist.RSA-2048'), `# broken keys\n${createHash('sha1').update(modulus).digest('hex').slice(20)}\n`)
  const { ca } = await caWorld(t, await emptyDatabase(t), { blocklist: await blocklistIn(folder) })
  await assert.rejects(ca.issue(await requestWith('listed', broken)), { code: 'KEY_WEAK' })
  await ca.issue(await requestWith('sound', await generateKey('rsa-2048')))
  await writeFile(join(folder, 'blacklist.RSA-4096'), 'nonsense\n')
  await assert.rejects(blocklistIn(folder), { code: 'SETTINGS_INVALID', message: /Line 1/ })
})

test('a CA with a weak key may be known, but is not taken over to sign', async (t) => {
  const { ca } = await caWorld(t, await emptyDatabase(t))
  const folder = await tempFolder(t, 'weak-ca')
  execFileSync('openssl', ['req', '-x509', '-nodes', '-newkey', 'rsa:1024', '-keyout', join(folder, 'key'), '-out', join(folder, 'ca'), '-subj', '/CN=Weak CA', '-days', '36500', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'], { stdio: 'pipe' })
  const [certificatesPem, keyPem] = [await readFile(join(folder, 'ca'), 'utf8'), await readFile(join(folder, 'key'), 'utf8')]
  await assert.rejects(ca.issuerService.import({ name: 'Weak CA', certificatesPem, keyPem }), { code: 'KEY_WEAK', message: /1024/ })
  assert.equal((await ca.issuers()).length, 2)
  assert.equal((await ca.issuerService.import({ name: 'Weak CA', certificatesPem, keyPem: null })).keySource, 'outside')
})
