import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { CertloopError, problemOf } from '@certloop/contract'
import { ApiProblem, createClient } from './index.ts'

const id = `crt_${'0'.repeat(26)}` as const

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

test('a call fills path and query, and sends token, body and idempotency key', async (t) => {
  const seen: { method: string | undefined; url: string | undefined; headers: IncomingMessage['headers']; body: string }[] = []
  const baseUrl = await serve(t, async (request, response) => {
    seen.push({ method: request.method, url: request.url, headers: request.headers, body: await bodyOf(request) })
    response.setHeader('content-type', 'application/json').end('{"items":[],"nextCursor":null}')
  })
  const client = createClient({ baseUrl: `${baseUrl}/`, token: 'clt_secret' })
  await client.call('getTimeline', { params: { id }, query: { limit: 5, cursor: undefined } })
  await client.call('startAction', { params: { id, action: 'rotate' }, body: {}, idempotencyKey: 'once' })
  await client.call('listCertificates', { query: { search: 'a&b c' } })
  await client.call('createBot', { body: { name: 'web-1' } })

  assert.deepEqual(seen.map(({ method, url, body }) => [method, url, body]), [
    ['GET', `/api/v1/certificates/${id}/timeline?limit=5`, ''],
    ['POST', `/api/v1/certificates/${id}/actions/rotate`, '{}'],
    ['GET', '/api/v1/certificates?search=a%26b+c', ''],
    ['POST', '/api/v1/bots', '{"name":"web-1"}'],
  ])
  assert.ok(seen.every(({ headers }) => headers.authorization === 'Bearer clt_secret'))
  assert.equal(seen[1]?.headers['idempotency-key'], 'once')
  assert.match(String(seen[3]?.headers['idempotency-key']), /^[0-9a-f]{32}$/)
  assert.equal(seen[0]?.headers['idempotency-key'], undefined)
})

test('an answer without content is undefined', async (t) => {
  const baseUrl = await serve(t, (_, response) => { response.writeHead(204).end() })
  assert.equal(await createClient({ baseUrl }).call('signOut'), undefined)
})

test('a problem document becomes an ApiProblem; 401 is also told to onUnauthorized', async (t) => {
  const error = new CertloopError('SIGN_IN_FAILED', 'No such user or password.', { fields: ['password: does not fit'], attempts: 3 })
  const baseUrl = await serve(t, (_, response) => {
    response.writeHead(401, { 'content-type': 'application/problem+json; charset=utf-8', 'retry-after': '7' }).end(JSON.stringify(problemOf(error, 'req_1')))
  })
  const told: string[] = []
  const client = createClient({ baseUrl, onUnauthorized: (problem) => told.push(problem.code) })
  await assert.rejects(client.call('signIn', { body: { name: 'a', password: 'b' } }), (thrown) => {
    assert.ok(thrown instanceof ApiProblem)
    const { message, status, code, remedy, where, cause, fields, instance, facts, retryAfterSeconds } = thrown
    assert.deepEqual({ message, status, code, remedy, where, cause, fields, instance, facts, retryAfterSeconds }, {
      message: 'No such user or password.', status: 401, code: 'SIGN_IN_FAILED', remedy: error.spec.remedy, where: error.spec.where, cause: error.spec.cause,
      fields: [{ field: 'password', problem: 'does not fit' }], instance: 'req_1', facts: { attempts: 3 }, retryAfterSeconds: 7,
    })
    return true
  })
  assert.deepEqual(told, ['SIGN_IN_FAILED'])
})

test('an error page of a proxy and a dead address are problems too', async (t) => {
  const baseUrl = await serve(t, (_, response) => { response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>') })
  await assert.rejects(createClient({ baseUrl }).call('getSystem'), { name: 'ApiProblem', code: 'UNAVAILABLE', status: 502 })

  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  await assert.rejects(createClient({ baseUrl: `http://127.0.0.1:${port}` }).call('getSystem'), (thrown) => {
    assert.ok(thrown instanceof ApiProblem)
    assert.equal(thrown.code, 'CONTROL_PLANE_UNREACHABLE')
    assert.match(thrown.message, new RegExp(`No answer from http://127.0.0.1:${port}: .*ECONNREFUSED`))
    return true
  })
})

test('an aborted call throws the reason of its signal', async (t) => {
  const baseUrl = await serve(t, () => {})
  const abort = new AbortController()
  const call = createClient({ baseUrl }).call('getSystem', { signal: abort.signal })
  abort.abort(new Error('left the page'))
  await assert.rejects(call, /left the page/)
})
