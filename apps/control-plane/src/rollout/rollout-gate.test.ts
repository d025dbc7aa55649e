import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { test, type TestContext } from 'node:test'
import { rolloutDefault, type Reach } from '@certloop/contract'
import { selfSignedPair } from '@certloop/test-kit'
import { updateBot } from '../bot/bot-store.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { host } from '../world-testing.ts'
import { checkStatus } from './rollout-check.ts'
import { makeFleet, states, story, type Changes } from './rollout-testing.ts'

const watched = (soakSeconds: number, more: Changes = {}): Changes => ({ canary: 1, ...more, gate: { ...rolloutDefault.gate, ...more.gate, soakSeconds } })

testOnDatabases('a wave is watched for the time set and looked at again before the next begins', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 3, rollout: watched(300) })
  const { rollout, action } = await w.roll()
  assert.deepEqual([rollout.state, states(rollout)], ['watching', ['deployed', 'waiting', 'waiting']])
  const { status, statusReason } = await w.detail(w.id)
  assert.deepEqual([status, statusReason], ['deploying', `${rollout.reason} ${rollout.nextAction}`])
  assert.match(rollout.reason, /^The canary is deployed; it is watched until 2026-03-01T00:05:00/)
  assert.deepEqual([rollout.deadline, rollout.can], ['2026-03-01T00:25:00.000Z', ['pause', 'stop', 'undo']])
  assert.equal((await w.pass(299)).state, 'watching')
  const inspections = () => w.bots.map(({ done }) => done.filter(({ kind }) => kind === 'inspect-target').length)
  assert.deepEqual(inspections(), [0, 0])
  const next = await w.pass(1)
  assert.deepEqual([next.state, next.wave, inspections()], ['watching', 1, [1, 0]])
  const last = await w.pass(300)
  assert.deepEqual([last.state, inspections(), (await action()).state], ['done', [2, 1], 'done'])
  assert.equal(await story(database, w.id), 'started, created, proven, watch, nextWave, created 2, proven 2, watch, finish')
})

testOnDatabases('what is no longer served after the watching stops the rollout, and is taken back with the rest', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: watched(0) })
  await w.roll()
  await w.configure(watched(60, { onStop: 'undo' }))
  const before = w.installed()
  await w.roll()
  w.spoil(0)
  const ended = await w.pass(60)
  assert.deepEqual([ended.state, states(ended), ended.targets[0]?.error?.code], ['undone', ['undone', 'left-out', 'left-out'], 'PROOF_MISMATCH'])
  assert.deepEqual(w.installed(), before)
})

testOnDatabases('a bot that is away when its target is looked at again holds nothing up for ever: it counts as a failure', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 2, targets: 2, rollout: watched(60) })
  const { rollout: begun, action } = await w.roll()
  w.botOf(0).silent.add('inspect-target')
  w.botOf(0).silent.add('scan-host')
  assert.equal((await w.pass(60)).state, 'watching')
  assert.match((await w.newest()).reason, /being looked at again/)
  for (let minute = 0; minute < 16; minute++) await w.pass(60)
  const ended = await w.newest()
  assert.deepEqual([ended.id, ended.state, states(ended)], [begun.id, 'stopped', ['failed', 'left-out']])
  assert.ok(['TASK_DEADLINE_PASSED', 'BOT_UNREACHABLE'].includes(ended.targets[0]?.error?.code ?? ''))
  assert.deepEqual([(await action()).state, ended.can], ['failed', ['undo']], 'it still holds the new version, and can be taken back')
})

async function serve(t: TestContext, listener: RequestListener, tls?: { key: string; cert: string }): Promise<number> {
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.closeAllConnections(); server.close() })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : assert.fail('no port')
}

testOnDatabases('the HTTP check goes to the address of each target: 200 lets it on, 500 stops it', async (t, database) => {
  const [asked, answers] = [[] as string[], { status: 200 }]
  const port = await serve(t, (request, response) => { asked.push(`${request.headers.host} ${request.url}`); response.writeHead(answers.status).end('x') })
  const httpCheck = { url: `http://{host}:${port}/health?key=s3cret`, status: 200, timeoutSeconds: 5 }
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { canary: 1, gate: { httpCheck } } })
  for (const bot of w.bots) await updateBot(database.db, bot.id, { host: JSON.stringify({ ...host, hostName: '127.0.0.1' }) })
  const [first] = (await w.detail(w.id)).configuration?.targets ?? []
  const reach = { kind: 'ssh', host: 'localhost', port: 22, user: 'u', authentication: 'bot-key', keyPath: '/k', hostKey: null, privilege: 'none', jumps: [] } satisfies Reach
  await database.db.updateTable('target').set({ reach: JSON.stringify(reach) }).where('id', '=', first?.id ?? assert.fail('no target')).execute()
  const good = await w.roll()
  assert.deepEqual([good.rollout.state, asked.toSorted()], ['done', [`127.0.0.1:${port} /health?key=s3cret`, `127.0.0.1:${port} /health?key=s3cret`, `localhost:${port} /health?key=s3cret`]])
  answers.status = 500
  const { rollout: trying } = await w.roll()
  assert.deepEqual([trying.state, states(trying), asked.length], ['watching', ['deployed', 'waiting', 'waiting'], 4])
  assert.match(trying.reason, /fails: http:\/\/localhost:\d+\/health answered 500, not 200\.$/)
  for (let i = 0; i < 2; i++) assert.equal((await w.pass(10)).state, 'watching')
  const bad = await w.pass(10)
  assert.deepEqual([bad.state, states(bad), asked.splice(4).length], ['stopped', ['failed', 'left-out', 'left-out'], 3], 'for half a minute')
  assert.equal(bad.targets[0]?.reason, `http://localhost:${port}/health answered 500, not 200.`)
  assert.ok(!JSON.stringify(bad).includes('s3cret'))
  const { rollout: again } = await w.roll()
  assert.deepEqual([again.state, asked.splice(4).length], ['watching', 1])
  answers.status = 200
  const mended = await w.pass(10)
  assert.deepEqual([mended.state, mended.targets[0]?.error, asked.splice(4).length], ['done', null, 3], 'it needed a moment')
  await w.configure({ canary: 1, gate: { httpCheck, soakSeconds: 60 } })
  await w.roll()
  assert.equal(asked.length, 4, 'asked after the watching, not before')
  assert.deepEqual([(await w.pass(60)).wave, asked.length], [1, 5])
  answers.status = 500
  await w.pass(60)
  assert.equal(asked.splice(5).length, 2)
  for (let i = 0; i < 2; i++) await w.pass(10)
  asked.splice(5)
  const both = await w.pass(10)
  assert.deepEqual([both.state, states(both), asked.length], ['stopped', ['deployed', 'failed', 'failed'], 7])
})

test('the HTTP check: redirects are not followed, a silent server is given up, any TLS certificate will do, endless bodies are not read', async (t) => {
  const [wanted, here] = [{ status: 200, timeoutSeconds: 1 }, { loopback: true }]
  let followed = false
  const redirecting = await serve(t, (request, response) => { if (request.url === '/') response.writeHead(302, { location: '/next' }).end(); else { followed = true; response.end() } })
  assert.match((await checkStatus(`http://127.0.0.1:${redirecting}/`, wanted, here))?.message ?? '', /answered 302, not 200/)
  assert.equal(followed, false)
  assert.equal(await checkStatus(`http://127.0.0.1:${redirecting}/`, { ...wanted, status: 302 }, here), null)
  const silent = await serve(t, () => {})
  assert.match((await checkStatus(`http://127.0.0.1:${silent}/`, wanted, here))?.message ?? '', /did not answer within 1 s/)
  const endless = await serve(t, (_request, response) => { const more = () => { if (response.write('x'.repeat(100_000))) setImmediate(more); else response.once('drain', more) }; more() })
  assert.equal(await checkStatus(`http://127.0.0.1:${endless}/`, wanted, here), null)
  const { keyPem, certPem } = await selfSignedPair(['else.example'])
  const tls = await serve(t, (_request, response) => { response.end() }, { key: keyPem, cert: certPem })
  assert.equal(await checkStatus(`https://127.0.0.1:${tls}/`, wanted, here), null)
  const refused = await checkStatus(`http://user:pass@127.0.0.1:1/x?y=z`, wanted, here)
  assert.deepEqual([refused?.code, refused?.message], ['HTTP_CHECK_FAILED', 'http://127.0.0.1:1/x could not be asked: ECONNREFUSED.'])
  assert.doesNotMatch((await checkStatus('http://user:pass@[broken/', wanted, here))?.message ?? 'pass', /pass/)
})

test('the HTTP check asks no link-local address, and this machine only for a target on it, by whichever name', async (t) => {
  const wanted = { status: 200, timeoutSeconds: 1 }
  let asked = 0
  const port = await serve(t, (_request, response) => { asked++; response.end() })
  for (const host of ['169.254.169.254', '[fe80::1]', '[::ffff:169.254.169.254]', '0xa9fea9fe']) {
    assert.match((await checkStatus(`http://${host}:${port}/`, wanted, { loopback: true }))?.message ?? '', /link-local/, host)
  }
  for (const host of ['127.0.0.1', '127.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '[::]', '2130706433']) {
    assert.match((await checkStatus(`http://${host}:${port}/`, wanted, { loopback: false }))?.message ?? '', /is the control plane itself, and the target is on another machine/, host)
  }
  assert.equal(asked, 0)
  assert.equal(await checkStatus(`http://localhost:${port}/`, wanted, { loopback: true }), null)
})

testOnDatabases('after the first wave a person lets it go on, or does not', async (t, database) => {
  const w = await makeFleet(t, database, { bots: 3, targets: 3, rollout: { mode: 'in-order', gate: { approval: true } } })
  const { rollout } = await w.roll()
  assert.deepEqual([rollout.state, states(rollout), rollout.can], ['approval', ['deployed', 'waiting', 'waiting'], ['resume', 'stop', 'undo']])
  assert.equal((await w.pass(86_400)).state, 'approval')
  assert.match(JSON.stringify(await w.detail(w.id)), /"status":"deployment-pending","statusReason":"Wave 1 of 3 is through: .* waits for approval/)
  const overdue = await w.pass(6 * 86_400)
  assert.match(overdue.reason, /^Overdue since 2026-03-08T00:00:00.000Z\. It waits for a person/)
  const approved = await w.control('resume', rollout.id)
  assert.deepEqual([approved.state, states(approved)], ['done', ['deployed', 'deployed', 'deployed']])
  const second = await w.roll()
  const stopped = await w.control('stop', second.rollout.id)
  assert.deepEqual([stopped.state, states(stopped), (await second.action()).state], ['stopped', ['deployed', 'left-out', 'left-out'], 'failed'])
})
