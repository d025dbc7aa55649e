import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'

const { basename, dirname, isAbsolute } = path.posix

/** The programs of one server type, as they are installed. */
export interface ProgramHabits {
  /** Names that a program of this type may have. */
  names: RegExp
  /** The same for people: "neither nginx, openresty nor angie". */
  otherwise: string
  /** Label of the field that may name the program. */
  field: string
  /** Where packages put it. */
  usual: readonly string[]
}

/**
 * The program of a running server, safe to be run. /proc tells it only to root and to the same user; then it is that
 * one and no other. Else what the fields, the title of the process or habit name is run only if root alone can change
 * it: anybody may write a title, and whoever edits a target is not an administrator of its host.
 * @param given of the fields of a target
 * @param titled what the title of the process says
 * @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE
 */
export async function programOf(host: Host, server: HostProcess, habits: ProgramHabits, { given, titled }: { given: string | undefined; titled: string }): Promise<string> {
  if (server.executable !== '') return sameProgram(host, server, habits, given)
  if (given !== undefined) {
    const { program, doubt } = await trusted(host, given, habits)
    if (program === undefined) throw new CertloopError('PROGRAM_NOT_TRUSTED', `${given} is not run: ${doubt}. The program of process ${server.pid} itself can not be seen, because the bot runs as another user.`, { program: given, pid: server.pid })
    return program
  }
  for (const candidate of [...(isAbsolute(titled) ? [titled] : []), ...habits.usual.filter((usual) => basename(usual) === server.name)]) {
    const { program } = await trusted(host, candidate, habits)
    if (program !== undefined) return program
  }
  throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The program of process ${server.pid} (${server.name}) can not be found out: the bot runs as another user.`, { pid: server.pid })
}

/** The running program itself; a field may name it by another way, as through a link. */
async function sameProgram(host: Host, { executable, pid }: HostProcess, { field }: ProgramHabits, given: string | undefined): Promise<string> {
  if (given === undefined || given === executable) return executable
  if (await host.realPath(given) === await host.realPath(executable)) return executable
  throw new CertloopError('PROGRAM_NOT_TRUSTED', `${given} is not run: the program of process ${pid} is ${executable}. Leave the field "${field}" empty.`, { program: given, pid })
}

type Trust = { program: string; doubt?: never } | { program?: never; doubt: string }

/**
 * The file itself behind all links, when it has a known name and only root can have put it there; else why not.
 * For the helpers of a server too, such as postconf beside Postfix.
 */
export async function trusted(host: Host, named: string, { names, otherwise }: Pick<ProgramHabits, 'names' | 'otherwise'>): Promise<Trust> {
  const program = await host.realPath(named)
  const facts = program === undefined ? undefined : await host.stat(program)
  if (program === undefined || facts?.type !== 'file') return { doubt: 'there is no such file' }
  if (!names.test(basename(program))) return { doubt: `${program} is named ${otherwise}` }
  for (let entry = program; ; entry = dirname(entry)) {
    const { uid, mode } = await host.stat(entry) ?? { uid: -1, mode: 0 }
    if (uid !== 0) return { doubt: `${entry} does not belong to root` }
    if ((mode & 0o022) !== 0) return { doubt: `${entry} can be written by others than root` }
    if (entry === '/') return { program }
  }
}
