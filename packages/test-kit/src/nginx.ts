import { chown, readFile, mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { runProcess, startProcess, type TestProcess } from './process.ts'
import { findTool, requireTool } from './tools.ts'
import { eventually } from './wait.ts'

/** One server block of a generated configuration. */
export interface NginxServer {
  /** As in server_name; none: no server_name line. */
  names?: readonly string[]
  certPath: string
  keyPath: string
  /** Further pairs of the same block, as for RSA beside ECDSA. */
  morePairs?: readonly { certPath: string; keyPath: string }[]
  /** Which of the free ports, from 0; blocks with the same number share it. Default 0. */
  listener?: number
  /** Instead of a free port. */
  port?: number
  /** Default 127.0.0.1. IPv6 in brackets. */
  address?: string
  defaultServer?: boolean
}

export interface NginxPlace { prefix: string; ports: readonly number[] }
export interface NginxOptions {
  servers?: readonly NginxServer[]
  /** The part of the configuration from http { on, instead of `servers`. Gets the folder and the free ports. */
  configuration?: (place: NginxPlace) => string | Promise<string>
  /** How many free ports; default as many as `servers` ask for, else 1. */
  portCount?: number
  /** Runs under this account, which then owns the folder. Needs root. */
  account?: { uid: number; gid: number }
  /** Directives on the command line (-g); must name the pid file, which is left out of the configuration then. */
  globals?: string
  /** Dynamic modules, by path. */
  loadModules?: readonly string[]
  /** Default: a new temporary folder. */
  prefix?: string
}

export interface RunningNginx {
  /** On loopback, by listener number. */
  readonly ports: readonly number[]
  readonly configPath: string
  readonly prefix: string
  readonly program: string
  /** Of the master process. */
  readonly pid: number
  /** `nginx -t`: exit code and what it said. */
  testConfiguration(): Promise<{ code: number | null; stderr: string }>
  /** Sends the reload signal through nginx itself. What comes of it is in the error log and in the handshakes. */
  reload(): Promise<void>
  /** Fast shutdown; waits for the end of the master. */
  stop(): Promise<void>
  errorLog(): Promise<string>
}

/** Debian's nginx or another one in the path; undefined when there is none. */
export const nginxPath = (): string | undefined => findTool('nginx')

/**
 * A real nginx with its own configuration, logs and pid file in a temporary folder, listening on loopback only.
 * Ready when every port takes connections; stopped after the test.
 * @throws Error when nginx is not installed or does not start, with what it said
 */
export async function startNginx(t: Pick<TestContext, 'after'>, options: NginxOptions): Promise<RunningNginx> {
  const program = requireTool('nginx')
  const prefix = options.prefix ?? await tempFolder(t, 'nginx')
  const count = options.portCount ?? Math.max(1, ...(options.servers ?? []).map(({ listener = 0 }) => listener + 1))
  const configPath = join(prefix, 'nginx.conf')
  const extra = options.globals === undefined ? [] : ['-g', options.globals]
  // Somebody else may take a port between choosing and binding: then with others.
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count)
    await prepareFolder({ prefix, ports }, configPath, options)
    const master = await startMaster(t, options.account, [program, '-p', prefix, '-c', configPath, ...extra])
    const problem = await waitUntilReady(master, prefix, ports)
    if (problem === undefined) return running(t, { program, prefix, configPath, ports, extra }, master)
    await stopMaster(master)
    if (attempt === 3 || !problem.includes('Address already in use')) throw new Error(`nginx did not start:\n${problem}`)
  }
}

async function prepareFolder(place: NginxPlace, configPath: string, options: NginxOptions): Promise<void> {
  const { configuration, servers = [], loadModules = [], account } = options
  const temp = join(place.prefix, 'temp')
  await mkdir(temp, { recursive: true })
  const body = configuration ? await configuration(place) : httpBlock(servers, place.ports)
  await writeFile(configPath, loadModules.map((file) => `load_module ${file};\n`).join('') + mainBlock(place.prefix, options) + body)
  if (account) for (const entry of [place.prefix, temp, configPath]) await chown(entry, account.uid, account.gid)
}

function mainBlock(prefix: string, { globals, account }: NginxOptions): string {
  const asRoot = process.getuid?.() === 0 && account === undefined ? 'user root;\n' : ''
  return `${asRoot}daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
${globals !== undefined ? '' : `pid ${prefix}/nginx.pid;\n`}error_log ${prefix}/error.log info;
events { worker_connections 64; }
`
}

/** Directives that keep nginx out of the system's folders; for configurations that bring their own http block. */
export function nginxTempPaths(prefix: string): string {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${prefix}/temp/${kind};\n`).join('') + '  access_log off;\n'
}

function httpBlock(servers: readonly NginxServer[], ports: readonly number[]): string {
  // The prefix is the configuration's own folder, so relative paths will do here.
  return `http {\n${nginxTempPaths('.').replaceAll('./temp', 'temp')}${servers.map((server) => serverBlock(server, ports)).join('')}}\n`
}

function serverBlock({ names = [], certPath, keyPath, morePairs = [], listener = 0, port, address = '127.0.0.1', defaultServer = false }: NginxServer, ports: readonly number[]): string {
  const lines = [
    `listen ${address}:${port ?? ports[listener]} ssl${defaultServer ? ' default_server' : ''};`,
    ...(names.length > 0 ? [`server_name ${names.join(' ')};`] : []),
    ...[{ certPath, keyPath }, ...morePairs].flatMap((pair) => [`ssl_certificate "${pair.certPath}";`, `ssl_certificate_key "${pair.keyPath}";`]),
    'return 200 "hello";',
  ]
  return `  server {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`
}

async function startMaster(t: Pick<TestContext, 'after'>, account: NginxOptions['account'], argv: readonly [string, ...string[]]): Promise<TestProcess> {
  const started: TestProcess[] = []
  // Before startProcess adds its own: a master killed hard would leave its workers behind.
  t.after(() => Promise.all(started.map(stopMaster)))
  const master = await startProcess(t, argv, account)
  started.push(master)
  return master
}

async function stopMaster(master: TestProcess): Promise<void> {
  master.kill('SIGTERM')
  await master.ended
}

/** What nginx said when it ended instead of getting ready. */
async function waitUntilReady(master: TestProcess, prefix: string, ports: readonly number[]): Promise<string | undefined> {
  const hasEnded = () => master.child.exitCode !== null || master.child.signalCode !== null
  const result = await eventually(async () => {
    if (hasEnded()) return 'ended'
    const written = await readFile(join(prefix, 'nginx.pid'), 'utf8').catch(() => '')
    if (Number(written) !== master.pid) return false
    for (const port of ports) await connectOnce(port)
    return hasEnded() ? 'ended' : 'ready'
  }, { what: 'nginx taking connections', timeoutMs: 30_000 })
  if (result === 'ready') return undefined
  return master.output() + await readFile(join(prefix, 'error.log'), 'utf8').catch(() => '')
}

/** A port that a configuration uses for IPv6 alone answers on ::1. */
async function connectOnce(port: number): Promise<void> {
  const attempt = (host: string) => new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port })
    socket.once('connect', () => { socket.destroy(); resolve() }).once('error', reject)
  })
  await attempt('127.0.0.1').catch(() => attempt('::1'))
}

function running(t: Pick<TestContext, 'after'>, { extra, ...place }: NginxPlace & { program: string; configPath: string; extra: readonly string[] }, master: TestProcess): RunningNginx {
  const { program, prefix, configPath } = place
  const command = (...args: string[]) => runProcess(t, [program, ...args, '-p', prefix, '-c', configPath, ...extra])
  return {
    ...place,
    pid: master.pid,
    async testConfiguration() {
      const { code, stderr } = await command('-t')
      return { code, stderr }
    },
    async reload() {
      const { code, stderr } = await command('-s', 'reload')
      if (code !== 0) throw new Error(`nginx -s reload ended with ${code}:\n${stderr}`)
    },
    stop: () => stopMaster(master),
    errorLog: () => readFile(join(prefix, 'error.log'), 'utf8'),
  }
}
