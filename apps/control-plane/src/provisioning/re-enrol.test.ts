import assert from 'node:assert/strict'
import { CertloopError, type CertificateId, type ConfigurationInput } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { listOrders } from '../order/order-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { latestActions } from './action-store.ts'

const renewal: ConfigurationInput['renewal'] = { enabled: true, method: 're-enrol', daysBefore: 30, time: '03:00', zone: 'UTC' }
const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }

async function passTo(w: World, at: string | null) {
  assert.ok(at)
  w.clock.pass((Date.parse(at) - w.now().getTime()) / 1000)
}
async function rotated(w: World, name: string, changes: Partial<ConfigurationInput> = {}) {
  const [a, b] = [await w.addBot(`${name} a`), await w.addBot(`${name} b`)]
  const id = await w.configured(name, [a, b], { renewal, ...changes })
  assert.equal((await w.act(id, 'rotate')).state, 'done')
  return { id, a, b }
}
const childrenOf = async (w: World, id: CertificateId) => (await w.detail(id)).children
const targetCount = async (w: World, id: CertificateId) => (await w.detail(id)).configuration?.targets.length ?? 0

testOnDatabases('by the schedule the child is ordered, takes the targets over and is deployed; the parent says who', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id, a } = await rotated(w, 'parent.example')
  await passTo(w, (await w.detail(id)).nextRenewalAt)
  await w.settle()
  const parent = await w.detail(id)
  const [child, ...others] = parent.children
  assert.ok(child && others.length === 0)
  const after = await w.detail(child.id)
  assert.deepEqual([after.status, after.parent?.id, after.configuration?.targets.length, after.configuration?.renewal.enabled, after.names], ['deployed', id, 2, true, ['parent.example']])
  assert.deepEqual([parent.configuration?.targets.length, parent.configuration?.renewal.enabled, parent.nextRenewalAt, parent.installations.length], [0, false, null, 0])
  assert.deepEqual([parent.status, parent.nextAction], ['issued', null])
  assert.match(parent.statusReason, /"parent\.example" took its targets over/)
  assert.deepEqual([parent.lastAction?.kind, parent.lastAction?.state, parent.lastAction?.childId], ['re-enrol', 'done', child.id])
  assert.ok((await listEvents(database.db, { certificateId: id }, 100)).some((e) => e.kind === 'certificate.taken-over'))
  assert.ok((await listEvents(database.db, { certificateId: child.id }, 100)).some((e) => e.kind === 'certificate.took-over'))
  assert.notEqual(a.installed.get('/etc/ssl/parent.example.crt'), undefined)
  w.clock.pass(200 * 86_400)
  await w.settle()
  assert.match((await w.detail(id)).statusReason, /took its targets over/, 'its end is of no concern any more')
  assert.equal((await listOrders(database.db, { certificateId: id, limit: 9 })).items.length, 2, 'the parent orders no more')
  assert.equal((await childrenOf(w, id)).length, 1)
})

testOnDatabases('a host that fails: nothing moves, and the next attempt orders only what is missing, for the same child', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id, b } = await rotated(w, 'retry.example')
  b.fails.set('make-csr', down)
  await passTo(w, (await w.detail(id)).nextRenewalAt)
  await w.settle()
  const [child] = await childrenOf(w, id)
  assert.ok(child)
  assert.deepEqual([(await w.detail(id)).lastAction?.state, await targetCount(w, id), await targetCount(w, child.id)], ['failed', 2, 0])
  assert.equal((await w.detail(id)).problem?.code, 'FILE_UNWRITABLE')
  b.fails.clear()
  await passTo(w, (await w.detail(id)).nextRenewalAt)
  await w.settle()
  assert.deepEqual([(await childrenOf(w, id)).length, await targetCount(w, id), await targetCount(w, child.id), (await w.detail(child.id)).status], [1, 0, 2, 'deployed'])
  const orders = (await listOrders(database.db, { certificateId: child.id, limit: 9 })).items
  assert.deepEqual(orders.map((o) => o.state).toSorted(), ['complete', 'complete', 'failed'], 'the host that had issued was left alone')
})

testOnDatabases('dying between any two steps, and each step twice: one child, and the targets on one side', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id } = await rotated(w, 'crash.example')
  await passTo(w, (await w.detail(id)).nextRenewalAt)
  const transaction = database.transaction.bind(database)
  const check = async () => {
    const [child] = await childrenOf(w, id)
    const counts = [await targetCount(w, id), child ? await targetCount(w, child.id) : 0]
    assert.ok((await childrenOf(w, id)).length <= 1 && [[2, 0], [0, 2]].some((good) => String(good) === String(counts)), String(counts))
  }
  let turn = 1
  // Every second transaction, in no regular order, ends before its commit, as if the process had died there.
  database.transaction = async (work) => transaction(async (tx, wake) => {
    const result = await work(tx, wake)
    turn = (turn * 1_103_515_245 + 12_345) % 2 ** 31
    if (Math.floor(turn / 2 ** 16) % 2 === 0) throw new CertloopError('UNAVAILABLE', 'The process died.')
    return result
  })
  for (let round = 0; round < 60; round++) {
    for (const each of [w.runPlane, ...w.bots.map((bot) => () => w.runBot(bot))]) await each().catch(() => 0)
    w.clock.pass(30)
    await check()
  }
  database.transaction = transaction
  await w.settle()
  const [child] = await childrenOf(w, id)
  assert.ok(child)
  assert.equal((await w.detail(child.id)).status, 'deployed')
  assert.ok((await latestActions(database.db, child.id, 9)).every((action) => action.endedAt !== null))
  assert.equal((await database.db.selectFrom('ca_certificate').select('id').where('profile', '=', 'server').execute()).length, 4, 'two for the parent, two for the child, none twice')
})

testOnDatabases('by hand: a child with a draft; it takes the places over when its configuration is completed', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id, a, b } = await rotated(w, 'hand.example')
  const action = await w.act(id, 're-enrol')
  assert.deepEqual([action.state, await targetCount(w, id)], ['done', 2])
  const childId = action.childId
  assert.ok(childId)
  const draft = await w.detail(childId)
  assert.deepEqual([draft.configuration?.complete, draft.configuration?.renewal.enabled, draft.configuration?.targets.length, draft.parent?.id], [false, false, 0, id])
  const input = (complete: boolean, bots = [a, b]) => w.configurationWith(bots.map((bot) => w.target(bot, 'hand.example')), { renewal, complete })
  await assert.rejects(w.save(childId, await input(false)), /complete this configuration to take it over/)
  await w.save(childId, await input(true, [a]))
  assert.deepEqual([await targetCount(w, id), await targetCount(w, childId), (await w.detail(id)).configuration?.renewal.enabled], [1, 1, true], 'what it keeps it renews')
  await w.save(childId, await input(true))
  assert.deepEqual([await targetCount(w, id), await targetCount(w, childId), (await w.detail(id)).configuration?.renewal.enabled], [0, 2, false])
  assert.match((await w.detail(id)).statusReason, /took its targets over; deploy that one/)
  assert.equal((await w.act(childId, 'rotate')).state, 'done')
  assert.deepEqual([(await w.detail(childId)).status, (await w.detail(id)).installations.length], ['deployed', 0])
})

testOnDatabases('the child waits for the window of the configuration like any renewal', async (t, database) => {
  const w = await makeWorld(t, database)
  const deployment: ConfigurationInput['deployment'] = { when: 'window', at: null, zone: 'UTC', freezes: [], beforeExpiryDays: null, window: { frequency: 'monthly', weekday: 1, dayOfMonth: 20, time: '02:00', lengthMinutes: 60 } }
  const { id } = await rotated(w, 'slow.example', { deployment })
  await passTo(w, (await w.detail(id)).nextRenewalAt)
  await w.settle()
  const [child] = await childrenOf(w, id)
  assert.ok(child)
  const { status, lastAction } = await w.detail(child.id)
  assert.deepEqual([status, lastAction?.kind, lastAction?.state], ['renewed-not-deployed', 'deploy', 'waiting'])
  assert.match((await w.detail(id)).statusReason, /took its targets over; deploy that one/)
  await passTo(w, lastAction?.waitsUntil ?? null)
  await w.settle()
  assert.equal((await w.detail(child.id)).status, 'deployed')
})
