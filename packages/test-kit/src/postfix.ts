import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connectOnce, pidOnceWritten, stopByPid, tempFolderFor } from './daemon.ts'
import { freePorts } from './ports.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

const run = promisify(execFile)

/** One line of master.cf for SMTP. */
export interface PostfixService {
  /** Which of the free ports, from 0. */
  listener: number
  /** Overrides, as after -o. */
  options?: Record<string, string>
  /** Default 127.0.0.1; '' for a port without address. */
  address?: string
}

export interface PostfixOptions {
  /** Default: one service without overrides. */
  services?: readonly PostfixService[]
  /** Lines of main.cf. Gets the folder, the account of Postfix can enter it. */
  settings: (folder: string) => Record<string, string> | Promise<Record<string, string>>
}

export interface RunningPostfix {
  /** By listener number. */
  readonly ports: readonly number[]
  /** With configuration, queue and data below it. */
  readonly folder: string
  readonly configFolder: string
  readonly mainPath: string
  /** Of the master process. */
  readonly pid: number
  /** `postfix reload`. */
  reload(): Promise<void>
  log(): Promise<string>
}

/** What a Postfix needs besides its SMTP services; not chrooted, and `lmtp` and `smtp` as clients left out: no mail leaves. */
const inner = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

/**
 * A real Postfix with folders of its own, listening on loopback alone; ready when each port takes connections, stopped
 * after the test. Needs root, as Postfix does.
 */
export async function startPostfix(t: Pick<TestContext, 'after'>, { services = [{ listener: 0 }], settings }: PostfixOptions): Promise<RunningPostfix> {
  const program = requireTool('postfix')
  const running: number[] = []
  const folder = await tempFolderFor(t, 'postfix', () => Promise.all(running.map((pid) => stopByPid(pid, 'Postfix'))))
  const configFolder = join(folder, 'etc')
  for (const name of ['etc', 'queue', 'data']) await mkdir(join(folder, name))
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postfix'])).stdout)))
  await chmod(folder, 0o755)
  await chown(join(folder, 'data'), uid ?? 0, gid ?? 0)
  const own = await settings(folder)
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(Math.max(...services.map(({ listener }) => listener)) + 1)
    await writeFile(join(configFolder, 'main.cf'), mainText(folder, dirname(program), own))
    await writeFile(join(configFolder, 'master.cf'), services.map((service) => serviceLines(service, ports)).join('') + inner)
    const command = (verb: string) => run(program, ['-c', configFolder, verb], { timeout: 60_000 })
    try {
      await command('start')
      const pid = await pidOnceWritten(join(folder, 'queue/pid/master.pid'))
      running.push(pid)
      for (const { listener } of services) await eventually(() => connectOnce(ports[listener] ?? 0), { what: 'Postfix taking connections', timeoutMs: 30_000 })
      return {
        ports, folder, configFolder, pid, mainPath: join(configFolder, 'main.cf'),
        reload: async () => { await command('reload') },
        log: () => readFile(join(folder, 'log'), 'utf8'),
      }
    } catch (error) {
      const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '')
      if (attempt === 3 || !log.includes('Address already in use')) throw new Error(`Postfix did not start: ${String(error)}\n${log}`, { cause: error })
    }
  }
}

function mainText(folder: string, commandFolder: string, settings: Record<string, string>): string {
  const all: Record<string, string> = {
    compatibility_level: '3.6', queue_directory: join(folder, 'queue'), data_directory: join(folder, 'data'), command_directory: commandFolder,
    daemon_directory: '/usr/lib/postfix/sbin', mail_owner: 'postfix', setgid_group: 'postdrop', inet_interfaces: 'loopback-only', inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8', mydestination: '', alias_maps: '', maillog_file: join(folder, 'log'), maillog_file_prefixes: folder, myhostname: 'mail.test', ...settings,
  }
  return Object.entries(all).map(([name, value]) => `${name} = ${value}\n`).join('')
}

function serviceLines({ listener, options = {}, address = '127.0.0.1' }: PostfixService, ports: readonly number[]): string {
  const overrides = Object.entries(options).map(([name, value]) => `  -o { ${name} = ${value} }\n`).join('')
  return `${address === '' ? '' : `${address}:`}${ports[listener]} inet n - n - - smtpd\n${overrides}`
}
