import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { groupsOf } from '../shared/pem-files/groups.ts'
import { programOf } from '../shared/pem-files/program.ts'
import { isShortCall, readCommandLine, relativeConfiguration } from './command-line.ts'

/** A running PostgreSQL: one postmaster with its data directory. */
export interface Instance extends PemInstance {
  dataDirectory: string
  pgCtl: string
  /** Names the same configuration as the running server: -D and all else it was started with. */
  options: readonly string[]
}

const packaged = ['postgres', 'postmaster'].flatMap((name) => [
  ...Array.from({ length: 20 }, (_, i) => 29 - i).flatMap((version) => [`/usr/lib/postgresql/${version}/bin/${name}`, `/usr/pgsql-${version}/bin/${name}`]),
  `/usr/bin/${name}`, `/usr/local/bin/${name}`, `/usr/local/pgsql/bin/${name}`,
])
const programs = { names: /^(postgres|postmaster)$/, otherwise: 'neither postgres nor postmaster', field: 'postgres program', usual: packaged }

const isPostgres = ({ name, executable }: HostProcess) => programs.names.test(executable === '' ? name : path.posix.basename(executable))

/** Postmasters: those whose parent is not one as well. PostgreSQL does not run as root, so root's are something else; in a container root may be mapped. */
export function findPostmasters(processes: readonly HostProcess[]): HostProcess[] {
  const pids = new Set(processes.filter(isPostgres).map(({ pid }) => pid))
  return processes.filter((entry) => isPostgres(entry) && !pids.has(entry.parentPid) && !isShortCall(entry.argv) && (entry.uid !== 0 || entry.container !== null))
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE, PLACE_UNSUPPORTED, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, postmaster: HostProcess, { program: given }: { program?: string | undefined }): Promise<Instance> {
  const program = await programOf(host, postmaster, programs, { given, titled: postmaster.argv[0] ?? '' })
  // A postmaster works in its data directory.
  const { pid, uid, gid, user, workingDirectory: dataDirectory } = postmaster
  if (dataDirectory === '') throw unreadable(`The data directory of process ${pid} can not be seen. Let the bot run as root or as ${user}.`, pid)
  const [options, groups] = await Promise.all([optionsOf(host, postmaster), groupsOf(host, pid)])
  const instance: Instance = {
    process: postmaster, program, sudo: false, runAs: { uid, gid }, groups, product: 'PostgreSQL', version: '', configurationPath: '', dataDirectory, options,
    pgCtl: path.posix.join(path.posix.dirname(program), 'pg_ctl'),
  }
  const [version, file] = await Promise.all([setting(host, instance, 'server_version'), setting(host, instance, 'config_file')])
  if (Number.parseInt(version, 10) < 10) throw new CertloopError('PLACE_UNSUPPORTED', `PostgreSQL ${version} takes up a new certificate only when it is restarted, which cuts all sessions. Certloop reloads version 10 and later.`, { pid })
  return { ...instance, version: version.replace(/ .*/, ''), configurationPath: path.posix.normalize(file) }
}

async function optionsOf(host: Host, { pid, argv, workingDirectory }: HostProcess): Promise<string[]> {
  const line = readCommandLine(argv)
  const relative = relativeConfiguration(line)
  if (relative !== undefined) throw unreadable(`Process ${pid} was started with the relative path ${relative}, which can not be found again. Start it with an absolute one.`, pid)
  if (line.dataOption !== null && path.posix.isAbsolute(line.dataOption)) return ['-D', line.dataOption, ...line.options]
  // From PGDATA or a relative path: the data directory, unless its configuration is kept apart from it.
  const namesFile = line.options.some((word) => /config[_-]file=/.test(word))
  if (!namesFile && await host.stat(path.posix.join(workingDirectory, 'postgresql.conf')) === undefined) {
    throw unreadable(`The configuration of process ${pid} is not in its data directory ${workingDirectory}, and how it was started does not name it. Start it with -D and an absolute path.`, pid)
  }
  return ['-D', workingDirectory, ...line.options]
}

/** argv that prints a setting as the server would read it at a reload. Reads the whole configuration, so it is a test of that, too. */
export const settingCommand = ({ program, options }: Instance, name: string): string[] => [program, ...options, '-C', name]

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE in PostgreSQL's own words */
export async function setting(host: Host, instance: Instance, name: string): Promise<string> {
  const argv = settingCommand(instance, name)
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutSeconds: 30, runAs: instance.runAs })
  if (exitCode !== 0) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `PostgreSQL does not accept its present configuration: ${stderr.trim()}`, { command: argv.join(' ') })
  return stdout.replace(/\n$/, '')
}
