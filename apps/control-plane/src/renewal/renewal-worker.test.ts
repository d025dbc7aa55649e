import assert from 'node:assert/strict'
import { errorSpecs } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { listDeployments } from '../deployment/deployment-store.ts'
import { listEvents } from '../event/event-store.ts'
import { listOrders } from '../order/order-store.ts'
import { makeWorld, type World } from '../world-testing.ts'

const day = 86_400
const actionsOf = async (w: World, id: `crt_${string}`) => (await w.database.db.selectFrom('action').select(['kind', 'requester', 'state']).where('certificateId', '=', id).orderBy('id').execute()).map((row) => ({ ...row }))
const due = async (w: World, id: `crt_${string}`) => (await w.detail(id)).nextRenewalAt
/** Moves the clock to the time that the certificate itself gives for its next renewal. */
async function passTo(w: World, text: string | null) {
  assert.ok(text)
  w.clock.pass((Date.parse(text) - w.now().getTime()) / 1000)
}
const down = { code: 'FILE_UNWRITABLE' as const, message: 'The disk is read-only.', facts: {} }

testOnDatabases('a renewal fires once, at its time, and sets the next', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('r.example', [bot])
  await w.act(id, 'rotate')
  const first = await due(w, id)
  assert.match(first ?? '', /T03:\d\d:\d\d\.000Z$/)
  assert.equal((await w.detail(id)).nextRenewals[0], first)
  await passTo(w, first)
  w.clock.pass(-1)
  await w.settle()
  assert.equal((await actionsOf(w, id)).length, 1, 'a second early nothing happens')
  w.clock.pass(1)
  await w.settle()
  assert.deepEqual((await actionsOf(w, id)).slice(1), [{ kind: 'renew', requester: 'schedule', state: 'done' }])
  const second = await due(w, id)
  assert.ok(second && first && second > first)
  await w.settle()
  w.clock.pass(3600)
  await w.settle()
  assert.equal((await actionsOf(w, id)).length, 2)
})

testOnDatabases('missed for ten days it is caught up once', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured('m.example', [await w.addBot('a')])
  await w.act(id, 'rotate')
  await passTo(w, await due(w, id))
  w.clock.pass(10 * day)
  await w.settle()
  assert.equal((await actionsOf(w, id)).length, 2)
  assert.equal((await w.detail(id)).status, 'deployed')
})

testOnDatabases('after a failure the next check counts; a renewal that can not be started does not run in circles', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('f.example', [bot])
  await w.act(id, 'rotate')
  bot.fails.set('make-csr', down)
  const first = await due(w, id)
  await passTo(w, first)
  await w.settle()
  const second = await due(w, id)
  assert.equal(Date.parse(second ?? '') - Date.parse(first ?? ''), day * 1000)
  assert.equal((await w.detail(id)).problem?.code, 'FILE_UNWRITABLE')
  await updateBot(database.db, bot.id, { revokedAt: w.now().toISOString() })
  await passTo(w, second)
  await w.settle()
  const third = await due(w, id)
  assert.equal(Date.parse(third ?? '') - Date.parse(second ?? ''), day * 1000)
  const detail = await w.detail(id)
  assert.match(detail.problem?.message ?? '', /revoked/)
  assert.equal(detail.problem?.code, 'CONFIGURATION_INCOMPLETE')
  assert.ok(errorSpecs.CONFIGURATION_INCOMPLETE)
  assert.deepEqual((await actionsOf(w, id)).map((a) => a.state), ['done', 'failed', 'failed'])
  assert.ok((await listEvents(database.db, { certificateId: id }, 200)).length < 40)
})

testOnDatabases('an issued renewal that could not be deployed is deployed again, not issued again', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('d.example', [bot])
  await w.act(id, 'rotate')
  bot.fails.set('deploy', down)
  await passTo(w, await due(w, id))
  await w.settle()
  assert.equal((await w.detail(id)).status, 'deployment-failed')
  const orders = (await listOrders(database.db, { certificateId: id, limit: 50 })).items.length
  bot.fails.clear()
  await passTo(w, await due(w, id))
  await w.settle()
  assert.deepEqual((await actionsOf(w, id)).at(-1), { kind: 'deploy', requester: 'schedule', state: 'done' })
  assert.equal((await listOrders(database.db, { certificateId: id, limit: 50 })).items.length, orders)
  assert.equal((await listDeployments(database.db, { certificateId: id, limit: 50 })).items.length, 3)
  assert.equal((await w.detail(id)).status, 'deployed')
})

testOnDatabases('a host whose renewal failed is renewed at the next check; the one that succeeded is left alone', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('h.example', [a, b])
  await w.act(id, 'rotate')
  b.fails.set('make-csr', down)
  const first = await due(w, id)
  await passTo(w, first)
  await w.settle()
  const count = (bot: typeof a) => bot.done.filter(({ kind }) => kind === 'deploy').length
  assert.deepEqual([count(a), count(b)], [2, 1])
  const second = await due(w, id)
  assert.equal(Date.parse(second ?? '') - Date.parse(first ?? ''), day * 1000)
  b.fails.clear()
  await passTo(w, second)
  await w.settle()
  assert.deepEqual([count(a), count(b)], [2, 2])
  assert.equal((await w.detail(id)).status, 'deployed')
  assert.ok(Date.parse(await due(w, id) ?? '') - w.now().getTime() > 30 * day * 1000)
})

testOnDatabases('nothing is renewed by itself without a host, as a draft, unmanaged, or while an action runs', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('n.example', [bot])
  await w.act(id, 'rotate')
  const at = await due(w, id)
  for (const input of [await w.configurationWith([]), await w.configurationWith([w.target(bot, 'n.example')], { complete: false }), await w.configurationWith([w.target(bot, 'n.example')], { renewal: { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' } })]) {
    await w.save(id, input)
    assert.deepEqual([await due(w, id), (await w.detail(id)).nextRenewals], [null, []])
  }
  await w.save(id, await w.configurationWith([w.target(bot, 'n.example')]))
  assert.equal(await due(w, id), at)
  bot.silent.add('inspect-target')
  await passTo(w, at)
  w.clock.pass(-30)
  await w.act(id, 'recheck-pinning')
  w.clock.pass(30)
  await w.settle()
  assert.equal((await actionsOf(w, id)).length, 2, 'it waits for the end of the action')
  bot.silent.clear()
  w.clock.pass(61)
  await w.settle()
  assert.deepEqual((await actionsOf(w, id)).map((a) => a.requester), ['user:test', 'user:test', 'schedule'])
})

testOnDatabases('time alone makes a certificate expiring and expired', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('e.example', [bot], { renewal: { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' } })
  await w.act(id, 'rotate')
  const statusAt = async (secondsBeforeEnd: number) => {
    w.clock.pass((Date.parse((await w.detail(id)).notAfter ?? '') - w.now().getTime()) / 1000 - secondsBeforeEnd)
    await w.settle()
    return (await w.detail(id)).status
  }
  assert.deepEqual([await statusAt(30 * day + 60), await statusAt(30 * day - 60), await statusAt(60), await statusAt(-60)], ['deployed', 'expiring', 'expiring', 'expired'])
})
