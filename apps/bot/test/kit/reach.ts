import type { Reach, SshReach, TargetSecrets } from '@certloop/contract'
import type { DriverContext } from '@certloop/plugin-kit'
import type { ConformanceReach } from '@certloop/plugin-kit/conformance'
import { type AccountOptions, leftOut, makeAccount, makeLoginKey, startSshd } from '@certloop/test-kit'
import { after, type TestContext } from 'node:test'
import { probersFor } from '../../src/engine/index.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createSshPool } from '../../src/hosts/ssh/pool.ts'
import { createSshHost } from '../../src/hosts/ssh/ssh-host.ts'
import { localHost } from '../engine/engine-kit.ts'
import { benchOn } from './bench.ts'

export type KitReach = 'local' | 'ssh'

/** A host as drivers get it, and how a target names the way to it. */
export interface Reached extends DriverContext {
  reach: Reach
  secrets?: TargetSecrets
}

const probeFor = probersFor({ now: () => new Date() })

/** This machine without limits, with real handshakes. */
export const local: Reached = { host: localHost, probe: probeFor(localHost), reach: 'local' }

/** Why a way can't be gone here; false when it can. */
export function leftOutReach(reach: KitReach): string | false {
  if (reach === 'local') return false
  return process.getuid?.() === 0 ? leftOut('sshd') || leftOut('ssh-keygen') : 'sshd lets others in only when root starts it'
}

// At the end of the file: inside of a test these would be called at the end of that test.
const endings: (() => unknown)[] = []
after(async () => { for (const end of endings) await end() })

let far: Promise<Reached> | undefined

/** The same machine by one way or the other. Over SSH: as root with a key, one sshd and one connection for all tests of a file. */
export async function reached(reach: KitReach): Promise<Reached> {
  // An account of root's rights and its own empty home: what this machine's root has in its profile would cost time at each call.
  return reach === 'local' ? local : far ??= overSsh({ after: (end) => { endings.push(end as () => unknown) } }, { uid: 0 })
}

/** The same machine over SSH as a new account that a key lets in, with an sshd of its own. */
export async function overSsh(t: Pick<TestContext, 'after'>, options: AccountOptions): Promise<Reached & { uid: number; gid: number }> {
  // First: an open connection keeps sshd's process for it alive, and the end of sshd would wait for that.
  const pool = createSshPool()
  t.after(() => { pool.close() })
  const [account, key] = await Promise.all([makeAccount(t, options), makeLoginKey(t)])
  const sshd = await startSshd(t)
  await sshd.authorize(account.name, key.publicLine)
  const way: SshReach = { kind: 'ssh', host: '127.0.0.1', port: sshd.port, user: account.name, authentication: 'key', hostKey: sshd.fingerprints[0] ?? null, privilege: 'none', jumps: [] }
  const secrets: TargetSecrets = { login: { privateKey: key.privateText } }
  const host = createSshHost(way, secrets, { pool, limits: createLimits({ writePaths: null, commands: null, scripts: true }) })
  return { host, probe: probeFor(host), reach: way, secrets, uid: account.uid, gid: account.gid }
}

/** For the conformance suite: both ways. */
export const reachesFor = (serverType: string): ConformanceReach[] => (['local', 'ssh'] as const).map((kind) => ({
  kind,
  skip: leftOutReach(kind),
  bench: async (t) => benchOn(t, { ...await reached(kind), serverType }),
}))
