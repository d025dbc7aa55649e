import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanupStates, validationStates, type CleanupState } from '@certloop/contract'
import fc from 'fast-check'
import { testOnDatabases } from '../database/database-testing.ts'
import { cleanupTransitions, isOpenValidation, nextValidationPosition, validationTransitions, type CleanupEvent, type ValidationEvent, type ValidationPosition } from './validation-state.ts'
import { changeValidation, getValidation } from './validation-store.ts'
import { makeValidations, wanted } from './validation-testing.ts'

const events = [...Object.keys(validationTransitions), ...Object.keys(cleanupTransitions)] as (ValidationEvent | CleanupEvent)[]
const start: ValidationPosition = { state: 'planned', cleanup: 'nothing' }
const toGo: readonly CleanupState[] = ['removing', 'stuck']

test('whatever comes in whatever order: an end stays, what was placed is remembered until it is removed, and nothing is removed of one that is open', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...events), { maxLength: 40 }), fc.boolean(), (sequence, stays) => {
    let position = start
    for (const event of sequence) {
      const next = nextValidationPosition(position, event, stays)
      if (!next) continue
      if (!isOpenValidation(position.state)) assert.equal(next.state, position.state, `${event} led out of ${position.state}`)
      assert.equal(isOpenValidation(next.state) ? toGo.includes(next.cleanup) : next.cleanup === 'placed', false, `${next.state} with ${next.cleanup}`)
      if (next.state === 'placing') assert.equal(next.cleanup, stays ? 'nothing' : 'placed', 'written down before anybody is asked')
      if (position.cleanup === 'placed') assert.ok(next.cleanup === 'placed' || next.cleanup === 'removing', 'not forgotten')
      if (toGo.includes(position.cleanup) && !toGo.includes(next.cleanup)) assert.ok(event === 'removed' || event === 'untouched', `${event} forgot what is to be removed`)
      position = next
    }
  }))
})

test('every state can be reached, every open one can be left, and what is stuck can be removed', () => {
  const reached = new Map([[JSON.stringify(start), start]])
  for (const position of reached.values()) {
    for (const event of events) {
      const next = nextValidationPosition(position, event)
      if (next) reached.set(JSON.stringify(next), next)
    }
  }
  const positions = [...reached.values()]
  assert.deepEqual([...new Set(positions.map(({ state }) => state))].toSorted(), validationStates.toSorted())
  assert.deepEqual([...new Set(positions.map(({ cleanup }) => cleanup))].toSorted(), cleanupStates.toSorted())
  for (const position of positions) {
    if (isOpenValidation(position.state)) for (const event of ['valid', 'failed', 'cancelled'] as const) assert.ok(nextValidationPosition(position, event))
    if (toGo.includes(position.cleanup)) assert.ok(nextValidationPosition(position, 'removed'))
  }
})

testOnDatabases('of two that change it at once, one wins; each transition is one event in the timeline', async (_t, database) => {
  const v = await makeValidations(database)
  const made = await v.addOrder(['a.example.com'], { method: 'manual' })
  await v.sync(made, [wanted('a.example.com')])
  const row = await v.one(made.attempt)
  const results = await Promise.allSettled((['hand', 'failed', 'cancelled'] as const).map((event) => database.transaction((tx, wake) => changeValidation(tx, wake, row, { event, reason: event }, v.now()))))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const { reason } of results.filter((result) => result.status === 'rejected')) assert.match(String(reason), /does not apply/)
  assert.notEqual((await getValidation(database.db, row.id)).state, 'planned')
  assert.equal((await v.events(made.order)).length, 2)
})
