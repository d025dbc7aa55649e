import type { Ownership, TargetOptions } from '@certloop/contract'
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import type { EngineDeps } from '../../src/engine/index.ts'
import { materialOf, testEngine } from './engine-kit.ts'
import { assertWhole, request, type TinyScene, tinyScene } from './scene.ts'
import { tinyDriver } from './tiny-driver.ts'

const root = process.getuid?.() === 0
const [uid, gid] = root ? [4321, 4322] : [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
const wanted: Ownership = { mode: 0o640, uid, gid }
const failing: TargetOptions = { scripts: { after: { source: { from: 'device', argv: ['/bin/false'] }, timeoutSeconds: 20 } } }

/** The pair that is there already, with another owner and mode for the key. */
async function sameWithOtherOwner(t: TestContext) {
  const scene = await tinyScene(t)
  scene.material = await materialOf(scene.folder, scene.old)
  const driverFor: EngineDeps['driverFor'] = () => ({
    ...tinyDriver,
    async plan(context, fields, material) {
      const draft = await tinyDriver.plan(context, fields, material)
      return { ...draft, steps: draft.steps.map((step) => (step.kind === 'write-file' && step.part === 'key' ? { ...step, ownership: wanted } : step)) }
    },
  })
  return { scene, engine: (more: Partial<EngineDeps> = {}) => testEngine(scene.folder, { driverFor, ...more }) }
}
async function keyFacts({ keyPath }: TinyScene): Promise<Ownership> {
  const facts = await stat(keyPath)
  return { mode: facts.mode & 0o7777, uid: facts.uid, gid: facts.gid }
}

test('a step that changes owner and mode alone is carried out, and nothing else changes', async (t) => {
  const { scene, engine } = await sameWithOtherOwner(t)
  const asked = await request(scene, { plan: await engine().plan(await request(scene)) })
  assert.equal((await engine().deploy(asked)).outcome, 'deployed')
  assert.deepEqual(await keyFacts(scene), wanted)
  assert.equal(await readFile(scene.keyPath, 'utf8'), scene.old.keyPem)
})

test('an undo puts owner and mode back where the content is the same before and after', async (t) => {
  const { scene, engine } = await sameWithOtherOwner(t)
  const before = await keyFacts(scene)
  scene.options = failing
  const result = await engine().deploy(await request(scene, { plan: await engine().plan(await request(scene)) }))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'SCRIPT_FAILED'])
  assert.deepEqual(await keyFacts(scene), before)
  await assertWhole(scene, 'old')
})
