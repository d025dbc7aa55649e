import { type BotTarget, CertloopError, type DeploymentId, type KeyId, type Material, newId } from '@certloop/contract'
import type { ServerTypeDriver } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import type { TestPair } from '@certloop/test-kit'
import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'
import { createEngine, createProber, type Engine, type EngineDeps } from '../../src/engine/index.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { tinyDriver } from './tiny-driver.ts'

/** This machine, without limits. */
export const localHost = createLocalHost({ limits: createLimits({ writePaths: null, commands: null, scripts: true }) })

/** An engine as the bot makes it: the real host, real handshakes, keys as files in <folder>/keys. */
export function testEngine(folder: string, more: Partial<EngineDeps> = {}): Engine {
  return createEngine({
    folder,
    now: () => new Date(),
    keys: { privateKeyPem: (keyId) => readFile(join(folder, `${keyId}.pem`), 'utf8') },
    hostFor: () => localHost,
    driverFor: async (serverType) => {
      const load: (() => Promise<ServerTypeDriver>) | undefined = serverType === 'tiny' ? async () => tinyDriver : serverTypes.find(serverType)?.driver
      if (load === undefined) throw new CertloopError('PLAN_FAILED', `No driver for ${serverType}.`)
      return load()
    },
    probe: createProber({ now: () => new Date() }),
    ...more,
  })
}

/** Puts the key of a pair where testEngine finds it. */
export async function materialOf(folder: string, pair: TestPair): Promise<Material> {
  const keyId: KeyId = newId('key', new Date())
  await writeFile(join(folder, `${keyId}.pem`), pair.keyPem, { mode: 0o600 })
  return { keyId, chainPem: [pair.certPem], fingerprint: pair.fingerprint }
}

export const target = (serverType: string, fields: Record<string, unknown>): BotTarget => ({ serverType, reach: 'local', fields })
export const newDeploymentId = (): DeploymentId => newId('dep', new Date())
