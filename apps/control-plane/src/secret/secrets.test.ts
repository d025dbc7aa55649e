import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listDataKeys } from './data-key-store.ts'
import { createSecrets, masterKeyIdOf } from './secrets.ts'

const now = () => new Date('2026-03-01T12:00:00.000Z')

testOnDatabases('a sealed secret opens with its binding alone, also after a restart', async (_t, database) => {
  const masterKey = randomBytes(32)
  const secrets = await createSecrets({ database, masterKey, now })
  const sealed = secrets.seal('a password', 'vault:1:token')
  assert.ok(!sealed.includes('password') && !Buffer.from(sealed, 'base64url').includes('password'))
  assert.notEqual(secrets.seal('a password', 'vault:1:token'), sealed)
  assert.equal(secrets.open(sealed, 'vault:1:token').toString(), 'a password')
  assert.throws(() => secrets.open(sealed, 'vault:2:token'), { code: 'SECRET_UNREADABLE' })
  const restarted = await createSecrets({ database, masterKey, now })
  assert.equal(restarted.open(sealed, 'vault:1:token').toString(), 'a password')
  assert.equal((await listDataKeys(database.db)).length, 1)
})

testOnDatabases('neither data key nor master key is readable in the database', async (_t, database) => {
  const masterKey = randomBytes(32)
  await createSecrets({ database, masterKey, now })
  const rows = JSON.stringify(await listDataKeys(database.db))
  for (const form of ['hex', 'base64', 'base64url'] as const) assert.ok(!rows.includes(masterKey.toString(form)))
})

testOnDatabases('another master key is refused and nothing is made', async (_t, database) => {
  await createSecrets({ database, masterKey: randomBytes(32), now })
  const before = await listDataKeys(database.db)
  await assert.rejects(createSecrets({ database, masterKey: randomBytes(32), now }), { code: 'MASTER_KEY_MISSING' })
  assert.deepEqual(await listDataKeys(database.db), before)
})

testOnDatabases('replicas that start at once agree on one data key', async (_t, database) => {
  const masterKey = randomBytes(32)
  const replicas = await Promise.all(Array.from({ length: 6 }, () => createSecrets({ database, masterKey, now })))
  assert.equal((await listDataKeys(database.db)).length, 1)
  const sealed = replicas.map((secrets, i) => secrets.seal(`secret ${i}`, 'row:1'))
  for (const secrets of replicas) sealed.forEach((text, i) => assert.equal(secrets.open(text, 'row:1').toString(), `secret ${i}`))
})

testOnDatabases('rotation re-wraps data keys: sealed texts stay, the old master key opens nothing', async (_t, database) => {
  const [oldKey, newKey, third] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const secrets = await createSecrets({ database, masterKey: oldKey, now })
  const sealed = secrets.seal(Buffer.from([0, 1, 2, 255]), 'row:1')
  await secrets.rotateMasterKey(newKey)
  assert.deepEqual([...secrets.open(sealed, 'row:1')], [0, 1, 2, 255])
  assert.equal((await listDataKeys(database.db))[0]?.masterKeyId, masterKeyIdOf(newKey))
  await assert.rejects(createSecrets({ database, masterKey: oldKey, now }), { code: 'MASTER_KEY_MISSING' })
  const after = await createSecrets({ database, masterKey: newKey, now })
  assert.deepEqual([...after.open(sealed, 'row:1')], [0, 1, 2, 255])
  await secrets.rotateMasterKey(third)
  await assert.rejects(after.rotateMasterKey(randomBytes(32)), { code: 'MASTER_KEY_MISSING' }) // it knows the second key only
  await assert.rejects(secrets.rotateMasterKey(randomBytes(16)), { code: 'SETTINGS_INVALID' })
  assert.equal((await createSecrets({ database, masterKey: third, now })).open(sealed, 'row:1').length, 4)
})

testOnDatabases('of rotations at the same moment one wins, and its key opens everything', async (_t, database) => {
  const masterKey = randomBytes(32)
  const replicas = await Promise.all(Array.from({ length: 4 }, () => createSecrets({ database, masterKey, now })))
  const sealed = replicas[0]?.seal('x', 'row:1') ?? ''
  const newKeys = replicas.map(() => randomBytes(32))
  const outcomes = await Promise.allSettled(replicas.map((secrets, i) => secrets.rotateMasterKey(newKeys[i] ?? masterKey)))
  const winners = newKeys.filter((_, i) => outcomes[i]?.status === 'fulfilled')
  assert.equal(winners.length, 1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') assert.match((outcome.reason as { code: string }).code, /^(?:CONFLICT|MASTER_KEY_MISSING)$/)
  assert.equal((await createSecrets({ database, masterKey: winners[0] ?? masterKey, now })).open(sealed, 'row:1').toString(), 'x')
})

test('a sealed text is written in one way only', async (t) => {
  const secrets = await createSecrets({ database: await emptyDatabase(t), masterKey: randomBytes(32), now })
  const sealed = secrets.seal('xy', 'row:1')
  for (const text of ['x', 'xy', 'xyz']) { // of three lengths in a row two leave bits of the last character unused
    const one = secrets.seal(text, 'row:1')
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (!one.endsWith(last)) assert.throws(() => secrets.open(one.slice(0, -1) + last, 'row:1'), { code: 'SECRET_UNREADABLE' })
    }
  }
  for (const other of [`${sealed}.x`, `${sealed}.`, `${sealed}=`, `${sealed}\n`, sealed.replace('s1', 's2'), '', 's1', 's1..']) assert.throws(() => secrets.open(other, 'row:1'), { code: 'SECRET_UNREADABLE' })
})

test('a secret of another database is refused', async (t) => {
  const masterKey = randomBytes(32)
  const one = await createSecrets({ database: await emptyDatabase(t), masterKey, now })
  const two = await createSecrets({ database: await emptyDatabase(t), masterKey, now: () => new Date('2027-01-01T00:00:00Z') })
  assert.throws(() => two.open(one.seal('x', 'row:1'), 'row:1'), { code: 'SECRET_UNREADABLE' })
})

test('property: what is sealed opens to the same bytes; any changed character is noticed', async (t) => {
  const secrets = await createSecrets({ database: await emptyDatabase(t), masterKey: randomBytes(32), now })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.nat(), fc.constantFrom('A', 'z', '0', '_', '.', '=', ' ', ''), (plaintext, binding, at, change) => {
    const sealed = secrets.seal(plaintext, binding)
    assert.deepEqual([...secrets.open(sealed, binding)], [...plaintext])
    assert.throws(() => secrets.open(sealed, `${binding}!`), { code: 'SECRET_UNREADABLE' })
    const i = at % sealed.length
    const changed = sealed.slice(0, i) + change + sealed.slice(i + 1)
    if (changed !== sealed) assert.throws(() => secrets.open(changed, binding), { code: 'SECRET_UNREADABLE' }, changed)
  }), { numRuns: 500 })
})
