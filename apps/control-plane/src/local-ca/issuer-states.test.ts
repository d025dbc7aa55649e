import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '@certloop/test-kit'
import { sql } from 'kysely'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { caStart, caWorld, serverRequest } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'
import { getIssued } from './issued-store.ts'
import { getIssuer } from './issuer-store.ts'

/** An intermediate beside the one in use, and the row of its certificate. */
async function world(t: TestContext, database: Database, more: Parameters<typeof caWorld>[2] = {}) {
  const w = await caWorld(t, database, more)
  const root = issuerInSlot(await w.ca.issuers(), 'root')
  const spare = await w.ca.issuerService.create({ name: 'Spare CA', commonName: 'Spare CA', keyAlgorithm: 'ec-256', signedBy: root.id, validityDays: 1000, settings: { pathLength: 0 } })
  const { id } = await database.db.selectFrom('ca_certificate').select('id').where('reference', '=', `issuer:${spare.id}`).executeTakeFirstOrThrow()
  return { ...w, root, spare, row: await getIssued(database.db, id) }
}

const skip = process.env['CERTLOOP_TEST_POSTGRES'] || process.env['CI'] ? false : 'CERTLOOP_TEST_POSTGRES is not set'
for (const [name, change] of [['retired', 'retire'], ['put into use', 'takeSlot']] as const) {
  test(`an issuer that is ${name} while it is being revoked is revoked [postgresql]`, { skip }, async (t) => {
    const database = await emptyDatabase(t, 'postgresql')
    const isHeld = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const { ca, spare, row } = await world(t, database, { revocationChanged: async () => { isHeld.resolve(); await gate.promise } })
    const revoking = ca.revocation.revoke(row.id, { reason: 'cessationOfOperation' })
    await isHeld.promise
    const changing = ca.issuerService[change](spare.id)
    await eventually(async () => (await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(database.db)).rows[0]?.n === 1, { what: 'the other change to wait' })
    gate.resolve()
    await revoking
    await assert.rejects(changing, { code: change === 'retire' ? 'ACTION_NOT_POSSIBLE' : 'ISSUER_NOT_READY' })
    const after = await getIssuer(database.db, spare.id)
    assert.deepEqual([after.status, after.slot], ['revoked', null])
  })
}

testOnDatabases('what was revoked is certified by nobody again', async (t, database) => {
  const { ca, root, spare, row } = await world(t, database)
  const other = await ca.issuerService.create({ name: 'Other root', commonName: 'Other root', keyAlgorithm: 'ec-256', signedBy: 'self', validityDays: 1000 })
  await ca.revocation.revoke(row.id, { reason: 'cessationOfOperation' })
  for (const { id } of [root, other]) await assert.rejects(ca.issuerService.crossSign(spare.id, id, 100), { code: 'ACTION_NOT_POSSIBLE' })
  assert.equal((await getIssuer(database.db, spare.id)).certificates.length, 1)
})

test('a CA whose key is not here, or that has ended, is not put into use', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock, spare } = await world(t, database)
  const elsewhere = await world(t, await emptyDatabase(t))
  const { certificate } = elsewhere.spare
  const outside = await ca.issuerService.import({ name: 'Outside', certificatesPem: `${certificate?.certificatePem}${elsewhere.root.certificate?.certificatePem}`, keyPem: null })
  const inUse = issuerInSlot(await ca.issuers(), 'intermediate').id
  await assert.rejects(ca.issuerService.takeSlot(outside.id), { code: 'ISSUER_NOT_READY', message: /key .* is not here/ })
  clock.now = new Date(clock.now.getTime() + 1001 * 86_400_000)
  await assert.rejects(ca.issuerService.takeSlot(spare.id), { code: 'ISSUER_EXPIRED' })
  assert.equal(issuerInSlot(await ca.issuers(), 'intermediate').id, inUse)
  await ca.issue(await serverRequest('goes on'))
})

test('settings that change while lists are being made are in the lists that follow at once', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, spare } = await world(t, database)
  await database.db.updateTable('task').set({ state: 'leased' }).where('subject', '=', spare.id).execute()
  const { id } = await database.db.selectFrom('task').select('id').where('subject', '=', spare.id).executeTakeFirstOrThrow()
  const commit = await ca.crls.taskKind.run({ id, subject: spare.id } as never, new AbortController().signal)
  await ca.issuerService.configure(spare.id, { crlShards: 3 })
  await database.transaction((tx, wake) => commit(tx, wake))
  const task = await database.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  assert.deepEqual([task.state, task.notBefore], ['ready', caStart.toISOString()])
})
