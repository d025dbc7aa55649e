import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { tempFolderFor } from './daemon.ts'
import { madeOnce } from './made-once.ts'
import { freePort } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'

const run = promisify(execFile)

export interface MariadbOptions {
  /** Lines of its option file, after a group for the server was begun. Gets the folder. */
  settings?: (folder: string) => string | Promise<string>
  /** More words of its command line, behind the option file. */
  words?: readonly string[]
}

export interface RunningMariadb {
  readonly port: number
  readonly folder: string
  readonly dataFolder: string
  readonly socketPath: string
  readonly optionFile: string
  readonly pid: number
  /** Runs a statement as root over the Unix socket. */
  sql(statement: string): Promise<string>
  log(): string
}

/** uid and gid of the account of the server. */
export async function mariadbAccount(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'mysql'])).stdout)))
  return { uid: uid ?? 0, gid: gid ?? 0 }
}

/** A data folder as it is after the installation; made once for each machine, as that takes seconds. */
async function freshData(): Promise<string> {
  const version = (await run(requireTool('mariadbd'), ['--no-defaults', '--version'])).stdout.match(/\d+(?:\.\d+)+/)?.[0]
  return madeOnce(`mariadb-data-${version}`, async (making) => {
    const data = join(making, 'data')
    const { uid, gid } = await mariadbAccount()
    await chmod(making, 0o755)
    await mkdir(data)
    await chown(data, uid, gid)
    await run('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, '--user=mysql', '--skip-test-db'], { timeout: 120_000 })
  })
}

/** A real MariaDB on 127.0.0.1 with data and options of its own; ready when it takes connections, stopped after the test. Needs root. */
export async function startMariadb(t: Pick<TestContext, 'after'>, { settings = () => '', words = [] }: MariadbOptions = {}): Promise<RunningMariadb> {
  const program = requireTool('mariadbd')
  const running: TestProcess[] = []
  const folder = await tempFolderFor(t, 'mariadb', async () => {
    for (const server of running) {
      server.kill('SIGTERM')
      await server.ended
    }
  })
  await chmod(folder, 0o755)
  const dataFolder = join(folder, 'data')
  await run('cp', ['-a', join(await freshData(), 'data'), dataFolder])
  const socketPath = join(folder, 'data/server.sock')
  const optionFile = join(folder, 'my.cnf')
  const own = await settings(folder)
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    await writeFile(optionFile, `[mysqld]\ndatadir = ${dataFolder}\nsocket = ${socketPath}\nbind-address = 127.0.0.1\nport = ${port}\nuser = mysql\ninnodb_log_file_size = 4M\ninnodb_buffer_pool_size = 8M\n${own}`)
    const server = await startProcess(t, [program, `--defaults-file=${optionFile}`, ...words])
    running.push(server)
    try {
      await server.waitFor(/ready for connections/, 60_000)
      const sql = async (statement: string) => (await run('mariadb', ['--no-defaults', '--user=root', `--socket=${socketPath}`, '--batch', '--skip-column-names', `--execute=${statement}`])).stdout
      return { port, folder, dataFolder, socketPath, optionFile, pid: server.pid, sql, log: () => server.output() }
    } catch (error) {
      if (attempt === 3 || !/address already in use/i.test(server.output())) throw error
    }
  }
}
