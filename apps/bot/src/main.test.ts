import assert from 'node:assert/strict'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { newId, type DeployResult, type MakeCsrResult } from '@certloop/contract'
import { eventually, runProcess, selfSignedPair, startProcess, tempFolder } from '@certloop/test-kit'
import { certificate } from '../test/authority.ts'
import { startContractServer, type ContractServer } from '../test/contract-server.ts'
import { joinedBot } from '../test/joined-bot.ts'

const now = () => new Date()
const main = new URL('./main.ts', import.meta.url).pathname
const env = { CERTLOOP_BOT_DATA: undefined, HTTPS_PROXY: undefined, https_proxy: undefined }
const bot = (...words: string[]) => [process.execPath, main, ...words] as [string, ...string[]]
const launch = (t: TestContext, dataFolder: string) => startProcess(t, bot('run', '--data', dataFolder), { env })
const order = () => ({ orderId: newId('ord', new Date()), commonName: 'shop.example', names: ['shop.example'], keyAlgorithm: 'ec-256', reuseKeyId: null })
const limits = { timeout: 120_000 }

async function resultOf<T>(server: ContractServer, id: ReturnType<ContractServer['give']>): Promise<T> {
  const result = await eventually(() => server.board.results.get(id), { timeoutMs: 60_000, what: 'the result' })
  assert.ok(result.ok, JSON.stringify(result))
  return result.data as T
}

test('from token to work: join, run, scan, key and CSR, stop', limits, async (t) => {
  const folder = await tempFolder(t)
  const anchor = await certificate(folder, 'anchor')
  const tls = await certificate(folder, 'server', { issuer: anchor, names: ['127.0.0.1'] })
  const server = await startContractServer(t, { now, tls, anchorPem: anchor.cert })
  const dataFolder = join(folder, 'data')
  const joining = await runProcess(t, bot('join', server.token(), '--data', dataFolder, '--name', 'web-7'), { env })
  assert.equal(joining.code, 0, joining.stderr)
  assert.match(joining.stdout, /"web-7" \(bot_.*certloop-bot run --data/s)

  const running = await launch(t, dataFolder)
  const scan = await resultOf<{ host: { os: string } }>(server, server.give('scan-host', {}))
  assert.equal(scan.host.os, process.platform)
  const { keyId, csrPem } = await resultOf<MakeCsrResult>(server, server.give('make-csr', order()))
  assert.match(csrPem, /BEGIN CERTIFICATE REQUEST/)
  assert.match((await runProcess(t, bot('status', '--data', dataFolder), { env })).stdout, new RegExp(`Running: +yes, process ${running.pid}\nConnection: +made at .*\nKeys: +1\n`))

  running.kill('SIGTERM')
  assert.deepEqual(await running.ended, { code: 0, signal: null })
  assert.match((await runProcess(t, bot('status', '--data', dataFolder), { env })).stdout, /Running: +no\n/)
  const secrets = await Promise.all(['identity.key', `keys/${keyId}.pem`].map(async (name) => (await readFile(join(dataFolder, name), 'utf8')).split('\n')[1] ?? ''))
  for (const secret of secrets) {
    assert.ok(secret.length > 20)
    assert.ok(!server.seen.some((s) => s.body.includes(secret)), 'a private key was sent')
    assert.ok(!running.output().includes(secret), 'a private key was logged')
  }
  assert.deepEqual(server.problems, [])
})

test('killed between making a key and telling it, the bot comes back with the same key', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  server.state.mischief = (path) => path.endsWith('/result') ? 'cut-before' : undefined
  const id = server.give('make-csr', order())
  const first = await launch(t, dataFolder)
  const told = await eventually(() => server.seen.find((s) => s.path.endsWith('/result')), { timeoutMs: 60_000, what: 'the lost result' })
  first.kill('SIGKILL')
  await first.ended
  server.state.mischief = () => undefined
  await launch(t, dataFolder)
  const { keyId } = await resultOf<MakeCsrResult>(server, id)
  assert.ok(told.body.includes(keyId), 'another key than the one told first')
  assert.deepEqual((await readdir(join(dataFolder, 'keys'))).filter((name) => name.endsWith('.pem')), [`${keyId}.pem`])
  assert.equal(server.hellos.length, 2)
  assert.notEqual(server.hellos[0]?.bootId, server.hellos[1]?.bootId)
})

test('started while the control plane is away, cut off, and killed: the work goes on each time', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  await server.stop()
  const first = await launch(t, dataFolder)
  await first.waitFor(/CONTROL_PLANE_UNREACHABLE/)
  await server.start()
  await resultOf(server, server.give('scan-host', {}))
  server.state.mischief = (_path, count) => count % 2 === 0 ? 'cut-before' : undefined
  await resultOf(server, server.give('make-csr', order()))
  server.state.mischief = () => undefined
  first.kill('SIGKILL')
  await first.ended
  await launch(t, dataFolder)
  await resultOf(server, server.give('make-csr', order()))
})

test('a deployment\'s result survives kill -9 and is dropped once it is taken', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  const { keyId } = await (async () => {
    const running = await launch(t, dataFolder)
    const made = await resultOf<MakeCsrResult>(server, server.give('make-csr', order()))
    running.kill('SIGTERM')
    await running.ended
    return made
  })()
  const { certPem, fingerprint } = await selfSignedPair(['shop.example'])
  const target = { serverType: 'nginx', reach: 'local', fields: {} }
  const plan = { serverType: 'nginx', observed: [], steps: [], digest: 'a'.repeat(64) }
  server.state.mischief = (path) => path.endsWith('/result') ? 'cut-before' : undefined
  const id = server.give('deploy', { deploymentId: newId('dep', new Date()), target, material: { keyId, chainPem: [certPem], fingerprint }, plan, rollback: true })
  const first = await launch(t, dataFolder)
  await eventually(() => server.seen.filter((s) => s.path.endsWith(`${id}/result`)).length > 0, { timeoutMs: 60_000 })
  first.kill('SIGKILL')
  await first.ended
  server.state.mischief = () => undefined
  await launch(t, dataFolder)
  const result = await resultOf<DeployResult>(server, id)
  assert.deepEqual([result.outcome, result.touched], ['failed', false])
})

test('a bot that is revoked says so and ends with 3, so that systemd leaves it be', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  server.gate.refuse = 'BOT_REVOKED'
  const running = await launch(t, dataFolder)
  assert.deepEqual(await running.ended, { code: 3, signal: null })
  assert.match(running.stderr(), /BOT_REVOKED/)
  assert.match(await readFile(new URL('../certloop-bot.service', import.meta.url), 'utf8'), /^RestartPreventExitStatus=3$/m)
})

test('asked to stop by terminal and parent at once, the bot still tells its last result', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  server.state.mischief = (path) => path.endsWith('/result') ? 'cut-before' : undefined
  const id = server.give('make-csr', order())
  const running = await launch(t, dataFolder)
  await running.waitFor(/could not be delivered/)
  running.kill('SIGINT')
  await running.waitFor(/asked to stop/)
  running.kill('SIGTERM')
  running.kill('SIGINT')
  server.state.mischief = () => undefined
  assert.deepEqual(await running.ended, { code: 0, signal: null })
  assert.equal(server.board.results.get(id)?.ok, true)
})

test('one process per data folder', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  const first = await launch(t, dataFolder)
  await eventually(() => server.hellos.length === 1, { timeoutMs: 60_000 })
  const second = await runProcess(t, bot('run', '--data', dataFolder), { env })
  assert.equal(second.code, 1)
  assert.match(second.stderr, new RegExp(`process ${first.pid}\\).*DATA_FOLDER_IN_USE`, 's'))
  first.kill('SIGKILL')
  await first.ended
  await launch(t, dataFolder)
  await eventually(() => server.hellos.length === 2, { timeoutMs: 60_000 })
})

test('a folder that never joined, or a bad bot.toml, ends with 1 and says what to do', limits, async (t) => {
  const empty = await tempFolder(t)
  const unjoined = await runProcess(t, bot('run', '--data', empty), { env })
  assert.equal(unjoined.code, 1)
  assert.match(unjoined.stderr, /certloop-bot join TOKEN --data/)
  assert.equal((await runProcess(t, bot('status', '--data', empty), { env })).code, 1)

  const { server, dataFolder } = await joinedBot(t, { now })
  await writeFile(join(dataFolder, 'bot.toml'), '[limits]\nwrite_path = ["/etc"]\n')
  const refused = await runProcess(t, bot('run', '--data', dataFolder), { env })
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /limits\.write_path.*BOT_CONFIGURATION_INVALID/s)
  assert.equal(server.hellos.length, 0)
  await chmod(dataFolder, 0o700)
  await rm(join(dataFolder, 'identity.key'))
  await writeFile(join(dataFolder, 'bot.toml'), '')
  assert.match((await runProcess(t, bot('run', '--data', dataFolder), { env })).stderr, /identity\.key/)
})

test('a bot that joined for discovery makes no keys', limits, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now, purpose: 'discovery' })
  await launch(t, dataFolder)
  const id = server.give('make-csr', order())
  assert.partialDeepStrictEqual(await eventually(() => server.board.results.get(id), { timeoutMs: 60_000 }), { ok: false, error: { code: 'ACTION_NOT_POSSIBLE' } })
  await resultOf(server, server.give('scan-host', {}))
})

test('help and version answer; a wrong word ends with 2', limits, async (t) => {
  assert.match((await runProcess(t, bot('--help'), { env })).stdout, /certloop-bot join TOKEN/)
  assert.match((await runProcess(t, bot('--version'), { env })).stdout, /^\d+\.\d+\.\d+\n$/)
  for (const words of [[], ['jion'], ['join'], ['run', 'now'], ['run', '--loud']]) {
    const { code, stderr } = await runProcess(t, bot(...words), { env })
    assert.equal(code, 2, words.join(' '))
    assert.match(stderr, /certloop-bot --help/)
  }
})
