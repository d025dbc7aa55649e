import assert from 'node:assert/strict'
import { CertloopError, type ConfigurationInput, type DeploymentId } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { makeWorld, type World } from '../world-testing.ts'
import { broken, makeFleet, states } from './rollout-testing.ts'

const refused = (why: RegExp) => (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && why.test(error.message)
const lastDeployed = (w: World) => w.database.db.selectFrom('deployment').selectAll().where('state', '=', 'deployed').orderBy('id', 'desc').executeTakeFirstOrThrow()
const undo = (w: World, id: DeploymentId) => w.database.transaction((tx, wake) => undoDeployment(tx, wake, id, { requester: 'user:anna' }, w.secrets, w.now()))

testOnDatabases('what was revoked is not put back: the target is left as it is, which is said, and the others are taken back', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { mode: 'in-order', onStop: 'undo' } })
  await w.roll()
  const before = w.installed()
  const old = (await w.detail(w.id)).versions.find((version) => version.keyBotId === w.botOf(0).id)
  assert.equal((await w.act(w.id, 'revoke', { versionId: old?.id, reason: 'keyCompromise' })).state, 'done')
  w.botOf(2).fails.set('deploy', broken)
  const { rollout } = await w.roll()
  assert.deepEqual([rollout.state, states(rollout)], ['undo-failed', ['undo-failed', 'undone', 'failed']])
  assert.match(rollout.reason, /\/0\.crt was not: What was there before was revoked \(keyCompromise\), so it is not put back/)
  assert.match(rollout.nextAction ?? '', /deploy another version/)
  assert.notEqual(w.installed()[0], before[0])
  assert.equal(w.installed()[1], before[1])
  const stays = rollout.targets[0]?.deploymentId
  await assert.rejects(undo(w, stays ?? assert.fail('no deployment')), refused(/was revoked \(keyCompromise\), so it is not put back\. Deploy another version instead/))
})

testOnDatabases('nor is what is suspended or has expired, also where it was there before any deployment', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const renewal: ConfigurationInput['renewal'] = { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' }
  const id = await w.configured('x.example', [bot], { renewal })
  await w.act(id, 'rotate')
  await w.act(id, 'suspend')
  await w.act(id, 'rekey')
  const { id: second } = await lastDeployed(w)
  await assert.rejects(undo(w, second), refused(/What was there before was suspended/))
  w.clock.pass(91 * 86_400)
  await w.settle()
  await w.act(id, 'rotate')
  await assert.rejects(undo(w, (await lastDeployed(w)).id), refused(/What was there before expired on 2026-05-29/))
})

testOnDatabases('a place that was taken out of the configuration and put in again is not undone through what it was before', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const id = await w.configured('x.example', [bot])
  await w.act(id, 'rotate')
  await w.act(id, 'rotate')
  const { id: first } = await lastDeployed(w)
  await w.save(id, await w.configurationWith([w.target(bot, 'other')]))
  await w.save(id, await w.configurationWith([w.target(bot, 'x.example')]))
  await w.act(id, 'rotate')
  await assert.rejects(undo(w, first), refused(/removed from the configuration/))
})
