import { CertloopError, type ErrorCode, type SshReach, type TargetSecrets } from '@certloop/contract'
import { eventually, leftOut, makeAccount, makeLoginKey, startSshd, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { chmod, readdir, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createSshPool } from '../../src/hosts/ssh/pool.ts'
import { localHost } from '../engine/engine-kit.ts'
import { leftOutSsh, type SshScene, sshScene } from './ssh-kit.ts'

const code = (expected: ErrorCode, text?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CertloopError, String(error))
  assert.equal(error.code, expected, error.message)
  if (text) assert.match(error.message, text)
  return true
}

const finishing: (() => unknown)[] = []
const all = { after: (finish: () => unknown) => { finishing.push(finish) } }
let scene: SshScene
let sshd: SshScene['sshd']
let key: SshScene['key']
let root: SshScene['root']
before(async () => {
  if (leftOutSsh) return
  scene = await sshScene(all, { hostKeys: ['ed25519', 'ecdsa', 'rsa'] });
  ({ sshd, key, root } = scene)
})
after(async () => { for (const finish of finishing) await finish() })

const says = async (reach: SshReach, secrets: TargetSecrets = { login: { privateKey: key.privateText } }) => (await scene.host(reach, { secrets }).run(['echo', 'in'])).stdout

describe('host keys', { skip: leftOutSsh }, () => {
  test('a host key that nobody confirmed is named before anything secret is sent', async () => {
    await assert.rejects(says(scene.reach(root.name, { hostKey: null })), (error: unknown) => {
      assert.ok(error instanceof CertloopError)
      assert.equal(error.code, 'HOST_KEY_UNKNOWN')
      assert.deepEqual(error.facts, { host: '127.0.0.1', port: sshd.port, keyType: 'ssh-ed25519', fingerprint: sshd.fingerprints[0] })
      return true
    })
    const account = await makeAccount(all)
    await assert.rejects(says(scene.reach(account.name, { hostKey: null })), code('HOST_KEY_UNKNOWN'))
    assert.doesNotMatch(await sshd.log(), new RegExp(account.name))
  })

  test('any of several host keys may be the confirmed one; another one stops the login', async () => {
    for (const hostKey of sshd.fingerprints) assert.equal(await says(scene.reach(root.name, { hostKey })), 'in\n')
    const account = await makeAccount(all)
    const other = `SHA256:${'A'.repeat(43)}`
    await assert.rejects(says(scene.reach(account.name, { hostKey: other })), code('HOST_KEY_CHANGED', /does not show the confirmed key SHA256:A+\. It shows ssh-ed25519 SHA256:.*ecdsa.*ssh-rsa/))
    assert.doesNotMatch(await sshd.log(), new RegExp(account.name))
  })

  test('a host that was set up again shows another key', async (t) => {
    const again = await startSshd(t)
    await assert.rejects(says(scene.reach(root.name, { port: again.port })), code('HOST_KEY_CHANGED'))
  })
})

describe('logins over SSH', { skip: leftOutSsh }, () => {
  test('keys of every form, with and without passphrase', async (t) => {
    // OpenSSH's own form has a slow way from passphrase to key: -a 1 makes it less so.
    const forms: [string[], string][] = [[['-t', 'ed25519'], ''], [['-t', 'ed25519', '-a', '1'], 'secret'], [['-t', 'rsa', '-b', '2048', '-m', 'PEM'], 'secret'], [['-t', 'rsa', '-b', '2048', '-m', 'PKCS8'], 'secret'], [['-t', 'ecdsa', '-m', 'PKCS8'], '']]
    const keys = await Promise.all(forms.map(([args, passphrase]) => makeLoginKey(t, args, passphrase)))
    const privateKey = createPrivateKey(generateKeyPairSync('ed25519', { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey)
    await sshd.authorize(root.name, key.publicLine, ...keys.map(({ publicLine }) => publicLine), edLine(String(privateKey.export({ format: 'jwk' }).x)))
    for (const [i, { privateText }] of keys.entries()) {
      const passphrase = forms[i]?.[1] ?? ''
      const login = { privateKey: privateText, ...(passphrase ? { passphrase } : {}) }
      assert.equal(await says(scene.reach(root.name), { login }), "in\n", String(forms[i]))
      if (passphrase) {
        await assert.rejects(says(scene.reach(root.name), { login: { ...login, passphrase: 'wrong' } }), code('LOGIN_REFUSED', /passphrase/), String(forms[i]))
        await assert.rejects(says(scene.reach(root.name), { login: { privateKey: privateText } }), code('LOGIN_REFUSED', /no passphrase is given/), String(forms[i]))
      }
    }
    assert.equal(await says(scene.reach(root.name), { login: { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() } }), 'in\n')
    await assert.rejects(says(scene.reach(root.name), { login: { privateKey: 'no key' } }), code('LOGIN_REFUSED', /can not be read/))
    assert.match(await sshd.log(), /Accepted publickey .* RSA/)
  })

  test('a key file on the machine of the bot, closed to others', async (t) => {
    const reach = scene.reach(root.name, { authentication: 'bot-key', keyPath: key.path })
    await chmod(key.path, 0o600)
    assert.equal(await says(reach, { login: {} }), 'in\n')
    const open = join(await tempFolder(t), 'open')
    await writeFile(open, key.privateText)
    await chmod(open, 0o640)
    await assert.rejects(says({ ...reach, keyPath: open }), code('LOGIN_REFUSED', /open .*can be read by others \(mode 0640\)/))
    await assert.rejects(says({ ...reach, keyPath: `${open}-none` }), code('LOGIN_REFUSED', /ENOENT/))
    await assert.rejects(says({ ...reach, keyPath: 'id' }), code('LOGIN_REFUSED', /absolute path/))
  })

  test('a refused login says what was tried and what is allowed, and is not tried over and over', async (t) => {
    const strange = await makeLoginKey(t)
    const before = (await sshd.log()).split('Connection from').length
    const reach = scene.reach(root.name)
    const host = scene.host(reach, { secrets: { login: { privateKey: strange.privateText } } })
    for (let i = 0; i < 3; i++) await assert.rejects(host.run(['true']), code('LOGIN_REFUSED', new RegExp(`refused the login of ${root.name}\\. Tried: publickey\\. The server allows: publickey, ?password`)))
    assert.equal((await sshd.log()).split('Connection from').length, before + 1)
  })

  test('passwords, by themselves and by questions', async (t) => {
    const account = await makeAccount(all, { password: 'right horse' })
    const plain = scene.reach(account.name, { authentication: 'password' })
    assert.equal(await says(plain, { login: { password: 'right horse' } }), 'in\n')
    await assert.rejects(says(plain, { login: { password: 'wrong' } }), code('LOGIN_REFUSED', /Tried: password/))
    await assert.rejects(says(plain, { login: {} }), code('LOGIN_REFUSED', /no password is given/))
    const asking = await startSshd(t, { pam: true, settings: ['PasswordAuthentication no'] })
    const pool = createSshPool()
    t.after(() => { pool.close() })
    const questions = scene.host(scene.reach(account.name, { authentication: 'password', port: asking.port, hostKey: asking.fingerprints[0] ?? null }), { pool, secrets: { login: { password: 'right horse' } } })
    const said = await questions.run(['echo', 'in']).catch(async (error: unknown) => { throw new Error(`${String(error)}\n${await asking.log()}`) })
    assert.equal(said.stdout, 'in\n')
  })
})

describe('ways over SSH, and limits', { skip: leftOutSsh }, () => {
  test('over two machines on the way, each with its own key and login', async (t) => {
    const pool = createSshPool()
    t.after(() => { pool.close() })
    const [one, two] = [await startSshd(t), await startSshd(t)]
    const [a, b] = [await makeLoginKey(t), await makeLoginKey(t)]
    const jumper = await makeAccount(all, { shell: '/usr/sbin/nologin' })
    await one.authorize(jumper.name, a.publicLine)
    await two.authorize(jumper.name, b.publicLine)
    const jump = ({ port, fingerprints }: typeof one) => ({ host: '127.0.0.1', port, user: jumper.name, authentication: 'key' as const, hostKey: fingerprints[0] ?? null })
    const jumps = [jump(one), jump(two)]
    const secrets = { login: { privateKey: key.privateText }, jumps: [{ privateKey: a.privateText }, { privateKey: b.privateText }] }
    const through = scene.host(scene.reach(root.name, { jumps }), { secrets, pool })
    assert.equal((await through.run(['echo', 'far'])).stdout, 'far\n')
    assert.equal((await (await through.connect({ address: '127.0.0.1', port: sshd.port })).iterator({ destroyOnReturn: true }).next()).value?.toString().slice(0, 4), 'SSH-')
    const unknown = scene.host(scene.reach(root.name, { jumps: jumps.map((one_, i) => (i === 1 ? { ...one_, hostKey: null } : one_)) }), { secrets, pool })
    await assert.rejects(unknown.facts(), (error: unknown) => error instanceof CertloopError && error.code === 'HOST_KEY_UNKNOWN' && error.facts['port'] === two.port)
    await assert.rejects(scene.host(scene.reach(root.name, { jumps }), { secrets, pool, limits: { sshHosts: [`127.0.0.1:${one.port}`, `127.0.0.1:${sshd.port}`] } }).facts(), code('COMMAND_NOT_ALLOWED', new RegExp(`port ${two.port}: limits\\.ssh_hosts`)))
  })

  test('bot.toml forbids', async () => {
    await assert.rejects(scene.asRoot({ limits: { ssh: false } }).facts(), code('COMMAND_NOT_ALLOWED', /limits\.ssh is off/))
    await assert.rejects(scene.asRoot({ limits: { sshHosts: ['127.0.0.1'] } }).facts(), code('COMMAND_NOT_ALLOWED', /limits\.ssh_hosts/))
    await assert.rejects(scene.asRoot({ limits: { scripts: false } }).run(['true'], { script: true }), code('COMMAND_NOT_ALLOWED', /limits\.scripts/))
    await assert.rejects(scene.asRoot({ limits: { scripts: false } }).placeScript('x', Buffer.from('')), code('COMMAND_NOT_ALLOWED', /limits\.scripts/))
    assert.equal((await scene.asRoot({ limits: { commands: [], writePaths: [], sshHosts: [`127.0.0.1:${sshd.port}`] } }).run(['echo', 'in'])).stdout, 'in\n')
  })

  test('login shells that are of another family, or talk', { skip: leftOut('tcsh') }, async () => {
    const words = ["a'b", '!x', '$HOME', 'line\nbreak', '`id`']
    const shells = [
      { shell: '/bin/tcsh', files: { '.cshrc': 'echo "Welcome from csh"\n', '.tcshrc': 'echo "Welcome from tcsh"; sh -c "echo noise >&2"\n' } },
      { shell: '/bin/bash', files: { '.bashrc': 'echo "You have mail."; echo warning >&2; export PATH=/nowhere\n' } },
    ]
    for (const options of shells) {
      const account = await makeAccount(all, { ...options, sudo: ['ALL=(ALL) NOPASSWD: ALL'] })
      await sshd.authorize(account.name, key.publicLine)
      for (const privilege of options.shell === '/bin/bash' ? ['none' as const] : ['none' as const, 'sudo' as const]) {
        const said = await scene.host(scene.reach(account.name, { privilege })).run(['printf', '%s|', ...words])
        assert.deepEqual([said.stdout, said.stderr], [words.map((word) => `${word}|`).join(''), ''], options.shell)
      }
    }
  })
})

describe('rights over SSH', { skip: leftOutSsh }, () => {
  test('accounts that may not: no sudo rule, a password for sudo, no shell, a forced command', async (t) => {
    const refused = async (options: Parameters<typeof makeAccount>[1], privilege: 'none' | 'sudo', text: RegExp) => {
      const account = await makeAccount(all, options)
      await sshd.authorize(account.name, key.publicLine)
      await assert.rejects(scene.host(scene.reach(account.name, { privilege })).run(['true']), code('PRIVILEGE_REFUSED', text))
    }
    await refused({}, 'sudo', /without a password|no sudo rule/)
    await refused({ sudo: ['ALL=(ALL) ALL'] }, 'sudo', /may not use sudo without a password/)
    await refused({ shell: '/usr/sbin/nologin' }, 'none', /can not run commands.*not available/s)
    const forced = await startSshd(t, { settings: ['ForceCommand echo maintenance'] })
    const pool = createSshPool()
    t.after(() => { pool.close() })
    await forced.authorize(root.name, key.publicLine)
    await assert.rejects(scene.host(scene.reach(root.name, { port: forced.port, hostKey: forced.fingerprints[0] ?? null }), { pool }).readFile('/etc/hostname'), code('PRIVILEGE_REFUSED', /ForceCommand.*maintenance/s))
  })

  test('who is not root learns whom file and folder belong to, and may not become a service account', async (t) => {
    const account = await makeAccount(all)
    await sshd.authorize(account.name, key.publicLine)
    const host = scene.host(scene.reach(account.name))
    const dir = await tempFolder(t)
    await chmod(dir, 0o755)
    await writeFile(join(dir, 'key.pem'), 'x')
    await chmod(join(dir, 'key.pem'), 0o640)
    await assert.rejects(host.readFile(join(dir, 'key.pem')), code('FILE_UNWRITABLE', new RegExp(`key\\.pem: could not read it: the bot runs as ${account.name} \\(${account.uid}\\); .*key\\.pem belongs to user 0, group 0, mode 0640.*EACCES`)))
    await assert.rejects(host.stageFile(join(dir, 'a'), join(dir, 'a.new'), Buffer.from('x'), { mode: 0o600, uid: account.uid, gid: account.gid }), code('FILE_UNWRITABLE', /EACCES/))
    await assert.rejects(host.run(['id'], { runAs: { uid: 65534, gid: 65534 } }), code('COMMAND_NOT_ALLOWED', /can not change to that one/))
    assert.match((await host.run(['id', '-u'], { runAs: { uid: account.uid, gid: account.gid } })).stdout, new RegExp(`^${account.uid}\n`))
  })
})

describe('connections over SSH', { skip: leftOutSsh }, () => {
  test('few sessions at once are enough for much work at once', async (t) => {
    const narrow = await startSshd(t, { settings: ['MaxSessions 2'] })
    await narrow.authorize(root.name, key.publicLine)
    const pool = createSshPool()
    t.after(() => { pool.close() })
    const host = scene.host(scene.reach(root.name, { port: narrow.port, hostKey: narrow.fingerprints[0] ?? null }), { pool })
    const said = await Promise.all(Array.from({ length: 12 }, (_, i) => host.run(['echo', String(i)])))
    assert.deepEqual(said.map(({ stdout }) => stdout.trim()), Array.from({ length: 12 }, (_, i) => String(i)))
    assert.equal((await narrow.log()).split('Accepted publickey').length, 2)
  })

  test('connections of the host itself where the SSH server forwards nothing', async (t) => {
    const closed = await startSshd(t, { settings: ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no'], sftp: false })
    await closed.authorize(root.name, key.publicLine)
    const pool = createSshPool()
    t.after(() => { pool.close() })
    const host = scene.host(scene.reach(root.name, { port: closed.port, hostKey: closed.fingerprints[0] ?? null }), { pool })
    const stream = await host.connect({ address: '127.0.0.1', port: sshd.port })
    assert.match(String((await stream.iterator({ destroyOnReturn: true }).next()).value), /^SSH-2\.0/)
    await assert.rejects(host.connect({ address: '127.0.0.1', port: 1 }), code('HOST_UNREACHABLE', /AllowTcpForwarding.*refused/s))
  })

  test('an address is no command for the program that connects, and a host that talks without end is not listened to', { skip: leftOut('socat') }, async (t) => {
    const closed = await startSshd(t, { settings: ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no'], sftp: false })
    await closed.authorize(root.name, key.publicLine)
    const pool = createSshPool()
    t.after(() => { pool.close() })
    const path = await tempFolder(t, 'programs')
    for (const program of ['/usr/bin/socat', '/usr/bin/touch', '/bin/sh']) await symlink(program, join(path, basename(program)))
    const mark = join(path, 'made')
    const to = (address: string, timeoutMs?: number, shell = '/bin/sh') =>
      scene.host(scene.reach(root.name, { port: closed.port, hostKey: closed.fingerprints[0] ?? null }), { pool, userland: { shell, path } }).connect({ address, port: 1 }, timeoutMs)
    await assert.rejects(to('127.0.0.1'), code('HOST_UNREACHABLE', /Connection refused/))
    await assert.rejects(to(`127.0.0.1:1!!EXEC:touch ${mark}`), code('HOST_UNREACHABLE', /no name and no IP address/))
    await assert.rejects(to('-e/bin/sh'), code('HOST_UNREACHABLE', /no name and no IP address/))
    assert.deepEqual(await readdir(path), ['sh', 'socat', 'touch'])
    await writeFile(join(path, 'yes'), '#!/bin/sh\nexec /usr/bin/yes\n', { mode: 0o755 })
    await assert.rejects(to('127.0.0.1', 20_000, join(path, 'yes')), code('HOST_UNREACHABLE', /says something else without end/))
  })

  test('a connection is used again, and closed when idle', async (t) => {
    const pool = createSshPool({ idleMs: 100 })
    t.after(() => { pool.close() })
    const way = await makeLoginKey(t)
    const account = await makeAccount(all)
    await sshd.authorize(account.name, way.publicLine)
    const accepted = async () => (await sshd.log()).split(`Accepted publickey for ${account.name}`).length - 1
    const host = () => scene.host(scene.reach(account.name), { secrets: { login: { privateKey: way.privateText } }, pool })
    await Promise.all([host().run(['true']), host().list('/'), host().stat('/')])
    assert.equal(await accepted(), 1)
    await eventually(async () => (await localHost.processes()).every(({ argv }) => !argv[0]?.includes(account.name)), { what: 'the end of the idle connection' })
    await host().run(['true'])
    assert.equal(await accepted(), 2)
  })
})

/** A line of authorized_keys. @param x the public point, Base64url */
function edLine(x: string): string {
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.from(x, 'base64url'))]).toString('base64')}`
}
