import type { BotTarget } from '@certloop/contract'
import type { DriverContext } from '@certloop/plugin-kit'
import type { ConformanceReach } from '@certloop/plugin-kit/conformance'
import { createProber } from '../../src/engine/index.ts'
import { localHost } from '../engine/engine-kit.ts'
import { benchOn } from './bench.ts'

export type KitReach = 'local' | 'ssh'

export interface Reached extends DriverContext { reach: BotTarget['reach'] }

/** This machine without limits, with real handshakes. */
export const local: Reached = { host: localHost, probe: createProber({ now: () => new Date() }), reach: 'local' }

/** Why a way can't be gone here; false when it can. */
export const leftOutReach = (reach: KitReach): string | false => (reach === 'local' ? false : 'the SSH host is not there yet')

/** The same machine by one way or the other. Over SSH: one sshd and one connection for all tests of a file. */
export async function reached(reach: KitReach): Promise<Reached> {
  if (reach === 'local') return local
  throw new Error('the SSH host is not there yet')
}

/** For the conformance suite: both ways. */
export const reachesFor = (serverType: string): ConformanceReach[] => (['local', 'ssh'] as const).map((kind) => ({
  kind,
  skip: leftOutReach(kind),
  bench: async (t) => benchOn(t, { ...await reached(kind), serverType }),
}))
