import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface HaproxyPlace { folder: string; ports: readonly number[] }
export interface HaproxyOptions {
  /** Sections from the frontends on; the kit makes the global and the defaults section. May put files into the folder. */
  sections: (place: HaproxyPlace) => string | Promise<string>
  /** More lines of the global section. */
  globals?: (place: HaproxyPlace) => string
  /** Default 1. */
  portCount?: number
  /** A stats socket <folder>/admin.sock of this level; none by default. */
  statsLevel?: 'user' | 'operator' | 'admin'
  /** false: one process without a master. */
  masterWorker?: boolean
  /** More words of the command line. */
  options?: (place: HaproxyPlace) => readonly string[]
  environment?: Record<string, string>
}

export interface RunningHaproxy {
  readonly ports: readonly number[]
  readonly folder: string
  readonly configPath: string
  readonly program: string
  /** Of the master. */
  readonly pid: number
  readonly socketPath: string
  /** What it wrote to its standard error. */
  output(): string
}

/**
 * A real HAProxy with a configuration of its own, on loopback; ready when each port takes connections, stopped after the
 * test. In the foreground, as a service manager starts it.
 */
export async function startHaproxy(t: Pick<TestContext, 'after'>, options: HaproxyOptions): Promise<RunningHaproxy> {
  const program = requireTool('haproxy')
  const running: TestProcess[] = []
  const folder = await tempFolderFor(t, 'haproxy', () => Promise.all(running.map(stopMaster)))
  const configPath = join(folder, 'haproxy.cfg')
  const socketPath = join(folder, 'admin.sock')
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(options.portCount ?? 1)
    const place = { folder, ports }
    await mkdir(join(folder, 'certs'), { recursive: true })
    await writeFile(configPath, await configuration({ ...place, socketPath }, options))
    const mode = options.masterWorker === false ? ['-db'] : ['-W', '-p', join(folder, 'pid')]
    const master = await startProcess(t, [program, ...mode, '-f', configPath, ...options.options?.(place) ?? []], { cwd: folder, ...(options.environment === undefined ? {} : { env: options.environment }) })
    running.push(master)
    const isReady = await eventually(async () => {
      if (master.child.exitCode !== null) return 'ended'
      for (const port of ports) await connectOnce(port)
      return 'ready'
    }, { what: 'HAProxy taking connections', timeoutMs: 30_000 }).catch((error: Error) => { throw new Error(`${error.message}\n${master.output()}`, { cause: error }) })
    if (isReady === 'ready') return { ports, folder, configPath, program, pid: master.pid, socketPath, output: () => master.output() }
    if (attempt === 3 || !/cannot bind/.test(master.output())) throw new Error(`HAProxy did not start:\n${master.output()}`)
  }
}

async function configuration({ socketPath, ...place }: HaproxyPlace & { socketPath: string }, { statsLevel, globals, sections }: HaproxyOptions): Promise<string> {
  const stats = statsLevel === undefined ? '' : `  stats socket ${socketPath} mode 600 level ${statsLevel} expose-fd listeners\n`
  return `global\n  maxconn 200\n  hard-stop-after 20s\n  nbthread 1\n${stats}${globals?.(place) ?? ''}\ndefaults\n  mode tcp\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n\n${await sections(place)}`
}

/** The master takes its workers with it. */
async function stopMaster(master: TestProcess): Promise<void> {
  const workers = (await readFile(`/proc/${master.pid}/task/${master.pid}/children`, 'utf8').catch(() => '')).split(' ').filter(Boolean)
  master.kill('SIGTERM')
  await master.ended
  for (const worker of workers) await eventually(() => stat(`/proc/${worker}/exe`).then(() => false, () => true), { what: 'the end of an HAProxy worker' })
}
