import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemInstance } from '../shared/pem-files/driver.ts'
import { type ProgramHabits, programOf } from '../shared/pem-files/program.ts'
import { throughSudo } from '../shared/host/sudo.ts'
import { absolute } from './config-parser.ts'

/** A running nginx and how to speak to it. */
export interface Instance extends PemInstance {
  /** All of what `nginx -V` says. */
  build: string
  /** Only when the master was started with -p. */
  prefix: string | null
  /** Directives of -g: the master's pid file may be named there. */
  globals: string | null
}

const programs: ProgramHabits = {
  names: /^(nginx|openresty|angie|tengine|freenginx)(-debug)?$/,
  otherwise: 'neither nginx, openresty, angie, tengine nor freenginx',
  field: 'nginx program',
  usual: ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/nginx/sbin/nginx', '/usr/local/openresty/nginx/sbin/nginx', '/usr/sbin/angie', '/usr/bin/nginx'],
}

const titleMark = /^\w+: master process (?:v\S+ #\d+ \[)?/

const baseName = (file: string) => file.slice(file.lastIndexOf('/') + 1)
const isNginx = ({ name, executable, argv }: HostProcess) => programs.names.test(name) || programs.names.test(baseName(executable)) || /^(nginx|angie): master process/.test(argv[0] ?? '')

/**
 * Master processes of nginx and its relatives: those whose parent is not one as well. Calls such as `nginx -t` that
 * happen to run just now don't count.
 */
export function findMasters(processes: readonly HostProcess[]): HostProcess[] {
  const byPid = new Map(processes.filter(isNginx).map((entry) => [entry.pid, entry]))
  return [...byPid.values()].filter((entry) => !byPid.has(entry.parentPid) && !isShortCall(entry) && !/: worker process/.test(entry.argv[0] ?? ''))
}

const isShortCall = ({ argv }: HostProcess) => !titleMark.test(argv[0] ?? '') && argv.slice(1).some((arg) => /^-[tTvVhsq?]+/.test(arg))

export interface StartOptions { program: string; configuration: string | null; prefix: string | null; globals: string | null }

/**
 * The options a master was started with. nginx writes its arguments into its title, with blanks between and without
 * quotes; so the value of an option goes on to the next thing that looks like one.
 */
export function startOptions({ argv }: Pick<HostProcess, 'argv'>): StartOptions {
  const title = argv[0] ?? ''
  const [program = '', ...words] = titleMark.test(title)
    ? title.replace(titleMark, '').replace(/\]$/, '').split(/ (?=-[a-zA-Z?])/)
    : argv
  // "-c file", "-cfile", or the value as a word of its own.
  const valueOf = (flag: string) => {
    const at = words.findLastIndex((word) => word.startsWith(flag))
    return at === -1 ? null : words[at]?.slice(flag.length).trimStart() || words[at + 1] || null
  }
  return { program, configuration: valueOf('-c'), prefix: valueOf('-p'), globals: valueOf('-g') }
}

export interface Build { product: string; version: string; prefix: string; configurationPath: string }

/** Reads the output of `nginx -V`. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE when it is something else */
export function parseBuild(text: string): Build {
  const [, name, version] = /^(\w+) version: \S*?\/?([\w.+-]+)(?:\s|$)/m.exec(text) ?? []
  if (name === undefined || version === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `nginx -V did not say its version: ${text.trim().slice(0, 300)}`)
  const argument = (key: string) => new RegExp(`(?:^|\\s)--${key}=('[^']*'|\\S+)`).exec(text)?.[1]?.replaceAll('\'', '')
  const prefix = argument('prefix') ?? '/usr/local/nginx'
  const product = /openresty\//.test(text) ? 'OpenResty' : name
  return { product, version, prefix, configurationPath: absolute(argument('conf-path') ?? 'conf/nginx.conf', prefix) }
}

/**
 * How a master is to be spoken to.
 * @param given what the fields of a target say
 * @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE, COMMAND_NOT_ALLOWED, COMMAND_FAILED
 */
export async function readInstance(host: Host, master: HostProcess, given: { program?: string | undefined; sudo?: boolean | undefined } = {}): Promise<Instance> {
  const start = startOptions(master)
  const program = await programOf(host, master, programs, { given: given.program, titled: start.program })
  const runAs = master.uid === 0 ? {} : { runAs: { uid: master.uid, gid: master.gid } }
  const said = await host.run([program, '-V'], { timeoutSeconds: 30, ...runAs })
  const build = parseBuild(said.stderr + said.stdout)
  const prefix = start.prefix === null ? null : absolute(start.prefix, master.workingDirectory || '/')
  const configurationPath = start.configuration === null ? build.configurationPath : absolute(start.configuration, prefix ?? build.prefix)
  return {
    process: master, program, prefix, globals: start.globals, sudo: given.sudo ?? false, ...runAs,
    product: build.product, version: build.version, build: (said.stderr + said.stdout).trim(),
    // nginx itself takes such a path as it stands; normalised it serves as a name.
    configurationPath: path.posix.normalize(configurationPath),
  }
}

/** argv of a call of the same program with the same configuration as the running master. */
export function commandOf({ sudo, program, configurationPath, prefix, globals }: Instance, ...options: string[]): string[] {
  return throughSudo(sudo, [
    program, ...options, '-c', configurationPath,
    ...(prefix === null ? [] : ['-p', prefix]), ...(globals === null ? [] : ['-g', globals]),
  ])
}
