import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { RolloutState } from '@certloop/contract'
import { emptyDatabase } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { broken, makeFleet, states, story, type Fleet } from './rollout-testing.ts'

/** A database whose process can be told to die before or after its n-th commit from now on; dead, it does nothing more until it lives again. */
function mortal(database: Database) {
  const life = { left: Number.POSITIVE_INFINITY, dead: false, moments: 0, deaths: 0 }
  const breathe = () => { if (life.dead) throw new Error('the process is dead') }
  const moment = () => {
    life.moments++
    life.left--
    if (life.left <= 0) life.dead = true
    breathe()
  }
  const db = database.db.withPlugin({ transformQuery: ({ node }) => { breathe(); return node }, transformResult: async ({ result }) => result })
  const wrapped: Database = {
    ...database, db,
    async transaction(work) {
      breathe()
      const result = await database.transaction(async (tx, wake) => {
        const value = await work(tx, wake)
        moment()
        return value
      })
      moment()
      return result
    },
  }
  return { life, database: wrapped }
}

const working = ['advance-rollout', 'deploy', 'undo-deployment', 'plan-deployment', 'inspect-target', 'advance-action']

/** Rolls out again and again, and dies each time one moment later: what has happened in the end is always the same. */
async function dieEverywhere(t: TestContext, fleet: Pick<Parameters<typeof makeFleet>[2], 'targets' | 'rollout'>, expected: { state: RolloutState; targets: string[]; story: RegExp; deployments: number; action: string }, prepare: (w: Fleet) => void = () => {}) {
  const { life, database } = mortal(await emptyDatabase(t))
  const w = await makeFleet(t, database, { bots: 2, ...fleet })
  await w.roll()
  for (let i = 0; i < 3; i++) await w.pass(30)
  assert.equal((await w.newest()).state, 'done')
  prepare(w)

  /** Does what is to be done, and lives again after death; the leases of the dead have to run out first. */
  async function untilEnded(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      try {
        await w.settle()
        if ((await w.newest()).endedAt !== null) return
        w.clock.pass(30)
      } catch (error) {
        assert.ok(life.dead, String(error))
      }
      if (life.dead) {
        Object.assign(life, { dead: false, left: Number.POSITIVE_INFINITY, deaths: life.deaths + 1 })
        w.clock.pass(61)
      }
    }
    assert.fail(`not ended: ${JSON.stringify(await w.newest())}`)
  }
  async function once(dieAt: number): Promise<void> {
    const from = (await story(database, w.id)).length
    await w.start(w.id, 'deploy')
    Object.assign(life, { left: dieAt, moments: 0 })
    await untilEnded()
    life.left = Number.POSITIVE_INFINITY
    await w.settle()
    const rollout = await w.newest()
    const at = `died at ${dieAt}`
    assert.deepEqual([rollout.state, states(rollout)], [expected.state, expected.targets], at)
    assert.match((await story(database, w.id)).slice(from), expected.story, at)
    assert.equal((await database.db.selectFrom('deployment').select('id').where('rolloutId', '=', rollout.id).execute()).length, expected.deployments, at)
    assert.deepEqual(await database.db.selectFrom('task').select('kind').where('state', 'in', ['ready', 'leased']).where('kind', 'in', working).execute(), [], at)
    assert.equal((await w.detail(w.id)).lastAction?.state, expected.action, at)
  }
  await once(Number.POSITIVE_INFINITY)
  const { moments } = life
  assert.ok(moments > 20, `only ${moments} moments`)
  for (let k = 1; k <= moments; k++) await once(k)
  t.diagnostic(`died ${life.deaths} times in ${moments} moments`)
  assert.ok(life.deaths > moments * 0.8)
}

test('killed before and after every commit of a rollout, it goes on: each target deployed once, each wave after its gate', async (t) => {
  await dieEverywhere(t, { targets: 3, rollout: { canary: 1, gate: { soakSeconds: 30 } } }, {
    state: 'done', targets: ['deployed', 'deployed', 'deployed'], deployments: 3, action: 'done', story: /started, created, proven, watch, nextWave, created 2, proven 2, watch, finish$/,
  })
})

test('killed before and after every commit of one that fails and is taken back: each target taken back once', async (t) => {
  await dieEverywhere(t, { targets: 2, rollout: { mode: 'in-order', onStop: 'undo' } }, {
    state: 'undone', targets: ['undone', 'failed'], deployments: 3, action: 'failed', story: /started, created, proven, nextWave, created, failed, undo, created, proven, takenBack$/,
  }, (w) => { w.botOf(1).fails.set('deploy', broken) })
})
