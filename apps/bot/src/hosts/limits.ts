import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import { realPathOf } from './real-path.ts'

/** The part of bot.toml that the control plane can't widen. null: no limit. */
export interface LimitSettings {
  /** Absolute folders or files that may be written. */
  writePaths: string[] | null
  /** Programs that may run: an absolute path, or a name looked up in the standard folders. */
  commands: string[] | null
  /** Whether scripts that came with a plan may run at all. */
  scripts: boolean
  /** Whether the bot may log in to other machines. Default true. */
  ssh?: boolean
  /** Those it may log in to, each "host:port" or "host" (port 22); jump hosts count as well. null or absent: any. */
  sshHosts?: string[] | null
}

/** Asked by the host before each write and each command. */
export interface Limits {
  /** @throws CertloopError PATH_NOT_ALLOWED when the real place of `target` lies outside all allowed folders */
  allowWrite(target: string): Promise<void>
  /** @returns the absolute path of the program. @throws CertloopError COMMAND_NOT_ALLOWED, COMMAND_FAILED when there is no such program */
  allowCommand(program: string, script: boolean): Promise<string>
  /** @throws CertloopError COMMAND_NOT_ALLOWED */
  allowSsh(host: string, port: number): void
  /** @throws CertloopError COMMAND_NOT_ALLOWED when scripts may not run at all */
  allowScripts(): void
}

/** Where a program without a path is looked for; the bot's own PATH plays no part. */
export const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/**
 * Paths are compared after following every link, so a link in an allowed folder does not lead out of it.
 * What an allowed entry itself points to counts as allowed, as the administrator named it.
 */
export function createLimits({ writePaths, commands, scripts, ssh = true, sshHosts = null }: LimitSettings): Limits {
  return {
    async allowWrite(target) {
      if (writePaths === null) return
      const real = await realPathOf(target)
      for (const entry of writePaths) {
        const allowed = await realPathOf(entry)
        if (real !== undefined && allowed !== undefined && isWithin(real, allowed)) return
      }
      const where = real === undefined || real === target ? target : `${target} (really ${real})`
      throw new CertloopError('PATH_NOT_ALLOWED', `The bot may not write ${where}: limits.write_paths allows ${listed(writePaths)}.`, { path: target })
    },

    allowScripts() {
      if (!scripts) throw new CertloopError('COMMAND_NOT_ALLOWED', 'The bot may not run scripts that are sent to it: limits.scripts is off.')
    },

    async allowCommand(program, script) {
      if (script && !scripts) throw scriptsOff(program)
      const found = await findProgram(program)
      if (commands === null) {
        if (found === undefined) throw notFound(program)
        return found
      }
      for (const entry of commands) {
        const allowed = await findProgram(entry)
        if (found !== undefined && allowed !== undefined && await realpath(found) === await realpath(allowed)) return found
      }
      throw new CertloopError('COMMAND_NOT_ALLOWED', `The bot may not run ${found ?? program}: limits.commands allows ${listed(commands)}.`, { program })
    },

    allowSsh(host, port) {
      if (!ssh) throw new CertloopError('COMMAND_NOT_ALLOWED', `The bot may not log in to ${host}: limits.ssh is off in bot.toml.`, { host, port })
      const name = `${host.toLowerCase()}:${port}`
      const allowed = sshHosts === null || sshHosts.some((entry) => (/:\d+$/.test(entry) ? entry : `${entry}:22`).toLowerCase() === name)
      if (!allowed) throw new CertloopError('COMMAND_NOT_ALLOWED', `The bot may not log in to ${host} port ${port}: limits.ssh_hosts of bot.toml allows ${listed(sshHosts ?? [])}.`, { host, port })
    },
  }
}

const scriptsOff = (program: string) =>
  new CertloopError('COMMAND_NOT_ALLOWED', `The bot may not run ${program}: limits.scripts is off, and this is a script sent to it.`, { program })

const listed = (entries: readonly string[]) => (entries.length === 0 ? 'nothing' : entries.join(', '))

export function notFound(program: string): CertloopError {
  const where = program.includes('/') ? '' : ` in ${programFolders.join(', ')}`
  return new CertloopError('COMMAND_FAILED', `There is no program ${program}${where}, or it may not be run.`, { program })
}

function isWithin(inner: string, outer: string): boolean {
  const way = path.relative(outer, inner)
  return way === '' || (way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way))
}

/** Absolute path of a program that can be run, links not followed. */
async function findProgram(program: string): Promise<string | undefined> {
  if (program.includes('/') && !path.isAbsolute(program)) return undefined
  const candidates = path.isAbsolute(program) ? [path.normalize(program)] : programFolders.map((folder) => path.join(folder, program))
  for (const candidate of candidates) {
    if (await canRun(candidate)) return candidate
  }
  return undefined
}

const canRun = (candidate: string) => access(candidate, constants.X_OK).then(() => true, () => false)
