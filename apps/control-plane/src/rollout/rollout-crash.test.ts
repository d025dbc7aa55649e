import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyDatabase } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { makeFleet, states, story } from './rollout-testing.ts'

/** A database whose process can be told to die before or after its n-th commit from now on; dead, it does nothing more until it lives again. */
function mortal(database: Database) {
  const life = { left: Number.POSITIVE_INFINITY, dead: false, moments: 0 }
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

test('killed before and after every commit of a rollout, it goes on: each target deployed once, each wave after its gate', async (t) => {
  const { life, database } = mortal(await emptyDatabase(t))
  const w = await makeFleet(t, database, { bots: 2, targets: 3, rollout: { canary: 1, gate: { soakSeconds: 30 } } })
  await w.roll()
  for (let i = 0; i < 3; i++) await w.pass(30)
  assert.equal((await w.newest()).state, 'done')
  const toldBefore = async () => (await story(database, w.id)).length

  /** Does what is to be done, and lives again after each death; leases of the dead have to run out first. */
  async function untilDone(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      try {
        await w.settle()
        const { state } = await w.newest()
        if (state === 'done') return
        w.clock.pass(30)
      } catch (error) {
        assert.ok(life.dead, String(error))
      }
      if (life.dead) {
        Object.assign(life, { dead: false, left: Number.POSITIVE_INFINITY })
        w.clock.pass(61)
      }
    }
    assert.fail(`not done: ${JSON.stringify(await w.newest())}`)
  }
  async function once(dieAt: number): Promise<boolean> {
    const from = await toldBefore()
    await w.start(w.id, 'deploy')
    Object.assign(life, { left: dieAt, moments: 0 })
    await untilDone()
    const died = life.left === Number.POSITIVE_INFINITY && dieAt !== life.left
    life.left = Number.POSITIVE_INFINITY
    const rollout = await w.newest()
    assert.deepEqual([rollout.state, rollout.failures, states(rollout)], ['done', 0, ['deployed', 'deployed', 'deployed']], `died at ${dieAt}`)
    const told = (await story(database, w.id)).slice(from)
    assert.match(told, /started, created, proven, watch, nextWave, created 2, proven 2, watch, finish$/, `died at ${dieAt}`)
    const rows = await database.db.selectFrom('deployment').select('targetId').where('rolloutId', '=', rollout.id).execute()
    assert.equal(rows.length, 3, `died at ${dieAt}: one deployment for each target`)
    await w.settle()
    const left = await database.db.selectFrom('task').select('kind').where('state', 'in', ['ready', 'leased']).where('kind', 'in', ['advance-rollout', 'deploy', 'plan-deployment', 'inspect-target', 'advance-action']).execute()
    assert.deepEqual(left, [], `died at ${dieAt}`)
    assert.equal((await w.detail(w.id)).lastAction?.state, 'done', `died at ${dieAt}`)
    return died
  }
  await once(Number.POSITIVE_INFINITY)
  const moments = life.moments
  assert.ok(moments > 40, `only ${moments} moments`)
  let deaths = 0
  for (let k = 1; k <= moments; k++) if (await once(k)) deaths++
  t.diagnostic(`died ${deaths} times in ${moments} moments`)
  assert.ok(deaths > moments * 0.8)
})
