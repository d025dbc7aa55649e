import type { SftpReach } from '@certloop/contract'
import { eventually, leftOut, makeLoginKey, type RunningSshd, selfSignedPair, startSshd, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { probersFor } from '../../src/engine/index.ts'
import { createSshPool, type SshPool } from '../../src/hosts/ssh/pool.ts'
import { createSftpHost } from '../../src/hosts/transfer/sftp-host.ts'
import { benchOn } from '../kit/bench.ts'
import { conformance, watching } from '../kit/conformance.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { smallDisk } from '../engine/mounts.ts'
import { watchingProgram } from './watching-program.ts'

const skip = process.getuid?.() === 0 ? leftOut('sshd') : 'needs root'
const limits = createLimits({ writePaths: null, commands: null, scripts: false })
const probeFor = probersFor({ now: () => new Date() })

/** Closed before the servers of the test are waited for: an open connection keeps its sshd alive. */
function poolFor(t: TestContext): SshPool {
  const pool = createSshPool()
  t.after(() => pool.close())
  return pool
}

async function uploadTo(t: TestContext, pool: SshPool, sshd: RunningSshd, more: Partial<SftpReach> = {}) {
  const key = await makeLoginKey(t)
  await sshd.authorize('root', key.publicLine)
  const reach: SftpReach = { kind: 'sftp', host: '127.0.0.1', port: sshd.port, user: 'root', authentication: 'key', hostKey: sshd.fingerprints[0] ?? null, jumps: [], ...more }
  return { reach, host: createSftpHost(reach, { login: { privateKey: key.privateText } }, { pool, limits }) }
}

conformance('sftp', {
  skip,
  reaches: [{
    kind: 'sftp',
    async bench(t) {
      const pool = poolFor(t)
      const { host, reach } = await uploadTo(t, pool, await startSshd(t))
      return benchOn(t, { host, probe: probeFor(host), serverType: 'sftp', reach })
    },
  }],
  async makeSubject(t) {
    const folder = await tempFolder(t, 'sftp-upload')
    const [one, next] = await Promise.all([selfSignedPair(['sftp-upload.test']), selfSignedPair(['sftp-upload.test'])])
    const files = { certPath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem') }
    await writeFile(files.certPath, one.certPem, { mode: 0o644 })
    await writeFile(files.keyPath, one.keyPem, { mode: 0o600 })
    await chown(files.keyPath, 4321, 4321)
    const proofPort = await watchingProgram(t, files)
    return {
      fields: () => ({ format: 'pem', certificatePath: files.certPath, keyPath: files.keyPath, proofPort, proofName: 'sftp-upload.test' }),
      pairs: [one, next],
      ...await watching({ own: [files.certPath, files.keyPath] }),
      badInput: [
        { what: 'a folder that is not there', code: 'FOLDER_MISSING', names: /missing/, spoil: async (fields) => ({ fields: { ...fields, keyPath: join(folder, 'missing', 'k.pem') } }) },
      ],
    }
  },
})

test('files are written, read, listed, linked and replaced; odd names too; links are followed', { skip }, async (t) => {
  const pool = poolFor(t)
  const { host } = await uploadTo(t, pool, await startSshd(t))
  const root = await tempFolder(t, 'sftp')
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251))
  for (const name of ['plain.pem', 'with blank.pem', 'süß.pem', ' leading.pem', "quote'.pem"]) {
    const [file, staged, old] = [join(root, name), join(root, `.${name}.new`), join(root, `.${name}.old`)]
    await host.stageFile(file, staged, content, { mode: 0o640, uid: 0, gid: 0 })
    await host.renameFile(staged, file)
    assert.deepEqual(await readFile(file), content)
    assert.deepEqual(Buffer.from(await host.readFile(file) ?? []), content)
    await host.linkFile(file, old)
    await host.linkFile(file, old)
    await host.stageFile(file, staged, Buffer.from('second'), null)
    await host.renameFile(staged, file)
    assert.equal(Buffer.from(await host.readFile(file) ?? []).toString(), 'second')
    assert.equal(((await stat(file)).mode & 0o777).toString(8), '640', 'the mode of the present file is kept')
    assert.deepEqual(await readFile(old), content)
    for (const one of [file, old, old]) await host.removeFile(one)
  }
  assert.deepEqual(await readdir(root), [])
  await host.makeDirectory(join(root, 'folder'), { mode: 0o750, uid: 0, gid: 0 })
  await symlink('folder/c.pem', join(root, 'link.pem'))
  assert.equal(await host.realPath(join(root, 'link.pem')), join(root, 'folder/c.pem'))
  assert.equal((await host.stat(join(root, 'link.pem')))?.linkTarget, 'folder/c.pem')
  assert.deepEqual(await host.list(root), ['folder', 'link.pem'])
  await host.removeDirectory(join(root, 'folder'))
  assert.deepEqual([await host.readFile('/nothing/at/all'), await host.stat('/nothing/at/all'), await host.list('/nothing'), await host.realPath('/nothing/at/all')], [undefined, undefined, [], undefined])
})

test('a file of somebody else, a folder without rights, a full disk, no subsystem: each is told, and nothing is left', { skip }, async (t) => {
  const pool = poolFor(t)
  const sshd = await startSshd(t)
  const root = await tempFolder(t, 'sftp')
  await chmod(root, 0o755)
  const key = await makeLoginKey(t)
  await sshd.authorize('nobody', key.publicLine)
  const { reach, host: asRoot } = await uploadTo(t, pool, sshd)
  const asNobody = createSftpHost({ ...reach, user: 'nobody' }, { login: { privateKey: key.privateText } }, { pool, limits })
  const file = join(root, 'c.pem')
  await writeFile(file, 'old')
  // An account without a shell may still use SFTP where sshd runs the subsystem itself; Debian's does not.
  await assert.rejects(asNobody.stageFile(file, join(root, '.c.new'), Buffer.from('x'), null), (error: Error & { code?: string }) => ['FILE_UNWRITABLE', 'HOST_UNREACHABLE'].includes(error.code ?? ''))
  const disk = await smallDisk(t, 64)
  await assert.rejects(asRoot.stageFile(join(disk, 'a'), join(disk, '.a'), Buffer.alloc(200_000), { mode: 0o600, uid: 0, gid: 0 }), { code: 'DISK_FULL', message: /no space is left/ })
  assert.deepEqual(await readdir(disk), [])
  const { host: without } = await uploadTo(t, pool, await startSshd(t, { sftp: false }))
  await assert.rejects(without.list('/'), { code: 'HOST_UNREACHABLE', message: /sftp subsystem/ })
  const changed = await startSshd(t)
  const { host: other } = await uploadTo(t, pool, changed, { hostKey: sshd.fingerprints[0] ?? null })
  await assert.rejects(other.list('/'), { code: 'HOST_KEY_CHANGED' })
})

test('many targets on one server share a channel, and a connection that nobody uses is closed', { skip }, async (t) => {
  const pool = createSshPool({ idleMs: 200 })
  t.after(() => pool.close())
  const sshd = await startSshd(t, { settings: ['MaxSessions 2'] })
  const key = await makeLoginKey(t)
  await sshd.authorize('root', key.publicLine)
  const reach: SftpReach = { kind: 'sftp', host: '127.0.0.1', port: sshd.port, user: 'root', authentication: 'key', hostKey: sshd.fingerprints[0] ?? null, jumps: [] }
  const secrets = { login: { privateKey: key.privateText } }
  for (let i = 0; i < 4; i++) assert.ok((await createSftpHost(reach, secrets, { pool, limits }).list('/')).includes('etc'))
  const connection = await pool.connection({ ...reach, kind: 'ssh', privilege: 'none' }, secrets)
  await eventually(() => !connection.open, { what: 'the end of the idle connection' })
  assert.ok((await createSftpHost(reach, secrets, { pool, limits }).list('/')).includes('etc'), 'the next call makes a new one')
})

test('what is put back or copied gets the owner that is asked for, where the login may give it away', { skip }, async (t) => {
  const { host } = await uploadTo(t, poolFor(t), await startSshd(t))
  const file = join(await tempFolder(t, 'sftp'), 'k.pem')
  await host.stageFile(file, file, Buffer.from('key'), { mode: 0o600, uid: 4321, gid: 4322 })
  const { uid, gid, mode } = await stat(file)
  assert.deepEqual([uid, gid, mode & 0o777], [4321, 4322, 0o600])
})
