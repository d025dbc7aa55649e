import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { programOf, trusted } from '../shared/pem-files/program.ts'
import { throughSudo } from '../shared/host/sudo.ts'

/** A running Dovecot and how to speak to it. */
export interface Instance extends PemInstance {
  /** Reads the configuration as the master does. */
  doveconf: string
  /** Started with -F: whoever watches over it starts it again. */
  inForeground: boolean
}

const programs = { names: /^dovecot$/, otherwise: 'not dovecot', field: 'dovecot program', usual: ['/usr/sbin/dovecot', '/usr/local/sbin/dovecot', '/usr/libexec/dovecot/dovecot'] }
const doveconfHabits = { names: /^doveconf$/, otherwise: 'not doveconf' }
const doveconfPlaces = ['/usr/bin/doveconf', '/usr/local/bin/doveconf']
const shortCalls = new Set(['-n', '-a', '--version', '--build-options', '--hostdomain', '--help', 'reload', 'stop'])

const isDovecot = ({ name, executable }: HostProcess) => name === 'dovecot' && (executable === '' || path.posix.basename(executable) === 'dovecot')

/** Master processes; calls such as `dovecot reload` that happen to run just now don't count. */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  const pids = new Set(processes.filter(isDovecot).map(({ pid }) => pid))
  return processes.filter((entry) => isDovecot(entry) && !pids.has(entry.parentPid) && !entry.argv.slice(1).some((arg) => shortCalls.has(arg)))
}

/** What -c names; null: the default of the program. */
export function namedConfiguration({ argv }: Pick<HostProcess, 'argv'>): string | null {
  const at = argv.findIndex((arg, i) => i > 0 && arg.startsWith('-c'))
  return at === -1 ? null : argv[at]?.slice(2) || argv[at + 1] || null
}

const unreadable = (message: string, pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', message, { pid })

/** @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE, COMMAND_NOT_ALLOWED, COMMAND_FAILED */
export async function readInstance(host: Host, master: HostProcess, { program: given, sudo = false }: { program?: string | undefined; sudo?: boolean | undefined }): Promise<Instance> {
  const program = await programOf(host, master, programs, { given, titled: master.argv[0] ?? '' })
  const doveconf = await findDoveconf(host, master)
  const named = namedConfiguration(master)
  // The master's own folder is its base_dir, so where it was started can't be told any more.
  if (named !== null && !path.posix.isAbsolute(named)) throw unreadable(`Process ${master.pid} was started with the relative path ${named}, which can not be found again. Start it with an absolute one.`, master.pid)
  const runAs = master.uid === 0 ? {} : { runAs: { uid: master.uid, gid: master.gid } }
  const instance: Instance = { process: master, program, doveconf, sudo, ...runAs, product: 'Dovecot', version: '', configurationPath: named ?? '', inForeground: master.argv.slice(1).includes('-F') }
  return { ...instance, ...await introduction(host, instance) }
}

async function findDoveconf(host: Host, { pid }: HostProcess): Promise<string> {
  for (const place of doveconfPlaces) {
    const { program } = await trusted(host, place, doveconfHabits)
    if (program !== undefined) return program
  }
  throw unreadable(`No doveconf that belongs to root was found (${doveconfPlaces.join(', ')}).`, pid)
}

/** The first line of `doveconf -n`: "# 2.3.19.1 (9b53102964): /etc/dovecot/dovecot.conf". */
async function introduction(host: Host, instance: Instance): Promise<{ version: string; configurationPath: string }> {
  const text = await doveconf(host, instance, '-n')
  const [, version, file] = /^# (\S+)[^:]*: (\/.*)$/m.exec(text) ?? []
  if (version === undefined || file === undefined) throw unreadable(`doveconf did not say its version and configuration: ${text.slice(0, 200)}`, instance.process.pid)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major !== 2 || minor > 3) throw new CertloopError('PLACE_UNSUPPORTED', `Dovecot ${version} names its certificates in another way (ssl_server_cert_file). Only Dovecot 2.0 to 2.3 is known.`, { pid: instance.process.pid })
  return { version, configurationPath: path.posix.normalize(file) }
}

/** What doveconf says with these options. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE in Dovecot's own words */
export async function doveconf(host: Host, instance: Instance, ...options: string[]): Promise<string> {
  const argv = doveconfCommand(instance, ...options)
  const { exitCode, stdout, stderr, truncated } = await host.run(argv, { timeoutSeconds: 60, outputLimitBytes: 16 << 20, runAs: instance.runAs })
  if (exitCode !== 0 || truncated) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Dovecot does not accept its present configuration: ${truncated ? 'it is too long' : stderr.trim()}`, { command: argv.join(' ') })
  return stdout
}

const configuration = ({ configurationPath }: Instance) => (configurationPath === '' ? [] : ['-c', configurationPath])

export const doveconfCommand = (instance: Instance, ...options: string[]): string[] => throughSudo(instance.sudo, [instance.doveconf, ...configuration(instance), ...options])
export const dovecotCommand = (instance: Instance, ...words: string[]): string[] => throughSudo(instance.sudo, [instance.program, ...configuration(instance), ...words])
