import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, pidOnceWritten, stopByPid, tempFolderFor } from './daemon.ts'
import { freePorts } from './ports.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface DovecotOptions {
  /** Settings and blocks besides those of the listeners; gets the folder. */
  settings: (folder: string) => string | Promise<string>
  /** Default 127.0.0.1. */
  listen?: string
}

export interface RunningDovecot {
  /** imap, imaps, pop3, pop3s: all on 127.0.0.1. */
  readonly ports: readonly number[]
  readonly folder: string
  readonly configPath: string
  /** Of the master process. */
  readonly pid: number
  log(): Promise<string>
}

/**
 * A real Dovecot with IMAP and POP3, its folders and its configuration in a temporary folder, on loopback; every user and
 * password is welcome. Ready when each port takes connections, stopped after the test. Needs root.
 */
export async function startDovecot(t: Pick<TestContext, 'after'>, { settings, listen = '127.0.0.1' }: DovecotOptions): Promise<RunningDovecot> {
  const program = requireTool('dovecot')
  const running: number[] = []
  const folder = await tempFolderFor(t, 'dovecot', () => Promise.all(running.map((pid) => stopByPid(pid, 'Dovecot'))))
  const configPath = join(folder, 'dovecot.conf')
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'run'))
  await mkdir(join(folder, 'mail'), { mode: 0o777 })
  await chmod(join(folder, 'mail'), 0o777)
  const own = await settings(folder)
  const log = () => readFile(join(folder, 'log'), 'utf8').catch(() => '')
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(4)
    await writeFile(configPath, configuration(folder, ports, listen) + own)
    // It keeps the streams of its starter, so only its end can be waited for; what it has to say is in its log.
    const [code] = await once(spawn(program, ['-c', configPath], { stdio: 'ignore' }), 'exit') as [number | null]
    if (code === 0) {
      const pid = await pidOnceWritten(join(folder, 'run/master.pid'))
      running.push(pid)
      for (const port of ports) await eventually(() => connectOnce(port), { what: 'Dovecot taking connections', timeoutMs: 30_000 })
      return { ports, folder, configPath, pid, log }
    }
    const said = await log()
    if (attempt === 3 || !said.includes('Address already in use')) throw new Error(`Dovecot did not start:\n${said}`)
  }
}

function configuration(folder: string, [imap, imaps, pop3, pop3s]: readonly number[], listen: string): string {
  const service = (name: string, plain: string, plainPort: number | undefined, tls: string, tlsPort: number | undefined) =>
    `service ${name} {\n  inet_listener ${plain} {\n    port = ${plainPort}\n  }\n  inet_listener ${tls} {\n    port = ${tlsPort}\n    ssl = yes\n  }\n}\n`
  return `base_dir = ${folder}/run
state_dir = ${folder}/run
log_path = ${folder}/log
protocols = imap pop3
listen = ${listen}
mail_location = maildir:${folder}/mail/%u
first_valid_uid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=${folder}/mail/%u
}
${service('imap-login', 'imap', imap, 'imaps', imaps)}${service('pop3-login', 'pop3', pop3, 'pop3s', pop3s)}`
}
