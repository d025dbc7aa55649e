import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearest } from './nearest.ts'

test('edits are counted, a swap as one', () => {
  for (const [a, b, expected] of [['', 'abc', 3], ['rotate', 'rotate', 0], ['roatte', 'rotate', 1], ['rotat', 'rotate', 1], ['rekey', 'order', 4]] as const) assert.equal(editDistance(a, b), expected, `${a} ${b}`)
})

test('only what is near is offered', () => {
  const verbs = ['list', 'show', 'add', 'configure', 'rotate', 'rekey']
  assert.equal(nearest('lst', verbs), 'list')
  assert.equal(nearest('conf', verbs), 'configure')
  assert.equal(nearest('ROTATE', verbs), 'rotate')
  assert.equal(nearest('r', verbs), undefined)
  assert.equal(nearest('banana', verbs), undefined)
})
