import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut, runProcess, startProcess, tempFolder } from '@certloop/test-kit'
import { describe, limitMs, type Figures } from './report.ts'
import { partNames, type PartName, type Parts } from './parts.ts'

const program = join(import.meta.dirname, 'run.ts')
const skip = leftOut('nginx')

test('the benchmark measures every part, memory, cold start and the CA, and leaves nothing', { skip, timeout: 240_000 }, async (t) => {
  const TMPDIR = join(await tempFolder(t, 'bench-test'), 'tmp')
  await mkdir(TMPDIR)
  const { code, stdout, stderr } = await runProcess(t, [process.execPath, program, '--rotations', '2', '--idle', '0', '--json'], { env: { TMPDIR } })
  assert.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as Figures & { pass: boolean }
  assert.equal(figures.splits.length, 2)
  for (const { total, own, parts, commitCount } of figures.splits) {
    const sum = Object.values(parts).reduce((a, b) => a + b, 0)
    assert.ok(Math.abs(sum - total) < 0.01, `${sum} is not ${total}`)
    assert.ok(own > 0 && own < total && parts.reload > 0 && parts.proof + parts.watch > 0 && parts.test > 0)
    assert.ok(commitCount >= 6, `${commitCount} commits`)
  }
  const { idle, coldStart, authority, nginx } = figures
  for (const value of [idle.planeMb, idle.botMb, coldStart.planeMs, coldStart.planeFirstMs, coldStart.botMs, authority.issueRate, authority.signRate, nginx.test]) assert.ok(value > 1, JSON.stringify(figures))
  assert.equal(figures.pass, figures.ownMs <= limitMs)
  assert.match(describe(figures), figures.pass ? /^PASS: /m : /^FAIL: /m)
  assert.deepEqual(await readdir(TMPDIR), [])
})

test('stopped in the middle it leaves nothing', { skip, timeout: 120_000 }, async (t) => {
  const TMPDIR = join(await tempFolder(t, 'bench-test'), 'tmp')
  await mkdir(TMPDIR)
  const run = await startProcess(t, [process.execPath, program], { env: { TMPDIR } })
  while ((await readdir(TMPDIR)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  run.kill('SIGINT')
  assert.notEqual((await run.ended).code, 0)
  assert.deepEqual(await readdir(TMPDIR), [])
})

test('a share of our own above the limit is told as a failure', () => {
  const parts = Object.fromEntries((Object.keys(partNames) as PartName[]).map((name) => [name, 0])) as Parts
  const figures = (ownMs: number): Figures => ({
    load: 0, asked: 1, splits: [{ total: ownMs, own: ownMs, parts, sqlMs: 0, commitCount: 6 }], ownMs, idleSeconds: 0, idle: { planeMb: 1, botMb: 1, planeCpuMs: 0, botCpuMs: 0 },
    authority: { issueMs: 1, signMs: 1, issueRate: 1, signRate: 1 }, nginx: { version: 1, dump: 1, test: 1 }, coldStart: { planeFirstMs: 1, planeMs: 1, botMs: 1 },
  })
  assert.match(describe(figures(limitMs + 1)), /^FAIL: our own share is 251 ms/m)
  assert.match(describe(figures(limitMs)), /^PASS: /m)
})

test('options that do not fit are told', async (t) => {
  for (const [option, pattern] of [[['--rotations', '0'], /--rotations takes a whole number/], [['--speed'], /--speed/]] as const) {
    const { code, stderr } = await runProcess(t, [process.execPath, program, ...option])
    assert.equal(code, 1)
    assert.match(stderr, pattern)
  }
})
