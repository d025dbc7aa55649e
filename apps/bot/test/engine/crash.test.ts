import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { killAtEveryPoint, killAtRandomInstants, killRecoveryAtEveryPoint, killUndoAtEveryPoint, seeded, seedOfRun } from './crash-harness.ts'
import { keystoreScene } from './keystore-scene.ts'
import { tinyScene, toolCommand } from './scene.ts'

const timeout = 900_000

test('killed at any point of a deployment, the target ends wholly old or wholly new', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const { points, sides } = await killAtEveryPoint(scene, 'new', (line) => { t.diagnostic(line) })
  t.diagnostic(`${points.length} points: ${sides.old} ended old, ${sides.new} ended new`)
  assert.ok(sides.old > 0 && sides.new > 0, 'some go forward and some back')
})

test('killed at any point of a deployment that fails and is undone, the target ends wholly old', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  scene.fields.testArgv = toolCommand('refuse')
  const { points, sides } = await killAtEveryPoint(scene, 'old', (line) => { t.diagnostic(line) })
  t.diagnostic(`${points.length} points`)
  assert.deepEqual(sides, { old: points.length, new: 0 })
})

/** Each point is a start of two processes: a run of the tests takes every fifth, another run others. */
const sampled = (t: TestContext) => {
  const seed = seedOfRun()
  const every = Number(process.env['CERTLOOP_CRASH_EVERY'] ?? 5)
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  return (k: number) => k % every === seed % every
}

test('killed at any point of a deployment into a keystore, told over a socket and with scripts around, it ends wholly old or wholly new', { timeout }, async (t) => {
  const { points, sides } = await killAtEveryPoint(await keystoreScene(t), 'new', (line) => { t.diagnostic(line) }, sampled(t))
  t.diagnostic(`${points.length} points: ${sides.old} ended old, ${sides.new} ended new`)
  assert.ok(sides.old > 0 && sides.new > 0, 'some go forward and some back')
})

test('killed at any point of an undo of a keystore, it ends wholly old', { timeout }, async (t) => {
  const scene = await keystoreScene(t)
  scene.fields.tell = { socket: scene.socket, expect: '^never' }
  const isUndo = (name: string) => /undo|again|clean|outcome|closed/.test(name)
  const inSample = sampled(t)
  const { sides } = await killAtEveryPoint(scene, 'old', (line) => { t.diagnostic(line) }, (k, name) => isUndo(name) && inSample(k))
  assert.ok(sides.old > 0)
  assert.equal(sides.new, 0)
})

test('killed at any point of the undo of a committed deployment, it ends wholly old or wholly new', { timeout }, async (t) => {
  const { points, sides } = await killUndoAtEveryPoint(await tinyScene(t), (line) => { t.diagnostic(line) }, sampled(t))
  t.diagnostic(`${points.length} points: ${sides.old} ended old, ${sides.new} ended new`)
  assert.ok(sides.old > 0 && sides.new > 0, 'some go forward and some back')
})

test('killed again at any point of the recovery, the target ends wholly old or wholly new', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  const random = seeded(seed)
  const count = Number(process.env['CERTLOOP_CRASH_SAMPLE'] ?? 2)
  for (let i = 0; i < count; i++) {
    // Two thirds into a deployment most of the ways of recovery begin.
    const k = 10 + Math.floor(random() * 25)
    const points = await killRecoveryAtEveryPoint(scene, k, (line) => { t.diagnostic(line) })
    assert.ok(points > 0)
  }
})

test('killed in an undo and again in the recovery that goes on with it, the target ends wholly old', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  scene.fields.testArgv = toolCommand('refuse')
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  for (const name of ['undo-1:after', 'again-4:before'].slice(seed % 2, seed % 2 + 1)) {
    await killRecoveryAtEveryPoint(scene, name, (line) => {
      t.diagnostic(line)
      assert.match(line, /→ old$/)
    })
  }
})

test('killed at any instant, also within a write or a command, the target ends wholly old or wholly new', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  const random = seeded(seed)
  await killAtRandomInstants(scene, Number(process.env['CERTLOOP_CRASH_SAMPLE'] ?? 10), random, (line) => { t.diagnostic(line) })
})
