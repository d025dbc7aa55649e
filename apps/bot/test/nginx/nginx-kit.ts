import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import type { DriverContext, ServerTypeDriver } from '@certloop/plugin-kit'
import type { RunningNginx } from '@certloop/test-kit'
import type { TestContext } from 'node:test'
import { createLimits, type LimitSettings } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import * as kit from '../kit/kit.ts'
import { local } from '../kit/reach.ts'

export { assertDeployed, planMaterial, stepKinds } from '../kit/kit.ts'

const noLimits: LimitSettings = { writePaths: null, commands: null, scripts: true }

/** This machine with the limits of a bot.toml, with real handshakes. */
export const nginxContext = (limits: Partial<LimitSettings> = {}): DriverContext => ({ ...local, host: createLocalHost({ limits: createLimits({ ...noLimits, ...limits }) }) })

export const nginxDriver = (): Promise<ServerTypeDriver> => kit.driverOf('nginx')
export const isOf = ({ configPath, prefix }: RunningNginx) => ({ key }: DetectedServer): boolean => key === `${configPath} -p ${prefix}`
export const detect = (nginx: RunningNginx): Promise<DetectedServer> => kit.detect('nginx', isOf(nginx))
export const slotOf = async (nginx: RunningNginx, name: string): Promise<DetectedSlot> => kit.slotOf(await detect(nginx), name)
export const servedBy = ({ ports }: RunningNginx, slot: Pick<DetectedSlot, 'served'>): Record<string, string | null> => kit.servedAt(ports, slot)

export const deployer = (t: TestContext, limits: Partial<LimitSettings> = {}): Promise<kit.Deployer> => kit.deployer(t, 'nginx', { at: { ...local, ...nginxContext(limits) } })

/** All endpoints of a place show this certificate: for about 100 ms after a reload nginx lets the previous workers take connections beside the new ones. */
export const assertServed = (nginx: RunningNginx, name: string, expected: Record<string, string>): Promise<void> =>
  kit.becomes(async () => servedBy(nginx, await slotOf(nginx, name)), expected)
