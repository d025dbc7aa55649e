import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, newId, rolloutStates, rolloutDefault, type RolloutState } from '@certloop/contract'
import fc from 'fast-check'
import { testOnDatabases } from '../database/database-testing.ts'
import { isHalting, isOpenRollout, nextRolloutPosition, rolloutTransitions, type RolloutEvent, type RolloutPosition } from './rollout-state.ts'
import { changeRollout, getRollout, insertRollout } from './rollout-store.ts'

const now = new Date('2026-03-01T00:00:00Z')
const events = Object.keys(rolloutTransitions) as RolloutEvent[]
const start: RolloutPosition = { state: 'running', pausedFrom: null }
const final: readonly RolloutState[] = ['undone', 'undo-failed']
const deploys: readonly RolloutState[] = ['running', 'watching', 'approval', 'paused']
const sequences = fc.array(fc.constantFrom(...events), { maxLength: 40 })

test('whatever comes in whatever order: an end is left by nothing but a person who takes it back, and nothing is ever deployed after it', () => {
  fc.assert(fc.property(sequences, (sequence) => {
    let [position, hasEnded] = [start, false]
    for (const event of sequence) {
      const next = nextRolloutPosition(position, event)
      if (!next) continue
      assert.ok((rolloutTransitions[event].from as readonly RolloutState[]).includes(position.state))
      assert.ok(isOpenRollout(position.state) || event === 'undo', `${event} led out of ${position.state}`)
      assert.ok(!final.includes(position.state))
      assert.ok(!(hasEnded && deploys.includes(next.state)), `${next.state} after an end`)
      if (position.state === 'undoing') assert.ok(final.includes(next.state))
      assert.equal(next.pausedFrom !== null, next.state === 'paused', 'what is paused knows where it was, and nothing else does')
      hasEnded ||= !isOpenRollout(next.state)
      position = next
    }
  }))
})

test('resume goes back to where it was; one that is being stopped neither resumes nor begins again', () => {
  for (const state of ['running', 'watching'] as const) {
    const paused = nextRolloutPosition({ state, pausedFrom: null }, 'pause')
    assert.deepEqual(paused, { state: 'paused', pausedFrom: state })
    assert.ok(paused)
    assert.deepEqual(nextRolloutPosition(paused, 'resume'), { state, pausedFrom: null })
  }
  const halting = nextRolloutPosition(start, 'halt')
  assert.ok(halting && isHalting(halting))
  const possible = events.filter((event) => nextRolloutPosition(halting, event))
  assert.deepEqual(possible, ['stop', 'undo'])
})

test('every state can be reached, and every open one can be left', () => {
  const reached = new Map([[JSON.stringify(start), start]])
  for (const position of reached.values()) {
    for (const event of events) {
      const next = nextRolloutPosition(position, event)
      if (next) reached.set(JSON.stringify(next), next)
    }
  }
  const states = new Set([...reached.values()].map(({ state }) => state))
  assert.deepEqual([...states].toSorted(), rolloutStates.toSorted())
  for (const position of reached.values()) {
    const canBeLeft = events.some((event) => nextRolloutPosition(position, event))
    assert.equal(canBeLeft, !final.includes(position.state))
  }
})

testOnDatabases('random events on a stored rollout: each transition is one event in the timeline, each refusal none; of many at once one wins', async (_t, database) => {
  const make = () => database.transaction((tx, wake) => insertRollout(tx, wake, {
    certificateId: newId('crt', now), actionId: newId('act', now), approval: 'automatic', waveCount: 3, requester: 'user:test', reason: 'To be deployed.', nextAction: null, settings: rolloutDefault, rollback: true, deadline: now,
  }, [{ targetId: newId('tgt', now), wave: 0, state: 'waiting', versionId: null, reason: null }], now))
  const isConflict = (error: unknown) => error instanceof CertloopError && error.code === 'CONFLICT'
  const change = (rollout: Awaited<ReturnType<typeof make>>, event: RolloutEvent) => database.transaction((tx, wake) => changeRollout(tx, wake, rollout, { event, reason: event, nextAction: null, deadline: null }, now))
  await fc.assert(fc.asyncProperty(sequences, async (sequence) => {
    const { id, certificateId } = await make()
    const taken = ['rollout.started']
    for (const event of sequence) {
      const before = await getRollout(database.db, id)
      const next = nextRolloutPosition(before, event)
      if (!next) await assert.rejects(change(before, event), isConflict)
      else {
        await change(before, event)
        taken.push(`rollout.${event}`)
      }
      const after = await getRollout(database.db, id)
      assert.deepEqual({ state: after.state, pausedFrom: after.pausedFrom }, next ?? { state: before.state, pausedFrom: before.pausedFrom })
      assert.equal(after.endedAt === null, isOpenRollout(after.state))
    }
    const told = await database.db.selectFrom('event').select('kind').where('certificateId', '=', certificateId).orderBy('id').execute()
    assert.deepEqual(told.map(({ kind }) => kind), taken)
  }), { numRuns: 10 })
  const raced = await make()
  const results = await Promise.allSettled((['pause', 'stop', 'watch'] as const).map((event) => change(raced, event)))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
})
