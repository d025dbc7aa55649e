import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { CertloopError, decodeJoinToken, permissions, signRequest, type ErrorCode } from '@certloop/contract'
import { pino } from 'pino'
import { composeApp } from '../control-plane.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { listDeployments } from '../deployment/deployment-store.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { addTask } from '../task/task-store.ts'
import { host, leaseWork, makeWorld, reportProgress, reportResult, scanOf, type World } from '../world-testing.ts'
import { createBotAuth } from './bot-auth.ts'
import { botStatus, getBot } from './bot-store.ts'
import { announceBot, join, type JoinDeps } from './join.ts'

const refused = (code: ErrorCode) => (error: unknown) => error instanceof CertloopError && error.code === code
const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { privateKey, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}
function joining(w: World) {
  const deps: JoinDeps = { database: w.database, now: w.now, publicUrl: () => 'https://certloop.test', trustPin: () => w.localCa.trustAnchorPin(), issueIdentity: async () => 'PEM' }
  const announce = async () => {
    const { joinToken, botId } = await announceBot(deps, { name: 'n', requester: 'user:test' })
    const { id, secret } = decodeJoinToken(joinToken)
    return { botId, request: (publicKeyPem = newKey().publicKeyPem) => ({ tokenId: id, secret, publicKeyPem, name: 'n', version: '1', host }) }
  }
  return { deps, announce }
}

testOnDatabases('eight bots with one token at one moment: one joins', async (t, database) => {
  const w = await makeWorld(t, database)
  const { deps, announce } = joining(w)
  const { botId, request } = await announce()
  const keys = Array.from({ length: 8 }, newKey)
  const results = await Promise.allSettled(keys.map((key) => join(deps, request(key.publicKeyPem))))
  const winners = results.flatMap((r, i) => (r.status === 'fulfilled' ? [i] : []))
  assert.equal(winners.length, 1)
  for (const r of results) if (r.status === 'rejected') assert.ok(refused('JOIN_TOKEN_USED')(r.reason), String(r.reason))
  assert.equal((await getBot(database.db, botId)).publicKeyPem, keys[winners[0] ?? -1]?.publicKeyPem, 'and its key is the one that counts')
  assert.equal((await database.db.selectFrom('task').selectAll().where('kind', '=', 'scan-host').execute()).length, 1)
})

testOnDatabases('a token survives an identity that could not be issued', async (t, database) => {
  const w = await makeWorld(t, database)
  const { deps, announce } = joining(w)
  const { request } = await announce()
  await assert.rejects(join({ ...deps, issueIdentity: async () => { throw new CertloopError('ISSUER_EXPIRED', 'too late') } }, request()), refused('ISSUER_EXPIRED'))
  await join(deps, request())
})

testOnDatabases('who signed: once, in time, with its own key, not revoked; silence makes a bot inactive', async (t, database) => {
  const w = await makeWorld(t, database)
  const { deps, announce } = joining(w)
  const [key, { botId, request }] = [newKey(), await announce()]
  await join(deps, request(key.publicKeyPem))
  const auth = createBotAuth({ database, now: w.now })
  const body = Buffer.from('{}')
  const signed = (at = w.now(), signer = key.privateKey) => ({ method: 'POST', path: '/bot/v1/hello', body, headers: { ...signRequest({ method: 'POST', path: '/bot/v1/hello', body }, botId, signer, at) } })
  const first = signed()
  assert.deepEqual(await auth(first), { botId, name: 'n' })
  await assert.rejects(auth(first), refused('BOT_SIGNATURE_INVALID'))
  w.clock.pass(299)
  await assert.rejects(auth(first), refused('BOT_SIGNATURE_INVALID'), 'nor later, while it is still young enough')
  w.clock.pass(400)
  await assert.rejects(auth(first), refused('BOT_SIGNATURE_INVALID'))
  await assert.rejects(auth(signed(w.now(), newKey().privateKey)), refused('BOT_SIGNATURE_INVALID'))
  assert.equal(botStatus(await getBot(database.db, botId), w.now()), 'inactive')
  await auth(signed())
  assert.equal(botStatus(await getBot(database.db, botId), w.now()), 'active')
  await database.db.updateTable('bot').set({ revokedAt: w.now().toISOString() }).where('id', '=', botId).execute()
  await assert.rejects(auth(signed()), refused('BOT_REVOKED'))
})

testOnDatabases('a long poll: answers news at once, ends when its time is over, when the bot goes, when the control plane stops', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const closing = new AbortController()
  const deps = { ...w.leaseDeps, now: () => new Date(), closing: closing.signal }
  const poll = (waitSeconds: number, gone = new AbortController()) => ({ gone, answer: leaseWork(deps, bot.id, { bootId: 'boot-0001', waitSeconds, max: 5 }, gone.signal) })
  const add = (notBefore = new Date()) => database.transaction((tx, wake) => addTask(tx, wake, { executor: bot.id, kind: 'scan-host', subject: bot.id, notBefore }, new Date()))
  const waiting = poll(60)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const at = performance.now()
  await add()
  assert.equal((await waiting.answer).length, 1)
  t.diagnostic(`news after ${Math.round(performance.now() - at)} ms`)
  assert.ok(performance.now() - at < 3000)
  await add(new Date(Date.now() + 500))
  assert.equal((await poll(60).answer).length, 1, 'and what falls due while it waits')
  assert.deepEqual(await poll(0).answer, [])
  assert.deepEqual(await poll(1).answer, [])
  const left = poll(60)
  left.gone.abort()
  assert.deepEqual(await left.answer, [])
  const last = poll(60)
  setTimeout(() => closing.abort(), 100)
  assert.deepEqual(await last.answer, [])
  await add()
  assert.deepEqual(await poll(60).answer, [], 'nothing is handed out while stopping')
})

testOnDatabases('results: the same twice is taken twice; a late one is refused; one of a wrong form names what is wrong', async (t, database) => {
  const w = await makeWorld(t, database)
  const [bot, other] = [await w.addBot('a'), await w.addBot('b')]
  await database.transaction((tx, wake) => addTask(tx, wake, { executor: bot.id, kind: 'scan-host', subject: bot.id }, w.now()))
  const lease = async () => {
    const [task] = await leaseWork(w.leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 5 }, new AbortController().signal)
    assert.ok(task)
    return task
  }
  const first = await lease()
  const good = { ok: true as const, data: scanOf([], w.now()) }
  await assert.rejects(reportResult(w.leaseDeps, other.id, first.id, { fence: first.fence, result: good }), refused('NOT_FOUND'))
  await assert.rejects(reportResult(w.leaseDeps, bot.id, first.id, { fence: first.fence, result: { ok: true, data: { at: 'never' } } }), refused('INPUT_INVALID'))
  w.clock.pass(50)
  await reportProgress(w.leaseDeps, bot.id, first.id, { fence: first.fence, log: [] })
  w.clock.pass(50)
  await assert.rejects(lease(), 'progress renewed the lease')
  w.clock.pass(11)
  const second = await lease()
  await assert.rejects(reportResult(w.leaseDeps, bot.id, first.id, { fence: first.fence, result: good }), refused('LEASE_LOST'))
  await assert.rejects(reportProgress(w.leaseDeps, bot.id, first.id, { fence: first.fence, log: [] }), refused('LEASE_LOST'))
  await reportResult(w.leaseDeps, bot.id, second.id, { fence: second.fence, result: good })
  await reportResult(w.leaseDeps, bot.id, second.id, { fence: second.fence, result: good })
  assert.equal((await database.db.selectFrom('event').selectAll().where('kind', '=', 'bot.scanned').execute()).length, 1)
})

test('revoking a bot ends what it had to do, through the API', async (t) => {
  const database = await emptyDatabase(t)
  const w = await makeWorld(t, database)
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now: w.now, random: () => 0 }, { database, localCa: w.localCa, secrets: w.secrets }, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(database, w.clock, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  const { token } = await users.tokens.create(who, { name: 'x', permissions: [...permissions] })
  const call = async (method: 'GET' | 'POST' | 'DELETE', url: string) => app.inject({ method, url: `/api/v1${url}`, headers: asToken(token) })

  const bot = await w.addBot('doomed')
  const id = await w.configured('doomed.example', [bot])
  await w.act(id, 'rotate')
  bot.silent.add('deploy')
  await w.act(id, 'deploy')
  const [open] = (await listDeployments(database.db, { certificateId: id, limit: 1 })).items
  assert.ok(open)
  await database.transaction((tx) => tx.updateTable('deployment').set({ state: 'deploying' }).where('id', '=', open.id).execute().then(() => {}))
  const stopping = (await call('POST', `/deployments/${open.id}/actions/cancel`)).json<{ state: string; cancelRequestedAt: string | null }>()
  assert.deepEqual([stopping.state, stopping.cancelRequestedAt], ['deploying', w.now().toISOString()])
  for (const what of ['undo', 'retry']) assert.equal((await call('POST', `/deployments/${open.id}/actions/${what}`)).json<{ code: string }>().code, 'ACTION_NOT_POSSIBLE')
  const revoked = await call('POST', `/bots/${bot.id}/actions/revoke`)
  assert.equal(revoked.statusCode, 200, revoked.body)
  await w.settle()
  const detail = await w.detail(id)
  assert.deepEqual([detail.status, detail.lastAction?.state, detail.problem?.code], ['deployed', 'failed', 'CONFIGURATION_INCOMPLETE'], 'a host that can not be renewed any more is told')
  assert.equal((await listDeployments(database.db, { certificateId: id, limit: 1 })).items[0]?.error?.code, 'BOT_REVOKED')
  assert.equal((await database.db.selectFrom('task').selectAll().where('executor', '=', bot.id).where('state', 'in', ['ready', 'leased']).execute()).length, 0)

  // What was deleted is still told of by its deployments and orders.
  assert.equal((await call('DELETE', `/certificates/${id}`)).statusCode, 204)
  for (const url of ['/deployments', '/orders', `/deployments/${open.id}`, `/bots/${bot.id}`, '/certificates', '/bots']) {
    const answer = await call('GET', url)
    assert.equal(answer.statusCode, 200, `${url}: ${answer.body}`)
  }
})
