import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeploymentDetail } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { logLines } from './follow-action.ts'

test('what a script put out is shown when it succeeded, too; of other steps only when they failed', () => {
  const at = '2026-03-01T10:00:00.000Z'
  const entry = (step: number | null, ok: boolean, output: string | null) => ({ at, step, phase: 'do', ok, message: 'm', output, durationMs: null })
  const deployment = { id: 'dep_1', plan: { steps: [{ kind: 'run-script' }, { kind: 'run-command' }] }, log: [entry(0, true, 'drained\nall\n'), entry(0, true, null), entry(1, true, 'syntax is ok'), entry(1, false, 'syntax is bad'), entry(null, true, 'x')] } as unknown as DeploymentDetail
  const lines = logLines({ world: { zone: 'UTC' } } as unknown as Context, deployment).map(({ text }) => text)
  const bar = ' '.repeat(14)
  assert.deepEqual(lines, [`10:00:00    ok    m\n${bar}| drained\n${bar}| all`, '10:00:00    ok    m', '10:00:00    ok    m', `10:00:00    FAIL  m\n${bar}| syntax is bad`, '10:00:00    ok    m'])
})
