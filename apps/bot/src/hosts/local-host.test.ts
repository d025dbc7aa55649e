import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, lstat, mkdtemp, mkdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { spawn } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { CertloopError, type ErrorCode } from '@certloop/contract'
import { createLimits, type LimitSettings } from './limits.ts'
import { createLocalHost } from './local-host.ts'

const unlimited: LimitSettings = { writePaths: null, commands: null, scripts: true }
const hostWith = (settings: Partial<LimitSettings> = {}) => createLocalHost({ limits: createLimits({ ...unlimited, ...settings }) })
const mine = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

async function folder(t: TestContext): Promise<string> {
  const made = await realpath(await mkdtemp(path.join(os.tmpdir(), 'certloop-host-')))
  t.after(() => rm(made, { recursive: true, force: true }))
  return made
}
const code = (expected: ErrorCode, text?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CertloopError, String(error))
  assert.equal(error.code, expected, error.message)
  if (text) assert.match(error.message, text)
  return true
}

test('a file is replaced with owner and mode kept', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  const file = path.join(dir, 'key.pem')
  await writeFile(file, 'old')
  await chmod(file, 0o640)
  await host.stageFile(file, `${file}.new`, Buffer.from('new'), null)
  assert.equal(await readFile(file, 'utf8'), 'old')
  await host.renameFile(`${file}.new`, file)
  assert.equal(await readFile(file, 'utf8'), 'new')
  assert.equal((await stat(file)).mode & 0o7777, 0o640)
  await host.stageFile(file, `${file}.new`, Buffer.from('newer'), { mode: 0o600, ...mine })
  assert.equal((await stat(`${file}.new`)).mode & 0o7777, 0o600, 'what is named counts more than what is there')
  await host.removeFile(`${file}.new`)
  assert.deepEqual(await host.list(dir), ['key.pem'])
})

test('root keeps a foreign owner', { skip: mine.uid !== 0 }, async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  await host.stageFile(path.join(dir, 'a'), path.join(dir, 'a'), Buffer.from('x'), { mode: 0o440, uid: 65534, gid: 12345 })
  await host.stageFile(path.join(dir, 'a'), path.join(dir, 'b'), Buffer.from('y'), null)
  const facts = await host.stat(path.join(dir, 'b'))
  assert.deepEqual([facts?.uid, facts?.gid, facts?.mode], [65534, 12345, 0o440])
})

test('a leftover stage file is replaced, and a link in its place is not followed', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  await writeFile(path.join(dir, 'victim'), 'safe')
  await symlink('victim', path.join(dir, 'stage'))
  await host.stageFile(path.join(dir, 'file'), path.join(dir, 'stage'), Buffer.from('new'), { mode: 0o600, ...mine })
  assert.equal(await readFile(path.join(dir, 'victim'), 'utf8'), 'safe')
  assert.ok((await lstat(path.join(dir, 'stage'))).isFile())
})

test('errors name the path and the reason', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  const missing = path.join(dir, 'no', 'file')
  await assert.rejects(host.stageFile(missing, `${missing}.new`, Buffer.from('x'), { mode: 0o600, ...mine }), code('FILE_UNWRITABLE', /no\/file.*its folder is not there/))
  await assert.rejects(host.stageFile(path.join(dir, 'none'), path.join(dir, 'stage'), Buffer.from('x'), null), code('FILE_UNWRITABLE', /no owner and mode/))
  await assert.rejects(host.renameFile(path.join(dir, 'x'), path.join(dir, 'y')), code('FILE_UNWRITABLE', /y: could not put/))
  await assert.rejects(host.readFile(dir), code('FILE_UNWRITABLE', /not a regular file/))
  await writeFile(path.join(dir, 'big'), 'x'.repeat(11))
  await assert.rejects(host.readFile(path.join(dir, 'big'), 10), code('FILE_UNWRITABLE', /11 bytes/))
  assert.equal(await host.readFile(missing), undefined)
  assert.equal(await host.stat(missing), undefined)
  assert.deepEqual(await host.list(missing), [])
  assert.deepEqual(await host.list(dir), ['big'])
})

test('a full file system is DISK_FULL and leaves nothing', { skip: mine.uid !== 0 && 'needs root to mount a small file system' }, async (t) => {
  const host = hostWith()
  const dir = await mkdtemp(path.join(os.tmpdir(), 'certloop-host-'))
  const mounted = await host.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir])
  t.after(async () => {
    if (mounted.exitCode === 0) await host.run(['umount', dir])
    await rm(dir, { recursive: true })
  })
  if (mounted.exitCode !== 0) return t.skip(`no mount here: ${mounted.stderr.trim()}`)
  const file = path.join(dir, 'cert.pem')
  await assert.rejects(host.stageFile(file, `${file}.new`, Buffer.alloc(200_000), { mode: 0o600, ...mine }), code('DISK_FULL', /cert\.pem\.new.*no space/))
  assert.deepEqual(await host.list(dir), [])
  const readOnly = await host.run(['mount', '-o', 'remount,ro', dir])
  assert.equal(readOnly.exitCode, 0, readOnly.stderr)
  await assert.rejects(host.stageFile(file, `${file}.new`, Buffer.from('x'), { mode: 0o600, ...mine }), code('FILE_UNWRITABLE', /mounted read-only/))
})

test('an immutable file says so', { skip: mine.uid !== 0 && 'needs root' }, async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  const file = path.join(dir, 'cert.pem')
  await writeFile(file, 'old')
  await writeFile(path.join(dir, 'new'), 'new')
  const flagged = await host.run(['chattr', '+i', file])
  if (flagged.exitCode !== 0) return t.skip(`no immutable flag here: ${flagged.stderr.trim()}`)
  t.after(() => host.run(['chattr', '-i', file]))
  await assert.rejects(host.renameFile(path.join(dir, 'new'), file), code('FILE_UNWRITABLE', /cert\.pem.*immutable/))
  // A hard link to such a file is refused too: the backup becomes a copy.
  await host.linkFile(file, path.join(dir, 'backup'))
  assert.equal(await readFile(path.join(dir, 'backup'), 'utf8'), 'old')
  await host.run(['chattr', '-i', file])
})

test('who is not root learns whom file and folder belong to', { skip: mine.uid !== 0 && 'needs root to become somebody else' }, async (t) => {
  const dir = await folder(t)
  await chmod(dir, 0o755)
  const file = path.join(dir, 'key.pem')
  await writeFile(file, 'x', { mode: 0o640 })
  // In a process of its own: the account of this one is shared with the other tests.
  const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534); import(${JSON.stringify(import.meta.resolve('./local-files.ts'))}).then(({ localFiles }) => localFiles({}).readFile(${JSON.stringify(file)})).catch((error) => console.log(error.code, error.message))`
  const result = await hostWith().run([process.execPath, '-e', script])
  assert.match(result.stdout, /^FILE_UNWRITABLE .*key\.pem: could not read it: the bot runs as .*65534.*key\.pem belongs to user 0, group 0, mode 0640.*EACCES/, result.stderr)
})

test('linking replaces what is there, and the same file twice changes nothing', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  const [a, b] = [path.join(dir, 'a'), path.join(dir, 'b')]
  await writeFile(a, 'one')
  await writeFile(b, 'two')
  await host.linkFile(a, b)
  await host.linkFile(a, b)
  assert.equal(await readFile(b, 'utf8'), 'one')
  assert.equal((await stat(a)).ino, (await stat(b)).ino)
  assert.deepEqual(await host.list(dir), ['a', 'b'])
  await host.removeFile(b)
  await host.removeFile(b)
  assert.deepEqual(await host.list(dir), ['a'])
})

test('a backup on another file system is a copy with the same facts', async (t) => {
  const dir = await folder(t)
  const other = await mkdtemp('/dev/shm/certloop-host-').catch(() => undefined)
  if (other === undefined) return t.skip('no /dev/shm here')
  t.after(() => rm(other, { recursive: true, force: true }))
  await writeFile(path.join(dir, 'a'), 'one')
  await chmod(path.join(dir, 'a'), 0o604)
  await hostWith().linkFile(path.join(dir, 'a'), path.join(other, 'a'))
  assert.equal(await readFile(path.join(other, 'a'), 'utf8'), 'one')
  assert.equal((await stat(path.join(other, 'a'))).mode & 0o7777, 0o604)
})

test('folders are made once and removed only when empty', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  const made = path.join(dir, 'ssl')
  await host.makeDirectory(made, { mode: 0o750, ...mine })
  await host.makeDirectory(made, { mode: 0o700, ...mine })
  assert.equal((await stat(made)).mode & 0o7777, 0o750)
  await writeFile(path.join(made, 'x'), '')
  await host.removeDirectory(made)
  assert.deepEqual(await host.list(dir), ['ssl'])
  await host.removeFile(path.join(made, 'x'))
  await host.removeDirectory(made)
  await host.removeDirectory(made)
  assert.deepEqual(await host.list(dir), [])
})

test('realPath follows chains, also to what is not there yet', async (t) => {
  const dir = await folder(t)
  const host = hostWith()
  for (const name of ['archive', 'live']) await mkdir(path.join(dir, name))
  await symlink('../archive/cert7.pem', path.join(dir, 'live', 'cert.pem'))
  await symlink('live', path.join(dir, 'current'))
  await symlink('loop-b', path.join(dir, 'loop-a'))
  await symlink('loop-a', path.join(dir, 'loop-b'))
  await symlink('gone/file', path.join(dir, 'dangling'))
  assert.equal(await host.realPath(path.join(dir, 'current', 'cert.pem')), path.join(dir, 'archive', 'cert7.pem'))
  assert.equal(await host.realPath(path.join(dir, 'loop-a')), undefined)
  assert.equal(await host.realPath(path.join(dir, 'dangling')), undefined)
  assert.equal(await host.realPath('/'), '/')
})

test('limits: writing stays in the allowed folders, links do not lead out', async (t) => {
  const dir = await folder(t)
  for (const name of ['in', 'out']) await mkdir(path.join(dir, name))
  await symlink('../out', path.join(dir, 'in', 'door'))
  await symlink('../out/file', path.join(dir, 'in', 'link'))
  await symlink('in', path.join(dir, 'way-in'))
  const host = hostWith({ writePaths: [path.join(dir, 'way-in')] })
  const write = (file: string) => host.stageFile(file, `${file}.new`, Buffer.from('x'), { mode: 0o600, ...mine })
  await write(path.join(dir, 'in', 'file'))
  await assert.rejects(write(path.join(dir, 'out', 'file')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(write(path.join(dir, 'in', 'door', 'file')), code('PATH_NOT_ALLOWED', /really .*out\/file/))
  await assert.rejects(write(path.join(dir, 'in', 'link')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(write(path.join(dir, 'in', '..', 'out', 'file')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(write(`${path.join(dir, 'in')}side`), code('PATH_NOT_ALLOWED'))
  await assert.rejects(host.renameFile(path.join(dir, 'in', 'file.new'), path.join(dir, 'out', 'file')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(host.removeFile(path.join(dir, 'in', 'door', 'file')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(host.linkFile(path.join(dir, 'in', 'file.new'), path.join(dir, 'out', 'b')), code('PATH_NOT_ALLOWED'))
  await assert.rejects(host.makeDirectory(path.join(dir, 'out', 'd'), { mode: 0o700, ...mine }), code('PATH_NOT_ALLOWED'))
  await assert.rejects(host.removeDirectory(path.join(dir, 'out')), code('PATH_NOT_ALLOWED'))
  assert.deepEqual(await host.list(path.join(dir, 'out')), [])
  await assert.rejects(hostWith({ writePaths: [] }).removeFile(path.join(dir, 'in', 'file.new')), code('PATH_NOT_ALLOWED', /allows nothing/))
})

test('limits: commands by name or real path; scripts apart', async (t) => {
  const dir = await folder(t)
  const fake = path.join(dir, 'true')
  await writeFile(fake, '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  await symlink('/bin/true', path.join(dir, 'link-to-true'))
  const host = hostWith({ commands: ['true'], scripts: false })
  assert.equal((await host.run(['true'])).exitCode, 0)
  assert.equal((await host.run([path.join(dir, 'link-to-true')])).exitCode, 0)
  await assert.rejects(host.run([fake]), code('COMMAND_NOT_ALLOWED', /limits\.commands allows true/))
  await assert.rejects(host.run(['false']), code('COMMAND_NOT_ALLOWED'))
  await assert.rejects(host.run(['true'], { script: true }), code('COMMAND_NOT_ALLOWED', /limits\.scripts is off/))
  assert.equal((await hostWith({ commands: [fake] }).run([fake], { script: true })).exitCode, 0)
  await assert.rejects(hostWith().run(['no-such-program-here']), code('COMMAND_FAILED', /no program/))
  await assert.rejects(hostWith().run(['./true']), code('COMMAND_FAILED'))
})

test('a command gets no shell, no input, a small environment, and its output is capped', async () => {
  const host = hostWith()
  const echo = await host.run(['/bin/echo', '$HOME; ls', '*'])
  assert.equal(echo.stdout, '$HOME; ls *\n')
  const cat = await host.run(['cat'])
  assert.deepEqual([cat.exitCode, cat.stdout], [0, ''])
  const env = await host.run(['env'], { environment: { EXTRA: '1' } })
  assert.deepEqual(env.stdout.trim().split('\n').map((line) => line.replace(/=.*/, '')).toSorted((a, b) => a.localeCompare(b)), ['EXTRA', 'LANG', 'LC_ALL', 'PATH'])
  const much = await host.run(['/bin/sh', '-c', 'yes | head -c 300000; exit 3'], { outputLimitBytes: 1000 })
  assert.deepEqual([much.exitCode, much.stdout.length, much.truncated], [3, 1000, true])
  assert.equal((await host.run(['/bin/sh', '-c', 'kill -9 $$'])).exitCode, 137)
})

test('a service\'s program runs with its account\'s rights and no more', { skip: mine.uid !== 0 && 'needs root' }, async () => {
  const host = hostWith()
  assert.equal((await host.run(['id'], { runAs: { uid: 65534, gid: 12345 } })).stdout.replace(/\(\w+\)/g, ''), 'uid=65534 gid=12345 groups=12345\n')
  assert.match((await host.run(['id'], { runAs: { uid: 0, gid: 0 } })).stdout, /^uid=0/)
})

test('at the deadline the whole group is killed, also those who ignore SIGTERM', async () => {
  const host = hostWith()
  const started = performance.now()
  const length = String(process.pid + 100_000)
  const sleepers = async () => (await host.processes()).filter((entry) => entry.argv[1] === length).length
  const command = host.run(['/bin/sh', '-c', `trap "" TERM; echo begun; sleep ${length} & wait; sleep ${length}`], { timeoutSeconds: 1 })
  await assert.rejects(command, code('COMMAND_TIMEOUT', /within 1 s.*begun/s))
  while (await sleepers() > 0) assert.ok(performance.now() - started < 20_000, 'something is left of the group')
})

test('a daemon that keeps the pipes open does not hold the caller', async (t) => {
  const started = performance.now()
  const result = await hostWith().run(['/bin/sh', '-c', 'sleep 60 & echo $!'])
  t.after(() => process.kill(Number(result.stdout)))
  assert.equal(result.exitCode, 0)
  assert.ok(performance.now() - started < 30_000)
})

test('processes and listeners of this machine', async (t) => {
  const host = hostWith()
  const child = spawn('/bin/sleep', ['1234'], { cwd: '/usr', stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  const found = (await host.processes()).find((entry) => entry.pid === child.pid)
  assert.ok(found)
  assert.deepEqual({ ...found, user: '', service: null }, {
    pid: child.pid, parentPid: process.pid, ...mine, user: '', executable: await realpath('/bin/sleep'), name: 'sleep',
    argv: ['/bin/sleep', '1234'], workingDirectory: '/usr', service: null, container: null,
  })
  for (const address of ['127.0.0.1', '::1']) {
    const server = createServer().listen(0, address)
    t.after(() => server.close())
    await Promise.race([once(server, 'listening'), once(server, 'error')])
    const bound = server.address()
    if (bound === null || typeof bound === 'string') continue
    const listener = (await host.listeners()).find((entry) => entry.port === bound.port)
    assert.deepEqual([listener?.address, listener?.pid], [address, process.pid])
  }
  const facts = await host.facts()
  assert.deepEqual([facts.os, facts.hostName], ['linux', os.hostname()])
})
