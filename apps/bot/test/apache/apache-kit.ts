import { type DeployResult, type DetectedServer, type DetectedSlot, type Material, newId, type Plan, type Step } from '@certloop/contract'
import type { DriverContext, PlanMaterial, ServerTypeDriver } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { eventually, type RunningApache, tempFolder, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createProber, type EngineDeps } from '../../src/engine/index.ts'
import { localHost, materialOf, target, testEngine } from '../engine/engine-kit.ts'

export const context: DriverContext = { host: localHost, probe: createProber({ now: () => new Date() }) }

/** A host name of this test alone: bots discover every server of the machine. */
export const uniqueName = (): string => `a${randomBytes(6).toString('hex')}.test`

export async function apacheDriver(): Promise<ServerTypeDriver> {
  const entry = serverTypes.find('apache')
  assert.ok(entry)
  return entry.driver()
}

export const isOf = ({ configPath }: Pick<RunningApache, 'configPath'>) => ({ key }: DetectedServer): boolean => key.split(' ')[0] === configPath

/** What detection says of this server; others may run on the machine. */
export async function detect(apache: RunningApache): Promise<DetectedServer> {
  const found = (await (await apacheDriver()).detect(context)).find(isOf(apache))
  assert.ok(found, 'the running server was not found')
  return found
}

/** The slot whose certificate file has this base name. */
export async function slotOf(apache: RunningApache, name: string): Promise<DetectedSlot> {
  const server = await detect(apache)
  const slot = server.slots.find(({ fields }) => String(fields['certificatePath']).endsWith(`/${name}`))
  assert.ok(slot, `no slot for ${name}: ${JSON.stringify(server, null, 1)}`)
  return slot
}

/** "127.0.0.1:<n>" with the place of the port in the list, name and kind of key → fingerprint. */
export function servedBy(apache: RunningApache, { served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> {
  return Object.fromEntries(served.map(({ endpoint, fingerprint, error }) => [
    [`${endpoint.address}:${apache.ports.indexOf(endpoint.port)}`, endpoint.serverName ?? '-', ...(endpoint.keyType ? [endpoint.keyType] : [])].join(' '), fingerprint ?? error,
  ]))
}

/** All endpoints of a place show this, at once or after a moment: previous children go on taking connections for a while. */
export async function assertServed(apache: RunningApache, name: string, expected: Record<string, string>): Promise<void> {
  let seen: unknown
  await eventually(async () => {
    seen = servedBy(apache, await slotOf(apache, name))
    return isDeepStrictEqual(seen, expected)
  }, { what: name, timeoutMs: 10_000 }).catch(() => assert.deepEqual(seen, expected))
}

export const planMaterial = ({ certPem, fingerprint, spkiDigest, keyType }: TestPair, issuers: readonly string[] = []): PlanMaterial => ({ chainPem: [certPem, ...issuers], fingerprint, spkiDigest, keyType })

export interface Deployer {
  plan(fields: DetectedSlot['fields'], pair: TestPair, issuers?: readonly string[]): Promise<Plan>
  /** Plans and deploys. */
  deploy(fields: DetectedSlot['fields'], pair: TestPair, issuers?: readonly string[], approved?: Plan): Promise<DeployResult>
}

/** The real engine with a folder of its own. */
export async function deployer(t: TestContext, more: Partial<EngineDeps> = {}): Promise<Deployer> {
  const folder = await tempFolder(t, 'engine')
  const engine = testEngine(folder, more)
  const requestFor = async (fields: DetectedSlot['fields'], pair: TestPair, issuers: readonly string[]) => {
    const material: Material = await materialOf(folder, pair)
    return { deploymentId: newId('dep', new Date()), target: target('apache', fields), material: { ...material, chainPem: [...material.chainPem, ...issuers] } }
  }
  return {
    plan: async (fields, pair, issuers = []) => engine.plan(await requestFor(fields, pair, issuers)),
    async deploy(fields, pair, issuers = [], approved) {
      const request = await requestFor(fields, pair, issuers)
      return engine.deploy({ ...request, plan: approved ?? await engine.plan(request), rollback: true })
    },
  }
}

/** Fails with the log of the deployment when it did not end as deployed. */
export function assertDeployed(result: DeployResult): void {
  assert.equal(result.outcome, 'deployed', `${result.error?.message}\n${result.log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

export const stepKinds = ({ steps }: { steps: readonly Step[] }): string[] => steps.map((step) => (step.kind === 'write-file' ? `write ${step.part}` : step.kind))
