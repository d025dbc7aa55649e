import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { assertAsBefore, assertDone, assertInspected, assertOutcome, before, deployed, planOf, type Scene, standing } from './conformance-scene.ts'

/** From one pair to the other, with and without leave to overwrite. */
export async function deployTests(t: TestContext, scene: Scene): Promise<void> {
  const { subject, fields } = scene

  await t.test('overwrite off: what somebody else put there is TARGET_OCCUPIED and stays', async () => {
    const stood = await before(scene)
    const engine = await scene.engine()
    await assert.rejects(engine.plan(fields, stood.other, { overwrite: false }), { code: 'TARGET_OCCUPIED' })
    await assertAsBefore(scene, stood)
  })

  await t.test('deployed, it is served everywhere; nothing beside it changes; deploying it again changes nothing', async () => {
    const stood = await before(scene)
    const engine = await scene.engine()
    const plan = await engine.plan(fields, stood.other)
    const result = await engine.deploy(fields, stood.other, { plan })
    assertOutcome(result, 'deployed')
    assert.equal((await standing(scene)).now, stood.other)
    assert.deepEqual(await subject.foreign(), stood.foreign)
    // Each way to TLS that is spoken there was proven with a handshake that began the same way.
    const proven = plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints.map(({ endpoint }) => endpoint) : []))
    assert.deepEqual(result.inspection?.served.map(({ endpoint, fingerprint }) => [endpoint, fingerprint]), proven.map((endpoint) => [endpoint, stood.other.fingerprint]))
    // What the bot tells of a deployment is what the next look would show.
    assert.ok(result.inspection?.installedPem?.includes(stood.other.certPem.trim()), 'the result does not say what is installed')
    await assertInspected(scene, stood.other)
    assertDone(await planOf(scene, stood.other))
    const now = await before(scene)
    const again = await engine.deploy(fields, stood.other)
    assertOutcome(again, 'deployed')
    assert.ok(again.inspection?.installedPem?.includes(stood.other.certPem.trim()), 'the result of a deployment that had nothing to do does not say what is installed')
    await assertAsBefore(scene, now)
  })

  await t.test('overwrite off: what was put there by this platform is replaced', async () => {
    const engine = await scene.engine()
    await deployed(engine, fields, (await standing(scene)).other)
    const { other } = await standing(scene)
    await deployed(engine, fields, other, { overwrite: false })
    assert.equal((await standing(scene)).now, other)
  })
}
