import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import { connect } from 'node:tls'
import { createClient, type Client } from '../../packages/api-client/src/index.ts'
import { nginxPath, runProcess, selfSignedPair, startNginx, startProcess, tempFolder, writePair, type RunningNginx, type TestProcess } from '../../packages/test-kit/src/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const planeMain = join(root, 'apps/control-plane/src/main.ts')
const cliMain = join(root, 'apps/cli/src/main.ts')

type Cleaner = Pick<TestContext, 'after'>
export interface Said { code: number | null; stdout: string; stderr: string }

/** A control plane as a process of its own, with the bot of this machine unless told otherwise. */
export interface Plane {
  url: string
  oneTimePassword: string
  process: TestProcess
  /** Stops it and its bot, and waits for their end. */
  stop(): Promise<void>
}

export interface PlaneOptions { port?: number; bot?: boolean; /** Further words of its command line. */ more?: readonly string[]; env?: Record<string, string> }

export async function startPlane(t: Cleaner, { data, port = 0, bot = true, more = [], env = {} }: PlaneOptions & { data: string }): Promise<Plane> {
  // An order to stop comes before startProcess's own kill, which would leave the bot behind.
  const started: TestProcess[] = []
  const stop = async () => {
    for (const one of started) one.kill('SIGTERM')
    await Promise.all(started.map((one) => one.ended))
  }
  t.after(stop)
  const plane = await startProcess(t, [process.execPath, planeMain, '--data', data, '--port', String(port), '--log-level', 'warn', ...(bot ? [] : ['--no-bot']), ...more], { cwd: root, env })
  started.push(plane)
  await plane.waitFor(/Ctrl-C stops Certloop/, 120_000)
  const found = (pattern: RegExp) => pattern.exec(plane.stdout())?.[1] ?? ''
  return { url: found(/Certloop runs at (\S+)/), oneTimePassword: found(/One-time password:\s+(\S+)/), process: plane, stop }
}

/** Replaces the one-time password and makes an API token, as a browser would. */
export async function firstToken({ url, oneTimePassword }: Plane, password: string): Promise<string> {
  let cookie = ''
  const send = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers: { 'content-type': 'application/json', origin: url, ...(cookie === '' ? {} : { cookie }) }, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    return response.json()
  }
  await send('/session', { name: 'admin', password: oneTimePassword })
  await send('/session/password', { currentPassword: oneTimePassword, newPassword: password })
  return (await send('/api-tokens', { name: 'tests' }) as { token: string }).token
}

export interface Cli {
  /** Folder of its configuration. */
  home: string
  /** Runs it to its end. */
  run(...words: string[]): Promise<Said>
  runWith(env: Record<string, string | undefined>, ...words: string[]): Promise<Said>
  /** Starts it and leaves it running. */
  start(...words: string[]): Promise<TestProcess>
}

/** The command line as a process of its own, with nothing of the person who runs the tests. */
export async function createCli(t: Cleaner, own: Record<string, string | undefined> = {}): Promise<Cli> {
  const home = await tempFolder(t, 'cli')
  const env = { HOME: home, XDG_CONFIG_HOME: undefined, CERTLOOP_URL: undefined, CERTLOOP_TOKEN: undefined, CERTLOOP_CA: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined, TZ: 'Europe/Berlin', ...own }
  return {
    home,
    run: (...words) => runProcess(t, [process.execPath, cliMain, ...words], { env, cwd: home }),
    runWith: (more, ...words) => runProcess(t, [process.execPath, cliMain, ...words], { env: { ...env, ...more }, cwd: home }),
    start: (...words) => startProcess(t, [process.execPath, cliMain, ...words], { env, cwd: home }),
  }
}

export interface Loop { plane: Plane; token: string; cli: Cli; client: Client }

/** Control plane, its bot and a signed-in command line. */
export async function startLoop(t: Cleaner, options: PlaneOptions = {}): Promise<Loop> {
  const plane = await startPlane(t, { data: join(await tempFolder(t, 'plane'), 'data'), ...options })
  const token = await firstToken(plane, 'a password of the tests')
  return { plane, token, cli: await createCli(t, { CERTLOOP_URL: plane.url, CERTLOOP_TOKEN: token }), client: createClient({ baseUrl: plane.url, token }) }
}

/** A real nginx that serves one name with a certificate Certloop does not know yet. */
export async function startSite(t: Cleaner, name: string): Promise<{ nginx: RunningNginx; certPath: string; fingerprint: string }> {
  const pair = await writePair(await tempFolder(t, 'site'), 'site', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  return { nginx, certPath: pair.certPath, fingerprint: pair.fingerprint }
}

/** For tests that need nginx: the reason to leave them out, or false. In CI a missing one is a failure. */
export const withoutNginx = (): string | false => (nginxPath() === undefined && process.env['CI'] !== 'true' ? 'nginx is not installed' : false)

/** The JSON of a run that ended well. */
export function jsonOf<T>({ code, stdout, stderr }: Said): T {
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

/** SHA-256 of the certificate that is served for this name, lower-case hex. */
export function servedFingerprint(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '')
      socket.end()
    })
    socket.once('error', reject)
  })
}
