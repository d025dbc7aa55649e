import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from './turns.ts'

test('one name, one at a time and in order; another name side by side; a failure stops nobody', async () => {
  const turns = createTurns()
  const events: string[] = []
  const gates: (() => void)[] = []
  const run = (name: string, what: string, fails = false) => turns.take(name, async () => {
    events.push(`${what} begins`)
    await new Promise<void>((resolve) => gates.push(resolve))
    events.push(`${what} ends`)
    if (fails) throw new Error(what)
    return what
  })
  const tick = () => new Promise((resolve) => setImmediate(resolve))
  const first = run('nginx', 'a', true)
  const second = run('nginx', 'b')
  const other = run('apache', 'c')
  await tick()
  assert.deepEqual(events, ['a begins', 'c begins'])
  gates[0]?.()
  await assert.rejects(first, { message: 'a' })
  await tick()
  assert.deepEqual(events, ['a begins', 'c begins', 'a ends', 'b begins'])
  gates[1]?.()
  gates[2]?.()
  assert.deepEqual(await Promise.all([second, other]), ['b', 'c'])
})
