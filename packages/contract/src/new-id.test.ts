import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isId } from './ids.ts'
import { newId } from './new-id.ts'

test('ids sort in the order of their making, within a millisecond and when the clock goes back', () => {
  const at = new Date('2026-11-21T12:00:00.123Z')
  const ids = [newId('evt', at), newId('evt', at), newId('evt', at), newId('evt', new Date(at.getTime() + 1)), newId('evt', new Date(at.getTime() - 3_600_000)), newId('evt', at)]
  assert.deepEqual(ids.toSorted(), ids)
  assert.equal(new Set(ids).size, ids.length)
})

test('an id says what it names', () => {
  const id = newId('crt', new Date())
  assert.ok(isId('crt', id))
  assert.ok(!isId('ver', id))
  for (const wrong of ['', 'crt_', 'crt_short', `${id}0`, id.toUpperCase(), `crt_${'u'.repeat(26)}`]) assert.ok(!isId('crt', wrong), wrong)
})
