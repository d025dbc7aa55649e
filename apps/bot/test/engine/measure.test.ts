import { leftOut } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { DeployResult } from '@certloop/contract'
import { testEngine } from './engine-kit.ts'
import { nginxScene, planned, request, reset, type Scene, tinyScene } from './scene.ts'

/** Where the time of a deployment goes, as its own log says. Prints; asserts only that it adds up. */
const parts = {
  'plan made again': (e: Entry) => e.phase === 'plan',
  'files read, journal and backup': (e: Entry) => e.phase === 'backup' && e.step === null,
  'new files staged': (e: Entry) => e.phase === 'backup' && e.step !== null,
  'files renamed': (e: Entry) => e.phase === 'do' && e.message.includes('holds the new content'),
  'test and reload commands': (e: Entry) => e.phase === 'do' && !e.message.includes('holds the new content'),
  'proof': (e: Entry) => e.phase === 'prove',
}
type Entry = DeployResult['log'][number]

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

async function measure(t: TestContext, scene: Scene, runs: number): Promise<void> {
  const engine = testEngine(scene.folder)
  const plan = await planned(scene, engine)
  const split: Record<string, number[]> = {}
  const note = (name: string, ms: number) => { (split[name] ??= []).push(ms) }
  for (let i = 0; i < runs; i++) {
    await reset(scene)
    const deploy = await request(scene, { plan })
    const start = performance.now()
    const { outcome, log, error } = await engine.deploy(deploy)
    const whole = performance.now() - start
    assert.equal(outcome, 'deployed', error?.message ?? '')
    let known = 0
    for (const [name, belongs] of Object.entries(parts)) {
      const ms = log.filter(belongs).reduce((sum, entry) => sum + (entry.durationMs ?? 0), 0)
      note(name, ms)
      known += ms
    }
    note('journal records, clean-up and the rest', whole - known)
    note('whole', whole)
    assert.ok(known <= whole + 1)
  }
  for (const [name, values] of Object.entries(split)) t.diagnostic(`${median(values).toFixed(1).padStart(8)} ms  ${name}`)
}

test('where the time goes: a small TLS server', async (t) => measure(t, await tinyScene(t), 15))
test('where the time goes: nginx', { skip: leftOut('nginx') }, async (t) => measure(t, await nginxScene(t), 15))
