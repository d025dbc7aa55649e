import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionStates, CertloopError, type ActionState } from '@certloop/contract'
import fc from 'fast-check'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld } from '../world-testing.ts'
import { actionTransitions, isOpenAction, nextActionState, type ActionEvent } from './action-state.ts'
import { changeAction, getAction, insertAction } from './action-store.ts'

const events = Object.keys(actionTransitions) as ActionEvent[]
const begins: readonly ActionState[] = ['ordering', 'waiting', 'deploying', 'checking', 'revoking']

test('actions: whatever comes in whatever order, what has ended stays ended', () => {
  fc.assert(fc.property(fc.constantFrom(...begins), fc.array(fc.constantFrom(...events), { maxLength: 20 }), (begin, sequence) => {
    let state: ActionState = begin
    for (const event of sequence) {
      const to = nextActionState(state, event)
      assert.equal(to !== undefined, (actionTransitions[event].from as readonly ActionState[]).includes(state))
      if (to === undefined) continue
      assert.ok(isOpenAction(state), `${state} is over, and ${event} still led to ${to}`)
      assert.notEqual(to, state)
      state = to
    }
  }))
  for (const state of actionStates) {
    assert.equal(isOpenAction(state), events.some((event) => nextActionState(state, event) !== undefined), state)
    assert.equal(begins.includes(state), isOpenAction(state))
  }
  assert.deepEqual(new Set([...begins, ...events.map((event) => actionTransitions[event].to)]), new Set(actionStates))
})

testOnDatabases('racing for one end of an action: one wins, with one event; the others write nothing', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.addCertificate(['race.example'])
  const action = await database.transaction((tx, wake) => insertAction(tx, wake, { certificateId: id, kind: 'order', state: 'ordering', requester: 'user:test', versionId: null, reason: 'x' }, w.now()))
  const ends: ActionEvent[] = ['succeeded', 'failed', 'cancelled', 'deploys', 'waits']
  const results = await Promise.allSettled(ends.map((event) => database.transaction((tx, wake) => changeAction(tx, wake, action, { event, reason: event }, w.now()))))
  assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1)
  for (const r of results) if (r.status === 'rejected') assert.ok(r.reason instanceof CertloopError && r.reason.code === 'CONFLICT')
  const after = await getAction(database.db, action.id)
  assert.equal(after.endedAt !== null, !isOpenAction(after.state))
  assert.equal((await database.db.selectFrom('event').select('id').where('kind', '=', `action.${after.state}`).execute()).length, 1)
})
