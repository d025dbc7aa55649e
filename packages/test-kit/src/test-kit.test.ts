import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually, freePorts, leftOut, pidOnceWritten, runProcess, startChromium, startPostgres, startProcess, stopByPid, tempFolder } from './index.ts'

/** A context whose clean-up we can run and look at. */
function context(): { t: Pick<TestContext, 'after'>; cleanUp: () => Promise<void> } {
  const after: (() => unknown)[] = []
  return { t: { after: (fn: unknown) => { after.push(fn as () => unknown) } }, cleanUp: async () => { for (const fn of after) await fn() } }
}

test('a temporary folder is private and goes with all in it', async () => {
  const { t, cleanUp } = context()
  const folder = await tempFolder(t, 'kit')
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
  await writeFile(join(folder, 'file'), 'x')
  await cleanUp()
  assert.equal(existsSync(folder), false)
})

test('free ports differ and can be listened on', async () => {
  const ports = await freePorts(5)
  assert.equal(new Set(ports).size, 5)
  for (const port of ports) {
    const server = createServer().listen(port, '127.0.0.1')
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
    server.close()
  }
})

test('eventually waits for a value, and says what did not come', async () => {
  let calls = 0
  assert.equal(await eventually(() => (++calls < 3 ? undefined : `call ${calls}`), { intervalMs: 1 }), 'call 3')
  assert.equal(await eventually(() => 0, { timeoutMs: 0 }), 0)
  await assert.rejects(eventually(() => { throw new Error('refused') }, { timeoutMs: 20, intervalMs: 1, what: 'the door' }), /the door did not come true within 20 ms; last: refused/)
})

test('a process is collected, waited for and killed by its own pid', async () => {
  const { t, cleanUp } = context()
  const child = await startProcess(t, [process.execPath, '-e', `console.error('warn'); console.log('ready', process.env.KIT); process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`], { env: { KIT: 'yes' } })
  const [, value] = await child.waitFor(/ready (\w+)/)
  assert.equal(value, 'yes')
  await child.waitFor(/warn/)
  assert.equal(child.stderr(), 'warn\n')
  await cleanUp()
  assert.deepEqual(await child.ended, { code: null, signal: 'SIGKILL' })
})

test('a pid file that is still empty names no process, and no process is never the whole group', async (t) => {
  const file = join(await tempFolder(t, 'kit'), 'pid')
  await writeFile(file, '')
  const found = pidOnceWritten(file)
  const child = await startProcess(t, [process.execPath, '-e', `console.log('ready'); setInterval(() => {}, 1000)`])
  await child.waitFor(/ready/)
  await writeFile(file, `  ${child.pid}\n`)
  assert.equal(await found, child.pid)
  for (const none of [0, 1, -1, Number.NaN]) await assert.rejects(stopByPid(none, 'it'), /is not the pid of it/)
  await stopByPid(child.pid, 'it')
  assert.deepEqual(await child.ended, { code: null, signal: 'SIGTERM' })
  await stopByPid(child.pid, 'it')
})

test('waiting for words of a process that ended fails with what it said', async (t) => {
  const child = await startProcess(t, [process.execPath, '-e', `console.log('bye'); process.exitCode = 3`])
  await assert.rejects(child.waitFor(/hello/), /ended before it said "hello"[^]*bye/)
  assert.equal((await child.ended).code, 3)
  await assert.rejects(startProcess(t, ['/no/such/program']), /ENOENT/)
})

test('PostgreSQL starts for us alone and leaves nothing', { skip: leftOut('postgres'), timeout: 120_000 }, async (t) => {
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  const url = new URL(postgres.url)
  assert.equal(url.hostname, '127.0.0.1')
  const answer = await runProcess(t, ['psql', '-tAc', 'show fsync', postgres.url])
  assert.deepEqual([answer.code, answer.stdout], [0, 'off\n'])
  url.password = 'wrong'
  const refused = await runProcess(t, ['psql', '-tAc', 'select 1', url.href])
  assert.match(refused.stderr, /password authentication failed/)
  await postgres.stop()
  assert.throws(() => process.kill(postgres.pid, 0), /ESRCH/)
  const socket = connect(Number(url.port), '127.0.0.1')
  await assert.rejects(new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)), /ECONNREFUSED/)
})

test('Chromium opens a page', { skip: leftOut('chromium'), timeout: 120_000 }, async (t) => {
  const browser = await startChromium(t)
  const page = await browser.newPage()
  await page.setContent('<title>Certloop</title>')
  assert.equal(await page.title(), 'Certloop')
})
