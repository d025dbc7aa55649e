import assert from 'node:assert/strict'
import { deploymentTimingDefault, type ConfigurationInput, type DeploymentTiming } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { listEvents } from '../event/event-store.ts'
import { listOrders } from '../order/order-store.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { getAction } from './action-store.ts'

const day = 86_400
/** Sundays from 02:00 for two hours. The clock of the world begins on Sunday 2026-03-01 00:00. */
const sundays: DeploymentTiming = { ...deploymentTimingDefault, when: 'window', window: { frequency: 'weekly', weekday: 7, dayOfMonth: 1, time: '02:00', lengthMinutes: 120 } }
const bound = (deployment: DeploymentTiming, more: Partial<ConfigurationInput> = {}): Partial<ConfigurationInput> => ({ deployment, ...more })
/** Rotated once, renewed on the Monday after. */
async function renewed(w: World, name: string, changes: Partial<ConfigurationInput>) {
  const bot = await w.addBot(name)
  const id = await w.configured(name, [bot], changes)
  await w.act(id, 'rotate')
  w.clock.pass(day + 3600)
  return { bot, id, action: await w.act(id, 'renew') }
}
const deploys = (bot: { done: { kind: string }[] }) => bot.done.filter(({ kind }) => kind === 'deploy').length

testOnDatabases('what was renewed waits for its window, says so, and is deployed in it', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bot, id, action } = await renewed(w, 'window.example', bound(sundays))
  assert.equal(action.state, 'waiting')
  assert.ok(action.waitsUntil && action.waitsUntil >= '2026-03-08T02:00' && action.waitsUntil < '2026-03-08T04:00', action.waitsUntil ?? '')
  assert.match(action.reason ?? '', /^Waits until 2026-03-08 0\d:\d\d UTC\. .*window/)
  assert.ok(action.nextAction)
  const detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.nextAction, deploys(bot)], ['renewed-not-deployed', 'deploy', 1])
  assert.match(detail.statusReason, /Waits until 2026-03-08/)
  const [order] = (await listOrders(database.db, { certificateId: id, limit: 1 })).items
  assert.ok(order)
  w.clock.pass(3 * day)
  await w.settle()
  assert.equal(deploys(bot), 1, 'in the middle of the week nothing happens')
  w.clock.pass((Date.parse(action.waitsUntil) - w.now().getTime()) / 1000)
  await w.settle()
  assert.deepEqual([(await getAction(database.db, action.id)).state, deploys(bot), (await w.detail(id)).status], ['done', 2, 'deployed'])
})

testOnDatabases('by hand it is deployed now: the waiting ends, and nothing is deployed twice', async (t, database) => {
  const w = await makeWorld(t, database)
  const { bot, id, action } = await renewed(w, 'now.example', bound(sundays))
  assert.deepEqual((await w.detail(id)).actions.filter((a) => a.possible).map((a) => a.action), ['deploy', 'rotate', 'rekey', 'revoke', 'suspend'])
  assert.equal((await w.act(id, 'deploy')).state, 'done')
  const waited = await getAction(database.db, action.id)
  assert.deepEqual([waited.state, waited.reason], ['cancelled', 'It waited for its time; "deploy" was started by user:test instead.'])
  assert.deepEqual([deploys(bot), (await w.detail(id)).status], [2, 'deployed'])
  w.clock.pass(14 * day)
  await w.settle()
  assert.equal(deploys(bot), 2)
})

testOnDatabases('a configuration saved while an action waits counts at once: a later window, none any more, or no deployment at all', async (t, database) => {
  const w = await makeWorld(t, database)
  const first = await renewed(w, 'later.example', bound(sundays))
  const saturdays = { ...sundays, window: sundays.window && { ...sundays.window, weekday: 6 } }
  await w.save(first.id, await w.configurationWith([w.target(first.bot, 'later.example')], bound(saturdays)))
  await w.settle()
  assert.match((await getAction(database.db, first.action.id)).waitsUntil ?? '', /^2026-03-07T0[23]/)
  await w.save(first.id, await w.configurationWith([w.target(first.bot, 'later.example')]))
  await w.settle()
  assert.deepEqual([(await getAction(database.db, first.action.id)).state, deploys(first.bot)], ['done', 2])

  const second = await renewed(w, 'off.example', bound(sundays))
  await w.save(second.id, await w.configurationWith([w.target(second.bot, 'off.example')], bound(sundays, { deployAfterRenewal: false })))
  await w.settle()
  const ended = await getAction(database.db, second.action.id)
  assert.deepEqual([ended.state, ended.reason, deploys(second.bot)], ['done', 'Renewed; deployment after renewal is off.', 1])
  const { status, statusReason, nextAction } = await w.detail(second.id)
  assert.deepEqual([status, nextAction], ['renewed-not-deployed', 'deploy'])
  assert.match(statusReason, /has an earlier version/)
  assert.equal((await w.act(second.id, 'deploy')).state, 'done')
  assert.equal((await w.detail(second.id)).status, 'deployed')
})

testOnDatabases('little before the end it is deployed against its window, and the timeline says so', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const csr = { commonName: null, names: [], keyAlgorithm: 'ec-256' as const, keyReuse: false, validityDays: 4 }
  const id = await w.configured('end.example', [bot], bound({ ...sundays, beforeExpiryDays: 1 }, { csr, renewal: { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' } }))
  await w.act(id, 'rotate')
  w.clock.pass(day + 3600)
  const action = await w.act(id, 'renew')
  assert.ok(action.state === 'waiting' && action.waitsUntil && action.waitsUntil < '2026-03-04', action.waitsUntil ?? action.state)
  w.clock.pass((Date.parse(action.waitsUntil) - w.now().getTime()) / 1000)
  await w.settle()
  assert.equal((await getAction(database.db, action.id)).state, 'done')
  const told = (await listEvents(database.db, { certificateId: id }, 100)).find((e) => e.kind === 'action.window-overridden')
  assert.match(told?.message ?? '', /windows and freeze periods do not hold it back/)
})

testOnDatabases('renew keeps the key as configured, regenerate never does; both say what they take the place of', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const csr = { commonName: null, names: [], keyAlgorithm: 'ec-256' as const, keyReuse: true, validityDays: 90 }
  const id = await w.configured('key.example', [bot], { csr })
  await assert.rejects(w.start(id, 'renew'), /order or rotate it first/)
  await w.act(id, 'rotate')
  const [first] = (await w.detail(id)).versions
  const asked = async () => bot.done.filter(({ kind }) => kind === 'make-csr').map(({ payload }) => (payload as { reuseKeyId: string | null }).reuseKeyId !== null)
  await w.act(id, 'renew')
  await w.act(id, 'regenerate')
  assert.deepEqual(await asked(), [false, true, false])
  const orders = await database.db.selectFrom('certificateOrder').select(['replacesVersionId']).where('certificateId', '=', id).orderBy('id').execute()
  const versions = (await w.detail(id)).versions
  assert.deepEqual(orders.map((o) => o.replacesVersionId), [null, first?.id, versions[1]?.id])
})
