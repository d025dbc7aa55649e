import type { SshReach, TargetSecrets } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { Limits } from '../limits.ts'
import { type FarSide, farSide } from './ask.ts'
import { farFacts } from './facts.ts'
import { connectFar } from './far-connect.ts'
import { farFiles } from './files.ts'
import type { SshPool } from './pool.ts'
import { farListeners, farProcesses } from './processes.ts'
import { type Userland, usualUserland } from './script.ts'
import { runFar } from './ssh-run.ts'

export interface SshHostDeps {
  pool: SshPool
  limits: Limits
  userland?: Userland
}

/**
 * A Linux machine at the end of an SSH login. Nothing is installed there: a POSIX shell and the usual commands do all
 * work. Connecting waits for the first call.
 */
export function createSshHost(reach: SshReach, secrets: TargetSecrets, { pool, limits, userland = usualUserland }: SshHostDeps): Host {
  const far = guarded(farSide(reach, secrets, pool, userland), limits)
  return {
    kind: 'ssh',
    facts: () => farFacts(far),
    ...farFiles(far, () => { limits.allowScripts() }),
    async run(argv, options) {
      if (options?.script) limits.allowScripts()
      return runFar(far, argv, options)
    },
    connect: (to, timeoutMs) => connectFar(far, to, timeoutMs),
    processes: () => farProcesses(far),
    listeners: () => farListeners(far),
  }
}

/** bot.toml says which machines the bot may log in to; those on the way count as well. */
function guarded(far: FarSide, limits: Limits): FarSide {
  const check = () => {
    for (const { host, port } of [...far.reach.jumps, far.reach]) limits.allowSsh(host, port)
  }
  return {
    ...far,
    async ask(question) { check(); return far.ask(question) },
    async begin(question, mark) { check(); return far.begin(question, mark) },
    async withConnection(work) { check(); return far.withConnection(work) },
  }
}
