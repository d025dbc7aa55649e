import { CertloopError, type ErrorCode } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { eventually, findTool, leftOut, tempFolder } from '@certloop/test-kit'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createLimits } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { leftOutSsh, noLimits, sshScene } from './ssh-kit.ts'

// What any host has to do, whichever way it is reached: the same words for each.

const mine = { uid: 0, gid: 0 }
const code = (expected: ErrorCode, text?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CertloopError, String(error))
  assert.equal(error.code, expected, error.message)
  if (text) assert.match(error.message, text)
  return true
}

const finishing: (() => unknown)[] = []
after(async () => { for (const finish of finishing) await finish() })
const scene = leftOutSsh ? undefined : await sshScene({ after: (finish) => { finishing.push(finish as () => unknown) } })

async function busyboxUserland() {
  const folder = await tempFolder({ after: (finish) => { finishing.push(finish as () => unknown) } }, 'busybox')
  const busybox = findTool('busybox') ?? ''
  for (const applet of ['sh', 'env', 'pwd', 'stat', 'readlink', 'ls', 'cat', 'head', 'dd', 'rm', 'mv', 'ln', 'mkdir', 'rmdir', 'chown', 'chmod', 'sync', 'grep', 'find', 'id', 'uname', 'sleep', 'echo', 'true', 'yes']) await symlink(busybox, join(folder, applet))
  await symlink('/bin/su', join(folder, 'su'))
  await chmod(folder, 0o755)
  return { shell: join(folder, 'sh'), path: folder }
}

interface Kind { name: string; skip: string | false; host: () => Promise<Host> }
const kinds: Kind[] = [
  { name: 'this machine', skip: process.getuid?.() !== 0 && 'needs root', host: async () => createLocalHost({ limits: createLimits(noLimits) }) },
  { name: 'SSH as root', skip: leftOutSsh, host: async () => { assert.ok(scene); return scene.asRoot() } },
  { name: 'SSH with sudo', skip: leftOutSsh, host: async () => { assert.ok(scene); return scene.asAdmin() } },
  { name: 'SSH, BusyBox alone', skip: leftOutSsh || leftOut('busybox'), host: async () => { assert.ok(scene); return scene.asRoot({ userland: await busyboxUserland() }) } },
]

for (const kind of kinds) {
  describe(kind.name, { skip: kind.skip }, async () => {
    const host = kind.skip === false ? await kind.host() : createLocalHost({ limits: createLimits(noLimits) })
    fileTests(host)
    entryTests(host)
    linkTests(host)
    commandTests(host, kind)
    machineTests(host)
    anythingTests(host, kind)
  })
}

async function folder(t: { after(finish: () => unknown): void }): Promise<string> {
  const made = await realpath(await mkdtemp(join(os.tmpdir(), 'certloop-table-')))
  t.after(() => rm(made, { recursive: true, force: true }))
  return made
}

/** Content, owner and mode, and what stands in the way of them. */
function fileTests(host: Host): void {
  test('a file is replaced with owner and mode kept', async (t) => {
    const dir = await folder(t)
    const file = join(dir, 'key.pem')
    await host.stageFile(file, file, Buffer.from('old'), { mode: 0o440, uid: 65534, gid: 12345 })
    await host.stageFile(file, `${file}.new`, Buffer.from('new'), null)
    assert.equal(await readFile(file, 'utf8'), 'old')
    await host.renameFile(`${file}.new`, file)
    assert.equal(await readFile(file, 'utf8'), 'new')
    assert.deepEqual(await host.stat(file), { type: 'file', size: 3, mode: 0o440, uid: 65534, gid: 12345, linkTarget: null })
    assert.deepEqual(await host.list(dir), ['key.pem'])
  })

  test('a leftover stage file is replaced, and a link in its place is not followed', async (t) => {
    const dir = await folder(t)
    await writeFile(join(dir, 'victim'), 'safe')
    await symlink('victim', join(dir, 'stage'))
    await host.stageFile(join(dir, 'file'), join(dir, 'stage'), Buffer.from('new'), { mode: 0o600, ...mine })
    assert.equal(await readFile(join(dir, 'victim'), 'utf8'), 'safe')
    assert.ok((await lstat(join(dir, 'stage'))).isFile())
  })

  test('a file without a size is read to its end, and no further than to the limit', async () => {
    assert.match(Buffer.from(await host.readFile('/proc/self/mounts') ?? []).toString(), /\/proc proc /)
    await assert.rejects(host.readFile('/proc/self/mounts', 20), code('FILE_UNWRITABLE', /at most 20 are read|more than 20 bytes/))
  })

  test('errors name the path and the reason', async (t) => {
    const dir = await folder(t)
    const missing = join(dir, 'no', 'file')
    await assert.rejects(host.stageFile(missing, `${missing}.new`, Buffer.from('x'), { mode: 0o600, ...mine }), code('FILE_UNWRITABLE', /no\/file.*its folder is not there/))
    await assert.rejects(host.stageFile(join(dir, 'none'), join(dir, 'stage'), Buffer.from('x'), null), code('FILE_UNWRITABLE', /no owner and mode/))
    await assert.rejects(host.renameFile(join(dir, 'x'), join(dir, 'y')), code('FILE_UNWRITABLE', /y: could not put/))
    await assert.rejects(host.readFile(dir), code('FILE_UNWRITABLE', /not a regular file/))
    await writeFile(join(dir, 'big'), 'x'.repeat(11))
    await assert.rejects(host.readFile(join(dir, 'big'), 10), code('FILE_UNWRITABLE', /11 bytes/))
    assert.equal(await host.readFile(missing), undefined)
    assert.equal(await host.readFile(join(dir, 'big', 'below')), undefined)
    assert.equal(await host.stat(missing), undefined)
    assert.deepEqual(await host.list(missing), [])
    assert.deepEqual(await host.list(dir), ['big'])
    assert.match(Buffer.from(await host.readFile('/proc/self/status') ?? []).toString(), /^Name:/)
  })

  test('a full file system is DISK_FULL and leaves nothing', async (t) => {
    const dir = await mkdtemp(join(os.tmpdir(), 'certloop-table-'))
    const local = createLocalHost({ limits: createLimits(noLimits) })
    const mounted = await local.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir])
    t.after(async () => {
      if (mounted.exitCode === 0) await local.run(['umount', dir])
      await rm(dir, { recursive: true })
    })
    if (mounted.exitCode !== 0) return t.skip(`no mount here: ${mounted.stderr.trim()}`)
    const file = join(dir, 'cert.pem')
    await assert.rejects(host.stageFile(file, `${file}.new`, Buffer.alloc(200_000), { mode: 0o600, ...mine }), code('DISK_FULL', /cert\.pem\.new.*no space/))
    assert.deepEqual(await host.list(dir), [])
    await local.run(['mount', '-o', 'remount,ro', dir])
    await assert.rejects(host.stageFile(file, `${file}.new`, Buffer.from('x'), { mode: 0o600, ...mine }), code('FILE_UNWRITABLE', /mounted read-only/))
  })
}

/** Names and folders. */
function entryTests(host: Host): void {
  test('an immutable file says so', async (t) => {
    const dir = await folder(t)
    const file = join(dir, 'cert.pem')
    await writeFile(file, 'old')
    await writeFile(join(dir, 'new'), 'new')
    const local = createLocalHost({ limits: createLimits(noLimits) })
    const flagged = await local.run(['chattr', '+i', file])
    if (flagged.exitCode !== 0) return t.skip(`no immutable flag here: ${flagged.stderr.trim()}`)
    t.after(() => local.run(['chattr', '-i', file]))
    await assert.rejects(host.stageFile(file, `${file}.new`, Buffer.from('x'), null), code('FILE_UNWRITABLE', /cert\.pem: could not replace it.*immutable/))
    await assert.rejects(host.renameFile(join(dir, 'new'), file), code('FILE_UNWRITABLE', /cert\.pem.*immutable/))
    await host.linkFile(file, join(dir, 'backup'))
    assert.equal(await readFile(join(dir, 'backup'), 'utf8'), 'old')
    await local.run(['chattr', '-i', file])
  })

  test('linking replaces what is there, also across folders, and the same file twice changes nothing', async (t) => {
    const dir = await folder(t)
    const [a, b, c] = [join(dir, 'a'), join(dir, 'b'), join(dir, 'sub', 'c')]
    await mkdir(join(dir, 'sub'))
    await writeFile(a, 'one')
    await writeFile(b, 'two')
    await host.linkFile(a, b)
    await host.linkFile(a, b)
    await host.linkFile(a, c)
    assert.equal(await readFile(b, 'utf8'), 'one')
    assert.deepEqual([(await stat(b)).ino, (await stat(c)).ino], [(await stat(a)).ino, (await stat(a)).ino])
    assert.deepEqual(await host.list(dir), ['a', 'b', 'sub'])
    await host.removeFile(b)
    await host.removeFile(b)
    await host.removeFile(join(dir, 'gone', 'b'))
    assert.deepEqual(await host.list(dir), ['a', 'sub'])
    await host.renameFile(c, join(dir, 'moved'))
    assert.deepEqual(await readdir(join(dir, 'sub')), [])
  })

  test('a backup on another file system is a copy with the same facts', async (t) => {
    const dir = await folder(t)
    const other = await mkdtemp('/dev/shm/certloop-table-').catch(() => undefined)
    if (other === undefined) return t.skip('no /dev/shm here')
    t.after(() => rm(other, { recursive: true, force: true }))
    await writeFile(join(dir, 'a'), 'one')
    await chmod(join(dir, 'a'), 0o604)
    await host.linkFile(join(dir, 'a'), join(other, 'a'))
    assert.equal(await readFile(join(other, 'a'), 'utf8'), 'one')
    assert.equal((await stat(join(other, 'a'))).mode & 0o7777, 0o604)
    assert.deepEqual(await readdir(other), ['a'])
  })

  test('folders are made once and removed only when empty', async (t) => {
    const dir = await folder(t)
    const made = join(dir, 'ssl')
    await host.makeDirectory(made, { mode: 0o750, uid: 65534, gid: 12345 })
    await host.makeDirectory(made, { mode: 0o700, ...mine })
    const facts = await stat(made)
    assert.deepEqual([facts.mode & 0o7777, facts.uid, facts.gid], [0o750, 65534, 12345])
    await writeFile(join(made, 'x'), '')
    await host.removeDirectory(made)
    assert.deepEqual(await host.list(dir), ['ssl'])
    await host.removeFile(join(made, 'x'))
    await host.removeDirectory(made)
    await host.removeDirectory(made)
    assert.deepEqual(await host.list(dir), [])
  })
}

/** Links, symbolic ones. */
function linkTests(host: Host): void {
  test('realPath follows chains, also to what is not there yet', async (t) => {
    const dir = await folder(t)
    for (const name of ['archive', 'live']) await mkdir(join(dir, name))
    await symlink('../archive/cert7.pem', join(dir, 'live', 'cert.pem'))
    await symlink('live', join(dir, 'current'))
    await symlink('loop-b', join(dir, 'loop-a'))
    await symlink('loop-a', join(dir, 'loop-b'))
    await symlink('gone/file', join(dir, 'dangling'))
    assert.equal(await host.realPath(join(dir, 'current', 'cert.pem')), join(dir, 'archive', 'cert7.pem'))
    assert.equal(await host.realPath(join(dir, 'loop-a')), undefined)
    assert.equal(await host.realPath(join(dir, 'dangling')), undefined)
    assert.equal(await host.realPath('/'), '/')
    assert.deepEqual(await host.stat(join(dir, 'live', 'cert.pem')).then((facts) => [facts?.type, facts?.linkTarget]), ['link', '../archive/cert7.pem'])
  })

  test('no write follows a link among the folders, at the end or on the way', async (t) => {
    const dir = await folder(t)
    await mkdir(join(dir, 'root', 'below'), { recursive: true })
    await writeFile(join(dir, 'root', 'a.pem'), 'of root')
    await symlink('root', join(dir, 'certs'))
    const refused = { code: 'FILE_UNWRITABLE', message: /certs is a link\. The bot writes by real paths alone/ }
    for (const at of [join(dir, 'certs'), join(dir, 'certs', 'below')]) {
      const [file, staged] = [join(at, 'a.pem'), join(at, '.a.new')]
      await assert.rejects(host.stageFile(file, staged, Buffer.from('new'), { mode: 0o600, ...mine }), refused)
      await assert.rejects(host.linkFile(file, join(at, 'a.old')), refused)
      await assert.rejects(host.renameFile(file, join(at, 'c.pem')), refused)
      await assert.rejects(host.removeFile(file), refused)
      await assert.rejects(host.makeDirectory(join(at, 'more'), { mode: 0o600, ...mine }), refused)
      await assert.rejects(host.removeDirectory(join(at, 'more')), refused)
    }
    assert.deepEqual(await readdir(join(dir, 'root')), ['a.pem', 'below'])
  })
}

/** Commands and scripts. */
function commandTests(host: Host, kind: Kind): void {
  test('a command gets no shell, no input, a small environment, and its output is capped', async () => {
    assert.equal((await host.run(['echo', '$HOME; ls', '*'])).stdout, '$HOME; ls *\n')
    const cat = await host.run(['cat'])
    assert.deepEqual([cat.exitCode, cat.stdout], [0, ''])
    const env = await host.run(['env'], { environment: { EXTRA: '1' } })
    assert.deepEqual(env.stdout.trim().split('\n').map((line) => line.replace(/=.*/, '')).toSorted((a, b) => a.localeCompare(b)), ['EXTRA', 'LANG', 'LC_ALL', 'PATH'])
    const much = await host.run(['/bin/sh', '-c', 'yes | head -c 300000; exit 3'], { outputLimitBytes: 1000 })
    assert.deepEqual([much.exitCode, much.stdout.length, much.truncated], [3, 1000, true])
    const killed = await host.run(['/bin/sh', '-c', 'kill -9 $$'])
    assert.deepEqual([killed.exitCode, killed.stderr], [137, ''])
    await assert.rejects(host.run(['no-such-program-here']), code('COMMAND_FAILED', /no program/))
    await assert.rejects(host.run(['./true']), code('COMMAND_FAILED'))
    await assert.rejects(host.run(['/etc/passwd']), code('COMMAND_FAILED'))
  })

  test('a service\'s program runs with its account\'s rights and no more', async () => {
    // Where su alone is there, only an account of the system with its own group can be had.
    const nobody = await host.run(['id'], { runAs: { uid: 65534, gid: 65534 } })
    assert.equal(nobody.stdout.replace(/\(\w+\)/g, ''), 'uid=65534 gid=65534 groups=65534\n', nobody.stderr)
    if (kind.name.includes('BusyBox')) await assert.rejects(host.run(['id'], { runAs: { uid: 65534, gid: 12345 } }), code('COMMAND_NOT_ALLOWED'))
    else assert.equal((await host.run(['id'], { runAs: { uid: 65534, gid: 12345 } })).stdout.replace(/\(\w+\)/g, ''), 'uid=65534 gid=12345 groups=12345\n')
    assert.match((await host.run(['id'], { runAs: { uid: 0, gid: 0 } })).stdout, /^uid=0/)
  })

  test('at the deadline the whole group is killed, also those who ignore SIGTERM', async () => {
    const length = String(100_000 + process.pid * 10 + kinds.indexOf(kind))
    const command = host.run(['/bin/sh', '-c', `trap "" TERM; echo begun; sleep ${length} & wait; sleep ${length}`], { timeoutSeconds: 1 })
    await assert.rejects(command, code('COMMAND_TIMEOUT', /within 1 s.*begun/s))
    const local = createLocalHost({ limits: createLimits(noLimits) })
    await eventually(async () => (await local.processes()).every(({ argv }) => argv[1] !== length), { what: 'the end of the whole group' })
  })

  test('a daemon that keeps the pipes open does not hold the caller', async (t) => {
    const started = performance.now()
    const result = await host.run(['/bin/sh', '-c', 'sleep 60 & echo $!'])
    t.after(() => process.kill(Number(result.stdout), 'SIGKILL'))
    assert.equal(result.exitCode, 0)
    assert.ok(performance.now() - started < 30_000)
  })

  test('scripts have a folder of their own, and one of somebody else is refused', async (t) => {
    const name = `table-${process.pid}-${kinds.indexOf(kind)}`
    const script = await host.placeScript(name, Buffer.from('#!/bin/sh\necho "hello $1"\n'))
    t.after(() => host.removeScript(name))
    assert.equal(await host.placeScript(name, Buffer.from('#!/bin/sh\necho "again $1"\n')), script)
    assert.equal((await host.run([script, 'x'], { script: true })).stdout, 'again x\n')
    const folderFacts = await host.stat(script.replace(/\/[^/]*$/, ''))
    assert.deepEqual([folderFacts?.mode, folderFacts?.uid], [0o700, 0])
    await chmod(script.replace(/\/[^/]*$/, ''), 0o755)
    await assert.rejects(host.placeScript(name, Buffer.from('')), code('FILE_UNWRITABLE'))
    await host.removeScript(name)
    await host.removeScript(name)
    assert.equal(await host.stat(script), undefined)
  })
}

/** What goes on there. */
function machineTests(host: Host): void {
  test('processes and listeners', async (t) => {
    const odd = ['1234', '', 'a b', 'line\nbreak', '\u0080é', '1/cmdline:x', '*', '$(id)', "'"]
    const child = spawn('/bin/sh', ['-c', 'read x', ...odd], { cwd: '/usr', stdio: ['pipe', 'ignore', 'ignore'] })
    t.after(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    const local = createLocalHost({ limits: createLimits(noLimits) })
    // Between fork and exec it still is this program.
    const same = async () => (await local.processes()).find((entry) => entry.pid === child.pid && entry.argv.length > 4)
    const expected = await eventually(same)
    const found = (await host.processes()).find((entry) => entry.pid === child.pid)
    assert.deepEqual(found, expected)
    assert.deepEqual(found?.argv, ['/bin/sh', '-c', 'read x', ...odd])
    for (const address of ['127.0.0.1', '::1']) {
      const server = createServer().listen(0, address)
      t.after(() => server.close())
      await Promise.race([once(server, 'listening'), once(server, 'error')])
      const bound = server.address()
      if (bound === null || typeof bound === 'string') continue
      const listener = (await host.listeners()).find((entry) => entry.port === bound.port)
      assert.deepEqual([listener?.address, listener?.pid], [address, process.pid])
    }
    const [facts, own] = [await host.facts(), await local.facts()]
    assert.deepEqual(facts, own)
  })

  test('TCP ports and Unix sockets of the host itself', async (t) => {
    const path = join(await folder(t), 'socket')
    for (const place of [{ host: '127.0.0.1', port: 0 }, { path }]) {
      const server = createServer((socket) => { socket.on('error', () => undefined).end('hello') }).listen(place)
      await once(server, 'listening')
      t.after(() => { server.close() })
      const bound = server.address()
      const stream = await host.connect(bound !== null && typeof bound === 'object' ? { address: '127.0.0.1', port: bound.port } : { path })
      assert.equal((await stream.toArray()).join(''), 'hello')
    }
    await assert.rejects(host.connect({ address: '127.0.0.1', port: 1 }), code('HOST_UNREACHABLE', /127\.0\.0\.1 port 1: nothing listens there/))
    await assert.rejects(host.connect({ path: `${path}-none` }), code('HOST_UNREACHABLE', /there is no such socket/))
  })
}

/** Any words, names and content. */
function anythingTests(host: Host, kind: Kind): void {
  test('any words arrive as they were sent, any content and any name', async (t) => {
    const dir = await folder(t)
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.constantFrom("'", '"', '\\', '\n', '$(id)', '`id`', '!', '!!', '~', '*', '-n', '--', '', ' ', '\t', "'\\''", 'é\u0081', '\r\n', '#', ';', '&', '|', '%s', '\\n', '\u001b[0m'))
    const word = text.map((one) => one.replaceAll('\0', '').toWellFormed())
    const name = word.map((one) => one.replaceAll('/', '')).filter((one) => !['', '.', '..'].includes(one) && Buffer.byteLength(one) < 100)
    const runs = kind.name === 'SSH as root' ? 20 : 5
    await fc.assert(fc.asyncProperty(fc.array(word, { maxLength: 6 }), name, fc.uint8Array({ maxLength: 3000 }), async (words, entry, content) => {
      const program = '/bin/sh'
      const said = await host.run([program, '-c', 'for w; do printf "%s\\0" "$w"; done', 'sh', ...words], { environment: { WORD: words[0] ?? '' } })
      assert.deepEqual(said.stdout.split('\0').slice(0, -1), words)
      const file = join(dir, entry)
      await host.stageFile(file, file, content, { mode: 0o600, ...mine })
      assert.deepEqual(await host.readFile(file), new Uint8Array(content))
      assert.deepEqual(await host.list(dir), [entry])
      assert.equal(await host.realPath(file), file)
      await host.removeFile(file)
    }), { numRuns: runs, interruptAfterTimeLimit: 60_000 })
    const large = Buffer.alloc(3_000_000, 7)
    await host.stageFile(join(dir, 'large'), join(dir, 'large'), large, { mode: 0o600, ...mine })
    assert.ok(large.equals(await host.readFile(join(dir, 'large')) ?? Buffer.alloc(0)))
  })
}

// The folder of a file may belong to somebody who puts other things in the place of its entries while root's commands run.
describe('entries that change while a command of the far host runs', { skip: leftOutSsh }, () => {
  async function scenery(t: { after(finish: () => unknown): void }, wrappers: Record<string, string>) {
    const dir = await realpath(await tempFolder(t, 'changing'))
    const programs = await tempFolder(t, 'wrappers')
    await chmod(programs, 0o755)
    for (const [name, text] of Object.entries(wrappers)) await writeFile(join(programs, name), `#!/bin/sh\nd=${dir}\n${text}\n`, { mode: 0o755 })
    assert.ok(scene)
    return { dir, host: scene.asRoot({ userland: { shell: '/bin/sh', path: `${programs}:/usr/bin:/bin` } }) }
  }

  test('a link put in the place of the present file makes no new file elsewhere', async (t) => {
    const { dir, host } = await scenery(t, { dd: '[ -e "$d/done" ] || { : >"$d/done"; ln -sfn "$d/elsewhere" "$d/cert.pem"; }\nexec /usr/bin/dd "$@"' })
    await writeFile(join(dir, 'cert.pem'), 'old')
    await host.stageFile(join(dir, 'cert.pem'), join(dir, 'cert.new'), Buffer.from('new'), { mode: 0o600, ...mine })
    assert.deepEqual((await readdir(dir)).toSorted(), ['cert.new', 'cert.pem', 'done'])
  })

  test('a pipe put in the place of the new file gets no key', async (t) => {
    const { dir, host } = await scenery(t, { rm: '/usr/bin/rm "$@"\n[ -e "$d/heard" ] || { : >"$d/heard"; mkfifo "$d/key.new"; cat "$d/key.new" >"$d/heard" 2>&1 </dev/null & }' })
    await assert.rejects(host.stageFile(join(dir, 'key.pem'), join(dir, 'key.new'), Buffer.from('the private key'), { mode: 0o600, ...mine }), code('FILE_UNWRITABLE', /not a regular file/))
    assert.equal(await readFile(join(dir, 'heard'), 'utf8'), '')
    assert.deepEqual(await readdir(dir), ['heard'])
  })
})
