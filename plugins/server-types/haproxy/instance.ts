import { CertloopError, type SignalledProcess } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { programOf } from '../shared/pem-files/program.ts'
import { unitOf } from '../shared/pem-files/systemd.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { type CommandLine, isShortCall, readCommandLine } from './command-line.ts'

/** A running HAProxy: a master with its workers, or one process alone. */
export interface Instance extends PemInstance {
  line: CommandLine
  /** Absolute, of -f. */
  named: string[]
  workingDirectory: string
}

const programs = { names: /^haproxy(-[\w.]+)?$/, otherwise: 'not haproxy', field: 'haproxy program', usual: ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/opt/haproxy/sbin/haproxy', '/usr/bin/haproxy'] }

const isHaproxy = ({ name, executable }: HostProcess) => programs.names.test(executable === '' ? name : path.posix.basename(executable))

/** Masters, and processes without one. Calls such as `haproxy -c` that happen to run don't count. */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  const pids = new Set(processes.filter(isHaproxy).map(({ pid }) => pid))
  return processes.filter((entry) => isHaproxy(entry) && !pids.has(entry.parentPid) && !isShortCall(entry.argv))
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE, PLACE_UNSUPPORTED, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, master: HostProcess, { program: given, sudo = false }: { program?: string | undefined; sudo?: boolean | undefined }): Promise<Instance> {
  const { pid, uid, gid, argv, workingDirectory } = master
  const program = await programOf(host, master, programs, { given, titled: argv[0] ?? '' })
  const line = readCommandLine(argv)
  const named = line.configuration.map((file) => path.posix.resolve(workingDirectory || '/', file))
  const [first] = named
  if (first === undefined) throw unreadable(`Process ${pid} was started without a configuration file (-f).`, pid)
  if (workingDirectory === '' && line.configuration.some((file) => !path.posix.isAbsolute(file))) throw unreadable(`Process ${pid} was started with a relative path, and where it works can not be seen. Let the bot run as root.`, pid)
  const runAs = uid === 0 ? {} : { runAs: { uid, gid } }
  const said = await host.run([program, '-v'], { timeoutSeconds: 30, ...runAs })
  const [, version] = /^HA-?Proxy version (\d[\w.-]*)/m.exec(said.stdout) ?? []
  if (version === undefined) throw unreadable(`haproxy -v did not say its version: ${(said.stdout + said.stderr).trim().slice(0, 200)}`, pid)
  if (!isNewEnough(version)) throw new CertloopError('PLACE_UNSUPPORTED', `HAProxy ${version} is older than 2.2, which is the first whose ways are known here.`, { pid })
  return {
    process: master, program, line, named, workingDirectory: workingDirectory || '/', sudo, ...runAs, product: 'HAProxy', version, configurationPath: first,
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 2)
}


/** What names the same instance at each scan. */
export const keyOf = ({ named }: Instance): string => named.join(' ')
export const furtherConfiguration = ({ named }: Instance): string => named.slice(1).join(' ')

/** argv of `haproxy -c` with the same files and options as the running process. */
export const testCommand = (instance: Instance): string[] => throughSudo(instance.sudo, [
  instance.program, '-c', '-C', instance.workingDirectory, ...instance.line.reading, ...instance.named.flatMap((file) => ['-f', file]),
])

/** How it is reloaded, or why it can't be. `kill` has to be a trusted program. */
export async function reloadCommand(host: Host, instance: Instance, kill: string | undefined): Promise<{ argv: string[]; start?: string[]; process?: SignalledProcess } | { reason: string }> {
  const { process: { pid, uid, name, executable, argv }, line, runAs } = instance
  // systemctl would need root again, which the steps of a server of another account give up.
  const unit = runAs === undefined ? await unitOf(host, instance.process) : null
  if (unit !== null) return { argv: throughSudo(instance.sudo, ['systemctl', 'reload', unit]), start: throughSudo(instance.sudo, ['systemctl', 'start', unit]) }
  if (!line.masterWorker) return { reason: 'it runs without a master process (-W), so only another program could start its successor' }
  if (kill === undefined) return { reason: 'no kill program that belongs to root was found' }
  return { argv: throughSudo(instance.sudo, [kill, '-USR2', String(pid)]), process: { pid, uid, name, executable, arguments: line.configuration.filter((file) => argv.includes(file)) } }
}
