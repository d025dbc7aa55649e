import assert from 'node:assert/strict'
import { CertloopError, type BulkChangeId, type BulkItemState, type BulkParts, type CertificateId, type Selection } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { failTask, leaseTasks } from '../task/task-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { bulkCommands, createBulkChange } from './bulk-change.ts'
import { listBulkChanges, listBulkItems, readBulkChange } from './bulk-view.ts'

const by = { requester: 'user:test', mayApprove: false }
const begin = async (w: World, selection: Selection, parts: BulkParts): Promise<BulkChangeId> => {
  const id = await w.database.transaction((tx, wake) => createBulkChange(tx, wake, { selection, parts }, by, w.now()))
  await w.runPlane()
  return id
}
const command = async (w: World, name: keyof typeof bulkCommands, id: BulkChangeId) => {
  await w.database.transaction((tx, wake) => bulkCommands[name](tx, wake, id, { requester: 'user:other', mayApprove: false }, w.now()))
  await w.runPlane()
}
const view = (w: World, id: BulkChangeId) => readBulkChange(w.database.db, id)
const itemsOf = async (w: World, id: BulkChangeId, state?: BulkItemState) => (await listBulkItems(w.database.db, id, { limit: 200, state })).items
const configurationOf = async (w: World, id: CertificateId) => (await w.detail(id)).configuration
const parts: BulkParts = { renewal: { daysBefore: 45 }, csr: { keyAlgorithm: 'rsa-3072' }, rollback: false }

async function fleet(w: World, count: number): Promise<CertificateId[]> {
  const bot = await w.addBot('web-1')
  const ids: CertificateId[] = []
  for (let i = 0; i < count; i++) ids.push(await w.configured(`c${String(i).padStart(2, '0')}.example`, [bot]))
  return ids
}

testOnDatabases('previews each change, makes it, tells it on each timeline, and takes it back as a whole', async (t, database) => {
  const w = await makeWorld(t, database)
  const ids = await fleet(w, 60)
  const [first, same] = ids
  assert.ok(first && same)
  const earlier = await configurationOf(w, first)
  assert.ok(earlier)
  await w.save(same, await w.configurationWith([w.target(w.bots[0] ?? assert.fail(), 'c01.example')], { rollback: false, renewal: { enabled: true, daysBefore: 45, time: '03:00', zone: 'UTC' }, csr: { commonName: null, names: [], keyAlgorithm: 'rsa-3072', keyReuse: false, validityDays: 90 } }))
  const before = await database.db.selectFrom('configuration').selectAll().orderBy('certificateId').execute()
  const id = await begin(w, { search: 'example' }, parts)
  assert.deepEqual(await database.db.selectFrom('configuration').selectAll().orderBy('certificateId').execute(), before, 'a preview changes nothing')
  const previewed = await view(w, id)
  assert.deepEqual([previewed.state, previewed.total, previewed.counts.ready, previewed.counts.unchanged], ['previewed', 60, 59, 1])
  const [item] = await itemsOf(w, id)
  assert.deepEqual(item?.changes.toSorted((a, b) => (a.field < b.field ? -1 : 1)), [
    { field: 'csr.keyAlgorithm', before: 'ec-256', after: 'rsa-3072' }, { field: 'renewal.daysBefore', before: 30, after: 45 }, { field: 'rollback', before: true, after: false },
  ])
  w.clock.pass(60)
  await command(w, 'apply', id)
  const applied = await view(w, id)
  assert.deepEqual([applied.state, applied.counts.applied, applied.counts.unchanged, applied.endedAt !== null], ['applied', 59, 1, true])
  const changed = await configurationOf(w, first)
  assert.deepEqual([changed?.renewal.daysBefore, changed?.csr.keyAlgorithm, changed?.rollback, changed?.renewal.time, changed?.targets[0]?.id], [45, 'rsa-3072', false, '03:00', earlier.targets[0]?.id])
  const told = await listEvents(database.db, { certificateId: first }, 10)
  assert.ok(told.some(({ message, requester }) => message.includes(id) && message.includes('renewal.daysBefore 30 → 45') && requester === 'user:other'), JSON.stringify(told))
  w.clock.pass(60)
  await command(w, 'undo', id)
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.undone], ['undone', 59])
  const back = await configurationOf(w, first)
  assert.deepEqual({ ...back, updatedAt: '' }, { ...earlier, updatedAt: '' })
  await assert.rejects(command(w, 'undo', id), { code: 'ACTION_NOT_POSSIBLE' })
  assert.deepEqual((await listBulkChanges(database.db, { limit: 10 })).items.map((each) => each.id), [id])
})

testOnDatabases('lists conflicts with their fields, and leaves them alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const [good, busy] = await fleet(w, 2)
  assert.ok(good && busy)
  const bare = await w.addCertificate(['bare.example'])
  await w.start(busy, 'recheck-pinning')
  const id = await begin(w, { certificateIds: [good, busy, bare] }, { renewal: { zone: 'Europe/Berlin' } })
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.state, item.error?.code ?? null]), [['ready', null], ['conflict', 'ACTION_NOT_POSSIBLE'], ['conflict', 'CONFIGURATION_INCOMPLETE']])
  assert.match((await itemsOf(w, id, 'conflict'))[1]?.error?.message ?? '', /csr\/keyAlgorithm, .*renewal\/time/)
  const wrong = await begin(w, { certificateIds: [good] }, { renewal: { zone: 'Europe/Atlantis' }, authorityId: 'ath_11111111111111111111111111' })
  const [item] = await itemsOf(w, wrong, 'conflict')
  assert.ok(item?.error)
  assert.deepEqual([item.error.code, item.changes], ['INPUT_INVALID', []])
  const fields = (item.error.facts['fields'] as string[]).join('; ')
  assert.match(fields, /body\.renewal\/zone: .*Europe\/Atlantis/)
  assert.match(fields, /body\.authorityId: there is no such authority/)
  await assert.rejects(command(w, 'apply', wrong), { code: 'ACTION_NOT_POSSIBLE' })
  assert.equal((await view(w, wrong)).state, 'previewed')
  await command(w, 'apply', id)
  assert.deepEqual([(await view(w, id)).counts.applied, (await view(w, id)).counts.conflict], [1, 2])
  await command(w, 'discard', wrong)
  assert.equal((await view(w, wrong)).state, 'discarded')
  for (const name of ['apply', 'undo', 'discard'] as const) await assert.rejects(command(w, name, wrong), { code: 'ACTION_NOT_POSSIBLE' })
})

testOnDatabases('what somebody changes in between is left alone, before the change and before the undo', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b, c] = await fleet(w, 3)
  assert.ok(a && b && c)
  const bot = w.bots[0] ?? assert.fail()
  const byHand = async (id: CertificateId, name: string) => {
    w.clock.pass(60)
    await w.save(id, await w.configurationWith([w.target(bot, name)], { renewal: { enabled: true, daysBefore: 7, time: '04:00', zone: 'UTC' } }))
  }
  const id = await begin(w, { certificateIds: [a, b, c] }, parts)
  await byHand(a, 'c00.example')
  w.clock.pass(60)
  await command(w, 'apply', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => item.state), ['changed-since', 'applied', 'applied'])
  assert.equal((await configurationOf(w, a))?.renewal.daysBefore, 7)
  await byHand(b, 'c01.example')
  await command(w, 'undo', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => item.state), ['changed-since', 'changed-since', 'undone'])
  assert.deepEqual([(await configurationOf(w, b))?.renewal.daysBefore, (await configurationOf(w, c))?.renewal.daysBefore], [7, 30])
})

testOnDatabases('what can not be taken back now says why, and is taken back when it is asked for again', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = await fleet(w, 2)
  assert.ok(a && b)
  const id = await begin(w, { certificateIds: [a, b] }, parts)
  await command(w, 'apply', id)
  await w.start(a, 'recheck-pinning')
  await command(w, 'undo', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.state, item.error?.code ?? null]), [['applied', 'ACTION_NOT_POSSIBLE'], ['undone', null]])
  await w.settle()
  await command(w, 'undo', id)
  assert.deepEqual([(await view(w, id)).state, (await view(w, id)).counts.undone], ['undone', 2])
})

testOnDatabases('parts that make a whole configuration take a bare certificate under management; the undo gives that back too', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.addCertificate(['bare.example'])
  await database.db.updateTable('certificate').set({ management: 'monitored' }).where('id', '=', id).execute()
  const { targets: _targets, csr: { names: _names, commonName: _name, ...csr }, ...rest } = await w.configurationWith([])
  const bulk = await begin(w, { certificateIds: [id] }, { ...rest, csr, complete: true })
  assert.deepEqual((await itemsOf(w, bulk)).map((item) => [item.state, item.error?.message]), [['ready', undefined]])
  await command(w, 'apply', bulk)
  assert.deepEqual([(await configurationOf(w, id))?.complete, (await w.detail(id)).management], [true, 'managed'])
  await command(w, 'undo', bulk)
  assert.deepEqual([await configurationOf(w, id), (await w.detail(id)).management], [null, 'monitored'])
})

testOnDatabases('one certificate that is deleted or breaks in between stops no other', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b, c] = await fleet(w, 3)
  assert.ok(a && b && c)
  await database.db.updateTable('configuration').set({ csr: 'broken' }).where('certificateId', '=', a).execute()
  const id = await begin(w, { certificateIds: [a, b, c] }, parts)
  assert.deepEqual((await itemsOf(w, id)).map((item) => item.state), ['failed', 'ready', 'ready'])
  await database.db.deleteFrom('certificate').where('id', '=', b).execute()
  await command(w, 'apply', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.state, item.error?.code ?? null]), [['failed', 'INTERNAL'], ['failed', 'NOT_FOUND'], ['applied', null]])
  await assert.rejects(begin(w, { certificateIds: [c] }, {}), { code: 'INPUT_INVALID' })
  await assert.rejects(begin(w, { search: 'no such thing' }, parts), { code: 'INPUT_INVALID' })
})

testOnDatabases('what failed is changed when it is applied again, also what a worker that broke down had not come to', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = await fleet(w, 2)
  assert.ok(a && b)
  const id = await begin(w, { certificateIds: [a, b] }, parts)
  await w.start(a, 'recheck-pinning')
  await command(w, 'apply', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.state, item.error?.code ?? null]), [['failed', 'ACTION_NOT_POSSIBLE'], ['applied', null]])
  await w.settle()
  await command(w, 'apply', id)
  assert.deepEqual((await itemsOf(w, id)).map((item) => [item.state, item.error?.code ?? null]), [['applied', null], ['applied', null]])
  await assert.rejects(command(w, 'apply', id), { code: 'ACTION_NOT_POSSIBLE' })

  const second = await begin(w, { certificateIds: [a, b] }, { renewal: { daysBefore: 20 } })
  await database.transaction((tx, wake) => bulkCommands.apply(tx, wake, second, by, w.now()))
  const [task] = await leaseTasks(database, 'control-plane', { owner: 'test', max: 1, seconds: 60 }, w.now())
  assert.ok(task)
  await database.transaction(async (tx, wake) => {
    await failTask(tx, task, new CertloopError('INTERNAL', 'It broke.').toWire(), w.now())
    await w.planeKinds['advance-bulk-change']?.failed(tx, wake, task, new CertloopError('INTERNAL', 'It broke.'))
  })
  assert.deepEqual([(await view(w, second)).state, (await view(w, second)).counts.failed, (await view(w, second)).counts.ready], ['applied', 2, 0])
  await command(w, 'apply', second)
  assert.deepEqual([(await view(w, second)).counts.applied, (await configurationOf(w, b))?.renewal.daysBefore], [2, 20])
})
