import { type DeployResult, type DetectedServer, type DetectedSlot, newId, type Plan, type Step } from '@certloop/contract'
import type { DriverContext, PlanMaterial, ServerTypeDriver } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { tempFolder, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { createProber } from '../../src/engine/index.ts'
import { localHost, materialOf, target, testEngine } from '../engine/engine-kit.ts'

/** This machine, with real handshakes. */
export const context: DriverContext = { host: localHost, probe: createProber({ now: () => new Date() }) }

export const uniqueName = (): string => `m${randomBytes(6).toString('hex')}.test`

export async function driverOf(serverType: string): Promise<ServerTypeDriver> {
  const entry = serverTypes.find(serverType)
  assert.ok(entry)
  return entry.driver()
}

/** What detection says of the server with this configuration; others may run on the machine. */
export async function detect(serverType: string, configurationPath: string): Promise<DetectedServer> {
  const found = (await (await driverOf(serverType)).detect(context)).find(({ key }) => key === configurationPath)
  assert.ok(found, `the running ${serverType} was not found`)
  return found
}

/** The slot whose certificate file has this base name. */
export function slotOf(server: DetectedServer, name: string): DetectedSlot {
  const slot = server.slots.find(({ fields }) => String(fields['certificatePath']).endsWith(`/${name}`))
  assert.ok(slot, `no slot for ${name}: ${JSON.stringify(server)}`)
  return slot
}

/** "1 smtp" (port by its place in the list, way to TLS, name, kind of key) → fingerprint. */
export function servedBy(ports: readonly number[], { served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> {
  return Object.fromEntries(served.map(({ endpoint: { port, startTls, serverName, keyType }, fingerprint, error }) => [[ports.indexOf(port), startTls ?? 'tls', serverName, keyType].filter((part) => part !== null).join(' '), fingerprint ?? error]))
}

export const planMaterial = ({ certPem, fingerprint, spkiDigest, keyType }: TestPair): PlanMaterial => ({ chainPem: [certPem], fingerprint, spkiDigest, keyType })

export interface Deployer {
  plan(fields: DetectedSlot['fields'], pair: TestPair): Promise<Plan>
  /** Plans and deploys, or deploys the given plan. */
  deploy(fields: DetectedSlot['fields'], pair: TestPair, plan?: Plan): Promise<DeployResult>
}

/** The real engine with a folder of its own. */
export async function deployer(t: TestContext, serverType: string): Promise<Deployer> {
  const folder = await tempFolder(t, 'engine')
  const engine = testEngine(folder)
  return {
    plan: async (fields, pair) => engine.plan({ deploymentId: newId('dep', new Date()), target: target(serverType, fields), material: await materialOf(folder, pair) }),
    async deploy(fields, pair, approved) {
      const request = { deploymentId: newId('dep', new Date()), target: target(serverType, fields), material: await materialOf(folder, pair) }
      return engine.deploy({ ...request, plan: approved ?? await engine.plan(request), rollback: true })
    },
  }
}

/** Fails with the log of the deployment when it did not end as deployed. */
export function assertDeployed(result: DeployResult): void {
  assert.equal(result.outcome, 'deployed', `${result.error?.message}\n${result.log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

export const stepKinds = ({ steps }: { steps: readonly Step[] }): string[] => steps.map((step) => (step.kind === 'write-file' ? `write ${step.part}` : step.kind))
