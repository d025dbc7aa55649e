import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { loadMasterKey, rotateMasterKeyFile } from './master-key.ts'
import { createSecrets } from './secrets.ts'

const now = () => new Date('2026-03-01T12:00:00.000Z')

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-master-key-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
const load = (dataFolder: string, database: Database, environmentKey?: string) => loadMasterKey({ dataFolder, database, environmentKey })

testOnDatabases('the first start makes master.key with mode 0600, the second finds it', async (t, database) => {
  const folder = await folderFor(t)
  const key = await load(folder, database)
  assert.equal(key.length, 32)
  assert.equal((await stat(join(folder, 'master.key'))).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(folder), ['master.key'])
  const secrets = await createSecrets({ database, masterKey: key, now })
  const sealed = secrets.seal('x', 'row:1')
  const again = await load(folder, database)
  assert.deepEqual(again, key)
  assert.equal((await createSecrets({ database, masterKey: again, now })).open(sealed, 'row:1').toString(), 'x')
})

testOnDatabases('a lost or exchanged key is not replaced by a new one', async (t, database) => {
  const folder = await folderFor(t)
  await createSecrets({ database, masterKey: await load(folder, database), now })
  const path = join(folder, 'master.key')
  await rename(path, join(folder, 'aside'))
  await assert.rejects(load(folder, database), { code: 'MASTER_KEY_MISSING', message: /neither/ })
  await writeFile(path, randomBytes(32).toString('base64'))
  await assert.rejects(load(folder, database), { code: 'MASTER_KEY_MISSING', message: /not the key/ })
  await rename(join(folder, 'aside'), path)
  await load(folder, database)
})

test('the environment wins over the file and is checked likewise', async (t) => {
  const folder = await folderFor(t)
  const database = await emptyDatabase(t)
  const key = randomBytes(32)
  assert.deepEqual(await load(folder, database, key.toString('base64')), key)
  assert.deepEqual(await readdir(folder), [])
  await createSecrets({ database, masterKey: key, now })
  assert.deepEqual(await load(folder, database, ` ${key.toString('base64')}\n`), key)
  assert.deepEqual(await load(folder, database, key.toString('base64url')), key, 'in the form that settings take too')
  await assert.rejects(load(folder, database, randomBytes(32).toString('base64')), { code: 'MASTER_KEY_MISSING' })
  for (const bad of ['short', randomBytes(31).toString('base64'), key.toString('hex'), `${key.toString('base64')}!`, `${'A'.repeat(42)}B`]) {
    await assert.rejects(load(folder, database, bad), { code: 'SETTINGS_INVALID', message: /CERTLOOP_MASTER_KEY/ })
  }
  await assert.rejects(load(folder, database), { code: 'MASTER_KEY_MISSING' })
})

test('a damaged file is said to be damaged, and stays', async (t) => {
  const folder = await folderFor(t)
  const path = join(folder, 'master.key')
  await writeFile(path, 'half a k')
  await assert.rejects(load(folder, await emptyDatabase(t)), { code: 'SETTINGS_INVALID' })
  assert.equal(await readFile(path, 'utf8'), 'half a k')
})

test('starts at the same moment in one folder get the same key', async (t) => {
  const folder = await folderFor(t)
  const database = await emptyDatabase(t)
  const keys = await Promise.all(Array.from({ length: 10 }, () => load(folder, database)))
  assert.equal(new Set(keys.map((key) => key.toString('hex'))).size, 1)
  assert.deepEqual(await readdir(folder), ['master.key'])
})

testOnDatabases('a rotation cut off at any point leaves a key that fits', async (t, database) => {
  const folder = await folderFor(t)
  const path = join(folder, 'master.key')
  const first = await load(folder, database)
  const secrets = await createSecrets({ database, masterKey: first, now })
  const sealed = secrets.seal('x', 'row:1')
  const opens = async () => (await createSecrets({ database, masterKey: await load(folder, database), now })).open(sealed, 'row:1').toString()

  // Cut off before the database changed: the next key lies there and does not fit.
  await writeFile(`${path}.next`, randomBytes(32).toString('base64'))
  assert.equal(await opens(), 'x')
  assert.deepEqual(await load(folder, database), first)

  // Cut off after the database changed: the old file is still in place.
  const next = randomBytes(32)
  await writeFile(`${path}.next`, next.toString('base64'), { mode: 0o600 })
  await secrets.rotateMasterKey(next)
  assert.equal(await opens(), 'x')
  assert.deepEqual([await readFile(path, 'utf8'), await readdir(folder)], [next.toString('base64'), ['master.key']])

  // Not cut off, though an earlier one left its key.
  await writeFile(`${path}.next`, randomBytes(32).toString('base64'))
  const third = await rotateMasterKeyFile(secrets, folder)
  assert.deepEqual([await load(folder, database), await readdir(folder)], [third, ['master.key']])
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal(await opens(), 'x')
})
