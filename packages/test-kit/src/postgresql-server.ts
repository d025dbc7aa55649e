import { execFile } from 'node:child_process'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connectOnce, stopByPid, tempFolderFor } from './daemon.ts'
import { freePort } from './ports.ts'
import { startProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

const run = promisify(execFile)

export interface PostgresqlServerOptions {
  /** Lines of postgresql.conf, after those of the kit. Gets the folder that the account of the server owns, and may put files there. */
  settings: (folder: string) => string | Promise<string>
  /** Options of the command line behind -D. Gets the folder. */
  options?: (folder: string) => readonly string[]
  /** false: on a Unix socket alone. */
  tcp?: boolean
  /** Through Debian's pg_createcluster and pg_ctlcluster, with the configuration apart from the data. */
  debian?: boolean
}

export interface PostgresqlServer {
  readonly port: number
  /** The account's own, with all else below it. */
  readonly folder: string
  readonly dataDirectory: string
  readonly configPath: string
  /** Of the postmaster. */
  readonly pid: number
  readonly account: { uid: number; gid: number }
  log(): Promise<string>
}

interface Account { uid: number; gid: number }

/** PostgreSQL refuses to run as root. */
async function postgresAccount(): Promise<Account> {
  const [uid = 0, gid = 0] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)))
  return { uid, gid }
}

const program = (name: string) => join(dirname(realpathSync(requireTool('postgres'))), name)

let template: Promise<string> | undefined

/** initdb takes its time: once for all clusters of this process. */
async function makeTemplate(account: Account): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-initdb-'))
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  await chown(folder, account.uid, account.gid)
  await run(program('initdb'), ['-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--wal-segsize=1'], { ...account, cwd: folder })
  return join(folder, 'data')
}

/**
 * A real PostgreSQL with a cluster of its own on 127.0.0.1, under the account of the package; everybody on loopback is
 * its superuser. Ready when it takes connections, stopped after the test. Not durable. Needs root.
 */
export async function startPostgresqlServer(t: Pick<TestContext, 'after'>, options: PostgresqlServerOptions): Promise<PostgresqlServer> {
  const account = await postgresAccount()
  const running: number[] = []
  const outer = await tempFolderFor(t, 'postgresql', () => Promise.all(running.map((pid) => stopByPid(pid, 'PostgreSQL', 'SIGQUIT'))))
  const folder = join(outer, 'own')
  await mkdir(folder)
  await chmod(outer, 0o755)
  await chown(folder, account.uid, account.gid)
  const port = await freePort()
  const own = await options.settings(folder)
  const text = `listen_addresses = '${options.tcp === false ? '' : '127.0.0.1'}'\nport = ${port}\nunix_socket_directories = '${folder}'\nfsync = off\nlog_min_messages = log\n${own}`
  const start = options.debian ? startDebianCluster : startPlain
  const { dataDirectory, configPath, logPath } = await start(t, { folder, account, port, text, options })
  const pid = await eventually(async () => {
    const lines = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n')
    return lines[7]?.trim() === 'ready' && Number(lines[0])
  }, { what: 'PostgreSQL taking connections' }).catch(async (error: unknown) => { throw new Error(`PostgreSQL did not start:\n${await readFile(logPath, 'utf8').catch(() => '')}`, { cause: error }) })
  running.push(pid)
  if (options.tcp !== false) await eventually(() => connectOnce(port), { what: 'PostgreSQL taking connections' })
  return { port, folder, dataDirectory, configPath, pid, account, log: () => readFile(logPath, 'utf8') }
}

interface Start { folder: string; account: Account; port: number; text: string; options: PostgresqlServerOptions }
interface Started { dataDirectory: string; configPath: string; logPath: string }

async function startPlain(t: Pick<TestContext, 'after'>, { folder, account, text, options }: Start): Promise<Started> {
  const [dataDirectory, logPath] = [join(folder, 'data'), join(folder, 'log')]
  template ??= makeTemplate(account)
  await cp(await template, dataDirectory, { recursive: true })
  await run('chown', ['-R', `${account.uid}:${account.gid}`, dataDirectory])
  const configPath = join(dataDirectory, 'postgresql.conf')
  await writeFile(configPath, `logging_collector = off\n${text}`)
  await chown(configPath, account.uid, account.gid)
  const server = await startProcess(t, [program('postgres'), '-D', dataDirectory, ...options.options?.(folder) ?? []], { ...account, cwd: folder, env: { LC_ALL: 'C' } })
  const copy = () => writeFile(logPath, server.output())
  server.child.stderr?.on('data', () => { void copy() })
  return { dataDirectory, configPath, logPath }
}

/** /etc/postgresql/<version>/<cluster> in small: the tools take another root for it from PG_CLUSTER_CONF_ROOT. */
async function startDebianCluster(_t: unknown, { folder, account, port, text }: Start): Promise<Started> {
  const version = basename(dirname(dirname(realpathSync(requireTool('postgres')))))
  const [root, dataDirectory, logPath] = [join(folder, 'etc'), join(folder, 'lib'), join(folder, 'log')]
  const env = { ...process.env, PG_CLUSTER_CONF_ROOT: root, LC_ALL: 'C' }
  const options = { env, cwd: folder }
  await mkdir(root)
  await chown(root, account.uid, account.gid)
  await run('pg_createcluster', ['-u', 'postgres', '-d', dataDirectory, '-l', logPath, '-s', folder, '-p', String(port), '--locale=C', version, 'shop', '--', '--no-sync', '-A', 'trust', '--wal-segsize=1'], options)
  const configPath = join(root, version, 'shop/postgresql.conf')
  await writeFile(join(root, version, 'shop/conf.d/certloop.conf'), text)
  await run('pg_ctlcluster', ['--skip-systemctl-redirect', version, 'shop', 'start'], options)
  return { dataDirectory, configPath, logPath }
}
