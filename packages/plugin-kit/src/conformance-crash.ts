import type { Plan } from '@certloop/contract'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { assertDone, assertOutcome, before, placesOf, type Scene, standing } from './conformance-scene.ts'
import type { ConformanceEngine } from './conformance-subject.ts'

/** Which points are tried, of those that a deployment with this plan passes. */
export type ChosenPoints = (point: string, plan: Pick<Plan, 'steps'>) => boolean

/** With everything ready and nothing touched yet, and after each change. What lies between is the engine's alone, the same for all. */
export const eachChange: ChosenPoints = (point) => point === 'do-0:before' || /^do-\d+:after$/.test(point)

export const everyPoint: ChosenPoints = (point) => /^(?:do|stage|clean)-\d+:/.test(point)

/** Between the end of one and the beginning of the next only the journal of the bot grows. */
export const everyEnd: ChosenPoints = (point, plan) => everyPoint(point, plan) && point.endsWith(':after')

/** With all in place but not in use yet, and with the last change made but not proven: what a driver's steps have to allow. */
export const aroundActivation: ChosenPoints = (point, plan) => {
  const last = Math.max(...placesOf(plan, ...plan.steps.map(({ kind }) => kind).filter((kind) => kind !== 'prove')))
  return [last - 1, last].some((index) => point === `do-${index}:after`)
}

/** Cut off at each point in turn; each time recovery has to end it one way or the other. */
export async function crashTests(t: TestContext, scene: Scene, chosen: ChosenPoints): Promise<void> {
  const points: string[] = []
  await t.test('a deployment that is not cut off passes the points where others are', async () => {
    const { other } = await standing(scene)
    const engine = await scene.engine()
    const plan = await engine.plan(scene.fields, other)
    assertOutcome(await engine.deploy(scene.fields, other, { plan, atPoint: (point) => { if (chosen(point, plan)) points.push(point) } }), 'deployed')
    assert.ok(points.length > 0, 'it passed none of them')
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
  const plan = await revived.plan(scene.fields, stood.other)
  if (now === stood.other) {
    assert.deepEqual(results.map(({ outcome }) => outcome), ['deployed'])
    assertDone(plan)
    return revived
  }
  assert.deepEqual(await scene.subject.snapshot(), stood.snapshot, 'content, owner or mode differ')
  for (const { outcome, touched, error } of results) assert.ok(error && (outcome === 'rolled-back' || (outcome === 'failed' && !touched)), `${outcome}: ${error?.message}`)
  assertOutcome(await revived.deploy(scene.fields, stood.other, { plan }), 'deployed')
  assert.equal((await standing(scene)).now, stood.other)
  return revived
}
