import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, type DeploymentId } from '@certloop/contract'
import { updateBot } from '../bot/bot-store.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { startHttp } from '../http/http-testing.ts'
import { registerRolloutRoutes } from './rollout-routes.ts'
import { makeFleet, states } from './rollout-testing.ts'
import { openRolloutOf, openRolloutOn } from './rollout.ts'
import { listRollouts, type RolloutQuery } from './rollout-view.ts'

const notPossible = (why: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && why.test(error.message)
const inOrder = { bots: 3, targets: 3, rollout: { mode: 'in-order' } } as const

testOnDatabases('paused in the middle of a wave: what runs ends, nothing begins; resumed, it goes on where it was', async (t, database) => {
  const w = await makeFleet(t, database, inOrder)
  w.botOf(1).silent.add('deploy')
  const { rollout } = await w.roll()
  assert.deepEqual(states(rollout), ['deployed', 'deploying', 'waiting'])
  const paused = await w.control('pause', rollout.id)
  assert.deepEqual([paused.state, paused.can], ['paused', ['resume', 'stop', 'undo']])
  assert.match(paused.nextAction ?? '', /1 deployment under way will end/)
  await assert.rejects(w.control('pause', rollout.id), notPossible(/paused already/))
  w.botOf(1).silent.clear()
  const ended = await w.pass(120)
  assert.deepEqual([ended.state, states(ended)], ['paused', ['deployed', 'deployed', 'waiting']])
  assert.ok(ended.deadline && ended.nextAction)
  const resumed = await w.control('resume', rollout.id)
  assert.deepEqual([resumed.state, states(resumed)], ['done', ['deployed', 'deployed', 'deployed']])
})

testOnDatabases('paused while it is watched: no matter how long, it goes on with the look at the wave', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 2, rollout: { canary: 1, gate: { soakSeconds: 100 } } })
  const { rollout } = await w.roll()
  await w.control('pause', rollout.id)
  const later = await w.pass(1000)
  assert.deepEqual([later.state, w.botOf(0).done.some(({ kind }) => kind === 'inspect-target')], ['paused', false])
  const resumed = await w.control('resume', rollout.id)
  assert.deepEqual([resumed.state, resumed.wave, states(resumed)], ['watching', 1, ['deployed', 'deployed']])
})

testOnDatabases('stopped in the middle: a plan is cancelled, what a bot has begun ends first, the rest is left', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 6, rollout: { mode: 'waves', waves: [{ share: 50, label: null }] } })
  w.botOf(0).silent.add('plan-deployment')
  w.botOf(1).silent.add('deploy')
  const { rollout, action } = await w.roll()
  const halting = await w.control('stop', rollout.id)
  assert.deepEqual([halting.state, states(halting), halting.can], ['paused', ['failed', 'deploying', 'deployed', 'left-out', 'left-out', 'left-out'], ['undo']])
  await assert.rejects(w.control('resume', rollout.id), notPossible(/being stopped/))
  assert.equal((await w.control('stop', rollout.id)).state, 'paused', 'once more does nothing')
  w.botOf(1).silent.clear()
  const ended = await w.pass(120)
  assert.deepEqual([ended.state, states(ended).slice(0, 3), (await action()).state], ['stopped', ['failed', 'deployed', 'deployed'], 'failed'])
})

testOnDatabases('taken back in the middle: what runs ends, then all goes back; nothing further is possible meanwhile', async (t, database) => {
  const w = await makeFleet(t, database, { ...inOrder, rollout: { canary: 1 } })
  await w.roll()
  const before = w.installed()
  w.botOf(1).silent.add('deploy')
  const { rollout } = await w.roll()
  const undoing = await w.control('undo', rollout.id)
  assert.deepEqual([undoing.state, states(undoing), undoing.can], ['undoing', ['deployed', 'deploying', 'deployed'], []])
  for (const command of ['pause', 'resume', 'stop', 'undo'] as const) await assert.rejects(w.control(command, rollout.id), notPossible(/being taken back/))
  w.botOf(1).silent.clear()
  const ended = await w.pass(120)
  assert.deepEqual([ended.state, states(ended)], ['undone', ['undone', 'undone', 'undone']])
  assert.deepEqual(w.installed(), before)
})

testOnDatabases('one that has ended is taken back only as long as nothing newer has come', async (t, database) => {
  const w = await makeFleet(t, database, inOrder)
  const first = await w.roll()
  const second = await w.roll()
  await assert.rejects(w.control('undo', first.rollout.id), notPossible(/newer rollout/))
  const action = await w.start(w.id, 'order')
  await assert.rejects(w.control('undo', second.rollout.id), notPossible(/"order" is running/))
  await w.settle()
  assert.notEqual(action.id, second.rollout.actionId)
  assert.equal((await w.control('undo', second.rollout.id)).state, 'undone')
})

testOnDatabases('a target that somebody else works on gets its turn afterwards; one taken back by itself is not taken back twice', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { canary: 1, gate: { soakSeconds: 60 } } })
  await w.roll()
  await w.pass(60)
  const first = await w.pass(60)
  const { rollout } = await w.roll()
  const takeBack = (id: DeploymentId | null | undefined) => database.transaction((tx, wake) => undoDeployment(tx, wake, id ?? assert.fail('no deployment'), { requester: 'user:anna' }, w.secrets, w.now()))
  w.botOf(2).silent.add('undo-deployment')
  await takeBack(first.targets[2]?.deploymentId)
  assert.deepEqual(states(await w.pass(60)), ['deployed', 'deployed', 'waiting'])
  await takeBack((await w.newest()).targets[1]?.deploymentId)
  w.botOf(2).silent.clear()
  await w.pass(61)
  const watched = await w.pass(30)
  assert.deepEqual([watched.state, states(watched)], ['watching', ['deployed', 'deployed', 'deployed']])
  const undone = await w.control('undo', rollout.id)
  assert.deepEqual([undone.state, states(undone)], ['undone', ['undone', 'undone', 'undone']])
  assert.match(undone.targets[1]?.reason ?? '', /already/)
})

testOnDatabases('what the bot that did it can not take back any more is named, and the others are taken back', async (t, database) => {
  const w = await makeFleet(t, database, inOrder)
  const { rollout } = await w.roll()
  await updateBot(database.db, w.botOf(1).id, { revokedAt: w.now().toISOString() })
  const ended = await w.control('undo', rollout.id)
  assert.deepEqual([ended.state, states(ended)], ['undo-failed', ['undone', 'undo-failed', 'undone']])
  assert.match(ended.reason, /^Taken back at 2 of 3 targets\. .*\/1\.crt was not: The bot that did it was revoked/)
})

testOnDatabases('one that can not be moved on ends with its reason, once what is under way has ended', async (t, database) => {
  const w = await makeFleet(t, database, inOrder)
  w.botOf(0).silent.add('deploy')
  const { rollout, action } = await w.roll()
  const task = await database.db.selectFrom('task').selectAll().where('kind', '=', 'advance-rollout').executeTakeFirstOrThrow()
  const giveUp = () => database.transaction(async (tx, wake) => w.planeKinds['advance-rollout']?.failed(tx, wake, task, new CertloopError('SECRET_UNREADABLE', 'A secret can not be opened.')))
  await giveUp()
  await giveUp()
  const halting = await w.newest()
  assert.deepEqual([halting.state, halting.reason], ['paused', 'It could not go on: A secret can not be opened.'])
  w.botOf(0).silent.clear()
  const ended = await w.pass(120)
  assert.deepEqual([ended.id, ended.state, states(ended), (await action()).state], [rollout.id, 'stopped', ['deployed', 'left-out', 'left-out'], 'failed'])
})

testOnDatabases('listed by page, state and certificate, newest first, with the names of what they are about', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 2, rollout: { mode: 'in-order', gate: { approval: true } }, placement: (i) => ({ labels: [`zone-${i}`] }) })
  const first = await w.roll()
  await w.control('resume', first.rollout.id)
  const second = await w.roll()
  const listed = async (query: Partial<RolloutQuery>) => {
    const { items, nextCursor } = await listRollouts(database.db, { limit: 50, ...query })
    return [items.map(({ id }) => id), nextCursor]
  }
  assert.deepEqual(await listed({}), [[second.rollout.id, first.rollout.id], null])
  assert.deepEqual(await listed({ limit: 1 }), [[second.rollout.id], second.rollout.id])
  assert.deepEqual(await listed({ limit: 1, cursor: second.rollout.id }), [[first.rollout.id], null])
  assert.deepEqual(await listed({ state: 'approval', certificateId: w.id }), [[second.rollout.id], null])
  assert.deepEqual(await listed({ certificateId: 'crt_00000000000000000000000000' }), [[], null])
  assert.deepEqual([second.rollout.certificateName, second.rollout.targets.map(({ botName, labels }) => `${botName} ${labels.join()}`)], ['fleet.example', ['web-0 zone-0', 'web-1 zone-1']])
  const [one] = (await listRollouts(database.db, { limit: 1 })).items
  assert.deepEqual(one, second.rollout)
  const wide = await wideReads(database, async ({ db }) => {
    await listRollouts(db, { limit: 1, state: 'done' })
    await listRollouts(db, { limit: 1, certificateId: w.id, cursor: second.rollout.id })
    await openRolloutOn(db, w.id)
    await openRolloutOf(db, second.rollout.actionId)
  })
  assert.deepEqual(wide, [])
})

test('over the API: who may, does; a command that is not possible says why', async (t) => {
  const database = await emptyDatabase(t)
  const w = await makeFleet(t, database, { bots: 2, targets: 2, rollout: { mode: 'in-order', gate: { approval: true } } })
  const { rollout } = await w.roll()
  const http = await startHttp(t, database, (app) => registerRolloutRoutes(app, { database, now: w.now }))
  const headers = { authorization: `Bearer ${await http.tokenFor(['deployment:read', 'deployment:approve'])}` }
  const call = async (method: string, path: string) => (await http.call(method, `/api/v1/rollouts${path}`, headers))
  assert.equal((await call('GET', '?state=approval')).json().items.length, 1)
  assert.deepEqual((await call('GET', `/${rollout.id}`)).json(), rollout)
  const refused = await call('POST', `/${rollout.id}/actions/pause`)
  assert.deepEqual([refused.statusCode, refused.json().code], [409, 'ACTION_NOT_POSSIBLE'])
  assert.match(refused.json().detail, /waits for approval/)
  const stopped = await call('POST', `/${rollout.id}/actions/stop`)
  assert.deepEqual([stopped.statusCode, stopped.json().state], [200, 'stopped'])
  assert.match(stopped.json().reason, /^Stopped by token:/)
  assert.deepEqual([(await call('POST', `/${rollout.id}/actions/resume`)).statusCode, (await call('POST', `/${rollout.id}/actions/undo`)).statusCode], [409, 202])
  assert.equal((await call('POST', '/rol_00000000000000000000000000/actions/stop')).statusCode, 404)
})
