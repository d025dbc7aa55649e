import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runProcess, tempFolder } from '@certloop/test-kit'
import { phasesOf } from './batch/phases.ts'
import { describeBatch, limitRatio, type BatchFigures } from './batch/report.ts'
import type { SimulatedFigures } from './batch/simulated.ts'

const program = join(import.meta.dirname, 'run.ts')

test('batches are measured through real bots and with bots that cost nothing, and nothing is left', { timeout: 240_000 }, async (t) => {
  const TMPDIR = join(await tempFolder(t, 'bench-test'), 'tmp')
  await mkdir(TMPDIR)
  const { code, stdout, stderr } = await runProcess(t, [process.execPath, program, 'batch', '--real', '3', '--simulated', '2,6', '--json'], { env: { TMPDIR } })
  assert.equal(code, 0, stderr)
  const { real: [real], simulated, ...rest } = JSON.parse(stdout) as BatchFigures & { pass: boolean }
  assert.ok(real)
  assert.deepEqual([real.count, real.phases.certificates, simulated.map(({ count }) => count)], [3, 3, [2, 6]])
  for (const value of [real.wall, real.planeCpu, real.botCpu, real.sql.byGroup.dispatcher, real.phases.parts.deploy.median, real.phases.whole.median]) assert.ok(value > 0, JSON.stringify(real))
  for (const { cpu, tasks, sql } of simulated) assert.ok(cpu > 0 && tasks >= 3 && sql.statements > 50 && sql.byGroup.queue > 0, stdout)
  assert.match(describeBatch({ real: [real], simulated, ...rest }), rest.pass ? /^PASS: /m : /^FAIL: /m)
  assert.deepEqual(await readdir(TMPDIR), [])
})

const simulated = (count: number, cpu: number): SimulatedFigures => ({ count, cpu, wall: cpu, tasks: 3, sql: { ms: 1, statements: 200, byGroup: { commit: 0, queue: 0, dispatcher: 0, authority: 0, rest: 1 } } })
const authority = { issueMs: 1, signMs: 1, issueRate: 1, signRate: 1 }

test('overhead that grows with the size of the batch is told as a failure', () => {
  const figures = (...sizes: SimulatedFigures[]) => describeBatch({ load: 0, authority, real: [], simulated: sizes })
  assert.match(figures(simulated(5000, 10 * limitRatio + 0.1), simulated(50, 10)), /^FAIL: the overhead per certificate in a batch of 5000 is 1\.51 times that in one of 50/m)
  assert.match(figures(simulated(50, 10), simulated(500, 99), simulated(5000, 10 * limitRatio)), /^PASS: /m)
  assert.doesNotMatch(figures(simulated(50, 10)), /PASS|FAIL/)
})

test('the phases of a certificate are the times between its events', () => {
  const kinds = ['action.rotate', 'order.created', 'order.csrReady', 'order.issued', 'deployment.created', 'deployment.approved', 'deployment.proven', 'action.done']
  const timeline = (certificateId: string, begin: number, step: number) => kinds.map((kind, i) => ({ certificateId, kind, at: new Date(begin + i * step).toISOString() }))
  const events = [...timeline('a', 0, 10), ...timeline('b', 500, 30)]
  const { certificates, batch, whole, parts } = phasesOf(events)
  assert.deepEqual([certificates, batch, whole.median], [2, 500 + 7 * 30, (70 + 210) / 2])
  assert.deepEqual(Object.values(parts).map(({ median }) => median), [20, 20, 20, 20, 20, 20])
  assert.throws(() => phasesOf(events.filter(({ certificateId, kind }) => certificateId === 'a' || kind !== 'order.issued')), /the timeline of b holds no "order\.issued"/)
})

test('sizes that do not fit are told', async (t) => {
  const { code, stderr } = await runProcess(t, [process.execPath, program, 'batch', '--real', '0', '--simulated', '50,x'])
  assert.equal(code, 1)
  assert.match(stderr, /--simulated takes whole numbers from 1 to 10000 with commas between, or 0, not "50,x"/)
})
