import { type Account, CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { type ProgramHabits, programOf } from '../shared/pem-files/program.ts'
import { defaultsWords, type Options, optionsOf, printedWords, valueOf } from './options.ts'

/** A running server and the options that it was started with. */
export interface Instance extends PemInstance {
  isMariaDb: boolean
  /** datadir; relative paths of options begin there. */
  dataFolder: string
  options: Options
}

const programs: ProgramHabits = { names: /^(mysqld|mariadbd|mysqld-debug)$/, otherwise: 'neither mysqld nor mariadbd', field: 'Server program', usual: ['/usr/sbin/mariadbd', '/usr/sbin/mysqld', '/usr/libexec/mariadbd', '/usr/libexec/mysqld'] }

/** Runs that serve nobody. */
const otherRun = /^(--(version|help|print-defaults|initialize|initialize-insecure|bootstrap|validate-config)\b|-[V?])/

export function findServers(processes: readonly HostProcess[]): HostProcess[] {
  return processes.filter(({ name, executable, argv }) => (programs.names.test(name) || programs.names.test(path.posix.basename(executable))) && !argv.some((word) => otherRun.test(word)))
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, PROGRAM_NOT_TRUSTED, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, server: HostProcess, { program: given, sudo = false }: { program?: string | undefined; sudo?: boolean | undefined }): Promise<Instance> {
  const program = await programOf(host, server, programs, { given, titled: server.argv[0] ?? '' })
  const { uid, gid, pid } = server
  const runAs: Account | undefined = uid === 0 ? undefined : { uid, gid }
  const call = { runAs: server.executable === '' ? undefined : runAs, timeoutSeconds: 30, environment: await environmentOf(host, server) }
  const [said, printed] = await Promise.all([host.run([program, '--no-defaults', '--version'], call), printedOptions(host, server, program, call)])
  const version = /\bVer (\d+(?:\.\d+)+)/.exec(said.stdout)?.[1]
  if (version === undefined) throw unreadable(`${program} --version did not say its version: ${(said.stderr || said.stdout).trim().slice(0, 300)}`, pid)
  const isMariaDb = /mariadb/i.test(said.stdout)
  const options = optionsOf([...printed, ...server.argv.slice(1)])
  const dataFolder = server.workingDirectory === '' ? valueOf(options, 'datadir') : server.workingDirectory
  if (dataFolder === undefined) throw unreadable('No option file names the data folder, and only root can see where the server works.', pid)
  const plain = path.posix.normalize(`${dataFolder}/`).replace(/(.)\/$/, '$1')
  return { process: server, program, product: isMariaDb ? 'MariaDB' : 'MySQL', version, isMariaDb, configurationPath: plain, dataFolder: plain, options, sudo, ...(runAs === undefined ? {} : { runAs }) }
}

/**
 * The server's own word on what its option files say. The option has to stand right behind those that name files:
 * further behind it would be a start of the server.
 */
async function printedOptions(host: Host, { argv, pid }: HostProcess, program: string, call: Parameters<Host['run']>[1]): Promise<string[]> {
  const { words, noDefaults } = defaultsWords(argv)
  if (noDefaults) return []
  const { exitCode, stdout, stderr } = await host.run([program, ...words, '--print-defaults'], call)
  if (exitCode !== 0) throw unreadable(`The option files can not be read: ${stderr.trim().slice(0, 1000)}`, pid)
  return printedWords(stdout)
}

/** Variables that say where option files are. Others may not look. */
async function environmentOf(host: Host, { pid }: HostProcess): Promise<Record<string, string>> {
  const content = await host.readFile(`/proc/${pid}/environ`, 1 << 20).catch(() => undefined)
  const entries = Buffer.from(content ?? []).toString('utf8').split('\0')
  return Object.fromEntries(entries.flatMap((entry) => {
    const [, name, value] = /^(HOME|MYSQL_HOME|MYSQL_GROUP_SUFFIX|MARIADB_GROUP_SUFFIX)=(.*)$/s.exec(entry) ?? []
    return name === undefined || value === undefined ? [] : [[name, value]]
  }))
}

/** Compares as many numbers as `wanted` has. */
export function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const numbers = version.split('.').map(Number)
  const differing = wanted.findIndex((number, i) => (numbers[i] ?? 0) !== number)
  return differing === -1 || (numbers[differing] ?? 0) > (wanted[differing] ?? 0)
}
