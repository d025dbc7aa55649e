import assert from 'node:assert/strict'
import type { BulkChangeId, CertificateId } from '@certloop/contract'
import { dyingDatabase, isDeath, type Moment } from '../batch/dying-testing.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld } from '../world-testing.ts'
import { bulkCommands, createBulkChange } from './bulk-change.ts'
import { readBulkChange } from './bulk-view.ts'

const by = { requester: 'user:test', mayApprove: false }

testOnDatabases('a death at any commit: each certificate is changed once and given back once', async (t, database) => {
  const dying = dyingDatabase(database)
  const w = await makeWorld(t, dying.database)
  const bot = await w.addBot('a')
  const ids: CertificateId[] = [await w.configured('one.example', [bot]), await w.configured('two.example', [bot])]
  let deaths = 0
  const survive = async (n: number, moment: Moment, work: () => Promise<unknown>): Promise<boolean> => {
    let died = false
    dying.dieAt(n, moment)
    for (let next = work; ; next = () => w.runPlane()) {
      await next().catch((error: unknown) => { if (!isDeath(error)) throw error })
      if (dying.startAnew()) died = true
      else if (next !== work) return died
      w.clock.pass(120)
    }
  }
  const newest = async (): Promise<BulkChangeId | undefined> => (await database.db.selectFrom('bulkChange').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst())?.id
  const days = async () => Promise.all(ids.map(async (id) => (await w.detail(id)).configuration?.renewal.daysBefore))
  const told = async (kind: string, id: BulkChangeId) => (await database.db.selectFrom('event').select('message').where('kind', '=', kind).execute()).filter(({ message }) => message.includes(id)).length
  const command = (name: 'apply' | 'undo', id: BulkChangeId) => () => dying.database.transaction((tx, wake) => bulkCommands[name](tx, wake, id, by, w.now()))

  for (const moment of ['before', 'after'] as const) {
    for (let n = 1, died = true; died; n++) {
      const earlier = await newest()
      const when = `${moment} commit ${n}`
      died = await survive(n, moment, () => dying.database.transaction((tx, wake) => createBulkChange(tx, wake, { selection: { certificateIds: ids }, parts: { renewal: { daysBefore: 45 } } }, by, w.now())))
      const id = await newest()
      if (id === undefined || id === earlier) continue
      assert.deepEqual([(await readBulkChange(database.db, id)).state, (await readBulkChange(database.db, id)).counts.ready], ['previewed', 2], when)
      died = await survive(n, moment, command('apply', id)) || died
      if ((await readBulkChange(database.db, id)).state === 'previewed') await survive(1000, moment, command('apply', id))
      assert.deepEqual([(await readBulkChange(database.db, id)).counts.applied, await days(), await told('configuration.bulk-changed', id)], [2, [45, 45], 2], when)
      died = await survive(n, moment, command('undo', id)) || died
      if ((await readBulkChange(database.db, id)).state === 'applied') await survive(1000, moment, command('undo', id))
      assert.deepEqual([(await readBulkChange(database.db, id)).counts.undone, await days(), await told('configuration.bulk-undone', id)], [2, [30, 30], 2], when)
      if (died) deaths++
    }
  }
  t.diagnostic(`died in ${deaths} rounds`)
  assert.ok(deaths >= 6, `only ${deaths}`)
})
