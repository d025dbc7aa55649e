import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { runProcess, startProcess, type TestProcess } from './process.ts'
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
}

export interface RunningApache {
  readonly ports: readonly number[]
  readonly configPath: string
  readonly prefix: string
  readonly program: string
  /** Of the master process. */
  readonly pid: number
  stop(): Promise<void>
  errorLog(): Promise<string>
}

/**
 * A real httpd with its own configuration, logs and pid file in a temporary folder, listening on loopback only, in the
 * foreground. Ready when every port takes connections; stopped after the test by its own pid.
 * @throws Error when it is not installed or does not start, with what it said
 */
export async function startApache(t: Pick<TestContext, 'after'>, options: ApacheOptions): Promise<RunningApache> {
  const program = requireTool('apache2')
  const prefix = options.prefix ?? await tempFolder(t, 'apache')
  const configPath = join(prefix, 'apache2.conf')
  const count = options.portCount ?? Math.max(1, ...(options.hosts ?? []).map(({ listener = 0 }) => listener + 1))
  // Somebody else may take a port between choosing and binding: then with others.
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count)
    await writeConfiguration({ prefix, ports }, configPath, options)
    const env = { APACHE_RUN_DIR: prefix, ...options.environment }
    const master = await startMaster(t, [program, '-d', prefix, '-f', configPath, ...options.options ?? [], '-D', 'FOREGROUND', '-k', 'start'], { env, ...options.account })
    const problem = await waitUntilReady(master, prefix, ports)
    if (problem === undefined) {
      return { ports, configPath, prefix, program, pid: master.pid, stop: () => stopMaster(master), errorLog: () => readFile(join(prefix, 'error.log'), 'utf8') }
    }
    await stopMaster(master)
    if (attempt === 3 || !problem.includes('could not bind')) throw new Error(`apache2 did not start:\n${problem}`)
  }
}

const modulesFolder = '/usr/lib/apache2/modules'
const loadModule = (name: string) => `LoadModule ${name}_module ${modulesFolder}/mod_${name}.so\n`

async function writeConfiguration(place: ApachePlace, configPath: string, options: ApacheOptions): Promise<void> {
  const { hosts = [], mpm = 'event', modules = [], configuration, account } = options
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
}

/** The lines of one virtual host for `configuration`. */
function hostBlock({ names: [name, ...aliases], certPath, keyPath, chainPath, morePairs = [], listener = 0 }: ApacheHost, ports: readonly number[]): string {
  const pairs = [{ certPath, keyPath }, ...morePairs]
  return `<VirtualHost 127.0.0.1:${ports[listener]}>
  ServerName ${name}
${aliases.map((alias) => `  ServerAlias ${alias}\n`).join('')}  SSLEngine on
${pairs.map((pair) => `  SSLCertificateFile "${pair.certPath}"\n${pair.keyPath === undefined ? '' : `  SSLCertificateKeyFile "${pair.keyPath}"\n`}`).join('')}${chainPath === undefined ? '' : `  SSLCertificateChainFile "${chainPath}"\n`}</VirtualHost>\n`
}

async function startMaster(t: Pick<TestContext, 'after'>, argv: readonly [string, ...string[]], options: Parameters<typeof startProcess>[2]): Promise<TestProcess> {
  const started: TestProcess[] = []
  // Before startProcess adds its own: a master killed hard would leave its children behind.
  t.after(() => Promise.all(started.map(stopMaster)))
  const master = await startProcess(t, argv, options)
  started.push(master)
  return master
}

async function stopMaster(master: TestProcess): Promise<void> {
  master.kill('SIGTERM')
  await master.ended
}

/** What it said when it ended instead of getting ready. */
async function waitUntilReady(master: TestProcess, prefix: string, ports: readonly number[]): Promise<string | undefined> {
  const hasEnded = () => master.child.exitCode !== null || master.child.signalCode !== null
  const result = await eventually(async () => {
    if (hasEnded()) return 'ended'
    if (Number(await readFile(join(prefix, 'apache2.pid'), 'utf8').catch(() => '')) !== master.pid) return false
    for (const port of ports) await connectOnce(port)
    return hasEnded() ? 'ended' : 'ready'
  }, { what: 'apache2 taking connections', timeoutMs: 30_000 })
  if (result === 'ready') return undefined
  return master.output() + await readFile(join(prefix, 'error.log'), 'utf8').catch(() => '')
}

/** A port that a configuration uses for another address alone counts as ready when it answers there. */
async function connectOnce(port: number): Promise<void> {
  const attempt = (host: string) => new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port })
    socket.once('connect', () => { socket.destroy(); resolve() }).once('error', reject)
  })
  await attempt('127.0.0.1').catch(() => attempt('127.0.0.2')).catch(() => attempt('::1'))
}

/** Runs the same program with the same configuration, e.g. with -t. */
export async function callApache(t: Pick<TestContext, 'after'>, { program, prefix, configPath }: RunningApache, ...args: string[]): Promise<{ code: number | null; stderr: string }> {
  return runProcess(t, [program, '-d', prefix, '-f', configPath, '-D', 'FOREGROUND', ...args], { env: { APACHE_RUN_DIR: prefix } })
}
