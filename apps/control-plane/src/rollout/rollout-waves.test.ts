import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, rolloutDefault, type RolloutSettings } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { cancelDeployment } from '../deployment/cancel.ts'
import { openDeploymentStates } from '../deployment/deployment-state.ts'
import { approveDeployment } from '../deployment/deployment-worker.ts'
import { advanceRollout } from './rollout-advance.ts'
import { needsRollout } from './rollout.ts'
import { broken, makeFleet, states, story } from './rollout-testing.ts'

const waves = [{ share: 30, label: null }, { share: 100, label: null }]
const fleet = { bots: 5, targets: 10, rollout: { mode: 'waves', canary: 1, waves } } as const
const many = (state: string, count: number): string[] => Array.from({ length: count }, () => state)

test('one target, or all at once without a gate, needs no rollout; of a pair even one does', () => {
  const targets = (count: number, pair: string | null = null) => Array.from({ length: count }, () => ({ placement: JSON.stringify({ labels: [], pair }) }))
  const gated = (gate: Partial<RolloutSettings['gate']>): RolloutSettings => ({ ...rolloutDefault, gate: { ...rolloutDefault.gate, ...gate } })
  const rows: [boolean, RolloutSettings, number, string?][] = [
    [false, rolloutDefault, 3], [false, { ...rolloutDefault, mode: 'waves' }, 3], [false, { ...rolloutDefault, mode: 'in-order', canary: 1, waves, onStop: 'undo' }, 1], [true, rolloutDefault, 1, 'db'], [false, gated({ soakSeconds: 5 }), 0],
    [true, { ...rolloutDefault, mode: 'in-order' }, 2], [true, { ...rolloutDefault, canary: 1 }, 2], [true, { ...rolloutDefault, mode: 'waves', waves }, 2], [true, rolloutDefault, 2, 'db'], [true, { ...rolloutDefault, onStop: 'undo' }, 2],
    [true, gated({ soakSeconds: 5 }), 1], [true, gated({ httpCheck: { url: 'http://{host}/', status: 200, timeoutSeconds: 5 } }), 1], [true, gated({ approval: true }), 2],
  ]
  for (const [needed, settings, count, pair] of rows) assert.equal(needsRollout(settings, targets(count, pair)), needed, JSON.stringify([settings, count, pair]))
})

testOnDatabases('ten targets on five bots: the canary, three, then six; none begins before the wave before it is proven', async (t, database) => {
  const w = await makeFleet(t, database, fleet)
  const { rollout, action } = await w.roll()
  assert.deepEqual([rollout.state, rollout.waveCount, rollout.failures, rollout.can], ['done', 3, 0, ['undo']])
  assert.equal(rollout.reason, '10 of 10 targets deployed.')
  assert.deepEqual(rollout.targets.map(({ wave }) => wave), [0, 1, 1, 1, 2, 2, 2, 2, 2, 2])
  assert.equal(await story(database, w.id), 'started, created, proven, nextWave, created 3, proven 3, nextWave, created 6, proven 6, finish')
  assert.equal((await action()).state, 'done')
  assert.ok(w.installed().every((pem) => pem !== undefined))
  const ended = await database.db.selectFrom('task').select('kind').where('kind', '=', 'advance-rollout').where('state', 'in', ['ready', 'leased']).execute()
  assert.deepEqual(ended, [], 'nothing is left to be done')
})

testOnDatabases('a failing second wave stops the third; what was deployed stays until somebody takes it back, the last first', async (t, database) => {
  const w = await makeFleet(t, database, fleet)
  await w.roll()
  const before = w.installed()
  w.botOf(2).fails.set('deploy', broken)
  const { rollout, action } = await w.roll()
  assert.equal(rollout.state, 'stopped')
  assert.match(rollout.reason, /^Stopped after 1 failure in wave 2 of 3\. .*nginx did not come back/)
  assert.match(rollout.nextAction ?? '', /3 targets kept the new version/)
  assert.deepEqual(states(rollout), ['deployed', 'deployed', 'failed', 'deployed', ...many('left-out', 6)])
  assert.deepEqual([rollout.failures, rollout.wave, rollout.targets[2]?.error?.code, rollout.can], [1, 1, 'RELOAD_FAILED', ['undo']])
  assert.deepEqual(w.installed().slice(4), before.slice(4), 'the third wave was not touched')
  const ended = await action()
  assert.deepEqual([ended.state, ended.error === null], ['failed', false])

  w.botOf(2).fails.clear()
  const undone = await w.control('undo', rollout.id)
  assert.deepEqual([undone.state, undone.can], ['undone', []])
  assert.deepEqual(states(undone), ['undone', 'undone', 'failed', 'undone', ...many('left-out', 6)])
  assert.deepEqual(w.installed(), before, 'everything is as it was')
  const order = await database.db.selectFrom('deployment').select(['targetId', 'requester']).where('rolloutId', '=', rollout.id).where('undoes', 'is not', null).orderBy('id').execute()
  assert.deepEqual(order.map(({ targetId }) => targetId), [3, 1, 0].map((i) => rollout.targets[i]?.targetId))
  assert.ok(order.every(({ requester }) => requester === 'user:anna'), 'by who asked for it')
  assert.match(await story(database, w.id), /stop, undo, created 2, proven 2, created, proven, takenBack$/)
})

testOnDatabases('with "undo" it takes back by itself; what can not be taken back is said, and does not keep the others', async (t, database) => {
  const w = await makeFleet(t, database, { ...fleet, rollout: { ...fleet.rollout, onStop: 'undo' } })
  await w.roll()
  const before = w.installed()
  w.botOf(4).fails.set('deploy', broken)
  w.botOf(3).fails.set('undo-deployment', { code: 'FILE_UNWRITABLE', message: 'The disk is read-only.', facts: {} })
  const { rollout, action } = await w.roll()
  assert.equal(rollout.state, 'undo-failed')
  assert.match(rollout.reason, /^Taken back at 6 of 8 targets\. .*\/3\.crt was not: .*read-only.* .*\/8\.crt was not: /)
  assert.deepEqual(states(rollout), ['undone', 'undone', 'undone', 'undo-failed', 'failed', 'undone', 'undone', 'undone', 'undo-failed', 'failed'])
  assert.deepEqual(w.installed().filter((_, i) => i % 5 !== 3), before.filter((_, i) => i % 5 !== 3))
  assert.equal((await action()).state, 'failed')
})

testOnDatabases('several failures are borne when the settings say so; a cancelled deployment is one of them', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 4, targets: 4, rollout: { mode: 'in-order', stopAfterFailures: 3 }, changes: { approval: 'manual' } })
  w.botOf(1).fails.set('plan-deployment', broken)
  const { rollout, action } = await w.roll()
  const decide = async (what: 'approve' | 'cancel') => {
    const d = await database.db.selectFrom('deployment').selectAll().where('state', 'in', openDeploymentStates).executeTakeFirstOrThrow()
    const { digest } = JSON.parse(d.plan ?? '') as { digest: string }
    await database.transaction((tx, wake) => (what === 'approve' ? approveDeployment(tx, wake, d.id, { digest, requester: 'user:anna' }, w.secrets, w.now()) : cancelDeployment(tx, wake, d.id, 'user:anna', w.now())))
    await w.settle()
  }
  assert.deepEqual([rollout.state, states(rollout)], ['running', ['deploying', 'waiting', 'waiting', 'waiting']])
  await decide('approve')
  assert.deepEqual(states(await w.newest()), ['deployed', 'failed', 'deploying', 'waiting'], 'one after the other')
  await decide('cancel')
  await decide('approve')
  const ended = await w.newest()
  assert.deepEqual([ended.state, ended.failures, states(ended)], ['done', 2, ['deployed', 'failed', 'failed', 'deployed']])
  assert.equal(ended.targets[2]?.reason, 'Its deployment was cancelled.')
  assert.equal((await action()).state, 'failed', 'not every target was deployed to')
})

testOnDatabases('of a pair one host is worked on at a time, and when one fails the other is not touched', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 4, targets: 4, rollout: { mode: 'together', stopAfterFailures: 5 }, placement: (i) => ({ pair: i < 2 ? 'db' : null }) })
  w.botOf(0).silent.add('deploy')
  const { rollout } = await w.roll()
  assert.deepEqual(states(rollout), ['deploying', 'waiting', 'deployed', 'deployed'])
  w.botOf(0).silent.clear()
  assert.deepEqual(states(await w.pass(120)), many('deployed', 4))
  const before = w.installed()
  w.botOf(0).fails.set('deploy', broken)
  const second = await w.roll()
  assert.deepEqual([second.rollout.state, states(second.rollout)], ['done', ['failed', 'left-out', 'deployed', 'deployed']])
  assert.match(second.rollout.targets[1]?.reason ?? '', /of the same pair "db", failed; so this one was left as it is/)
  assert.deepEqual(w.installed().slice(0, 2), before.slice(0, 2))
})

testOnDatabases('a target whose bot was revoked meanwhile fails alone', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { mode: 'in-order', stopAfterFailures: 2 } })
  w.botOf(0).silent.add('deploy')
  await w.roll()
  await database.db.updateTable('bot').set({ revokedAt: w.now().toISOString() }).where('id', '=', w.botOf(1).id).execute()
  w.botOf(0).silent.clear()
  const ended = await w.pass(120)
  assert.deepEqual([ended.state, states(ended), ended.targets[1]?.error?.code], ['done', ['deployed', 'failed', 'deployed'], 'BOT_REVOKED'])
})

testOnDatabases('a target without a version is left out from the start, and the others go on', async (t, database) => {
  const lone = await makeFleet(t, database, { bots: 2, targets: 3, rollout: { canary: 1 } })
  lone.botOf(1).fails.set('make-csr', broken)
  const { rollout } = await lone.roll()
  assert.deepEqual(rollout.targets.map(({ state, wave }) => `${state} ${wave}`), ['deployed 0', 'left-out -1', 'deployed 1'])
  assert.match(rollout.targets[1]?.reason ?? '', /no version with its key/)
})

testOnDatabases('looked at again and again, by several and out of turn: nothing is done twice', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 4, rollout: { mode: 'waves', waves: [{ share: 50, label: null }] } })
  await w.start(w.id, 'rotate')
  const look = () => database.db.selectFrom('rollout').select('id').where('certificateId', '=', w.id).executeTakeFirst()
  const advance = async () => {
    const row = await look()
    if (row) await Promise.all([0, 1].map(() => database.transaction((tx, wake) => advanceRollout(tx, wake, row.id, { secrets: w.secrets, now: w.now() }))))
  }
  for (let round = 0; round < 30 && (await look() === undefined || (await w.newest()).endedAt === null); round++) {
    await w.runPlane()
    await advance()
    for (const bot of w.bots) {
      await w.runBot(bot)
      await advance()
    }
  }
  await advance()
  await w.settle()
  assert.equal((await w.newest()).state, 'done')
  assert.equal(await story(database, w.id), 'started, created 2, proven 2, nextWave, created 2, proven 2, finish')
  await assert.rejects(w.control('pause', (await w.newest()).id), (error: unknown) => error instanceof CertloopError && error.code === 'ACTION_NOT_POSSIBLE' && error.message.includes('It has ended: done'))
})
