import { type BotTarget, type DeployResult, type DetectedServer, type DetectedSlot, newId, type Plan, type Step } from '@certloop/contract'
import type { DriverContext, PlanMaterial, ServerTypeDriver } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { type RunningNginx, tempFolder, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createProber } from '../../src/engine/index.ts'
import { createLimits, type LimitSettings } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { materialOf, testEngine } from '../engine/engine-kit.ts'

const noLimits: LimitSettings = { writePaths: null, commands: null, scripts: true }

/** The nginx driver on this machine, with real handshakes. */
export function nginxContext(limits: Partial<LimitSettings> = {}): DriverContext {
  return { host: createLocalHost({ limits: createLimits({ ...noLimits, ...limits }) }), probe: createProber({ now: () => new Date() }) }
}

export async function nginxDriver(): Promise<ServerTypeDriver> {
  const entry = serverTypes.find('nginx')
  assert.ok(entry)
  return entry.driver()
}

export const isOf = ({ configPath, prefix }: RunningNginx) => ({ key }: DetectedServer): boolean => key === `${configPath} -p ${prefix}`

/** What detection says of this nginx; others may run on the machine. */
export async function detect(nginx: RunningNginx, context = nginxContext()): Promise<DetectedServer> {
  const found = (await (await nginxDriver()).detect(context)).find(isOf(nginx))
  assert.ok(found, 'the running nginx was not found')
  return found
}

/** The slot whose certificate file has this name. @param name base name, without .crt */
export async function slotOf(nginx: RunningNginx, name: string): Promise<DetectedSlot> {
  const server = await detect(nginx)
  const slot = server.slots.find(({ fields }) => String(fields['certificatePath']).endsWith(`/${name}`))
  assert.ok(slot, `no slot for ${name}: ${JSON.stringify(server)}`)
  return slot
}

/** "127.0.0.1:<n>" with the number of the port among those of nginx, name and key type → fingerprint. */
export function servedBy(nginx: RunningNginx, { served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> {
  return Object.fromEntries(served.map(({ endpoint, fingerprint }) => [
    [`${endpoint.address}:${nginx.ports.indexOf(endpoint.port)}`, endpoint.serverName ?? '-', ...(endpoint.keyType ? [endpoint.keyType] : [])].join(' '), fingerprint,
  ]))
}

export const planMaterial = ({ certPem, fingerprint, spkiDigest, keyType }: TestPair): PlanMaterial => ({ chainPem: [certPem], fingerprint, spkiDigest, keyType })

export interface Deployer {
  plan(fields: DetectedSlot['fields'], pair: TestPair): Promise<Plan>
  /** Plans and deploys, or deploys the given plan. */
  deploy(fields: DetectedSlot['fields'], pair: TestPair, plan?: Plan): Promise<DeployResult>
}

/** The real engine with a folder of its own. */
export async function deployer(t: TestContext, limits: Partial<LimitSettings> = {}): Promise<Deployer> {
  const folder = await tempFolder(t, 'engine')
  const { host } = nginxContext(limits)
  const engine = testEngine(folder, { hostFor: () => host })
  const target = (fields: DetectedSlot['fields']): BotTarget => ({ serverType: 'nginx', reach: 'local', fields })
  return {
    plan: async (fields, pair) => engine.plan({ deploymentId: newId('dep', new Date()), target: target(fields), material: await materialOf(folder, pair) }),
    async deploy(fields, pair, approved) {
      const material = await materialOf(folder, pair)
      const request = { deploymentId: newId('dep', new Date()), target: target(fields), material }
      return engine.deploy({ ...request, plan: approved ?? await engine.plan(request), rollback: true })
    },
  }
}

/** Fails with the log of the deployment when it did not end as deployed. */
export function assertDeployed(result: DeployResult): void {
  assert.equal(result.outcome, 'deployed', `${result.error?.message}\n${result.log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

export const stepKinds = ({ steps }: { steps: readonly Step[] }): string[] => steps.map((step) => (step.kind === 'write-file' ? `write ${step.part}` : step.kind))
