import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePort } from './ports.ts'
import { findTool, requireTool } from './tools.ts'

export interface Postgres {
  /** postgres:// address of a superuser who may make databases. */
  readonly url: string
  readonly pid: number
  /** Ends the server and removes its folder. */
  stop(): Promise<void>
  /** The same without waiting, for 'exit' handlers. */
  kill(): void
}

/** initdb and postgres refuse to run as root. */
function unprivilegedUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string, user: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', user), gid: id('-g', user) }
    } catch {
      continue // no such user here: the next one
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as')
}

function makeCluster(folder: string, password: string, user: { uid?: number; gid?: number }): void {
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  for (const path of [folder, passwordFile]) if (user.uid !== undefined && user.gid !== undefined) chownSync(path, user.uid, user.gid)
  const initdb = join(dirname(requireTool('postgres')), 'initdb')
  execFileSync(initdb, ['-D', join(folder, 'data'), '-U', 'certloop', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8', '--locale=C', '--no-sync'], { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
}

/** For throw-away data: nothing has to survive a power cut. */
const fast = ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'synchronous_commit=off', '-c', 'max_connections=200']

/** Where setpriv exists, the kernel ends the server with us, even after a kill -9. */
function dieWithUs(argv: readonly string[]): string[] {
  const setpriv = process.platform === 'linux' ? findTool('setpriv') : undefined
  return setpriv ? [setpriv, '--pdeathsig', 'INT', ...argv] : [...argv]
}

/** Starts the server and waits until it takes connections; undefined when somebody else took the port first. */
async function launch(folder: string, port: number, user: { uid?: number; gid?: number }): Promise<ChildProcess | undefined> {
  const [program = '', ...args] = dieWithUs([requireTool('postgres'), '-D', join(folder, 'data'), '-h', '127.0.0.1', '-p', String(port), '-k', '', ...fast])
  const child = spawn(program, args, { ...user, cwd: folder, env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  const isReady = new Promise<boolean>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => (/could not bind|Address already in use/.test(said) ? resolve(false) : reject(new Error(`PostgreSQL did not start. It said:\n${said}`))))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 100_000) said += text
      if (said.includes('ready to accept connections')) resolve(true)
    })
  })
  return (await isReady) ? child : undefined
}

async function launchOnFreePort(folder: string, user: { uid?: number; gid?: number }): Promise<{ child: ChildProcess; port: number }> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort()
    const child = await launch(folder, port, user)
    if (child) return { child, port }
  }
  throw new Error('PostgreSQL found no free port in five attempts')
}

/**
 * A private PostgreSQL cluster in a temporary folder, on 127.0.0.1 and a free port, without Unix socket, as an
 * unprivileged user when we are root. Not durable: for tests only. The caller stops it.
 * @throws Error when PostgreSQL is not installed or does not start; its own words are in the message
 */
export async function startPostgres(): Promise<Postgres> {
  const user = unprivilegedUser()
  const folder = mkdtempSync(join(tmpdir(), 'certloop-postgres-'))
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  const password = randomBytes(16).toString('hex')
  try {
    makeCluster(folder, password, user)
    const { child, port } = await launchOnFreePort(folder, user)
    const isRunning = () => child.exitCode === null && child.signalCode === null
    return {
      url: `postgres://certloop:${password}@127.0.0.1:${port}/postgres`,
      pid: child.pid ?? 0,
      async stop() {
        if (isRunning()) {
          const closed = once(child, 'exit')
          child.kill('SIGINT') // fast shutdown: open sessions are cut
          await closed
        }
        remove()
      },
      kill() {
        if (isRunning()) child.kill('SIGQUIT') // immediate shutdown, its own children included
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}
