import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { newId, sha256Hex, type KeyAlgorithm, type OrderId } from '@certloop/contract'
import { readCsr } from '@certloop/pki'
import { tempFolder } from '@certloop/test-kit'
import { createKeyStore } from './key-store.ts'

async function store(t: TestContext) {
  const folder = join(await tempFolder(t), 'keys')
  return { folder, keys: createKeyStore({ folder, now: () => new Date() }) }
}
const order = (orderId: OrderId, keyAlgorithm: KeyAlgorithm = 'ec-256') => ({ orderId, commonName: null, names: ['shop.example'], keyAlgorithm, reuseKeyId: null })
const spki = (pem: string) => createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('hex')

test('the key stays in a file for its owner alone; the CSR is its own', async (t) => {
  const { folder, keys } = await store(t)
  const { keyId, csrPem } = await keys.csrFor(order(newId('ord', new Date())))
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
  assert.equal((await stat(join(folder, `${keyId}.pem`))).mode & 0o777, 0o600)
  const pem = await keys.privateKeyPem(keyId)
  assert.match(pem, /^-----BEGIN PRIVATE KEY-----/)
  assert.deepEqual(readCsr(csrPem).names, ['shop.example'])
  assert.equal(readCsr(csrPem).spkiDigest, sha256Hex(Buffer.from(spki(pem), 'hex')))
  assert.doesNotMatch(csrPem, /PRIVATE/)
})

test('what the request asks for besides names and key is in the CSR, and words that there are not are refused', async (t) => {
  const { keys } = await store(t)
  const request = { subject: { country: 'DE', organization: 'Ex' }, signatureAlgorithm: 'sha384' as const, keyUsages: ['digitalSignature'], extendedKeyUsages: ['serverAuth', '1.3.6.1.4.1.311.20.2.2'], mustStaple: true }
  const csr = readCsr((await keys.csrFor({ ...order(newId('ord', new Date())), commonName: 'shop.example', request })).csrPem)
  assert.deepEqual([csr.subject, csr.signatureAlgorithm, csr.keyUsage?.usages, csr.extendedKeyUsage?.usages, csr.mustStaple], ['CN=shop.example,O=Ex,C=DE', 'ecdsa-with-SHA384', ['digitalSignature'], ['serverAuth', '1.3.6.1.4.1.311.20.2.2'], true])
  const plain = readCsr((await keys.csrFor({ ...order(newId('ord', new Date())), request: { signatureAlgorithm: null } })).csrPem)
  assert.deepEqual([plain.subject, plain.keyUsage, plain.extendedKeyUsage, plain.mustStaple], ['', null, null, false])
  for (const wrong of [{ keyUsages: ['everything'] }, { extendedKeyUsages: ['webAuth'] }]) await assert.rejects(keys.csrFor({ ...order(newId('ord', new Date())), request: wrong }), { code: 'INPUT_INVALID' })
})

test('the same order gets the same key: again, at once, and from another process', async (t) => {
  const { folder, keys } = await store(t)
  const orderId = newId('ord', new Date())
  const both = await Promise.all([keys.csrFor(order(orderId)), keys.csrFor(order(orderId))])
  const later = await createKeyStore({ folder, now: () => new Date() }).csrFor(order(orderId))
  assert.equal(new Set([...both, later].map((r) => r.keyId)).size, 1)
  assert.equal((await readdir(folder)).filter((name) => name.endsWith('.pem')).length, 1)
  assert.notEqual((await keys.csrFor(order(newId('ord', new Date())))).keyId, later.keyId)
})

test('another algorithm or a lost key file means a new key', async (t) => {
  const { folder, keys } = await store(t)
  const orderId = newId('ord', new Date())
  const first = await keys.csrFor(order(orderId))
  const second = await keys.csrFor(order(orderId, 'ec-384'))
  assert.notEqual(second.keyId, first.keyId)
  await rm(join(folder, `${second.keyId}.pem`))
  assert.notEqual((await keys.csrFor(order(orderId, 'ec-384'))).keyId, second.keyId)
})

test('a key is used again only when it is there', async (t) => {
  const { folder, keys } = await store(t)
  const { keyId } = await keys.csrFor(order(newId('ord', new Date())))
  assert.equal((await keys.csrFor({ ...order(newId('ord', new Date())), reuseKeyId: keyId })).keyId, keyId)
  const missing = newId('key', new Date())
  await assert.rejects(keys.csrFor({ ...order(newId('ord', new Date())), reuseKeyId: missing }), { code: 'KEY_NOT_FOUND', message: new RegExp(missing) })
  await writeFile(join(folder, '..', 'outside.pem'), 'not a key of the store')
  await assert.rejects(keys.privateKeyPem('key_/../../outside'), { code: 'KEY_NOT_FOUND' })
})

test('a folder that can not be written is KEY_NOT_MADE and leaves no part of a key', async (t) => {
  const { folder, keys } = await store(t)
  await writeFile(folder, 'a file in the way')
  await assert.rejects(keys.csrFor(order(newId('ord', new Date()))), { code: 'KEY_NOT_MADE' })
  await rm(folder)
  await mkdir(folder)
  await chmod(folder, 0o755)
  await keys.csrFor(order(newId('ord', new Date())))
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
})
