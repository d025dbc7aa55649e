import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdir } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test, type TestContext } from 'node:test'
import { createClient } from '@certloop/api-client'
import { eventually, freePort, leftOut, runProcess, selfSignedPair, startNginx, startProcess, tempFolder, writePair } from '@certloop/test-kit'
import pg from 'pg'
import { act, configureFromScan, discovered, makeToken, startBot, startPlane, type Plane, uniqueName } from './kit/plane.ts'
import { served } from './kit/served.ts'

const main = fileURLToPath(new URL('../../apps/control-plane/src/main.ts', import.meta.url))
const start = (t: TestContext, folder: string, port: number, ...more: string[]) => runProcess(t, [process.execPath, main, '--data', folder, '--port', String(port), '--no-bot', ...more])

test('a second start on one folder, a port that is taken: it says so and ends with 1', { timeout: 120_000 }, async (t) => {
  const plane = await startPlane(t)
  const second = await start(t, plane.dataFolder, await freePort())
  assert.equal(second.code, 1)
  assert.match(second.stderr, /DATA_FOLDER_IN_USE/)
  assert.match(second.stderr, new RegExp(plane.dataFolder))
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const port = (other.address() as AddressInfo).port
  const taken = await start(t, await tempFolder(t, 'plane'), port)
  assert.equal(taken.code, 1)
  assert.match(taken.stderr, new RegExp(`${port}`))
  assert.match(taken.stderr, /PORT_TAKEN/)
  assert.doesNotMatch(taken.stdout, /password/i, 'no password for a start that failed')
  assert.equal((await plane.client.call('getSystem')).database, 'sqlite')
})

test('a folder that can not be written', { timeout: 120_000, skip: process.getuid?.() === 0 ? false : 'needs root to become somebody else' }, async (t) => {
  const folder = await tempFolder(t, 'plane')
  await chmod(folder, 0o755)
  const locked = join(folder, 'locked')
  await mkdir(locked, { mode: 0o755 })
  const run = (data: string) => runProcess(t, [process.execPath, main, '--data', data, '--port', '0', '--no-bot'], { uid: 65_534, gid: 65_534, cwd: '/' })
  for (const data of [locked, join(locked, 'below')]) {
    const refused = await run(data)
    assert.equal(refused.code, 1, refused.stderr)
    assert.match(refused.stderr, /DATA_FOLDER_UNWRITABLE/)
    assert.match(refused.stderr, new RegExp(locked))
  }
  const inUse = join(folder, 'of-root')
  await mkdir(inUse, { mode: 0o777 })
  await chown(inUse, 65_534, 65_534)
  const own = await startProcess(t, [process.execPath, main, '--data', inUse, '--port', '0', '--no-bot'], { uid: 65_534, gid: 65_534, cwd: '/', env: { CERTLOOP_LOG_LEVEL: 'warn' } })
  await own.waitFor(/Certloop runs at/, 60_000)
  own.kill('SIGINT')
  assert.deepEqual(await own.ended, { code: 0, signal: null })
})

test('a restart keeps everything, and Ctrl-C ends it within seconds though a bot waits for work', { timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t)
  const bot = await startBot(t, plane)
  const made = await plane.client.call('createCertificate', { body: { names: ['kept.example'] } })
  const authority = (await plane.client.call('listAuthorities')).items[0]
  await eventually(async () => (await plane.client.call('getBot', { params: { id: bot.id } })).lastScanAt)
  const before = performance.now()
  plane.process().kill('SIGINT')
  assert.deepEqual(await plane.process().ended, { code: 0, signal: null })
  const took = performance.now() - before
  t.diagnostic(`stopped in ${Math.round(took)} ms`)
  assert.ok(took < 10_000)
  assert.match(plane.process().stdout(), /Certloop has stopped/)
  await plane.restart()
  assert.doesNotMatch(plane.process().stdout(), /One-time password/)
  assert.equal((await plane.client.call('getCertificate', { params: { id: made.id } })).name, 'kept.example')
  assert.deepEqual((await plane.client.call('listAuthorities')).items[0], authority)
  const { lastContactAt } = await plane.client.call('getBot', { params: { id: bot.id } })
  await eventually(async () => { const now = await plane.client.call('getBot', { params: { id: bot.id } }); return now.status === 'active' && now.lastContactAt !== lastContactAt }, { timeoutMs: 60_000, what: 'the bot to come back' })
})

test('Ctrl-C while the bot of this machine is only starting: both end', { timeout: 180_000 }, async (t) => {
  for (const waitFor of [0, 400, 1500]) {
    const folder = await tempFolder(t, 'plane')
    const port = await freePort()
    const running = await startProcess(t, [process.execPath, main, '--data', folder, '--port', String(port)], { env: { CERTLOOP_LOG_LEVEL: 'warn' } })
    await eventually(async () => (await fetch(`http://localhost:${port}/healthz`)).ok, { timeoutMs: 60_000 })
    await new Promise((resolve) => setTimeout(resolve, waitFor))
    running.kill('SIGINT')
    const ended = await Promise.race([running.ended, new Promise<undefined>((resolve) => { setTimeout(() => resolve(undefined), 30_000).unref() })])
    assert.ok(ended, `it still runs; it said:\n${running.output()}`)
  }
})

const postgres = process.env['CERTLOOP_TEST_POSTGRES']
async function emptyPostgres(t: TestContext): Promise<string> {
  const name = `t_${randomBytes(8).toString('hex')}`
  const admin = async (statement: string) => {
    const client = new pg.Client({ connectionString: postgres })
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await admin(`CREATE DATABASE ${name}`)
  t.after(() => admin(`DROP DATABASE ${name} WITH (FORCE)`))
  const url = new URL(postgres ?? '')
  url.pathname = `/${name}`
  return url.href
}

const noPostgres = postgres || process.env['CI'] ? false : 'CERTLOOP_TEST_POSTGRES is not set'
test('two replicas on one PostgreSQL share the work; one killed, the other goes on', { timeout: 300_000, skip: noPostgres || leftOut('nginx') }, async (t) => {
  const env = { DATABASE_URL: await emptyPostgres(t), CERTLOOP_MASTER_KEY: randomBytes(32).toString('base64') }
  // Both start on the empty database at once: one set of tables, one authority, one administrator.
  const ports = [await freePort(), await freePort()]
  const startReplica = async (port: number) => startProcess(t, [process.execPath, main, '--data', await tempFolder(t, 'replica'), '--port', String(port), '--no-bot'], { env: { CERTLOOP_LOG_LEVEL: 'warn', ...env } })
  const replicas = await Promise.all(ports.map(startReplica))
  await Promise.all(replicas.map((r) => r.waitFor(/Certloop runs at/, 90_000)))
  const passwords = replicas.flatMap((r) => r.stdout().match(/One-time password:\s+(\S+)/)?.[1] ?? [])
  assert.equal(passwords.length, 1, 'one of them made the administrator')
  const urls = ports.map((port) => `http://localhost:${port}`)
  const token = await makeToken(urls[0] ?? '', passwords[0] ?? '')
  const planes = urls.map((url, i): Plane => ({ url, port: ports[i] ?? 0, dataFolder: '', client: createClient({ baseUrl: url, token }), process: () => { const r = replicas[i]; assert.ok(r); return r }, kill: async () => {}, restart: async () => {} }))
  const [a, b] = planes
  assert.ok(a && b)
  assert.equal((await b.client.call('listAuthorities')).items.length, 1)
  assert.deepEqual((await b.client.call('listAuthorities')).items, (await a.client.call('listAuthorities')).items)

  const name = uniqueName()
  const pair = await writePair(await tempFolder(t, 'files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  await startBot(t, a)
  const certificate = await configureFromScan(b, await discovered(b, name))
  const times: number[] = []
  for (let i = 0; i < 4; i++) {
    const before = performance.now()
    const action = await act(i % 2 ? a : b, certificate.id, 'rotate')
    times.push(Math.round(performance.now() - before))
    assert.equal(action.state, 'done', JSON.stringify(action))
    assert.equal(await served(nginx.ports[0] ?? 0, name), (await a.client.call('getCertificate', { params: { id: certificate.id } })).fingerprint)
  }
  t.diagnostic(`rotations through either replica: ${times.join(', ')} ms`)
  // The bot knows the first; so the second is killed, with work under way.
  const started = await b.client.call('startAction', { params: { id: certificate.id, action: 'rotate' }, body: {} })
  b.process().kill('SIGKILL')
  const ended = await eventually(async () => { const action = await a.client.call('getAction', { params: { id: started.id } }); return action.endedAt ? action : undefined }, { timeoutMs: 90_000, what: 'the end of the rotation' })
  assert.equal(ended.state, 'done', JSON.stringify(ended))
  assert.equal(ended.orderIds.length, 1)
  const detail = await a.client.call('getCertificate', { params: { id: certificate.id } })
  assert.equal(detail.versions.filter((v) => v.source === 'order').length, 5)
  a.process().kill('SIGINT')
  assert.deepEqual(await a.process().ended, { code: 0, signal: null })
})
