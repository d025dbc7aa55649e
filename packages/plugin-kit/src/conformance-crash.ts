import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { assertOutcome, before, deployed, planOf, type Scene, standing } from './conformance-scene.ts'
import type { ConformanceEngine, ConformanceOptions } from './conformance-subject.ts'

/** Cut off at each point in turn; each time recovery has to end it one way or the other. */
export async function crashTests(t: TestContext, scene: Scene, crashPoints: ConformanceOptions['crashPoints']): Promise<void> {
  const wanted = { steps: /^do-\d+:/, all: /^(?:do|stage|clean)-\d+:/, default: /^(?:do|stage)-\d+:/ }[crashPoints ?? 'default']
  const points: string[] = []
  await t.test('a deployment that is not cut off passes the points where others are', async () => {
    const { other } = await standing(scene)
    assertOutcome(await (await scene.engine()).deploy(scene.fields, other, { atPoint: (point) => { if (wanted.test(point)) points.push(point) } }), 'deployed')
    assert.ok(points.length >= 4, points.join(', '))
  })
  // One engine after the other: each begins with what the one before it left behind.
  let engine = await scene.engine()
  for (const point of points) {
    await t.test(`cut off at ${point}: wholly old or wholly new, served, and the next deployment works`, async () => {
      engine = await cutAt(scene, engine, point)
    })
  }
}

async function cutAt(scene: Scene, engine: ConformanceEngine, point: string): Promise<ConformanceEngine> {
  const stood = await before(scene)
  const revived = await engine.cut(scene.fields, stood.other, point)
  const { recovered, stuck } = await revived.recover()
  assert.deepEqual(stuck, [])
  const results = recovered.map(({ result }) => result)
  const { now } = await standing(scene)
  assert.deepEqual(await scene.subject.foreign(), stood.foreign, 'something beside it was touched, or is left over')
  if (now === stood.other) {
    assert.deepEqual(results.map(({ outcome }) => outcome), ['deployed'])
    assert.deepEqual((await planOf(scene, now)).steps.filter(({ kind }) => kind !== 'prove'), [], 'there is something left to do')
    return revived
  }
  assert.deepEqual(await scene.subject.snapshot(), stood.snapshot, 'content, owner or mode differ')
  for (const { outcome, touched, error } of results) assert.ok(error && (outcome === 'rolled-back' || (outcome === 'failed' && !touched)), `${outcome}: ${error?.message}`)
  await deployed(revived, scene.fields, stood.other)
  assert.equal((await standing(scene)).now, stood.other)
  return revived
}
