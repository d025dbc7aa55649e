import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeployLogEntry } from '@certloop/contract'
import { cutLog, cutResultLog } from './log-limits.ts'

const line = (message: string, output: string | null = null): DeployLogEntry => ({ at: '2026-03-01T00:00:00.000Z', step: null, phase: 'do', ok: true, message, output, durationMs: null })

test('the newest thousand lines of a log are kept, and it is said that others were left out', () => {
  const log = Array.from({ length: 1000 }, (_, i) => line(`${i}`))
  assert.deepEqual(cutLog(log), log)
  const cut = cutLog([line('a'), line('b'), ...log])
  assert.equal(cut.length, 1000)
  assert.equal(cut[0]?.message, '3 earlier lines were left out.')
  assert.deepEqual(cut.slice(1), log.slice(1))
})

test('long lines and outputs are cut, not refused: the outcome must not be lost over them', () => {
  const [cut] = cutLog([line('m'.repeat(300_000), 'o'.repeat(300_000))])
  assert.deepEqual([cut?.message.length, cut?.output?.length], [20_001, 20_001])
  assert.ok(cut?.message.endsWith('m…'))
  const data = cutResultLog({ outcome: 'deployed', log: [line('m'.repeat(300_000)), 'no line', { message: 5 }] }) as { outcome: string; log: unknown[] }
  assert.deepEqual([data.outcome, data.log.slice(1), (data.log[0] as DeployLogEntry).message.length], ['deployed', ['no line', { message: 5 }], 20_001])
  for (const other of [null, 'x', { log: 'x' }, {}, []]) assert.deepEqual(cutResultLog(other), other)
})
