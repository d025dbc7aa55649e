import { type FtpReach } from '@certloop/contract'
import type { ConformanceBench } from '@certloop/plugin-kit/conformance'
import { eventually, leftOut, selfSignedPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { once } from 'node:events'
import { probersFor } from '../../src/engine/index.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createFtpHost } from '../../src/hosts/transfer/ftp-host.ts'
import { benchOn } from '../kit/bench.ts'
import { conformance, watching } from '../kit/conformance.ts'
import { type FtpServer, startUploadServer } from './proftpd-kit.ts'
import { startLyingFtp } from './lying-ftp.ts'
import { watchingProgram } from './watching-program.ts'

const skip = process.getuid?.() === 0 ? leftOut('proftpd') || leftOut('mod_tls.so') : 'ProFTPD starts only as root'
const limits = createLimits({ writePaths: null, commands: null, scripts: false })
const probeFor = probersFor({ now: () => new Date() })

const reachOf = ({ port, user, pair }: FtpServer, more: Partial<FtpReach> = {}): FtpReach => ({ kind: 'ftp', host: '127.0.0.1', port, user, security: 'explicit-tls', pin: pair.fingerprint, ...more })

function hostOf(server: FtpServer, more: Partial<FtpReach> = {}, password = server.password) {
  const host = createFtpHost(reachOf(server, more), { login: { password } }, { limits })
  server.clients.push(host)
  return host
}

async function benchFor(t: TestContext, server: FtpServer): Promise<ConformanceBench> {
  const host = hostOf(server)
  return benchOn(t, { host, probe: probeFor(host), serverType: 'ftp', reach: reachOf(server) })
}

let upload: FtpServer | undefined
conformance('ftp', {
  skip,
  reaches: [{ kind: 'ftp', async bench(t) { upload = await startUploadServer(t); return benchFor(t, upload) } }],
  async makeSubject(t) {
    assert.ok(upload)
    const { root, password } = upload
    const [one, next] = await Promise.all([selfSignedPair(['ftp-upload.test']), selfSignedPair(['ftp-upload.test'])])
    await mkdir(join(root, 'certs'))
    const files = { certPath: join(root, 'certs', 'c.pem'), keyPath: join(root, 'certs', 'k.pem') }
    await writeFile(files.certPath, one.certPem, { mode: 0o644 })
    await writeFile(files.keyPath, one.keyPem, { mode: 0o600 })
    const proofPort = await watchingProgram(t, files)
    return {
      fields: () => ({ format: 'pem', certificatePath: '/certs/c.pem', keyPath: '/certs/k.pem', proofPort, proofName: 'ftp-upload.test' }),
      pairs: [one, next],
      secrets: [password],
      ...await watching({ own: [files.certPath, files.keyPath] }),
      badInput: [{ what: 'a folder that is not there', code: 'FOLDER_MISSING', names: /missing/, spoil: async (fields) => ({ fields: { ...fields, keyPath: '/missing/k.pem' } }) }],
    }
  },
})

test('files are written, read, listed, linked and replaced; odd names too', { skip }, async (t) => {
  const server = await startUploadServer(t)
  for (const [security, used] of [['explicit-tls', server], ['implicit-tls', await startUploadServer(t, { implicit: true })], ['none', await startUploadServer(t, { tls: false })]] as const) {
    const host = hostOf(used, { security })
    const content = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 251))
    for (const name of ['plain.pem', 'with blank.pem', 'süß.pem', ' leading.pem']) {
      await host.stageFile(`/${name}`, `/.${name}.new`, content, { mode: 0o640, uid: -1, gid: -1 })
      await host.renameFile(`/.${name}.new`, `/${name}`)
      assert.deepEqual(await readFile(join(used.root, name)), content)
      assert.deepEqual(Buffer.from(await host.readFile(`/${name}`) ?? []), content)
      assert.equal(((await host.stat(`/${name}`))?.mode ?? 0).toString(8), '640')
      await host.linkFile(`/${name}`, `/old ${name}`)
      await host.stageFile(`/${name}`, `/.${name}.new`, Buffer.from('second'), null)
      await host.renameFile(`/.${name}.new`, `/${name}`)
      assert.equal(Buffer.from(await host.readFile(`/${name}`) ?? []).toString(), 'second')
      assert.equal(((await stat(join(used.root, name))).mode & 0o777).toString(8), '640', 'the mode of the present file is kept')
      assert.deepEqual(await readFile(join(used.root, `old ${name}`)), content)
      await host.removeFile(`/${name}`)
      await host.removeFile(`/${name}`)
      await host.removeFile(`/old ${name}`)
    }
    await host.makeDirectory('/folder', { mode: 0o750, uid: -1, gid: -1 })
    assert.deepEqual(await host.list('/'), ['folder'], security)
    await host.removeDirectory('/folder')
    assert.deepEqual([await host.readFile('/nothing'), await host.stat('/nothing/at/all'), await host.list('/nothing')], [undefined, undefined, []])
    assert.deepEqual(await readdir(used.root), [])
  }
})

test('another certificate, a wrong password, nothing there, no TLS: each has its own code, and no password goes out before', { skip }, async (t) => {
  const server = await startUploadServer(t)
  const other = await selfSignedPair(['other.test'])
  const code = (code: string, message: RegExp) => ({ code, message })
  await assert.rejects(hostOf(server, { pin: other.fingerprint }).list('/'), code('HOST_KEY_CHANGED', new RegExp(server.pair.fingerprint)))
  await assert.rejects(hostOf(server, { pin: null }).list('/'), code('HOST_KEY_UNKNOWN', /not trusted/))
  assert.doesNotMatch(await readFile(server.log, 'utf8').catch(() => ''), /upload.*(?:Login|incorrect)/i)
  await assert.rejects(hostOf(server, {}, 'wrong-password-1').list('/'), (error: Error & { code?: string }) => error.code === 'LOGIN_REFUSED' && !error.message.includes('wrong-password-1'))
  const plain = await startUploadServer(t, { tls: false })
  await assert.rejects(hostOf(plain).list('/'), code('TRANSFER_FAILED', /does not seem to offer TLS/))
  plain.process.child.kill('SIGKILL')
  await plain.process.ended
  await assert.rejects(hostOf(plain).list('/'), code('HOST_UNREACHABLE', /can not be reached/))
})

test('no right to write, and a server that renames over nothing', { skip }, async (t) => {
  const denied = await startUploadServer(t, { lines: '<Limit STOR STOU>\n DenyAll\n</Limit>' })
  await assert.rejects(hostOf(denied).stageFile('/a', '/.a', Buffer.from('x'), { mode: 0o600, uid: -1, gid: -1 }), { code: 'FILE_UNWRITABLE', message: /550|broke the data connection off/ })
  assert.deepEqual(await readdir(denied.root), [])
  const strict = await startUploadServer(t, { lines: 'AllowOverwrite off' })
  const host = hostOf(strict)
  await writeFile(join(strict.root, 'a'), 'old')
  await writeFile(join(strict.root, 'b'), 'new')
  await host.renameFile('/b', '/a')
  assert.deepEqual([await readdir(strict.root), await readFile(join(strict.root, 'a'), 'utf8')], [['a'], 'new'])
  await assert.rejects(host.renameFile('/missing', '/a'), { code: 'FILE_UNWRITABLE' })
  assert.equal(await readFile(join(strict.root, 'a'), 'utf8'), 'new', 'a rename that can not be done takes nothing away')
})

test('a server that renames nothing keeps the file that is there', async (t) => {
  const own = await selfSignedPair(['ftp.test'])
  const server = await startLyingFtp(t, own, own, () => undefined)
  const host = createFtpHost({ kind: 'ftp', host: '127.0.0.1', port: server.port, user: 'upload', security: 'implicit-tls', pin: own.fingerprint }, { login: { password: 'x' } }, { limits })
  t.after(() => { host.close() })
  await assert.rejects(host.renameFile('/b', '/a'), { code: 'FILE_UNWRITABLE', message: /renames nothing/ })
  assert.deepEqual(server.commands.filter((line) => line.startsWith('DELE')), [])
})

test('a key gets its mode also where the server makes another file of each upload', { skip }, async (t) => {
  const server = await startUploadServer(t, { lines: 'HiddenStores on\nUmask 022' })
  await hostOf(server).stageFile('/k.pem', '/k.new', Buffer.from('key'), { mode: 0o600, uid: -1, gid: -1 })
  assert.equal(((await stat(join(server.root, 'k.new'))).mode & 0o777).toString(8), '600')
})

test('a data connection with another certificate than the confirmed one gets no key, and what it says does not count', async (t) => {
  const [own, foreign] = await Promise.all([selfSignedPair(['ftp.test']), selfSignedPair(['ftp.test'])])
  const server = await startLyingFtp(t, own, foreign, (command, over) => { if (command.startsWith('LIST')) over.end('-rw-r--r-- 1 0 0 3 Jan 1 00:00 c.pem\r\n') })
  const host = createFtpHost({ kind: 'ftp', host: '127.0.0.1', port: server.port, user: 'upload', security: 'implicit-tls', pin: own.fingerprint }, { login: { password: 'x' } }, { limits })
  t.after(() => { host.close() })
  const stranger = { code: 'HOST_KEY_CHANGED', message: new RegExp(foreign.fingerprint) }
  await assert.rejects(host.stageFile('/k.pem', '/.k.new', Buffer.from('the private key'), { mode: 0o600, uid: -1, gid: -1 }), stranger)
  await assert.rejects(host.list('/'), stranger)
  assert.deepEqual(server.received, [])
})

test('a server that says the password again does not get it into an error', async (t) => {
  const own = await selfSignedPair(['ftp.test'])
  const server = await startLyingFtp(t, own, own, () => undefined, { PASS: '530 upload may not come in with secret-1' })
  const host = createFtpHost({ kind: 'ftp', host: '127.0.0.1', port: server.port, user: 'upload', security: 'implicit-tls', pin: own.fingerprint }, { login: { password: 'secret-1' } }, { limits })
  t.after(() => { host.close() })
  await assert.rejects(host.list('/'), (error: Error & { code?: string }) => error.code === 'LOGIN_REFUSED' && error.message.includes('with [hidden]') && error.cause === undefined)
})

test('a file that never ends is read no further than was asked for', async (t) => {
  const own = await selfSignedPair(['ftp.test'])
  const server = await startLyingFtp(t, own, own, (command, over) => {
    if (command.startsWith('LIST')) return void over.end('-rw-r--r-- 1 0 0 3 Jan 1 00:00 c.pem\r\n')
    const more = () => { while (!over.destroyed && over.write(Buffer.alloc(100_000, 'x'))) { /* until it is full */ } }
    over.on('drain', more)
    more()
  })
  const host = createFtpHost({ kind: 'ftp', host: '127.0.0.1', port: server.port, user: 'upload', security: 'implicit-tls', pin: own.fingerprint }, { login: { password: 'x' } }, { limits })
  t.after(() => { host.close() })
  await assert.rejects(host.readFile('/c.pem', 1_000_000), { code: 'FILE_UNWRITABLE', message: /more than 1000000 bytes came/ })
})

test('an upload that is cut off goes on over a new connection', { skip }, async (t) => {
  const server = await startUploadServer(t)
  const relay = await cuttingRelay(t, server.port)
  const host = createFtpHost(reachOf(server, { port: relay.port }), { login: { password: server.password } }, { limits })
  server.clients.push(host)
  await host.list('/')
  relay.cut()
  await assert.rejects(host.list('/'), { code: 'TRANSFER_FAILED', message: /connection .* was lost/ })
  assert.deepEqual(await host.list('/'), [], 'the next call makes a new connection')
  const body = Buffer.alloc(3_000_000, 'certificate ')
  const written = host.stageFile('/big', '/.big', body, { mode: 0o600, uid: -1, gid: -1 })
  await eventually(async () => (await stat(join(server.root, '.big')).catch(() => undefined))?.size ?? 0, { what: 'the first bytes', intervalMs: 1 })
  relay.cut()
  await written
  assert.ok((await readFile(join(server.root, '.big'))).equals(body))
})

/** Passes the control connection on, until it is cut. */
async function cuttingRelay(t: TestContext, port: number): Promise<{ port: number; cut(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined).on('close', () => { client.destroy(); upstream.destroy() }))
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => { for (const socket of sockets) socket.destroy(); sockets.clear() }
  t.after(() => { cut(); server.close() })
  return { port: (server.address() as AddressInfo).port, cut }
}

