import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { freePort } from './ports.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

const run = promisify(execFile)

export interface VsftpdOptions {
  /** Lines of its configuration besides those of the listener. */
  settings?: Readonly<Record<string, string>>
  /** More words of the command line. */
  words?: readonly string[]
}

export interface RunningVsftpd {
  readonly port: number
  readonly folder: string
  readonly configPath: string
  /** Ends the listener, and its sessions with it, and starts it anew: as the init script of a distribution would. */
  readonly restartCommand: string[]
  restart(): Promise<void>
  /** Of the listener now. */
  pid(): Promise<number>
}

/**
 * A real vsftpd that listens on 127.0.0.1 with a configuration of its own; ready when it takes connections, stopped
 * after the test. Needs root.
 */
export async function startVsftpd(t: Pick<TestContext, 'after'>, { settings = {}, words = [] }: VsftpdOptions): Promise<RunningVsftpd> {
  const program = requireTool('vsftpd')
  const folder = await tempFolderFor(t, 'vsftpd', () => run('/bin/sh', [join(folder, 'service'), 'stop']))
  const configPath = join(folder, 'vsftpd.conf')
  const script = join(folder, 'service')
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'empty'))
  await writeFile(script, serviceScript(folder, [program, configPath, ...words]))
  const pid = async () => Number(await readFile(join(folder, 'pid'), 'utf8'))
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const all = { listen: 'YES', listen_address: '127.0.0.1', listen_port: String(port), background: 'NO', secure_chroot_dir: join(folder, 'empty'), anonymous_enable: 'NO', local_enable: 'YES', ...settings }
    await writeFile(configPath, Object.entries(all).map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 })
    const takesConnections = () => eventually(async () => await isRunning(await pid()) && connectOnce(Number(all.listen_port), all.listen_address), { what: 'vsftpd taking connections', timeoutMs: 10_000 })
    const restart = async () => {
      await run('/bin/sh', [script, 'restart'])
      await takesConnections()
    }
    try {
      await restart()
      return { port, folder, configPath, restart, pid, restartCommand: ['/bin/sh', script, 'restart'] }
    } catch (error) {
      if (attempt === 3 || settings['listen_port'] !== undefined) throw new Error(`vsftpd did not start: ${await readFile(join(folder, 'log'), 'utf8')}`, { cause: error })
    }
  }
}

const isRunning = async (pid: number) => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== ''

/** What ended and was not collected yet has no command line. */
const serviceScript = (folder: string, argv: readonly string[]) => `#!/bin/sh
pid=$(cat '${folder}/pid' 2>/dev/null)
if [ -n "$pid" ]; then
  kill "$pid" 2>/dev/null
  while grep -q . "/proc/$pid/cmdline" 2>/dev/null; do sleep 0.02; done
fi
[ "$1" = stop ] && exit 0
setsid ${argv.map((word) => `'${word}'`).join(' ')} </dev/null >>'${folder}/log' 2>&1 &
echo $! >'${folder}/pid'
`
