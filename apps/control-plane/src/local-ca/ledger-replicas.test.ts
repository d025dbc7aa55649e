import assert from 'node:assert/strict'
import { tempFolder } from '@certloop/test-kit'
import { testOnDatabases } from '../database/database-testing.ts'
import { caStart, caWorld, serverRequest } from './ca-testing.ts'
import { changesSince, findIssued } from './issued-store.ts'
import { createLedger, recoverFromLedger } from './ledger.ts'

const now = () => caStart

testOnDatabases('what one replica revoked is not lost because another one, first to start after the backup was put back, went on counting', async (t, database) => {
  const folders = [await tempFolder(t, 'first'), await tempFolder(t, 'second')] as const
  const ledgers = folders.map((folder) => createLedger(folder, now))
  t.after(() => Promise.all(ledgers.map((ledger) => ledger.close())))
  const [first, second] = [await caWorld(t, database, { ledger: ledgers[0] ?? assert.fail() }), await caWorld(t, database, { ledger: ledgers[1] ?? assert.fail() })]
  const issue = async (reference: string) => {
    await first.ca.issue(await serverRequest(reference))
    return await findIssued(database.db, reference) ?? assert.fail()
  }
  const [lost, held, resumed, later, last] = [await issue('lost'), await issue('held'), await issue('resumed'), await issue('later'), await issue('last')]
  for (const folder of folders) await recoverFromLedger(folder, database, now)
  const { issuerId } = lost
  const backup = await database.db.selectFrom('ca_certificate').selectAll().execute()
  await second.ca.revocation.revoke(lost.id, { reason: 'keyCompromise' })
  await second.ca.revocation.suspend(held.id)
  await second.ca.revocation.suspend(resumed.id)
  await second.ca.revocation.resume(resumed.id)

  await database.transaction(async (tx) => {
    for (const { id, ...row } of backup) await tx.updateTable('ca_certificate').set(row).where('id', '=', id).execute()
    await tx.updateTable('ca_issuer').set({ changeNumber: 0 }).execute()
  })
  assert.equal(await recoverFromLedger(folders[0], database, now), 0)
  for (const { id } of [later, last]) {
    await first.ca.revocation.suspend(id)
    await first.ca.revocation.resume(id)
    await first.ca.revocation.revoke(id, { reason: 'superseded' })
  }
  const { changeNumber: since } = await database.db.selectFrom('ca_issuer').select('changeNumber').where('id', '=', issuerId).executeTakeFirstOrThrow()
  assert.ok(await recoverFromLedger(folders[1], database, now) > 0)
  const status = async (reference: string) => (await findIssued(database.db, reference))?.status
  assert.deepEqual([await status('lost'), await status('held'), await status('resumed'), await status('later'), await status('last')], ['revoked', 'held', 'good', 'revoked', 'revoked'])
  // Those who watch the numbers, as caches of answers and delta lists do, see it.
  const seen = (await changesSince(database.db, { issuerId, shard: null, since, limit: 10, stillListedAt: new Date(0) })).map(({ serialNumber }) => serialNumber)
  assert.ok(seen.includes(lost.serialNumber) && seen.includes(held.serialNumber))
  for (const folder of folders) assert.equal(await recoverFromLedger(folder, database, now), 0)
  await first.ca.revocation.resume(held.id)
  assert.equal(await recoverFromLedger(folders[0], database, now), 0)
  await database.db.deleteFrom('ca_ledger_mark').execute()
  for (const folder of folders) await recoverFromLedger(folder, database, now)
  assert.deepEqual([await status('lost'), await status('resumed'), await status('later')], ['revoked', 'good', 'revoked'])
})
