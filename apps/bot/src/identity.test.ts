import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newId } from '@certloop/contract'
import { tempFolder } from '@certloop/test-kit'
import { encryptionKeyPem, keyForJoining, loadEncryptionKey, loadIdentity, storeIdentity } from './identity.ts'

const answer = () => ({ botId: newId('bot', new Date()), name: 'web-1', purpose: 'both' as const, identityPem: 'pem' })
const place = { url: 'https://certloop.example', anchorPem: null }

test('a folder that never joined has no identity', async (t) => {
  assert.equal(await loadIdentity(await tempFolder(t)), undefined)
})

test('what was stored is read again, key and all, for the owner alone', async (t) => {
  const folder = await tempFolder(t)
  const key = await keyForJoining(folder)
  const { joined } = await storeIdentity(folder, key, place, answer())
  const loaded = await loadIdentity(folder)
  assert.equal(loaded?.joined.botId, joined.botId)
  assert.ok(loaded)
  assert.deepEqual(createPublicKey(loaded.key).export({ format: 'jwk' }), createPublicKey(key).export({ format: 'jwk' }))
  assert.deepEqual((await readdir(folder)).toSorted(), ['identity.json', 'identity.key'])
  for (const name of await readdir(folder)) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name)
  assert.doesNotMatch(await readFile(join(folder, 'identity.json'), 'utf8'), /PRIVATE/)
})

test('a joining tried again uses the same key', async (t) => {
  const folder = await tempFolder(t)
  const [first, second] = [await keyForJoining(folder), await keyForJoining(folder)]
  assert.ok(first.equals(second))
})

test('stopped between writing the identity and naming its key, the new identity holds', async (t) => {
  const folder = await tempFolder(t)
  await storeIdentity(folder, await keyForJoining(folder), place, answer())
  await copyFile(join(folder, 'identity.key'), join(folder, 'old.key'))
  const { joined } = await storeIdentity(folder, await keyForJoining(folder), place, answer())
  // Back to the instant between the two writes.
  await rename(join(folder, 'identity.key'), join(folder, 'identity-next.key'))
  await rename(join(folder, 'old.key'), join(folder, 'identity.key'))
  assert.equal((await loadIdentity(folder))?.joined.botId, joined.botId)
  assert.deepEqual((await readdir(folder)).toSorted(), ['identity.json', 'identity.key'])
})

test('a lost key or a spoilt file is said, not taken for "never joined"', async (t) => {
  const folder = await tempFolder(t)
  await storeIdentity(folder, await keyForJoining(folder), place, answer())
  await rm(join(folder, 'identity.key'))
  await assert.rejects(loadIdentity(folder), { code: 'BOT_NOT_JOINED', message: /identity\.key/ })
  for (const text of ['{', '{}', '{"format":1,"url":"https://x","anchorPem":null,"keyDigest":"a","joined":{}}']) {
    await writeFile(join(folder, 'identity.json'), text)
    await assert.rejects(loadIdentity(folder), { code: 'BOT_NOT_JOINED', message: /identity\.json can not be used/ }, text)
  }
})

test('the key for secrets is made once, for the owner alone; another bot gets another, and a damaged one is replaced', async (t) => {
  const folder = await tempFolder(t)
  await storeIdentity(folder, await keyForJoining(folder), place, answer())
  const path = join(folder, 'encryption.key')
  const key = await loadEncryptionKey(folder)
  assert.ok(key.equals(await loadEncryptionKey(folder)))
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.match(encryptionKeyPem(key), /^-----BEGIN PUBLIC KEY-----/)
  await storeIdentity(folder, await keyForJoining(folder), place, answer())
  const second = await loadEncryptionKey(folder)
  assert.ok(!second.equals(key))
  await writeFile(path, 'damaged')
  assert.ok(!(await loadEncryptionKey(folder)).equals(second))
})
