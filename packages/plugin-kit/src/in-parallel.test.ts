import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { inParallel } from './in-parallel.ts'

test('results in order, never more at a time than allowed, and a place is taken again at once', async () => {
  let [now, most] = [0, 0]
  const work = async (turns: number) => {
    most = Math.max(most, ++now)
    for (let i = 0; i < turns; i++) await turn()
    now--
    return turns
  }
  const items = [50, 3, 1, 0, 2, 1, 4]
  assert.deepEqual(await inParallel(items, 2, work), items)
  assert.equal(most, 2)
  assert.deepEqual(await inParallel([], 2, work), [])
})

test('an error is the error of all', async () => {
  await assert.rejects(inParallel([1, 2, 3], 2, async (n) => { if (n === 2) throw new Error('two') }), /two/)
})
