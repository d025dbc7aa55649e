import { checkShape, DetectedServer, DetectedSlot, Step } from '@certloop/contract'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { findSubject, planOf, type Scene, standing } from './conformance-scene.ts'
import { type ConformancePair, materialOfPair } from './conformance-subject.ts'
import { materialDigest } from './material.ts'

/** What a driver says of a server, and that saying it changes nothing. */
export async function detectTests(t: TestContext, scene: Scene): Promise<void> {
  const { entry: { manifest }, driver, context, subject, fields, server, slot } = scene
  const skip = scene.detects ? false : 'this server type detects nothing'

  await t.test('detect finds the running server with fields that fit the schema, the same each time', { skip }, async () => {
    const before = await subject.snapshot()
    checkShape(DetectedServer, server, { what: 'The detected server' })
    assert.equal(server?.serverType, manifest.id)
    for (const found of server?.slots ?? []) {
      checkShape(manifest.fields, found.fields, { what: 'The fields of a slot' })
      assert.equal(found.problem, null)
      assert.ok(found.served.some(({ fingerprint }) => fingerprint !== null), 'no certificate was seen on any endpoint')
    }
    const again = await findSubject(driver, context, subject)
    assert.deepEqual([again.key, again.slots.map((found) => found.fields)], [server?.key, server?.slots.map((found) => found.fields)])
    assert.deepEqual(await subject.snapshot(), before)
  })

  await t.test('inspect shows the slot as detect did, and no private key', async () => {
    const before = await subject.snapshot()
    const inspected = checkShape(DetectedSlot, await driver.inspect(context, fields), { what: 'The inspection' })
    if (slot !== undefined) assert.deepEqual({ ...inspected, fields: {}, served: [] }, { ...slot, fields: {}, served: [] })
    assert.doesNotMatch(inspected.installedPem ?? '', /PRIVATE KEY/)
    const { now } = await standing(scene)
    assert.equal(now, subject.pairs[0], 'the first of the pairs is the one that is served at the beginning')
    assert.ok(inspected.installedPem?.includes(now.certPem.trim()), 'the installed certificate is not the served one')
    assert.deepEqual(await subject.snapshot(), before)
  })

  await t.test('a plan changes nothing, is the same twice, and can be read and proven', async () => {
    const before = [await subject.snapshot(), await subject.foreign()]
    const [, next] = subject.pairs
    const plan = await planOf(scene, next)
    assert.deepEqual(await planOf(scene, next), plan)
    assert.deepEqual([await subject.snapshot(), await subject.foreign()], before)
    for (const step of plan.steps) checkStep(checkShape(Step, step, { what: 'A step' }), next)
    // Plain files need not be served by anything.
    if (manifest.category !== 'file') assert.ok(plan.steps.some(({ kind }) => kind === 'prove'), 'the plan proves nothing')
    assert.equal(new Set(plan.observed.map(({ name }) => name)).size, plan.observed.length, 'two observations have one name')
    assert.doesNotMatch(JSON.stringify({ ...plan, secrets: null }), /PRIVATE KEY/)
  })

  await t.test('a place that is not there is SLOT_NOT_FOUND or SERVER_NOT_RUNNING', { skip }, async () => {
    const elsewhere = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, manifest.identity.includes(name) && typeof value === 'string' ? `${value}-of-nobody` : value]))
    const codeNow = () => driver.inspect(context, elsewhere).then(() => 'no error', (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)))
    // Another server of this kind that is just being started or stopped on the machine can't be told from the one meant.
    let code = await codeNow()
    for (const end = performance.now() + 20_000; code === 'SERVER_CONFIGURATION_UNREADABLE' && performance.now() < end; code = await codeNow()) await pause(200)
    assert.ok(['SLOT_NOT_FOUND', 'SERVER_NOT_RUNNING'].includes(code), code)
  })
}

function checkStep(step: Step, pair: ConformancePair): void {
  if (step.kind === 'write-file' && (step.encoding ?? 'pem') === 'pem') assert.equal(step.contentDigest, materialDigest(step.part, materialOfPair(pair)))
  if (step.kind === 'prove') {
    assert.equal(step.expect, pair.fingerprint)
    assert.ok(step.endpoints.length > 0, 'nothing is proven')
  }
}
