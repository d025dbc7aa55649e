import type { DeployResult } from '@certloop/contract'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { assertAsBefore, assertOutcome, before, impatient, placesOf, planOf, type Scene } from './conformance-scene.ts'
import { type BadInput, type ConformanceEngine, type ConformancePair, type Failure, type Fields, overlaid } from './conformance-subject.ts'
import type { Host } from './host.ts'

/** What stops a deployment before anything is touched. */
export async function badInputTests(t: TestContext, scene: Scene): Promise<void> {
  for (const input of scene.subject.badInput ?? []) {
    await t.test(`${input.what} is ${input.code}, and nothing is touched`, { skip: input.skip ?? false }, () => badInput(scene, input))
  }
}

async function badInput(scene: Scene, { spoil, code, names }: BadInput): Promise<void> {
  const stood = await before(scene)
  const { fields = scene.fields, mend } = await spoil(scene.fields)
  try {
    const [snapshot, foreign] = [await scene.subject.snapshot(), await scene.subject.foreign()]
    const error = await failureOf(await scene.engine(), fields, stood.other)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, names)
    assert.deepEqual(await scene.subject.snapshot(), snapshot)
    assert.deepEqual(await scene.subject.foreign(), foreign)
  } finally {
    await mend?.()
  }
  await assertAsBefore(scene, stood)
}

/** Of the plan, or of the deployment when a plan can be made. */
async function failureOf(engine: ConformanceEngine, fields: Fields, pair: ConformancePair): Promise<{ code: string; message: string }> {
  const plan = await engine.plan(fields, pair).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message }
    throw error
  })
  if (!('steps' in plan)) return plan
  const { outcome, error } = await engine.deploy(fields, pair, { plan })
  assert.notEqual(outcome, 'deployed')
  assert.ok(error)
  return error
}

/** A deployment that fails on its way ends where it began. */
export async function undoTests(t: TestContext, scene: Scene): Promise<void> {
  const { steps } = await planOf(scene, (await before(scene)).other)

  await t.test('a proof that fails: the previous certificate is back and served', { skip: placesOf({ steps }, 'prove').length > 0 ? false : 'its plans prove nothing' }, async () => {
    const stood = await before(scene)
    const nothing = 'f'.repeat(64)
    const engine = await scene.engine({ probe: (probe) => async (endpoint) => {
      const seen = await probe(endpoint)
      return seen.fingerprint === stood.other.fingerprint ? { ...seen, fingerprint: nothing } : seen
    } })
    const result = await engine.deploy(impatient(scene, scene.fields), stood.other)
    assertUndone(result, 'PROOF_MISMATCH')
    await assertAsBefore(scene, stood)
  })

  for (const index of placesOf({ steps }, 'run-command', 'reload-service')) {
    const step = steps[index]
    if (step?.kind !== 'run-command' && step?.kind !== 'reload-service') continue
    const code = step.kind === 'run-command' ? 'CONFIG_TEST_FAILED' : 'RELOAD_FAILED'
    await t.test(`step ${index + 1}, ${step.kind}, fails with ${code}: the previous certificate is back and served`, async () => {
      const stood = await before(scene)
      const refusal = refusedOnce(step.argv)
      const engine = await scene.engine({ host: refusal.host })
      assertUndone(await engine.deploy(scene.fields, stood.other, { atPoint: (point) => { if (point === `do-${index}:before`) refusal.arm() } }), code)
      await assertAsBefore(scene, stood)
    })
  }

  for (const failure of scene.subject.failures ?? []) {
    await t.test(`${failure.what}: undone with ${failure.code}`, () => breakdown(scene, failure))
  }
}

function assertUndone(result: DeployResult, code: string): void {
  assertOutcome(result, 'rolled-back')
  assert.equal(result.error?.code, code, JSON.stringify(result.error))
}

/** A host on which a command fails once, from when it is armed. */
function refusedOnce(argv: readonly string[]): { host: (host: Host) => Host; arm: () => void } {
  let armed = false
  return {
    arm: () => { armed = true },
    host: (host) => overlaid(host, {
      async run(asked, options) {
        if (!armed || !isDeepStrictEqual([...asked], argv)) return host.run(asked, options)
        armed = false
        return { exitCode: 1, stdout: '', stderr: 'refused for a test', truncated: false, durationMs: 0 }
      },
    }),
  }
}

async function breakdown(scene: Scene, { spoil, code, fields = (same) => same }: Failure): Promise<void> {
  const stood = await before(scene)
  let mend: (() => Promise<unknown>) | undefined
  try {
    const engine = await scene.engine()
    const result = await engine.deploy(fields(scene.fields), stood.other, { atPoint: async (point) => { if (point === 'do-0:before') mend = await spoil() } })
    assertUndone(result, code)
  } finally {
    await mend?.()
  }
  await assertAsBefore(scene, stood)
}
