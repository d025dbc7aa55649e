import { type DeployResult, type DetectedServer, type DetectedSlot, newId, type Plan, type Step, type TargetOptions } from '@certloop/contract'
import type { DriverContext, PlanMaterial, ServerTypeDriver } from '@certloop/plugin-kit'
import { type ConformancePair, materialOfPair } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import { eventually, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { testEngine, type TestEngineOptions } from '../engine/engine-kit.ts'
import { keysIn, targetOf } from './bench.ts'
import { local, type Reached } from './reach.ts'

// What the tests of all server types share. The conformance suite is in conformance.ts, the ways to the host in reach.ts.

/** This machine, with real handshakes. */
export const context: DriverContext = local

/** A host name of this test alone: bots discover every server of the machine. */
export const uniqueName = (): string => `n${randomBytes(6).toString('hex')}.test`

export async function driverOf(serverType: string): Promise<ServerTypeDriver> {
  const entry = serverTypes.find(serverType)
  assert.ok(entry, `${serverType} is not in the registry`)
  return entry.driver()
}

/** What detection says of one server; others may run on the machine. @param which its key, or what tells it */
export async function detect(serverType: string, which: string | ((server: DetectedServer) => boolean), at: DriverContext = context): Promise<DetectedServer> {
  const isIt = typeof which === 'string' ? ({ key }: DetectedServer) => key === which : which
  const servers = await (await driverOf(serverType)).detect(at)
  const found = servers.find(isIt)
  assert.ok(found, `the running ${serverType} was not found among ${servers.map(({ key }) => key).join(', ') || 'none'}`)
  return found
}

/** The slot whose certificate file has this base name. */
export function slotOf(server: DetectedServer, name: string): DetectedSlot {
  const slot = server.slots.find(({ fields }) => String(fields['certificatePath']).endsWith(`/${name}`))
  assert.ok(slot, `no slot for ${name}: ${JSON.stringify(server, null, 1)}`)
  return slot
}

type Sights = Pick<DetectedSlot, 'served'>
const joined = (...parts: (string | number | null | undefined)[]): string => parts.filter((part) => part !== null && part !== undefined).join(' ')

/** "1 smtp" (port by its place in the list, way to TLS, name, kind of key) → fingerprint, or why there is none. */
export function servedBy(ports: readonly number[], { served }: Sights): Record<string, string | null> {
  return Object.fromEntries(served.map(({ endpoint: { port, startTls, serverName, keyType }, fingerprint, error }) => [joined(ports.indexOf(port), startTls ?? 'tls', serverName, keyType), fingerprint ?? error]))
}

/** "127.0.0.1:1 shop.test ec" (port by its place in the list; "-" without a name) → fingerprint, or why there is none. For servers that speak TLS at once. */
export function servedAt(ports: readonly number[], { served }: Sights): Record<string, string | null> {
  return Object.fromEntries(served.map(({ endpoint: { address, port, serverName, keyType }, fingerprint, error }) => [joined(`${address}:${ports.indexOf(port)}`, serverName ?? '-', keyType), fingerprint ?? error]))
}

/** Shows this at once or after a moment: previous workers may go on taking connections for a while. */
export async function becomes(look: () => Promise<unknown>, expected: unknown): Promise<void> {
  let seen: unknown
  await eventually(async () => {
    seen = await look()
    return isDeepStrictEqual(seen, expected)
  }, { timeoutMs: 10_000 }).catch(() => assert.deepEqual(seen, expected))
}

/** What a driver gets to see of a pair. */
export const planMaterial = (pair: Omit<ConformancePair, 'keyPem'>): PlanMaterial => materialOfPair({ ...pair, keyPem: '' })

export interface Deployer {
  plan(fields: DetectedSlot['fields'], pair: ConformancePair, options?: TargetOptions): Promise<Plan>
  /** Plans and deploys, or deploys the given plan. */
  deploy(fields: DetectedSlot['fields'], pair: ConformancePair, plan?: Plan, options?: TargetOptions): Promise<DeployResult>
}

export type DeployerOptions = TestEngineOptions & { at?: Reached }

/** The real engine with a folder of its own. */
export async function deployer(t: Pick<TestContext, 'after'>, serverType: string, { at = local, ...more }: DeployerOptions = {}): Promise<Deployer> {
  const folder = await tempFolder(t, 'engine')
  const keys = keysIn(folder)
  const engine = testEngine(folder, { hostFor: () => at.host, probe: at.probe, ...more })
  const requestFor = async (fields: DetectedSlot['fields'], pair: ConformancePair, options: TargetOptions = {}) =>
    ({ deploymentId: newId('dep', new Date()), target: targetOf({ ...at, serverType }, fields, options), material: await keys.materialOf(pair) })
  return {
    plan: async (fields, pair, options) => engine.plan(await requestFor(fields, pair, options)),
    async deploy(fields, pair, approved, options) {
      const request = await requestFor(fields, pair, options)
      return engine.deploy({ ...request, plan: approved ?? await engine.plan(request), rollback: true })
    },
  }
}

/** Fails with the log of the deployment when it did not end as deployed. */
export function assertDeployed(result: DeployResult): void {
  assert.equal(result.outcome, 'deployed', `${result.error?.message}\n${result.log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

export const stepKinds = ({ steps }: { steps: readonly Step[] }): string[] => steps.map((step) => (step.kind === 'write-file' ? `write ${step.part}` : step.kind))
