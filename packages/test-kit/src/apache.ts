import { chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { hasEnded } from './daemon.ts'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { startProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

/** One virtual host of a generated configuration. */
export interface ApacheHost {
  /** ServerName, then aliases. */
  names: readonly [string, ...string[]]
  certPath: string
  /** None: the key is in the certificate file. */
  keyPath?: string
  chainPath?: string
  /** Further pairs, as for RSA beside ECDSA. */
  morePairs?: readonly { certPath: string; keyPath: string }[]
  /** Which of the free ports, from 0. Default 0. */
  listener?: number
}

export interface ApachePlace { prefix: string; ports: readonly number[] }
export interface ApacheOptions {
  hosts?: readonly ApacheHost[]
  /** What comes after the main part, instead of `hosts` and the Listen lines. */
  configuration?: (place: ApachePlace) => string | Promise<string>
  portCount?: number
  /** Default event. */
  mpm?: 'event' | 'worker' | 'prefork'
  /** Besides those that TLS needs: "macro", "md", … */
  modules?: readonly string[]
  /** Command line besides -d, -f and -k. */
  options?: readonly string[]
  /** Of the running process; added to what it needs anyway. */
  environment?: Readonly<Record<string, string>>
  /** Default: a new temporary folder. */
  prefix?: string
  /** Runs under this account, which has to own the folder. Needs root. */
  account?: { uid: number; gid: number }
  /** Goes into the background by itself, as init scripts start it. */
  background?: boolean
  /** Brings all files itself, as in a distribution's layout: called for each attempt. The pid goes to <prefix>/apache2.pid. */
  layout?: (place: ApachePlace) => Promise<{ configPath: string }>
}

export interface RunningApache {
  readonly ports: readonly number[]
  readonly configPath: string
  readonly prefix: string
  readonly program: string
  /** Of the master process, from its pid file. */
  pid(): Promise<number>
  stop(): Promise<void>
  errorLog(): Promise<string>
}

/**
 * A real httpd with its own configuration, logs and pid file in a temporary folder, listening on loopback only. Ready when every port takes connections; stopped after the test by its own pid.
 * @throws Error when it is not installed or does not start, with what it said
 */
export async function startApache(t: Pick<TestContext, 'after'>, options: ApacheOptions): Promise<RunningApache> {
  const program = requireTool('apache2')
  // Registered before the folder is made, and so called before it is removed: the pid file in it says what to stop.
  const stops: (() => Promise<void>)[] = []
  t.after(() => Promise.all(stops.map((stop) => stop())))
  const prefix = options.prefix ?? await tempFolder(t, 'apache')
  const count = options.portCount ?? Math.max(1, ...(options.hosts ?? []).map(({ listener = 0 }) => listener + 1))
  // Somebody else may take a port between choosing and binding: then with others.
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count)
    const { configPath } = options.layout ? await options.layout({ prefix, ports }) : await writeConfiguration({ prefix, ports }, options)
    const mode = options.background ? [] : ['-D', 'FOREGROUND']
    const argv = [program, '-d', prefix, '-f', configPath, ...options.options ?? [], ...mode, '-k', 'start'] as const
    const master = await startMaster(t, prefix, [...argv], { env: { APACHE_RUN_DIR: prefix, ...options.environment }, ...options.account }, options.background ?? false)
    stops.push(master.stop)
    const problem = await waitUntilReady(master, prefix, ports)
    if (problem === undefined) return { ports, configPath, prefix, program, pid: () => pidIn(prefix), stop: master.stop, errorLog: () => readFile(join(prefix, 'error.log'), 'utf8') }
    await master.stop()
    if (attempt === 3 || !problem.includes('could not bind')) throw new Error(`apache2 did not start:\n${problem}`)
  }
}

const modulesFolder = '/usr/lib/apache2/modules'
const loadModule = (name: string) => `LoadModule ${name}_module ${modulesFolder}/mod_${name}.so\n`

async function writeConfiguration(place: ApachePlace, options: ApacheOptions): Promise<{ configPath: string }> {
  const { hosts = [], mpm = 'event', modules = [], configuration, account } = options
  const configPath = join(place.prefix, 'apache2.conf')
  await mkdir(join(place.prefix, 'htdocs'), { recursive: true })
  await writeFile(join(place.prefix, 'htdocs', 'index.html'), 'hello')
  const body = configuration ? await configuration(place) : place.ports.map((port) => `Listen 127.0.0.1:${port}\n`).join('') + hosts.map((host) => hostBlock(host, place.ports)).join('')
  const workers = mpm === 'prefork' ? 'StartServers 2\n' : 'StartServers 1\nThreadsPerChild 8\nMaxRequestWorkers 16\n'
  await writeFile(configPath, `DefaultRuntimeDir \${APACHE_RUN_DIR}
PidFile \${APACHE_RUN_DIR}/apache2.pid
ErrorLog error.log
LogLevel info
ServerName main.invalid
DocumentRoot htdocs
${[`mpm_${mpm}`, 'authz_core', 'ssl', ...modules].map(loadModule).join('')}${account || process.getuid?.() !== 0 ? '' : 'User www-data\nGroup www-data\n'}${workers}SSLSessionCache none
${body}`)
  if (account) for (const entry of [place.prefix, join(place.prefix, 'htdocs'), configPath]) await chown(entry, account.uid, account.gid)
  return { configPath }
}

/** The lines of one virtual host for `configuration`. */
function hostBlock({ names: [name, ...aliases], certPath, keyPath, chainPath, morePairs = [], listener = 0 }: ApacheHost, ports: readonly number[]): string {
  const pairs = [{ certPath, keyPath }, ...morePairs]
  return `<VirtualHost 127.0.0.1:${ports[listener]}>
  ServerName ${name}
${aliases.map((alias) => `  ServerAlias ${alias}\n`).join('')}  SSLEngine on
${pairs.map((pair) => `  SSLCertificateFile "${pair.certPath}"\n${pair.keyPath === undefined ? '' : `  SSLCertificateKeyFile "${pair.keyPath}"\n`}`).join('')}${chainPath === undefined ? '' : `  SSLCertificateChainFile "${chainPath}"\n`}</VirtualHost>\n`
}

interface Master { output(): string; hasEnded(): Promise<boolean>; stop(): Promise<void> }

const pidIn = async (prefix: string): Promise<number> => Number(await readFile(join(prefix, 'apache2.pid'), 'utf8').catch(() => ''))

async function startMaster(t: Pick<TestContext, 'after'>, prefix: string, argv: [string, ...string[]], options: Parameters<typeof startProcess>[2], background: boolean): Promise<Master> {
  const child = await startProcess(t, argv, options)
  const stop = async () => {
    child.kill('SIGTERM')
    await child.ended
    if (background) await stopDaemon(prefix)
  }
  if (background) await child.ended
  const hasEndedByNow = async () => (background ? hasEndedAs(await pidIn(prefix)) : child.child.exitCode !== null || child.child.signalCode !== null)
  return { output: child.output, hasEnded: hasEndedByNow, stop }
}

/** Without a pid file it has not begun. */
const hasEndedAs = async (pid: number): Promise<boolean> => pid > 1 && hasEnded(pid)

/** The master that its own pid file names, if it still runs. */
async function stopDaemon(prefix: string): Promise<void> {
  const pid = await pidIn(prefix)
  if (!(pid > 1) || await hasEnded(pid)) return
  process.kill(pid, 'SIGTERM')
  // Collected too: until then it is in the list of processes.
  await eventually(() => stat(`/proc/${pid}`).then(() => false, () => true), { what: 'the end of apache2' })
}

/** What it said when it ended instead of getting ready. */
async function waitUntilReady(master: Master, prefix: string, ports: readonly number[]): Promise<string | undefined> {
  const result = await eventually(async () => {
    if (!(await pidIn(prefix) > 1)) return await master.hasEnded() ? 'ended' : false
    for (const port of ports) await connectOnce(port)
    return await master.hasEnded() ? 'ended' : 'ready'
  }, { what: 'apache2 taking connections', timeoutMs: 30_000 }).catch(async (error: Error) => { throw new Error(`${error.message}\n${await said(master, prefix)}`, { cause: error }) })
  return result === 'ready' ? undefined : said(master, prefix)
}

const said = async (master: Master, prefix: string): Promise<string> => master.output() + await readFile(join(prefix, 'error.log'), 'utf8').catch(() => '')

/** A port that a configuration uses for another address alone counts as ready when it answers there. */
async function connectOnce(port: number): Promise<void> {
  const attempt = (host: string) => new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port })
    socket.once('connect', () => { socket.destroy(); resolve() }).once('error', reject)
  })
  await attempt('127.0.0.1').catch(() => attempt('127.0.0.2')).catch(() => attempt('::1'))
}
