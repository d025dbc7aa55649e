import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations, permissions, type Operation, type OperationId } from '@certloop/contract'
import { createAudit } from '../audit/audit.ts'
import { emptyDatabase } from '../database/database-testing.ts'
import { createUsers } from '../user/users.ts'
import { buildHttp } from './build-http.ts'
import { asPage, asToken, routesLeftOpen, startHttp } from './http-testing.ts'
import { implement, type App } from './implement.ts'

/** Everything a stranger may call. Adding to this list is a decision. */
const openRoutes = [
  'POST /api/v1/session',
  'GET /api/v1/openapi.json', 'HEAD /api/v1/openapi.json',
  'GET /api/docs', 'HEAD /api/docs', 'HEAD /api/docs/', 'GET /api/docs/static/*', 'HEAD /api/docs/static/*',
  'GET /api/docs/json', 'HEAD /api/docs/json', 'GET /api/docs/yaml', 'HEAD /api/docs/yaml', 'GET /api/docs/static/index.html', 'HEAD /api/docs/static/index.html', 'GET /api/docs/static/swagger-initializer.js', 'HEAD /api/docs/static/swagger-initializer.js',
  'GET /healthz', 'HEAD /healthz', 'GET /readyz', 'HEAD /readyz',
  'GET /*', 'HEAD /*',
]

const walk = async (t: import('node:test').TestContext, prepare?: (app: App) => void) => {
  const { app, signIn, tokenFor } = await startHttp(t, await emptyDatabase(t), prepare)
  const { cookie } = await signIn('nobody')
  const tokens = new Map<string | undefined, string>()
  for (const missing of [undefined, ...permissions]) tokens.set(missing, await tokenFor(permissions.filter((permission) => permission !== missing)))
  return { app, left: await routesLeftOpen(app, openRoutes, cookie, async (missing) => tokens.get(missing) ?? '') }
}

test('no route is open by accident', { timeout: 120_000 }, async (t) => {
  const { app, left } = await walk(t)
  assert.deepEqual(left, [])
  const known = app.routeList.map(({ method, url }) => `${method} ${url}`)
  assert.deepEqual(openRoutes.filter((route) => !known.includes(route)), [], 'the list names routes that are gone')
  assert.deepEqual(app.routeList.filter(({ access }) => access === 'self').map(({ url }) => url), ['/api/v1/session', '/api/v1/session', '/api/v1/session', '/api/v1/session/password'])
})

test('the walk finds a route that somebody opens', { timeout: 120_000 }, async (t) => {
  const { left } = await walk(t, (app) => { app.get('/api/v1/leak', { config: { access: 'public' } }, async () => ({ secret: 1 })) })
  assert.deepEqual(left.map((line) => line.split(' (')[0]), ['GET /api/v1/leak', 'HEAD /api/v1/leak'])
})

test('the document describes every operation, its access and its problem answer', async (t) => {
  const { call, app } = await startHttp(t, await emptyDatabase(t))
  interface Described { operationId: string; security: object[]; 'x-access': string; responses: Record<string, unknown> }
  const { openapi, paths } = (await call('GET', '/api/v1/openapi.json')).json<{ openapi: string; paths: Record<string, Record<string, Described>> }>()
  assert.equal(openapi, '3.1.0')
  const described = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })))
  for (const [id, entry] of Object.entries(operations) as [OperationId, Operation][]) {
    const found = described.find(({ operationId }) => operationId === id)
    assert.ok(found, id)
    assert.deepEqual([found.path, found.method, found['x-access']], [`/api/v1${entry.path}`, entry.method, entry.access])
    assert.equal(found.security.length > 0, entry.access !== 'public', id)
    assert.ok('default' in found.responses && String(entry.status) in found.responses, id)
  }
  const ids = described.map(({ operationId }) => operationId)
  assert.deepEqual(ids.filter((id) => !(id in operations)).toSorted(), ['botSample', 'watchEvents'])
  // Every API route that answers is in the document.
  const api = app.routeList.filter(({ url, method }) => /^\/(api|bot)\/v1\//.test(url) && method !== 'HEAD' && !url.endsWith('openapi.json'))
  assert.equal(api.length, described.length)
})

test('a route that does not say who may call it stops the start', async (t) => {
  await assert.rejects(startHttp(t, await emptyDatabase(t), (app) => { app.get('/api/v1/forgotten', async () => 1) }), /GET \/api\/v1\/forgotten does not say who may call it/)
  await assert.rejects(startHttp(t, await emptyDatabase(t), (app) => { app.post('/api/docs/x', async () => 1) }), /does not say/)
})

test('an operation with two handlers, or none, stops the start', async (t) => {
  await assert.rejects(startHttp(t, await emptyDatabase(t), (app) => { implement(app, 'getSystem', async () => { throw new Error('never called') }) }), /getSystem is implemented twice/)
  const database = await emptyDatabase(t)
  const now = () => new Date()
  const app = await buildHttp({
    database, now, users: createUsers({ database, now }), audit: createAudit({ database, now }), publicUrl: () => 'https://certloop.test', version: '0', webFolder: '/nonexistent',
    botAuth: async () => { throw new Error('never called') },
  })
  t.after(() => app.close())
  await assert.rejects(async () => app.ready(), /without a handler: listCertificates, /)
})

test('with the permission, a session and a token get in', async (t) => {
  const { call, root, tokenFor } = await startHttp(t, await emptyDatabase(t))
  assert.equal((await call('GET', '/api/v1/bots', asPage(root.cookie))).json().code, 'ACTION_NOT_POSSIBLE')
  assert.equal((await call('GET', '/api/v1/bots', asToken(await tokenFor(['bot:read'])))).json().code, 'ACTION_NOT_POSSIBLE')
})

test('a session needs the word of a page of this site for changes', async (t) => {
  const { call, root } = await startHttp(t, await emptyDatabase(t))
  const cookie = `certloop_session=${root.cookie}`
  const code = async (headers: Record<string, string>) => (await call('POST', '/api/v1/api-tokens', { cookie, host: 'localhost:80', ...headers }, { name: 'a', permissions: [] })).json().code
  for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'none' }, { origin: 'https://localhost:80' }, { 'sec-fetch-site': 'cross-site', origin: 'https://certloop.test' }] as Record<string, string>[]) {
    assert.equal(await code(headers), 'ORIGIN_REFUSED', JSON.stringify(headers))
  }
  for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: 'https://certloop.test' }, { origin: 'http://localhost:80' }] as Record<string, string>[]) {
    assert.equal(await code(headers), 'INPUT_INVALID', JSON.stringify(headers)) // let in, then refused for the empty list
  }
  const form = await call('POST', '/api/v1/api-tokens', { ...asPage(root.cookie), 'content-type': 'text/plain' }, '{"name":"a"}')
  assert.match(form.json().detail, /application\/json/)
  assert.equal((await call('POST', '/api/v1/session', { origin: 'https://evil.example' }, { name: 'root', password: 'x' })).json().code, 'ORIGIN_REFUSED')
})

test('a wrong token is refused even where nobody is needed, and beside a good cookie', async (t) => {
  const { call, root } = await startHttp(t, await emptyDatabase(t))
  for (const authorization of ['Bearer clt_x', 'Bearer ', 'Basic cm9vdDp4', 'x']) {
    assert.equal((await call('GET', '/api/v1/bots', { ...asPage(root.cookie), authorization })).json().code, 'SIGN_IN_REQUIRED', authorization)
  }
})
