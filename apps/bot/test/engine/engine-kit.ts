import { CertloopError, type DeploymentId, type KeyId, type Material, newId, sealPlan, type TargetOptions, type TargetSecrets } from '@certloop/contract'
import type { Prober, ServerTypeDriver } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import type { TestPair } from '@certloop/test-kit'
import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'
import { createEngine, type Engine, type EngineDeps, type EngineTarget, probersFor } from '../../src/engine/index.ts'
import type { StepContext } from '../../src/engine/steps/executor.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { keystoreDriver } from './keystore-driver.ts'
import { tinyDriver } from './tiny-driver.ts'

/** This machine, without limits. */
export const localHost = createLocalHost({ limits: createLimits({ writePaths: null, commands: null, scripts: true }) })

export type TestEngineOptions = Partial<EngineDeps> & { probe?: Prober }

/** An engine as the bot makes it: the real host, real handshakes, keys as files in <folder>/keys. */
export function testEngine(folder: string, { probe, ...more }: TestEngineOptions = {}): Engine {
  return createEngine({
    folder,
    now: () => new Date(),
    keys: { privateKeyPem: (keyId) => readFile(join(folder, `${keyId}.pem`), 'utf8') },
    hostFor: () => localHost,
    driverFor: async (serverType) => {
      const ours = { tiny: tinyDriver, keystore: keystoreDriver }[serverType]
      const load: (() => Promise<ServerTypeDriver>) | undefined = ours ? async () => ours : serverTypes.find(serverType)?.driver
      if (load === undefined) throw new CertloopError('PLAN_FAILED', `No driver for ${serverType}.`)
      return load()
    },
    probeFor: probe === undefined ? probersFor({ now: () => new Date() }) : () => probe,
    ...more,
  })
}

/** Puts the key of a pair where testEngine finds it. */
export async function materialOf(folder: string, pair: TestPair): Promise<Material> {
  const keyId: KeyId = newId('key', new Date())
  await writeFile(join(folder, `${keyId}.pem`), pair.keyPem, { mode: 0o600 })
  return { keyId, chainPem: [pair.certPem], fingerprint: pair.fingerprint }
}

export const target = (serverType: string, fields: Record<string, unknown>, options: TargetOptions & { secrets?: TargetSecrets } = {}): EngineTarget => ({ serverType, reach: 'local', fields, ...options })
export const newDeploymentId = (): DeploymentId => newId('dep', new Date())

/** What an executor gets, for testing one by itself. */
export function stepContext(more: Partial<StepContext> = {}): StepContext {
  const missing = () => { throw new Error('not in this test') }
  return {
    host: localHost, probe: missing, plan: sealPlan({ serverType: 'tiny', observed: [], steps: [] }), index: 0, short: 'x', deploymentId: newDeploymentId(),
    now: () => new Date(), material: missing, secret: missing, staged: undefined, noteStaged: () => {}, backup: async () => undefined, activateAgain: async () => undefined, restored: async () => undefined, cancel: undefined,
    troubled: false, quick: false, ...more,
  }
}
