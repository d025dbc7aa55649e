import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServerClock } from './server-clock.ts'

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)

test('small differences leave the host\'s clock alone; large ones are corrected and said once', () => {
  const said: string[] = []
  let host = at(0)
  const note = (message: string) => { said.push(message) }
  const clock = createServerClock({ now: () => host, logger: { info: note, warn: note, error: note } })

  assert.equal(clock.observe(at(20).toUTCString()), false)
  assert.deepEqual(clock.now(), at(0))

  assert.equal(clock.observe(at(4000).toUTCString()), true)
  assert.deepEqual(clock.now(), at(4000))
  host = at(10)
  assert.equal(clock.observe(at(4011).toUTCString()), false)
  assert.deepEqual(clock.now(), at(4010))
  assert.match(said.join(), /4000 seconds behind/)

  host = at(4020) // somebody set the clock of the host right
  assert.equal(clock.observe(at(4020).toUTCString()), true)
  assert.deepEqual(clock.now(), at(4020))
  assert.equal(said.length, 2)
})

test('an answer without a usable date changes nothing', () => {
  const clock = createServerClock({ now: () => at(0), logger: { info: assert.fail, warn: assert.fail, error: assert.fail } })
  assert.equal(clock.observe(undefined), false)
  assert.equal(clock.observe('yesterday'), false)
})
