import type { Reach, TargetSecrets } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { Limits } from './limits.ts'
import type { SshPool } from './ssh/pool.ts'
import { createSshHost } from './ssh/ssh-host.ts'
import { createFtpHost } from './transfer/ftp-host.ts'
import { createSftpHost } from './transfer/sftp-host.ts'

/** How to get at a target, with what is secret about it. */
export interface WayToHost { reach: Reach; secrets?: TargetSecrets }

/** The host at the end of a way. Connecting waits for the first call. */
export function hostFor({ reach, secrets = {} }: WayToHost, { local, ...deps }: { local: Host; pool: SshPool; limits: Limits }): Host {
  if (reach === 'local') return local
  switch (reach.kind) {
    case 'ssh': return createSshHost(reach, secrets, deps)
    case 'sftp': return createSftpHost(reach, secrets, deps)
    case 'ftp': return createFtpHost(reach, secrets, deps)
  }
}
