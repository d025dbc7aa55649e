import assert from 'node:assert/strict'
import { CertloopError, deploymentTimingDefault, type ActionId, type ConfigurationInput } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { listDeployments } from '../deployment/deployment-store.ts'
import { countOrders, listOrders } from '../order/order-store.ts'
import { makeWorld, place, type World } from '../world-testing.ts'
import { cancelAction } from './action-cancel.ts'
import { getAction } from './action-store.ts'

const cancel = (w: World, id: ActionId) => w.database.transaction((tx, wake) => cancelAction(tx, wake, id, 'user:test', w.now()))
const state = async (w: World, id: ActionId) => (await getAction(w.database.db, id)).state
const refused = (message: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && message.test(error.message)
const later: ConfigurationInput['deployment'] = { ...deploymentTimingDefault, when: 'at', at: '2026-06-01T02:00' }

testOnDatabases('an order that no bot has begun is cancelled; one that the authority is issuing is waited for, and its version kept', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('order.example', [a, b])
  const action = await w.start(id, 'rotate')
  await w.runBot(a)
  const issue = w.localCa.issue.bind(w.localCa)
  let asked: Awaited<ReturnType<typeof cancel>> | undefined
  w.localCa.issue = async (options) => {
    asked ??= await cancel(w, action.id)
    return issue(options)
  }
  await w.settle()
  assert.deepEqual([asked?.state, asked?.nextAction], ['ordering', 'It is being cancelled: what is under way ends first.'])
  const ended = await getAction(database.db, action.id)
  assert.deepEqual([ended.state, ended.error], ['cancelled', null])
  assert.match(ended.reason ?? '', /What had been submitted was issued and is kept/)
  assert.deepEqual((await listOrders(database.db, { certificateId: id, limit: 9 })).items.map((o) => o.state).toSorted(), ['cancelled', 'complete'])
  assert.deepEqual(await countOrders(database.db, { certificateId: id }), { pending: 0, processing: 0, uncertain: 0, complete: 1, failed: 0, cancelled: 1 })
  assert.equal((await countOrders(database.db, { search: 'order.ex' })).complete, 1)
  assert.deepEqual([(await w.detail(id)).versions.length, a.installed.size, b.done.length], [1, 0, 0])
  await assert.rejects(cancel(w, action.id), refused(/has ended/))
})

testOnDatabases('while it waits, it ends at once and stays not deployed', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('wait.example', [bot], { deployment: later, renewal: { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' } })
  await w.act(id, 'rotate')
  const served = bot.installed.get(place('wait.example').certificatePath)
  const action = await w.act(id, 'renew')
  assert.equal(action.state, 'waiting')
  await cancel(w, action.id)
  w.clock.pass(100 * 86_400)
  await w.settle()
  assert.deepEqual([await state(w, action.id), bot.installed.get(place('wait.example').certificatePath)], ['cancelled', served])
})

testOnDatabases('deployments: what is planned is cancelled, what a bot works on is stopped, and the action ends after both', async (t, database) => {
  const w = await makeWorld(t, database)
  const [a, b] = [await w.addBot('a'), await w.addBot('b')]
  const id = await w.configured('stop.example', [a, b])
  await w.act(id, 'rotate')
  a.silent.add('plan-deployment')
  b.silent.add('deploy')
  const action = await w.start(id, 'deploy')
  await w.settle()
  const asked = await cancel(w, action.id)
  assert.equal(asked.state, 'deploying', 'a bot is at work still')
  const states = async () => (await listDeployments(database.db, { certificateId: id, limit: 2 })).items.map((d) => d.state).toSorted()
  assert.deepEqual(await states(), ['cancelled', 'pending'])
  await cancel(w, action.id)
  b.silent.clear()
  b.answers.set('deploy', { outcome: 'rolled-back', touched: true, error: { code: 'DEPLOYMENT_CANCELLED', message: 'It was stopped.', facts: {} }, differences: [], inspection: null, log: [] })
  w.clock.pass(120)
  await w.settle()
  assert.equal(await state(w, action.id), 'cancelled')
  assert.ok((await states()).every((each) => ['cancelled', 'rolled-back'].includes(each)))
})

testOnDatabases('checks, and a question to the authority that nobody has asked yet', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('check.example', [bot])
  await w.act(id, 'rotate')
  const check = await w.start(id, 'recheck-pinning')
  await cancel(w, check.id)
  await w.settle()
  assert.deepEqual([await state(w, check.id), bot.done.some(({ kind }) => kind === 'inspect-target')], ['cancelled', false])
  const revoke = await w.start(id, 'revoke')
  await cancel(w, revoke.id)
  await w.settle()
  assert.deepEqual([await state(w, revoke.id), (await w.detail(id)).status], ['cancelled', 'deployed'])
  const second = await w.start(id, 'revoke')
  await database.db.updateTable('task').set({ state: 'leased', attempts: 1, leaseUntil: w.now().toISOString() }).where('subject', '=', second.id).where('kind', '=', 'revoke-version').execute()
  await assert.rejects(cancel(w, second.id), refused(/being asked/))
  w.clock.pass(60)
  await w.settle()
  assert.equal(await state(w, second.id), 'done')
})

testOnDatabases('a re-enrolment of the schedule takes its child with it', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('child.example', [bot], { renewal: { enabled: true, method: 're-enrol', daysBefore: 30, time: '03:00', zone: 'UTC' } })
  await w.act(id, 'rotate')
  w.clock.pass((Date.parse((await w.detail(id)).nextRenewalAt ?? '') - w.now().getTime()) / 1000)
  await w.runPlane()
  const { lastAction, children } = await w.detail(id)
  assert.ok(lastAction?.kind === 're-enrol' && children[0])
  await cancel(w, lastAction.id)
  await w.settle()
  assert.deepEqual([await state(w, lastAction.id), (await w.detail(children[0].id)).lastAction?.state, (await w.detail(id)).configuration?.targets.length], ['cancelled', 'cancelled', 1])
})

testOnDatabases('a re-enrolment that is cancelled when its child has been issued hands nothing over, and keeps what was issued', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('late.example', [bot], { renewal: { enabled: true, method: 're-enrol', daysBefore: 30, time: '03:00', zone: 'UTC' } })
  await w.act(id, 'rotate')
  w.clock.pass((Date.parse((await w.detail(id)).nextRenewalAt ?? '') - w.now().getTime()) / 1000)
  const advance = w.planeKinds['advance-action']
  assert.ok(advance)
  // The parent is not looked at before somebody has cancelled it.
  w.planeKinds['advance-action'] = { ...advance, run: async (task, signal) => {
    const action = await getAction(database.db, task.subject as ActionId)
    if (action.kind === 're-enrol' && action.childId && (await w.detail(action.childId)).lastAction?.state === 'done') await cancel(w, action.id)
    return advance.run(task, signal)
  } }
  await w.settle()
  const { lastAction, children, configuration } = await w.detail(id)
  assert.deepEqual([lastAction?.kind, lastAction?.state, configuration?.targets.length, configuration?.renewal.enabled], ['re-enrol', 'cancelled', 1, true])
  assert.match(lastAction?.reason ?? '', /What was issued is kept at the certificate of its own; the targets stay here/)
  assert.equal((await w.detail(children[0]?.id ?? assert.fail('no child'))).versions.length, 1)
})
