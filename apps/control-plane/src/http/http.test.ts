import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { newId, type Problem } from '@certloop/contract'
import { pino } from 'pino'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { asPage, asToken, startHttp } from './http-testing.ts'
import { implement } from './implement.ts'

const bot = (name: string) => ({
  id: newId('bot', new Date()), name, status: 'active' as const, purpose: 'both' as const, version: null, host: null, lastContactAt: null, joinedAt: null,
  tokenExpiresAt: null, lastScanAt: null, serverCount: 0, createdAt: '2026-01-01T00:00:00.000Z',
})

test('bad input is refused with the name of every field', async (t) => {
  let reached = 0
  const { call, root } = await startHttp(t, await emptyDatabase(t), (app) => { implement(app, 'createCertificate', async () => { reached++; throw new Error('reached') }) })
  const as = asPage(root.cookie)
  const post = async (body: object | string, headers: Record<string, string> = {}) => {
    const answer = await call('POST', '/api/v1/certificates', { ...as, 'content-type': 'application/json', ...headers }, body)
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    return answer.json<Problem>()
  }
  assert.deepEqual((await post({ names: [5, 'ok'], extra: 1 })).fields, [
    { field: 'body.extra', problem: 'there is no such field' }, { field: 'body.names/0', problem: 'must be text' },
  ])
  assert.deepEqual((await post({})).fields, [{ field: 'body.names', problem: 'is missing' }])
  assert.match((await post('{"names":')).detail, /not valid JSON/)
  assert.match((await post('{"names":["a"],"__proto__":{"x":1}}')).detail, /not valid JSON/)
  assert.match((await post('['.repeat(100) + ']'.repeat(100))).detail, /nested deeper/)
  assert.match((await post(Buffer.from([0x22, 0xff, 0x22]))).detail, /UTF-8/)
  assert.equal((await post({ names: ['x'.repeat(1_200_000)] })).code, 'BODY_TOO_LARGE')
  assert.equal((await post('')).code, 'INPUT_INVALID')
  const many = await post({ names: Array.from({ length: 900 }, () => 5) })
  assert.equal(many.fields?.length, 20)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) assert.match((await post('{"names":["a"]}', { 'content-type': type })).detail, /application\/json/)
  assert.equal(reached, 0)
})

test('queries: numbers are read, everything else is taken as it is', async (t) => {
  const seen: unknown[] = []
  const { call, root } = await startHttp(t, await emptyDatabase(t), (app) => { implement(app, 'listOrders', async ({ query }) => { seen.push(query); return { items: [], nextCursor: null, counts: { pending: 0, processing: 0, uncertain: 0, complete: 0, failed: 0, cancelled: 0 } } }) })
  assert.equal((await call('GET', '/api/v1/orders?limit=7&search=12', asPage(root.cookie))).statusCode, 200)
  assert.equal((await call('GET', '/api/v1/orders', asPage(root.cookie))).statusCode, 200)
  assert.deepEqual(seen.map((query) => ({ ...query as object })), [{ limit: 7, search: '12' }, { limit: 50 }])
  for (const query of ['limit=0', 'limit=201', 'limit=1e2', 'limit=1&limit=2', 'limt=1', 'state=done', 'certificateId=ord_x']) {
    assert.equal((await call('GET', `/api/v1/orders?${query}`, asPage(root.cookie))).json().code, 'INPUT_INVALID', query)
  }
})

test('what nobody foresaw is logged with its cause and tells nothing', async (t) => {
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => { lines.push(line) } })
  const { call, root } = await startHttp(t, await emptyDatabase(t), (app) => { implement(app, 'listBots', async () => { throw new Error('password of the database is hunter2', { cause: new Error('deep cause') }) }) }, { logger })
  const answer = await call('GET', '/api/v1/bots?', { ...asPage(root.cookie), 'x-mine': 'letmein' })
  const problem = answer.json<Problem>()
  assert.deepEqual([answer.statusCode, problem.code], [500, 'INTERNAL'])
  assert.ok(!answer.body.includes('hunter2'))
  const line = lines.find((text) => text.includes('unexpected error')) ?? ''
  assert.ok(line.includes('hunter2') && line.includes('deep cause') && line.includes(problem.instance ?? '-'))
  assert.ok(!lines.join('').includes(root.cookie) && !lines.join('').includes('letmein'))
})

test('an answer that breaks the contract does not go out', async (t) => {
  const { call, root } = await startHttp(t, await emptyDatabase(t), (app) => {
    implement(app, 'listBots', async () => ({ items: [{ ...bot('a'), privateKey: 'hunter2' }, { ...bot('b'), host: 'wrong' as unknown as null }] }))
  })
  const answer = await call('GET', '/api/v1/bots', asPage(root.cookie))
  assert.equal(answer.json().code, 'INTERNAL')
  assert.ok(!answer.body.includes('hunter2'))
})

test('unknown addresses and broken ones are problems too', async (t) => {
  const { call } = await startHttp(t, await emptyDatabase(t))
  for (const [method, url] of [['GET', '/api/v1/nothing'], ['POST', '/nothing'], ['GET', '/bot/v1/nothing'], ['GET', '/api'], ['DELETE', '/api/v1/bots']] as const) {
    const answer = await call(method, url, { accept: 'text/html' })
    assert.deepEqual([answer.statusCode, answer.json().code, answer.headers['content-type']], [404, 'NOT_FOUND', 'application/problem+json'], url)
  }
  assert.equal((await call('GET', '/%E0%A4%A')).json().code, 'INPUT_INVALID')
})

test('too many requests say when to come back', async (t) => {
  const { call } = await startHttp(t, await emptyDatabase(t), () => {}, { rateLimits: { signInPerMinute: 2, requestsPerMinute: 5 } })
  for (let i = 0; i < 2; i++) assert.equal((await call('POST', '/api/v1/session', {}, { name: 'root', password: 'wrong' })).statusCode, 401)
  const refused = await call('POST', '/api/v1/session', {}, { name: 'root', password: 'wrong' })
  assert.equal(refused.json().code, 'TOO_MANY_REQUESTS')
  assert.ok(Number(refused.headers['retry-after']) > 0)
  assert.equal((await call('GET', '/healthz')).statusCode, 200, 'other calls are counted apart')
  for (let i = 0; i < 5; i++) await call('GET', '/healthz')
  assert.equal((await call('GET', '/healthz')).statusCode, 429)
})

test('the address of a caller is told by trusted proxies only', async (t) => {
  const rateLimits = { signInPerMinute: 2, requestsPerMinute: 2 }
  const statuses = async (trustedProxies: readonly string[]) => {
    const { app } = await startHttp(t, await emptyDatabase(t), () => {}, { rateLimits, trustedProxies })
    const from = async (forwarded: string) => (await app.inject({ method: 'GET', url: '/healthz', remoteAddress: '10.0.0.7', headers: { 'x-forwarded-for': forwarded } })).statusCode
    return [await from('192.0.2.1'), await from('192.0.2.2'), await from('192.0.2.3'), await from('192.0.2.3'), await from('192.0.2.9, 192.0.2.3')]
  }
  assert.deepEqual(await statuses(['10.0.0.0/8']), [200, 200, 200, 200, 429], 'what a caller wrote before them counts for nothing')
  assert.deepEqual(await statuses([]), [200, 200, 429, 429, 429])
  assert.deepEqual(await statuses(['10.0.0.8']), [200, 200, 429, 429, 429])
})

test('a health check does not need the database, readiness does', async (t) => {
  const database = await emptyDatabase(t)
  const { call } = await startHttp(t, database)
  assert.equal((await call('GET', '/readyz')).statusCode, 200)
  await database.db.destroy()
  assert.equal((await call('GET', '/healthz')).statusCode, 200)
  assert.equal((await call('GET', '/readyz')).json().code, 'UNAVAILABLE')
})

test('pages: files with their caching, the page for every other address, the way to build them', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'certloop-pages-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(path.join(path.dirname(folder), `${path.basename(folder)}.secret`), 'hunter2')
  t.after(() => rm(`${folder}.secret`))
  const { call } = await startHttp(t, await emptyDatabase(t), () => {}, { webFolder: folder })
  const html = { accept: 'text/html,*/*' }
  assert.match((await call('GET', '/', html)).body, /npm start/)
  await mkdir(path.join(folder, 'assets'))
  await writeFile(path.join(folder, 'index.html'), '<title>pages</title>')
  await writeFile(path.join(folder, 'assets', 'a-1.js'), '1')
  for (const url of ['/', '/certificates/crt_x', '/index.html']) {
    const page = await call('GET', url, html)
    assert.deepEqual([page.statusCode, page.body, page.headers['cache-control']], [200, '<title>pages</title>', 'no-cache'], url)
    const policy = String(page.headers['content-security-policy'])
    assert.match(policy, /script-src 'self';/)
    assert.match(policy, /frame-ancestors 'none'/)
  }
  assert.match(String((await call('GET', '/assets/a-1.js')).headers['cache-control']), /immutable/)
  for (const url of ['/assets/gone.js', '/favicon.ico']) assert.equal((await call('GET', url, { accept: '*/*' })).statusCode, 404)
  for (const url of [`/../${path.basename(folder)}.secret`, `/..%2f${path.basename(folder)}.secret`, `/assets/..%2f..%2f${path.basename(folder)}.secret`, '/%00']) {
    assert.ok(!(await call('GET', url, html)).body.includes('hunter2'), url)
  }
})

testOnDatabases('an Idempotency-Key makes a repetition harmless', async (t, database) => {
  let made = 0
  let fail = false
  const { call, root, tokenFor, clock, signIn } = await startHttp(t, database, (app) => {
    implement(app, 'startAction', async ({ params }) => {
      made++
      if (fail) throw new Error('down')
      return { id: newId('act', new Date()), certificateId: params.id, kind: params.action, state: 'ordering' as const, requester: 'user:root', orderIds: [], deploymentIds: [], rolloutId: null, batchId: null, childId: null, reason: null, nextAction: null, waitsUntil: null, deadline: null, error: null, createdAt: '2026-01-01T00:00:00.000Z', endedAt: null }
    })
  })
  const url = `/api/v1/certificates/${newId('crt', new Date())}/actions/rotate`
  const as = asPage(root.cookie)
  const start = (key: string, body: object = {}, headers: Record<string, string> = as, to = url) => call('POST', to, { ...headers, 'idempotency-key': key }, body)
  const first = await start('k1')
  const second = await start('k1')
  assert.deepEqual([first.statusCode, second.statusCode, second.body, made], [202, 202, first.body, 1])
  for (const other of [await start('k1', { versionId: newId('ver', new Date()) }), await start('k1', {}, as, url.replace('rotate', 'rekey'))]) assert.equal(other.json().code, 'CONFLICT')
  assert.equal(made, 1)
  assert.equal((await start('k1', {}, asToken(await tokenFor(['certificate:read', 'certificate:order', 'certificate:deploy'])))).statusCode, 202)
  assert.equal(made, 2, 'another caller has keys of its own')
  fail = true
  assert.equal((await start('k2')).statusCode, 500)
  fail = false
  assert.equal((await start('k2')).statusCode, 202, 'a failure is not kept')
  assert.equal((await start('a key')).json().code, 'INPUT_INVALID')
  const answers = await Promise.all(Array.from({ length: 5 }, () => start('k3')))
  assert.equal(made, 5)
  assert.ok(answers.every(({ statusCode }) => statusCode === 202 || statusCode === 409))
  clock.pass(25 * 3600)
  const again = await signIn('root')
  assert.equal((await start('k1', {}, asPage(again.cookie))).statusCode, 202)
  assert.equal(made, 6, 'after a day the key is free again')
})

testOnDatabases('a secret is told once, also under an Idempotency-Key', async (t, database) => {
  const { call, root } = await startHttp(t, database)
  const make = () => call('POST', '/api/v1/api-tokens', { ...asPage(root.cookie), 'idempotency-key': 'k' }, { name: 'laptop' })
  const first = (await make()).json<{ token: string; apiToken: { id: string } }>()
  const again = (await make()).json<Problem>()
  assert.equal(again.code, 'CONFLICT')
  assert.deepEqual(again.facts, { id: first.apiToken.id })
  const rows = JSON.stringify(await database.db.selectFrom('idempotency').selectAll().execute())
  assert.ok(!rows.includes(first.token) && rows.includes(first.apiToken.id))
})
