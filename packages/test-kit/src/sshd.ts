import { chmod, chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce } from './daemon.ts'
import { tempFolder } from './folders.ts'
import { abandoned, ownName } from './own-names.ts'
import { freePort } from './ports.ts'
import { runProcess, startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

type Context = Pick<TestContext, 'after'>
export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa'

export interface SshdOptions {
  /** Further lines of sshd_config, such as "AllowTcpForwarding no". They come first, and the first value of a setting counts. */
  settings?: readonly string[]
  /** Default ed25519 alone. */
  hostKeys?: readonly HostKeyType[]
  /** Without sftp subsystem when false. */
  sftp?: boolean
  /** Asks PAM, which also gives keyboard-interactive logins. */
  pam?: boolean
}

export interface RunningSshd {
  readonly port: number
  readonly pid: number
  readonly folder: string
  /** Fingerprints in OpenSSH form, in the order of hostKeys. */
  readonly fingerprints: readonly string[]
  /** Lets an account in with a key: the lines of its authorized_keys. */
  authorize(user: string, ...publicKeys: string[]): Promise<void>
  /** What it has logged so far (LogLevel VERBOSE). */
  log(): Promise<string>
  /** Ends the listener by its own pid; connections that are open stay. */
  stop(): Promise<void>
}

/** A key pair of a person or a bot. */
export interface LoginKey { readonly path: string; readonly privateText: string; readonly publicLine: string }

/** @param args of ssh-keygen, e.g. ['-t', 'rsa', '-m', 'PEM']; default an ed25519 key without passphrase */
export async function makeLoginKey(t: Context, args: readonly string[] = ['-t', 'ed25519'], passphrase = ''): Promise<LoginKey> {
  const path = join(await tempFolder(t, 'ssh-key'), 'id')
  await keygen(t, '-q', ...args, '-N', passphrase, '-C', 'test', '-f', path)
  return { path, privateText: await readFile(path, 'utf8'), publicLine: (await readFile(`${path}.pub`, 'utf8')).trim() }
}

async function keygen(t: Context, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProcess(t, [requireTool('ssh-keygen'), ...args])
  if (code !== 0) throw new Error(`ssh-keygen ended with ${code}: ${stderr}`)
  return stdout
}

/**
 * OpenSSH's server with a configuration, host keys and authorized keys of its own, on a free port of 127.0.0.1. Needs root.
 * Stopped after the test; connections end with their clients.
 */
export async function startSshd(t: Context, options: SshdOptions = {}): Promise<RunningSshd> {
  const program = requireTool('sshd')
  // As the service of the system does; sshd refuses to start without.
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const folder = await tempFolder(t, 'sshd')
  await chmod(folder, 0o755)
  const keys = join(folder, 'authorized')
  await mkdir(keys, { mode: 0o755 })
  const hostKeys = options.hostKeys ?? ['ed25519']
  const fingerprints: string[] = []
  for (const type of hostKeys) {
    await keygen(t, '-q', '-t', type, '-N', '', '-f', join(folder, `host_${type}`))
    fingerprints.push((await keygen(t, '-l', '-E', 'sha256', '-f', join(folder, `host_${type}.pub`))).split(' ')[1] ?? '')
  }
  const { port, server } = await listen(t, program, folder, options, hostKeys)
  return {
    port, folder, fingerprints, pid: server.pid,
    async authorize(user, ...publicKeys) {
      await writeFile(join(keys, user), `${publicKeys.join('\n')}\n`, { mode: 0o644 })
    },
    log: () => readFile(join(folder, 'log'), 'utf8'),
    async stop() {
      server.kill('SIGTERM')
      await server.ended
    },
  }
}

async function listen(t: Context, program: string, folder: string, options: SshdOptions, hostKeys: readonly HostKeyType[]): Promise<{ port: number; server: TestProcess }> {
  const [config, log] = [join(folder, 'sshd_config'), join(folder, 'log')]
  // Somebody else may take the port between choosing and binding: then another.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    await writeFile(config, configuration(folder, port, options, hostKeys))
    // Its sessions would hold the outputs open after its end.
    const server = await startProcess(t, ['/bin/sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh', program, '-D', '-E', log, '-f', config])
    const ready = await eventually(async () => {
      if (server.child.exitCode !== null) return 'ended'
      if (!(await readFile(log, 'utf8')).includes('Server listening')) return false
      await connectOnce(port)
      return 'ready'
    }, { what: 'sshd taking connections' })
    if (ready === 'ready') return { port, server }
    const said = server.output() + await readFile(log, 'utf8').catch(() => '')
    if (attempt === 3 || !said.includes('in use')) throw new Error(`sshd did not start:\n${said}`)
  }
}

function configuration(folder: string, port: number, { settings = [], sftp = true, pam = false }: SshdOptions, hostKeys: readonly HostKeyType[]): string {
  return [
    ...settings,
    'ListenAddress 127.0.0.1', `Port ${port}`, 'PidFile none', 'LogLevel VERBOSE', 'StrictModes no',
    ...hostKeys.map((type) => `HostKey ${join(folder, `host_${type}`)}`),
    // %u: the account's name.
    `AuthorizedKeysFile ${join(folder, 'authorized', '%u')}`,
    'PermitRootLogin yes', `UsePAM ${pam ? 'yes' : 'no'}`, `KbdInteractiveAuthentication ${pam ? 'yes' : 'no'}`,
    // Many tests log in at once.
    'MaxStartups 100:30:200',
    ...(sftp ? ['Subsystem sftp internal-sftp'] : []),
  ].map((line) => `${line}\n`).join('')
}

export interface AccountOptions {
  /** Lines behind the account's name in sudoers, e.g. "ALL=(ALL) NOPASSWD: ALL". */
  sudo?: readonly string[]
  password?: string
  /** 0: another name of root, which has its rights and none of root's own settings. */
  uid?: number
  /** Default /bin/sh. */
  shell?: string
  /** Files in its home folder, by name. */
  files?: Readonly<Record<string, string>>
}
export interface TestAccount { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string }

/** An account of this machine with a name of its own, removed after the test with its sudoers drop-in. Needs root. */
export async function makeAccount(t: Context, { sudo = [], password, shell = '/bin/sh', files = {}, uid: wanted }: AccountOptions = {}): Promise<TestAccount> {
  await removeAbandoned(t)
  const name = ownName(prefix)
  const home = await tempFolder(t, 'home')
  // "*": no password fits, and unlike "!" the account is not locked for keys.
  await withLock(t, ['useradd', '-M', '-N', '-g', 'nogroup', '-d', home, '-s', shell, '-p', '*', ...(wanted === undefined ? [] : ['-o', '-u', String(wanted)]), name])
  t.after(() => removeAccount(t, name))
  if (password !== undefined) {
    const { code, stderr } = await runProcess(t, ['/bin/sh', '-c', 'printf "%s\\n" "$1" | chpasswd', 'sh', `${name}:${password}`])
    if (code !== 0) throw new Error(`chpasswd: ${stderr}`)
  }
  if (sudo.length > 0) {
    const dropIn = `/etc/sudoers.d/${name}`
    await writeFile(dropIn, sudo.map((rule) => `${name} ${rule}\n`).join(''), { mode: 0o440 })
    t.after(() => rm(dropIn, { force: true }))
  }
  const { stdout } = await runProcess(t, ['id', '-u', name])
  const [uid, gid] = [Number(stdout), Number((await runProcess(t, ['id', '-g', name])).stdout)]
  await chown(home, uid, gid)
  for (const [file, text] of Object.entries(files)) {
    await writeFile(join(home, file), text, { mode: 0o755 })
    await chown(join(home, file), uid, gid)
  }
  return { name, uid, gid, home }
}

const prefix = 'clt-'

const removeAccount = (t: Context, name: string): Promise<void> => withLock(t, ['userdel', '-f', name])

/** Of tests that were killed: no account with root's rights is to stay. */
async function removeAbandoned(t: Context): Promise<void> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':')[0] ?? '')
  for (const name of await abandoned(prefix, accounts)) await removeAccount(t, name)
  for (const name of await abandoned(prefix, await readdir('/etc/sudoers.d').catch(() => []))) await rm(join('/etc/sudoers.d', name), { force: true })
}

/** The files of accounts are locked by one program at a time, and tests run side by side. */
async function withLock(t: Context, argv: readonly [string, ...string[]]): Promise<void> {
  await eventually(async () => {
    const { code, stderr } = await runProcess(t, argv)
    // userdel ends with 6 when the account is gone, with 12 when it has no mailbox to remove.
    if (code === 0 || (argv[0] === 'userdel' && (code === 6 || code === 12))) return true
    if (/lock|busy/i.test(stderr)) return false
    throw new Error(`${argv.join(' ')} ended with ${code}: ${stderr}`)
  }, { what: argv.join(' '), intervalMs: 200 })
}
