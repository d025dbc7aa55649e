import { type Account, CertloopError } from '@certloop/contract'
import type { Host, HostProcess, RunResult } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { type ProgramHabits, programOf } from '../shared/pem-files/program.ts'

/** A running ProFTPD: the process that takes connections. */
export interface Instance extends PemInstance {
  /** Modules that are compiled in. */
  modules: ReadonlySet<string>
}

const programs: ProgramHabits = { names: /^proftpd$/, otherwise: 'not proftpd', field: 'ProFTPD program', usual: ['/usr/sbin/proftpd', '/usr/local/sbin/proftpd'] }
const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

const isProftpd = ({ name, executable }: HostProcess) => name === 'proftpd' || executable.endsWith('/proftpd')

/** The one that takes connections says so in its title; sessions have titles of their own, tests and the like their options. */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  return processes.filter((entry) => isProftpd(entry) && (entry.argv[0] ?? '').startsWith('proftpd: (accepting connections)'))
}

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, PROGRAM_NOT_TRUSTED, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, master: HostProcess, { program: given, sudo = false, fields }: { program?: string | undefined; sudo?: boolean | undefined; fields?: { configurationPath: string } | undefined }): Promise<Instance> {
  const program = await programOf(host, master, programs, { given, titled: '' })
  const account = await accountOf(host, master)
  const runAs = account.uid === 0 ? undefined : account
  const ask = (flag: string): Promise<RunResult> => host.run([program, flag], { timeoutSeconds: 30, runAs })
  const [built, listed] = await Promise.all([ask('-V'), ask('-l')])
  const { version, configuration, pidFile } = parseBuild(built.stdout + built.stderr)
  if (version === undefined || configuration === undefined) throw unreadable(`${program} -V did not say what was built.`, master.pid)
  const configurationPath = await configurationOf(host, master, { configuration, pidFile: pidFile ?? '/run/proftpd.pid', named: fields?.configurationPath })
  const modules = new Set((listed.stdout + listed.stderr).match(/\bmod_\w+\.c\b/g))
  return { process: master, program, product: 'ProFTPD', version, configurationPath, sudo, modules, ...(runAs === undefined ? {} : { runAs }) }
}

/** Reads the output of `proftpd -V`. */
export function parseBuild(text: string): { version?: string | undefined; configuration?: string | undefined; pidFile?: string | undefined } {
  const after = (label: string) => new RegExp(`${label}:\\s+(\\S+)`).exec(text)?.[1]
  return { version: after('Version'), configuration: after('Configuration File'), pidFile: after('Pid File') }
}

/** It lowers its effective account while it waits and goes back to root for each session: the real one counts. */
async function accountOf(host: Host, { pid, uid, gid }: HostProcess): Promise<Account> {
  const status = Buffer.from(await host.readFile(`/proc/${pid}/status`) ?? []).toString('latin1')
  const real = (name: string, otherwise: number) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? otherwise)
  return { uid: real('Uid', uid), gid: real('Gid', gid) }
}

interface Candidates { configuration: string; pidFile: string; named: string | undefined }

/**
 * The options of the process are gone behind its title. The configuration whose PidFile names it is the one: that of the
 * target, the usual one, or another in the usual folders.
 */
async function configurationOf(host: Host, { pid }: HostProcess, { configuration, pidFile, named }: Candidates): Promise<string> {
  const closed = new Map<string, unknown>()
  const textOf = async (file: string) => Buffer.from(await host.readFile(file).catch((error: unknown) => { closed.set(file, error) }) ?? []).toString('utf8')
  const isOf = async (file: string, otherwise: string | undefined) => {
    const text = await textOf(file)
    const written = /^[ \t]*PidFile[ \t]+"?([^\s"]+)/im.exec(text)?.[1] ?? (text === '' ? undefined : otherwise)
    return written !== undefined && (await textOf(written)).trim() === String(pid)
  }
  for (const file of named === undefined ? [configuration] : [path.posix.normalize(named), configuration]) {
    if (await isOf(file, pidFile)) return file
    // Who names it can be told what is in the way of it.
    if (named !== undefined && closed.has(file)) throw closed.get(file)
  }
  const folders = [...new Set([path.posix.dirname(configuration), '/etc', '/etc/proftpd', '/usr/local/etc'])]
  const files = (await Promise.all(folders.map(async (folder) => (await host.list(folder)).filter((name) => name.endsWith('.conf') && (name.includes('proftpd') || folder.endsWith('/proftpd'))).map((name) => path.posix.join(folder, name))))).flat()
  for (const file of files) if (await isOf(file, undefined)) return file
  const unread = closed.size === 0 ? '' : ` Not to be read were ${[...closed.keys()].join(', ')}.`
  throw unreadable(`No configuration was found whose PidFile names process ${pid}; looked at ${configuration} and at the files of ${folders.join(', ')}.${unread} Name the configuration in the target.`, pid)
}
