import type { DeployResult, DetectedServer, DetectedSlot, Endpoint, Plan, Step, TargetOptions } from '@certloop/contract'
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { type BenchOptions, type ConformanceBench, type ConformanceEngine, type ConformancePair, type ConformanceSubject, type Fields, materialOfPair } from './conformance-subject.ts'
import { probeAll } from './in-parallel.ts'
import type { DriverContext, PlanDraft, ServerTypeDriver, ServerTypeEntry } from './driver.ts'

/** One subject on its host, and what was said about it so far. */
export interface Scene {
  readonly entry: ServerTypeEntry
  readonly driver: ServerTypeDriver
  readonly context: DriverContext
  readonly subject: ConformanceSubject
  readonly detects: boolean
  /** As detection showed them at the beginning; undefined where nothing detects. */
  readonly server: DetectedServer | undefined
  readonly slot: DetectedSlot | undefined
  /** To deploy with. */
  readonly fields: Fields
  /** Where a plan proves it. */
  readonly endpoints: readonly Endpoint[]
  engine(options?: BenchOptions): Promise<ConformanceEngine>
  readonly engines: readonly ConformanceEngine[]
  /** What people and the control plane get to see: plans, results, detected servers. */
  readonly said: unknown[]
}

export async function sceneOf(entry: ServerTypeEntry, bench: ConformanceBench, subject: ConformanceSubject): Promise<Scene> {
  const driver = await entry.driver()
  const detects = entry.manifest.capabilities.includes('detect')
  const server = detects ? await findSubject(driver, bench.context, subject) : undefined
  const slot = server?.slots[0]
  if (server !== undefined) assert.ok(slot, `detect found no slot: ${server.problem?.message ?? 'and no problem'}`)
  const fields = subject.fields?.(slot) ?? slot?.fields
  assert.ok(fields, 'a server type that detects nothing needs fields from its subject')
  const { steps } = await driver.plan(bench.context, fields, materialOfPair(subject.pairs[1]))
  const endpoints = steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints.map(({ endpoint }) => endpoint) : []))
  const engines: ConformanceEngine[] = []
  const scene = { entry, driver, context: bench.context, subject, detects, server, slot, fields, endpoints, engines, said: [server] }
  return { ...scene, engine: async (options) => remembered(scene, await bench.engine(options)) }
}

/** The running server as detection shows it now. */
export async function findSubject(driver: ServerTypeDriver, context: DriverContext, { isSubject }: ConformanceSubject): Promise<DetectedServer> {
  assert.ok(isSubject, 'a server type that detects needs isSubject')
  const server = (await driver.detect(context)).find(isSubject)
  assert.ok(server, 'detect did not find the running server')
  return server
}

interface Memory { engines: ConformanceEngine[]; said: unknown[] }

/** Keeps what an engine says, for the search for secrets. */
function remembered(memory: Memory, engine: ConformanceEngine): ConformanceEngine {
  memory.engines.push(engine)
  const kept = async <T>(work: Promise<T>): Promise<T> => {
    const value = await work.catch((error: unknown) => {
      memory.said.push(error instanceof Error ? { ...error, message: error.message } : error)
      throw error
    })
    memory.said.push(value)
    return value
  }
  return {
    ...engine,
    plan: (...asked) => kept(engine.plan(...asked)),
    deploy: (...asked) => kept(engine.deploy(...asked)),
    recover: () => kept(engine.recover()),
    cut: async (...asked) => remembered(memory, await engine.cut(...asked)),
  }
}

export const planOf = ({ driver, context, fields }: Scene, pair: ConformancePair): Promise<PlanDraft> => driver.plan(context, fields, materialOfPair(pair))

export interface Standing { now: ConformancePair; other: ConformancePair }

/**
 * Which of the two pairs is served now, by handshakes, once all endpoints agree: servers may let previous workers answer
 * beside the new ones for a moment. Where nothing is served, by what is in place.
 */
export async function standing(scene: Scene): Promise<Standing> {
  const { subject: { pairs: [first, second] }, endpoints, context: { probe } } = scene
  const end = performance.now() + 20_000
  for (;;) {
    const served = await probeAll(probe, endpoints)
    const slot = endpoints.length > 0 ? { served, installedPem: null } : await scene.driver.inspect(scene.context, scene.fields)
    for (const [now, other] of [[first, second], [second, first]] as const) if (endpoints.length > 0 ? isServed(slot, now) : isInstalled(slot, now)) return { now, other }
    if (performance.now() > end) assert.fail(`neither of the two certificates is served everywhere: ${JSON.stringify({ pairs: [first.fingerprint, second.fingerprint], ...slot })}`)
    await pause(40)
  }
}

const isServed = ({ served }: Pick<DetectedSlot, 'served'>, { fingerprint }: ConformancePair) => served.every((sight) => sight.fingerprint === fingerprint)
const isInstalled = ({ installedPem }: Pick<DetectedSlot, 'installedPem'>, { certPem }: ConformancePair) => installedPem?.includes(certPem.trim()) === true

/** The driver's own words agree: this pair is in place and served. */
export async function assertInspected({ driver, context, fields }: Scene, pair: ConformancePair): Promise<void> {
  const end = performance.now() + 20_000
  for (;;) {
    const slot = await driver.inspect(context, fields)
    if (isServed(slot, pair) && isInstalled(slot, pair)) return
    if (performance.now() > end) assert.fail(`${pair.fingerprint} is not what inspect shows: ${JSON.stringify(slot)}`)
    await pause(40)
  }
}

export interface Before extends Standing { snapshot: unknown; foreign: unknown }

/** What stands before something is tried. */
export async function before(scene: Scene): Promise<Before> {
  return { ...await standing(scene), snapshot: await scene.subject.snapshot(), foreign: await scene.subject.foreign() }
}

/** The same pair is served, content, owner and mode are as they were, and nothing is left over. */
export async function assertAsBefore(scene: Scene, { now, snapshot, foreign }: Before): Promise<void> {
  assert.equal((await standing(scene)).now.fingerprint, now.fingerprint, 'what was served before is not served')
  assert.deepEqual(await scene.subject.snapshot(), snapshot, 'content, owner or mode differ')
  assert.deepEqual(await scene.subject.foreign(), foreign, 'something beside it was touched, or is left over')
}

/** Fails with the log when a deployment did not end so. */
export function assertOutcome(result: DeployResult, outcome: DeployResult['outcome']): void {
  assert.equal(result.outcome, outcome, `${result.error?.code} ${result.error?.message}\n${result.differences.join('\n')}\n${result.log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

export async function deployed(engine: ConformanceEngine, fields: Fields, pair: ConformancePair, options?: TargetOptions): Promise<DeployResult> {
  const result = await engine.deploy(fields, pair, options === undefined ? {} : { options })
  assertOutcome(result, 'deployed')
  return result
}

/** Nothing is left to do but to prove. */
export const assertDone = ({ steps }: { steps: readonly Step[] }): void => assert.deepEqual(steps.filter(({ kind }) => kind !== 'prove'), [], 'there is something left to do')

/** Places in a plan of steps of these kinds. */
export const placesOf = ({ steps }: Pick<Plan, 'steps'>, ...kinds: string[]): number[] => steps.flatMap((step, index) => (kinds.includes(step.kind) ? [index] : []))

/** With as little patience for the proof as the server type allows: for proofs that are to fail. */
export function impatient({ entry }: Scene, fields: Fields): Fields {
  const patience: unknown = entry.manifest.fields.properties['proofSeconds']
  return patience === undefined ? fields : { ...fields, proofSeconds: 3 }
}
