import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { checkShape, DetectedServer, DetectedSlot, type FieldNotes, Step } from '@certloop/contract'
import type { DriverContext, PlanMaterial, ServerTypeEntry } from './driver.ts'
import { materialDigest } from './material.ts'

/** A real server that runs and serves a certificate, and something new to put there. */
export interface ConformanceSubject {
  /** A real host; the suite hands it to the driver as it is. */
  context: DriverContext
  /** Of the running server, to tell it from others of its kind on the machine. */
  isSubject: (server: DetectedServer) => boolean
  /** Another certificate than the one now served, for the names of the slot. */
  material: PlanMaterial
  /** Carries out a plan for the material with the engine. Rejects unless it ends as deployed. */
  apply: (fields: Record<string, unknown>) => Promise<void>
  /** Everything that a deployment could change, e.g. the content of the files: two equal answers mean that nothing changed. */
  snapshot: () => Promise<unknown>
}

export interface ConformanceOptions {
  /** Folder of the server type: `new URL('./', import.meta.url)` of one of its files. */
  folder: URL
  /** Starts the server; it is called once per test and cleans up through `t`. */
  makeSubject: (t: TestContext) => Promise<ConformanceSubject>
  /** Why the server can't be had here; false when it can. */
  skip?: string | false
}

/** Registers the tests that every server type has to pass. Call it at the top level of a test file. */
export function serverTypeConformance(entry: ServerTypeEntry, options: ConformanceOptions): void {
  const { id } = entry.manifest
  describe(`server type ${id}: what is said about it`, () => manifestTests(entry, options.folder))
  describe(`server type ${id}: the driver`, { skip: options.skip ?? false }, () => driverTests(entry, options.makeSubject))
}

function manifestTests({ manifest }: ServerTypeEntry, folder: URL): void {
  test('the folder has the name of the id', () => assert.equal(fileURLToPath(folder).replace(/\/$/, '').split('/').at(-1), manifest.id))
  test('title and summary are there', () => assert.ok(manifest.title.trim() !== '' && manifest.summary.trim() !== ''))
  test('a README says what it needs and what it does not do', () => {
    const readme = new URL('README.md', folder)
    assert.ok(existsSync(readme), 'no README.md')
    const text = readFileSync(readme, 'utf8')
    for (const word of ['bot.toml', 'Rights', 'Not supported']) assert.ok(text.includes(word), `README.md says nothing under "${word}"`)
  })
  test('every field has a label and a help text', () => {
    for (const [name, schema] of Object.entries(manifest.fields.properties)) {
      const notes: Partial<FieldNotes> = 'x-field' in schema && typeof schema['x-field'] === 'object' ? schema['x-field'] ?? {} : {}
      assert.ok(notes.label?.trim() && notes.help?.trim() && notes.kind, `field "${name}" lacks a label, a help text or a kind`)
    }
  })
  test('fields that are not known are refused, and those of the identity exist', () => {
    assert.ok('additionalProperties' in manifest.fields && manifest.fields['additionalProperties'] === false, 'make the fields with fieldsObject()')
    for (const name of manifest.identity) assert.ok(name in manifest.fields.properties, `identity names "${name}", which is no field`)
    assert.ok(manifest.identity.length > 0)
  })
}

/** The server as detection finds it, and the fields of its first slot. */
async function detected(entry: ServerTypeEntry, subject: ConformanceSubject) {
  const driver = await entry.driver()
  const server = (await driver.detect(subject.context)).find(subject.isSubject)
  assert.ok(server, 'detect did not find the running server')
  const [slot] = server.slots
  assert.ok(slot, `detect found no slot: ${server.problem?.message ?? 'and no problem'}`)
  return { driver, server, slot }
}

function driverTests(entry: ServerTypeEntry, makeSubject: ConformanceOptions['makeSubject']): void {
  test('detect finds the running server with fields that fit the schema', async (t) => {
    const subject = await makeSubject(t)
    const { driver, server } = await detected(entry, subject)
    checkShape(DetectedServer, server, { what: 'The detected server' })
    assert.equal(server.serverType, entry.manifest.id)
    for (const { fields, problem, served } of server.slots) {
      checkShape(entry.manifest.fields, fields, { what: 'The fields of a slot' })
      assert.equal(problem, null)
      assert.ok(served.some(({ fingerprint }) => fingerprint !== null), 'no certificate was seen on any endpoint')
    }
    const again = (await driver.detect(subject.context)).find(subject.isSubject)
    assert.deepEqual([again?.key, again?.slots.map(({ fields }) => fields)], [server.key, server.slots.map(({ fields }) => fields)])
  })

  test('inspect shows the slot as detect did', async (t) => {
    const subject = await makeSubject(t)
    const { driver, slot } = await detected(entry, subject)
    const inspected = checkShape(DetectedSlot, await driver.inspect(subject.context, slot.fields), { what: 'The inspection' })
    assert.deepEqual({ ...inspected, served: [] }, { ...slot, served: [] })
    assert.doesNotMatch(inspected.installedPem ?? '', /PRIVATE KEY/)
  })

  test('a plan changes nothing, is the same twice, and can be read and proven', async (t) => {
    const subject = await makeSubject(t)
    const { driver, slot } = await detected(entry, subject)
    const before = await subject.snapshot()
    const plan = await driver.plan(subject.context, slot.fields, subject.material)
    assert.deepEqual(await driver.plan(subject.context, slot.fields, subject.material), plan)
    assert.deepEqual(await subject.snapshot(), before)
    for (const step of plan.steps) checkStep(checkShape(Step, step, { what: 'A step' }), subject.material)
    assert.ok(plan.steps.some(({ kind }) => kind === 'prove'), 'the plan proves nothing')
    assert.equal(new Set(plan.observed.map(({ name }) => name)).size, plan.observed.length, 'two observations have one name')
    assert.doesNotMatch(JSON.stringify(plan), /PRIVATE KEY/)
  })

  test('a place that is not there is SLOT_NOT_FOUND or SERVER_NOT_RUNNING', async (t) => {
    const subject = await makeSubject(t)
    const { driver, slot } = await detected(entry, subject)
    const elsewhere = Object.fromEntries(Object.entries(slot.fields).map(([name, value]) => [name, entry.manifest.identity.includes(name) && typeof value === 'string' ? `${value}-of-nobody` : value]))
    await assert.rejects(driver.inspect(subject.context, elsewhere), (error) => error instanceof Error && 'code' in error && ['SLOT_NOT_FOUND', 'SERVER_NOT_RUNNING'].includes(String(error.code)))
  })

  test('deployed, it is served; deploying it again changes nothing', async (t) => {
    const subject = await makeSubject(t)
    const { driver, slot } = await detected(entry, subject)
    await subject.apply(slot.fields)
    const { served, installedPem } = await settled(() => driver.inspect(subject.context, slot.fields), subject.material.fingerprint)
    for (const { fingerprint, endpoint } of served) assert.equal(fingerprint, subject.material.fingerprint, JSON.stringify(endpoint))
    assert.ok(installedPem?.includes(subject.material.chainPem[0]?.trim() ?? '-'), 'the installed certificate is not the deployed one')
    const { steps } = await driver.plan(subject.context, slot.fields, subject.material)
    assert.deepEqual(steps.map(({ kind }) => kind), ['prove'], 'there is something left to do')
    const before = await subject.snapshot()
    await subject.apply(slot.fields)
    assert.deepEqual(await subject.snapshot(), before)
  })
}

/** Servers may let previous workers answer beside the new ones for a moment: looks again until all show the same. */
async function settled(inspect: () => Promise<DetectedSlot>, fingerprint: string): Promise<DetectedSlot> {
  const end = performance.now() + 20_000
  for (;;) {
    const slot = await inspect()
    if (performance.now() > end || slot.served.every((sight) => sight.fingerprint === fingerprint)) return slot
    await pause(50)
  }
}

function checkStep(step: Step, material: PlanMaterial): void {
  if (step.kind === 'write-file') assert.equal(step.contentDigest, materialDigest(step.part, material))
  if (step.kind === 'prove') {
    assert.equal(step.expect, material.fingerprint)
    assert.ok(step.endpoints.length > 0, 'nothing is proven')
  }
}
