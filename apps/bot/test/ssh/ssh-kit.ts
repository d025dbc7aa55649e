import type { SshReach, TargetSecrets } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { leftOut, type LoginKey, makeAccount, makeLoginKey, type RunningSshd, type SshdOptions, startSshd, type TestAccount } from '@certloop/test-kit'
import type { TestContext } from 'node:test'
import { createLimits, type LimitSettings } from '../../src/hosts/limits.ts'
import { createSshPool, type PoolSettings, type SshPool } from '../../src/hosts/ssh/pool.ts'
import type { Userland } from '../../src/hosts/ssh/script.ts'
import { createSshHost } from '../../src/hosts/ssh/ssh-host.ts'

/** Accounts and a server of its own need root. */
export const leftOutSsh = leftOut('sshd') || leftOut('ssh-keygen') || leftOut('sudo') || (process.getuid?.() !== 0 && 'needs root')

export const noLimits: LimitSettings = { writePaths: null, commands: null, scripts: true }

export interface HostOptions { secrets?: TargetSecrets; limits?: Partial<LimitSettings>; userland?: Userland; pool?: SshPool }

export interface SshScene {
  sshd: RunningSshd
  key: LoginKey
  /** Logs in as root does, without the settings of this machine's root. */
  root: TestAccount
  /** May become anybody by sudo, without a password. */
  admin: TestAccount
  pool: SshPool
  reach(user: string, more?: Partial<SshReach>): SshReach
  host(reach: SshReach, options?: HostOptions): Host
  asRoot(options?: HostOptions): Host
  asAdmin(options?: HostOptions): Host
}

/** An SSH server with two accounts that a key lets in. */
export async function sshScene(t: Pick<TestContext, 'after'>, options: SshdOptions & { pool?: PoolSettings } = {}): Promise<SshScene> {
  const pool = createSshPool(options.pool)
  t.after(() => { pool.close() })
  const [sshd, key] = await Promise.all([startSshd(t, options), makeLoginKey(t)])
  const root = await makeAccount(t, { uid: 0 })
  const admin = await makeAccount(t, { sudo: ['ALL=(ALL:ALL) NOPASSWD: ALL'] })
  for (const { name } of [root, admin]) await sshd.authorize(name, key.publicLine)
  const scene: SshScene = {
    sshd, key, root, admin, pool,
    reach: (user, more = {}) => ({ kind: 'ssh', host: '127.0.0.1', port: sshd.port, user, authentication: 'key', hostKey: sshd.fingerprints[0] ?? null, privilege: 'none', jumps: [], ...more }),
    host: (reach, { secrets = { login: { privateKey: key.privateText } }, limits = {}, userland, pool: other = pool } = {}) =>
      createSshHost(reach, secrets, { pool: other, limits: createLimits({ ...noLimits, ...limits }), ...(userland ? { userland } : {}) }),
    asRoot: (more) => scene.host(scene.reach(root.name), more),
    asAdmin: (more) => scene.host(scene.reach(admin.name, { privilege: 'sudo' }), more),
  }
  return scene
}
