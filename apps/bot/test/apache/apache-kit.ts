import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import type { RunningApache } from '@certloop/test-kit'
import * as kit from '../kit/kit.ts'

export { assertDeployed, context, stepKinds, uniqueName } from '../kit/kit.ts'

export const apacheDriver = (): ReturnType<typeof kit.driverOf> => kit.driverOf('apache')
export const isOf = ({ configPath }: Pick<RunningApache, 'configPath'>) => ({ key }: DetectedServer): boolean => key.split(' ')[0] === configPath
export const detect = (apache: RunningApache): Promise<DetectedServer> => kit.detect('apache', isOf(apache))
export const slotOf = async (apache: RunningApache, name: string): Promise<DetectedSlot> => kit.slotOf(await detect(apache), name)
export const servedBy = ({ ports }: RunningApache, slot: Pick<DetectedSlot, 'served'>): Record<string, string | null> => kit.servedAt(ports, slot)
export const deployer = (t: Parameters<typeof kit.deployer>[0], options?: kit.DeployerOptions): Promise<kit.Deployer> => kit.deployer(t, 'apache', options)

/** All endpoints of a place show this, at once or after a moment: previous children go on taking connections for a while. */
export const assertServed = (apache: RunningApache, name: string, expected: Record<string, string>): Promise<void> =>
  kit.becomes(async () => servedBy(apache, await slotOf(apache, name)), expected)
