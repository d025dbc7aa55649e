import { eventually } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after } from 'node:test'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type DeployRequest } from '../../src/engine/index.ts'
import type { UndoRequest } from '../../src/engine/types.ts'
import { newDeploymentId, testEngine } from './engine-kit.ts'
import type { Job } from './engine-process.ts'
import { assertTruth, assertWhole, outcomeAfterRestart, planned, request, reset, type Scene, type Side } from './scene.ts'

export interface Ended { killed: boolean; points: string[]; output: string }

/** One run of the engine in a process of its own, killed with SIGKILL at a point (from 0) or not at all. */
export async function runEngine(scene: Scene, deploy: DeployRequest | null, killAt: number | string | null, undo?: UndoRequest): Promise<Ended> {
  const points = join(scene.folder, 'points')
  await rm(points, { force: true })
  const child = startEngine({ folder: scene.folder, request: deploy, killAt, points, ...(undo ? { undo } : {}) })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
  assert.ok(code === 0 || signal === 'SIGKILL', `the engine's process ended with ${code ?? signal}:\n${output}`)
  return { killed: signal === 'SIGKILL', points: (await readFile(points, 'utf8').catch(() => '')).split('\n').filter(Boolean), output }
}

/** A new engine on the same folder: nothing of what died is left in it, and no process has to be started. */
async function recoverHere(scene: Scene): Promise<void> {
  assert.deepEqual((await testEngine(scene.folder).recover()).stuck, [])
}

/** Checks everything that must hold once recovery is over. */
export async function assertRecovered(scene: Scene, deploy: Pick<DeployRequest, 'deploymentId'>, what: string, wanted: Side = 'new'): Promise<Side> {
  try {
    // The server may need a moment for the reload it was told; which side is right, the files say.
    const isOld = scene.sideNow === undefined ? (await readFile(scene.certPath, 'utf8')).trim() === scene.old.certPem.trim() : await scene.sideNow() === 'old'
    const files = isOld ? scene.old : scene.next
    await eventually(async () => await scene.served() === files.fingerprint, { what: 'the installed certificate being served', timeoutMs: 10_000 })
    const side = await assertWhole(scene)
    assertTruth(await outcomeAfterRestart(scene, deploy.deploymentId), side === wanted ? 'new' : 'old')
    return side
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error })
  }
}

export interface Enumeration { points: string[]; sides: Record<Side, number> }

/**
 * Counts the points of one undisturbed deployment, then kills the k-th for every k and recovers in a new process.
 * `good`: what the undisturbed one ends in. `chosen`: only these.
 */
export async function killAtEveryPoint(scene: Scene, good: Side, say: (line: string) => void, chosen: (k: number, name: string) => boolean = () => true): Promise<Enumeration> {
  await reset(scene)
  const plan = await planned(scene)
  const whole = await runEngine(scene, await request(scene, { plan }), null)
  assert.equal(await assertWhole(scene), good, whole.output)
  const sides: Record<Side, number> = { old: 0, new: 0 }
  for (const [k, name] of whole.points.entries()) {
    if (!chosen(k, name)) continue
    await reset(scene)
    const deploy = await request(scene, { plan })
    const cut = await runEngine(scene, deploy, k)
    assert.ok(cut.killed, `the deployment was to die at point ${k} (${name}) and did not:\n${cut.output}`)
    assert.deepEqual(cut.points, whole.points.slice(0, k + 1), 'the points come in the same order each time')
    await recoverHere(scene)
    const side = await assertRecovered(scene, deploy, `killed at point ${k} (${name})`)
    sides[side]++
    say(`${String(k).padStart(3)} ${name} → ${side}`)
  }
  return { points: whole.points, sides }
}

/** The same for taking back a deployment that was committed: what it did is there whole, or what was there before. */
export async function killUndoAtEveryPoint(scene: Scene, say: (line: string) => void, chosen: (k: number, name: string) => boolean): Promise<Enumeration> {
  const whole = await runEngine(scene, null, null, await committed(scene))
  assert.equal(await assertWhole(scene), 'old', whole.output)
  const sides: Record<Side, number> = { old: 0, new: 0 }
  for (const [k, name] of whole.points.entries()) {
    if (!chosen(k, name)) continue
    const undo = await committed(scene)
    const cut = await runEngine(scene, null, k, undo)
    assert.ok(cut.killed, `the undo was to die at point ${k} (${name}) and did not:\n${cut.output}`)
    await recoverHere(scene)
    const side = await assertRecovered(scene, undo, `killed at point ${k} (${name}) of the undo`, 'old')
    sides[side]++
    say(`${String(k).padStart(3)} ${name} → ${side}`)
  }
  return { points: whole.points, sides }
}

/** Deployed, told and acknowledged. @returns what takes it back */
async function committed(scene: Scene): Promise<UndoRequest> {
  await reset(scene)
  const engine = testEngine(scene.folder)
  const deploy = await request(scene)
  assert.equal((await engine.deploy(deploy)).outcome, 'deployed')
  await engine.acknowledge(deploy.deploymentId)
  return { deploymentId: newDeploymentId(), undoes: deploy.deploymentId, target: deploy.target }
}

/** Kills a deployment at one point, then the recovery at each of its points in turn, then recovers for good. */
export async function killRecoveryAtEveryPoint(scene: Scene, k: number | string, say: (line: string) => void): Promise<number> {
  await reset(scene)
  const plan = await planned(scene)
  for (let j = 0; ; j++) {
    await reset(scene)
    const deploy = await request(scene, { plan })
    const first = await runEngine(scene, deploy, k)
    assert.ok(first.killed, `the deployment was to die at point ${k}`)
    const second = await runEngine(scene, null, j)
    if (second.killed) await recoverHere(scene)
    const where = `killed at point ${k} (${first.points.at(-1)}), then at point ${j} of the recovery (${second.killed ? second.points.at(-1) : 'none'})`
    const side = await assertRecovered(scene, deploy, `${where}\n${second.output}`)
    say(`${where} → ${side}`)
    if (!second.killed) return j
  }
}

/** Kills the engine from outside, so many times, each a few milliseconds after a point was passed: within whatever follows it. */
export async function killAtRandomInstants(scene: Scene, times: number, random: () => number, say: (line: string) => void): Promise<void> {
  await reset(scene)
  const plan = await planned(scene)
  const whole = await runEngine(scene, await request(scene, { plan }), null)
  for (let i = 0; i < times; i++) {
    await reset(scene)
    const deploy = await request(scene, { plan })
    const [passed, afterMs] = [1 + Math.floor(random() * (whole.points.length - 1)), random() * 5]
    const last = await killSoonAfter(scene, deploy, passed, afterMs)
    await recoverHere(scene)
    const where = `killed ${afterMs.toFixed(1)} ms after point ${passed} was passed (last passed: ${last})`
    say(`${where} → ${await assertRecovered(scene, deploy, where)}`)
  }
}

async function killSoonAfter(scene: Scene, deploy: DeployRequest, passed: number, afterMs: number): Promise<string> {
  const points = join(scene.folder, 'points')
  const lines = async () => (await readFile(points, 'utf8')).split('\n').filter(Boolean)
  await writeFile(points, '')
  const child = startEngine({ folder: scene.folder, request: deploy, killAt: null, points })
  const ended = once(child, 'close')
  await eventually(async () => (await lines()).length >= passed, { intervalMs: 1, what: `point ${passed}`, timeoutMs: 60_000 })
  await pause(afterMs)
  child.kill('SIGKILL')
  await ended
  return (await lines()).at(-1) ?? ''
}

/** One for all scenes of a test file. */
const compiled = mkdtempSync(join(tmpdir(), 'certloop-compiled-'))
after(() => { rmSync(compiled, { recursive: true, force: true }) })

function startEngine(job: Job) {
  return spawn(process.execPath, [join(import.meta.dirname, 'engine-process.ts'), JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled }, // hundreds of starts
  })
}

/** Numbers from a seed, so that a sample can be taken again. 0 <= n < 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** From CERTLOOP_SEED, or any. */
export const seedOfRun = (): number => Number(process.env['CERTLOOP_SEED'] ?? Math.floor(Math.random() * 2 ** 32))
