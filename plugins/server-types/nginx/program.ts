import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'

/** Names of the programs of nginx and its relatives. */
export const programNames = /^(nginx|openresty|angie|tengine|freenginx)(-debug)?$/

const usualPrograms = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx', '/usr/local/openresty/nginx/sbin/nginx', '/usr/sbin/angie', '/usr/bin/nginx']
const { basename, dirname, isAbsolute } = path.posix

/**
 * The program of a master, safe to be run. /proc tells it only to root and to the same user; then it is that one and
 * no other. Else what the fields, the title of the process or habit name is run only if root alone can change it:
 * anybody may write a title, and whoever edits a target is not an administrator of its host.
 * @param given of the fields of a target
 * @param titled what the title of the process says
 * @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE
 */
export async function programOf(host: Host, master: HostProcess, given: string | undefined, titled: string): Promise<string> {
  if (master.executable !== '') return sameProgram(host, master, given)
  if (given !== undefined) {
    const { program, doubt } = await trusted(host, given)
    if (program === undefined) throw new CertloopError('PROGRAM_NOT_TRUSTED', `${given} is not run: ${doubt}. The program of process ${master.pid} itself can not be seen, because the bot runs as another user.`, { program: given, pid: master.pid })
    return program
  }
  for (const candidate of [...(isAbsolute(titled) ? [titled] : []), ...usualPrograms.filter((usual) => basename(usual) === master.name)]) {
    const { program } = await trusted(host, candidate)
    if (program !== undefined) return program
  }
  throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The program of process ${master.pid} (${master.name}) can not be found out: the bot runs as another user.`, { pid: master.pid })
}

/** The running program itself; a field may name it by another way, as through a link. */
async function sameProgram(host: Host, { executable, pid }: HostProcess, given: string | undefined): Promise<string> {
  if (given === undefined || given === executable) return executable
  if (await host.realPath(given) === await host.realPath(executable)) return executable
  throw new CertloopError('PROGRAM_NOT_TRUSTED', `${given} is not run: the program of process ${pid} is ${executable}. Leave the field "nginx program" empty.`, { program: given, pid })
}

type Trust = { program: string; doubt?: never } | { program?: never; doubt: string }

/** The file itself behind all links, when only root can have put it there; else why not. */
async function trusted(host: Host, named: string): Promise<Trust> {
  const program = await host.realPath(named)
  const facts = program === undefined ? undefined : await host.stat(program)
  if (program === undefined || facts?.type !== 'file') return { doubt: 'there is no such file' }
  if (!programNames.test(basename(program))) return { doubt: `${program} is named neither nginx, openresty, angie, tengine nor freenginx` }
  for (let entry = program; ; entry = dirname(entry)) {
    const { uid, mode } = await host.stat(entry) ?? { uid: -1, mode: 0 }
    if (uid !== 0) return { doubt: `${entry} does not belong to root` }
    if ((mode & 0o022) !== 0) return { doubt: `${entry} can be written by others than root` }
    if (entry === '/') return { program }
  }
}
