import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { runProcess } from '@certloop/test-kit'
import { describeLines } from './pki/report.ts'
import { atLeast, atMost, sideBySide, within, type Line } from './pki/side-by-side.ts'

const program = join(import.meta.dirname, 'run.ts')

test('works are run in turn, each as often as the others', async () => {
  const order: string[] = []
  const micros = await sideBySide({ a: () => { order.push('a') }, b: async () => { await Promise.resolve(); order.push('b') } }, { rounds: 4, times: 2 })
  assert.equal(order.join(''), 'aabb'.repeat(6))
  assert.ok(micros.a >= 0 && micros.b >= 0)
})

test('lines say by their ratio whether the aim is met', () => {
  const compared = (measured: number) => ({ name: 'it', unit: 'µs', measured, peer: { name: 'peer', value: 10 } })
  assert.deepEqual([20, 21].map((measured) => atMost(2, compared(measured)).pass), [true, false])
  assert.deepEqual([2.5, 2.4].map((measured) => atLeast(0.25, compared(measured)).pass), [true, false])
  assert.deepEqual([50, 51].map((measured) => within(50, { name: 'it', unit: 'ms', measured }).pass), [true, false])
  assert.equal(describeLines('part', [atMost(2, compared(21)), within(50, { name: 'wait', unit: 'ms', measured: 50, note: 'Words.' })]),
    '\npart\n  FAIL: it: 21.0 µs; peer: 10.0 µs; ratio 2.10; aim at most 2\n  PASS: wait: 50.0 ms; aim at most 50 ms\n        Words.\n')
})

test('a part is measured and told', { timeout: 240_000 }, async (t) => {
  const { code, stdout, stderr } = await runProcess(t, [process.execPath, program, 'pki', 'parsing', '--json'])
  assert.equal(code, 0, stderr)
  const { lines, pass } = JSON.parse(stdout) as { lines: Line[]; pass: boolean }
  assert.deepEqual(lines.map(({ name }) => name), ['reading a public-style leaf', 'reading a root'])
  for (const { measured, peer, ratio } of lines) assert.ok(measured > 0 && peer && Math.abs(ratio - measured / peer.value) < 1e-9)
  assert.equal(pass, lines.every((line) => line.pass))
})

test('a part that is none is told', async (t) => {
  const { code, stderr } = await runProcess(t, [process.execPath, program, 'pki', 'speed'])
  assert.equal(code, 1)
  assert.match(stderr, /there is no part "speed"/)
})
