import { chmod, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { abandoned, ownName } from './own-names.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface ProftpdOptions {
  /** Of the main server and of all else. Gets the folder and the free ports; the main server listens on the first. */
  settings: (folder: string, ports: readonly number[]) => string | Promise<string>
  /** How many free ports it needs; all of them are to take connections. Default 1. */
  ports?: number
  /** Address of the main server. Default 127.0.0.1; null: none is named. */
  address?: string | null
  /** Leaves the link in the system's folder out, by which others could find it. */
  hidden?: boolean
}

export interface RunningProftpd {
  readonly ports: readonly number[]
  readonly folder: string
  /** As found by a scan: a link in the system's folder, since the process tells nobody its configuration. */
  readonly configPath: string
  /** Where the link leads. */
  readonly file: string
  readonly pid: number
  log(): Promise<string>
}

const systemFolder = '/etc/proftpd'
const prefix = 'certloop-test-'

/** Where a scan finds it. What a killed test left there is removed. */
async function linkInSystem(t: Pick<TestContext, 'after'>, file: string): Promise<string> {
  for (const name of await abandoned(prefix, await readdir(systemFolder))) await rm(join(systemFolder, name), { force: true })
  const link = join(systemFolder, `${ownName(prefix)}.conf`)
  t.after(() => rm(link, { force: true }))
  await symlink(file, link)
  return link
}

/** A real ProFTPD with mod_tls on loopback; ready when each port takes connections, stopped after the test. Needs root. */
export async function startProftpd(t: Pick<TestContext, 'after'>, { settings, ports: count = 1, address = '127.0.0.1', hidden = false }: ProftpdOptions): Promise<RunningProftpd> {
  const program = requireTool('proftpd')
  const running: TestProcess[] = []
  const folder = await tempFolderFor(t, 'proftpd', async () => {
    for (const server of running) {
      server.kill('SIGTERM') // takes its sessions with it
      await server.ended
    }
  })
  await chmod(folder, 0o755)
  const file = join(folder, 'proftpd.conf')
  const configPath = hidden ? file : await linkInSystem(t, file)
  const log = () => readFile(join(folder, 'log'), 'utf8').catch(() => '')
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(count)
    await writeFile(file, baseText(folder, ports[0] ?? 0, address) + await settings(folder, ports))
    // Sessions keep the output open, so it is a file. Each closes all numbers that could be open files: few make it quick.
    const server = await startProcess(t, ['/bin/sh', '-c', 'ulimit -n 256; out=$1; shift; exec "$@" >>"$out" 2>&1', 'sh', join(folder, 'output'), program, '-n', '-c', file])
    running.push(server)
    try {
      for (const port of ports) await eventually(() => server.child.exitCode === null && connectOnce(port), { what: 'ProFTPD taking connections', timeoutMs: 10_000 })
      return { ports, folder, configPath, file, pid: server.pid, log }
    } catch (error) {
      server.kill('SIGKILL')
      const said = `${await readFile(join(folder, 'output'), 'utf8').catch(() => '')}\n${await log()}`
      if (attempt === 3 || !/address already in use/i.test(said)) throw new Error(`ProFTPD did not start: ${said}`, { cause: error })
    }
  }
}

const baseText = (folder: string, port: number, address: string | null) => `LoadModule mod_tls.c
ServerType standalone
UseIPv6 off
User nobody
Group nogroup
PidFile ${folder}/pid
ScoreboardFile ${folder}/scoreboard
DelayTable none
WtmpLog off
SystemLog ${folder}/log
Port ${port}
DefaultServer on
${address === null ? '' : `DefaultAddress ${address}\n`}`
