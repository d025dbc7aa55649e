import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { type ProgramHabits, programOf } from '../shared/pem-files/program.ts'

/** A running Apache and how to speak to it. */
export interface Instance extends PemInstance {
  start: StartOptions
  /** Where the configuration begins to look for files, before it says so itself. */
  serverRoot: string
  /** All of what `-V` says. */
  build: string
  /** Of the running process. It may hold secrets: it stays on the host. */
  environment: Record<string, string>
}

const programs: ProgramHabits = {
  names: /^(apache2|httpd|httpd\.(worker|event|prefork))$/,
  otherwise: 'neither apache2 nor httpd',
  field: 'Apache program',
  usual: ['/usr/sbin/apache2', '/usr/sbin/httpd', '/usr/local/apache2/bin/httpd', '/opt/rh/httpd24/root/usr/sbin/httpd'],
}

const baseName = (file: string) => file.slice(file.lastIndexOf('/') + 1)
const isApache = ({ name, executable }: HostProcess) => programs.names.test(name) || programs.names.test(baseName(executable))

/** Master processes: those whose parent is not one as well. Calls such as `apache2 -t` that happen to run don't count. */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  const byPid = new Map(processes.filter(isApache).map((entry) => [entry.pid, entry]))
  return [...byPid.values()].filter((entry) => !byPid.has(entry.parentPid) && !isShortCall(entry))
}

function isShortCall({ argv }: HostProcess): boolean {
  return argv.some((arg, i) => /^-[vVlLtTSMh?]$/.test(arg) || (argv[i - 1] === '-k' && arg !== 'start'))
}

export interface StartOptions {
  root: string | null
  configuration: string | null
  defines: string[]
  /** -C and -c with their directives, in order. */
  directives: { flag: '-C' | '-c'; text: string }[]
}

/** The options a master was started with; "-Dname" and "-D name" mean the same. */
export function startOptions({ argv }: Pick<HostProcess, 'argv'>): StartOptions {
  const found: StartOptions = { root: null, configuration: null, defines: [], directives: [] }
  const words = argv.slice(1)
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = word.slice(0, 2)
    if (flag === '-X') found.defines.push('DEBUG')
    if (!/^-[dfDCcekE]$/.test(flag)) continue
    const value = word.length > 2 ? word.slice(2) : words.shift() ?? ''
    if (flag === '-d') found.root = value
    else if (flag === '-f') found.configuration = value
    else if (flag === '-D') found.defines.push(value)
    else if (flag === '-C' || flag === '-c') found.directives.push({ flag, text: value })
  }
  return found
}

export interface Build { product: string; version: string; root: string; configuration: string }

/** Reads the output of `-V`. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE when it is something else, PLACE_UNSUPPORTED for relatives with other stores */
export function parseBuild(text: string): Build {
  const [, banner = '', version] = /^Server version: ([\w-]+)\/(\d[\w.]*)/m.exec(text) ?? []
  const value = (name: string) => new RegExp(`-D ${name}="([^"]*)"`).exec(text)?.[1]
  const [root, configuration] = [value('HTTPD_ROOT'), value('SERVER_CONFIG_FILE')]
  if (version === undefined || root === undefined || configuration === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `-V did not say what was built: ${text.trim().slice(0, 300)}`)
  if (banner === 'IBM_HTTP_Server') throw unsupported('IBM HTTP Server keeps its certificates in a CMS keystore (.kdb), not in PEM files')
  if (/oracle/i.test(banner)) throw unsupported('Oracle HTTP Server keeps its certificates in a wallet, not in PEM files')
  if (!version.startsWith('2.4.')) throw unsupported(`This is version ${version}; only 2.4 is known`)
  return { product: banner, version, root, configuration }
}

const unsupported = (message: string) => new CertloopError('PLACE_UNSUPPORTED', `${message}. Use a target that runs a command of your own for it.`)

/** @throws CertloopError as PemServerType.readInstance */
export async function readInstance(host: Host, master: HostProcess, given: { program?: string | undefined } = {}): Promise<Instance> {
  const start = startOptions(master)
  const program = await programOf(host, master, programs, { given: given.program, titled: master.argv[0] ?? '' })
  const runAs = master.uid === 0 ? {} : { runAs: { uid: master.uid, gid: master.gid } }
  const environment = await readEnvironment(host, master)
  // An empty configuration: what was built is told even where the real one is broken.
  const said = await host.run([program, '-V', '-d', '/', '-f', '/dev/null'], { timeoutSeconds: 30, environment, ...runAs })
  const build = parseBuild(said.stdout + said.stderr)
  const serverRoot = path.posix.resolve(master.workingDirectory || '/', start.root ?? build.root)
  return {
    process: master, program, start, serverRoot, environment, sudo: false, ...runAs,
    product: build.product, version: build.version, build: said.stdout.trim(),
    configurationPath: path.posix.resolve(serverRoot, start.configuration ?? build.configuration),
  }
}

const environmentLimitBytes = 1024 * 1024

/** Debian's configuration is full of variables that only the running process knows. */
async function readEnvironment(host: Host, { pid }: HostProcess): Promise<Record<string, string>> {
  const content = await host.readFile(`/proc/${pid}/environ`, environmentLimitBytes).catch((cause: unknown) => {
    throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The environment of process ${pid} can not be read, and its configuration may depend on it. Let the bot run as root, or as the user of this server.`, { pid }, cause)
  })
  const entries = Buffer.from(content ?? []).toString('utf8').split('\0').flatMap((line) => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : []
  })
  return Object.fromEntries(entries)
}

/** argv of a call of the same program with the same configuration as the running master. */
export function commandOf({ program, start, serverRoot, configurationPath }: Instance, ...options: string[]): string[] {
  return [
    program, '-d', serverRoot, '-f', configurationPath, ...start.defines.flatMap((name) => ['-D', name]),
    ...start.directives.flatMap(({ flag, text }) => [flag, text]), ...options,
  ]
}

const modes = new Set(['FOREGROUND', 'NO_DETACH', 'DEBUG', 'ONE_PROCESS'])

/** Whether it is somebody else's child, so that nothing but that one should start it. */
export const isInForeground = ({ start }: Instance): boolean => start.defines.some((name) => modes.has(name))

/** Names of -D that tell instances with the same configuration apart. */
export const namedDefines = ({ defines }: StartOptions): string => defines.filter((name) => !modes.has(name)).join(' ')
