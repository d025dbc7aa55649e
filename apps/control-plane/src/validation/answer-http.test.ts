import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { emptyDatabase } from '../database/database-testing.ts'
import { startHttp } from '../http/http-testing.ts'
import { listen } from '../listener/listener.ts'
import { makeIdentity } from '../listener/listener-testing.ts'
import { createProofAnswers } from './answer-http.ts'
import { makeValidations, token, wanted } from './validation-testing.ts'

test('the control plane answers authorities on the one port, over http and https, for what is open and for nothing else', { timeout: 60_000 }, async (t) => {
  const database = await emptyDatabase(t)
  const { app } = await startHttp(t, database)
  const v = await makeValidations(database)
  const identity = await makeIdentity(t, 'answers')
  const failures: string[] = []
  let broken = false
  const answers = createProofAnswers({ database: { ...database, get db() { return broken ? undefined as never : database.db } }, log: (message) => { failures.push(message) } })
  const listener = await listen({ app, host: '127.0.0.1', port: 0, tlsIdentity: async () => identity, publicHandler: answers })
  t.after(() => listener.close())
  const ask = async (path: string, { secure = false, method = 'GET' } = {}) => {
    const request = (secure ? https : http).request({ host: '127.0.0.1', port: listener.port, path, method, headers: { host: 'a.example.com', connection: 'close' }, agent: false, ...(secure ? { ca: identity.certPem, servername: 'localhost', rejectUnauthorized: false } : {}) })
    request.end()
    const [answer] = await once(request, 'response') as [IncomingMessage]
    return { status: answer.statusCode, body: await text(answer), headers: answer.headers }
  }
  const path = token('proof-of-a-example-com')
  const made = await v.addOrder(['a.example.com', 'b.example.com'], { method: 'http' })
  await v.sync(made, [wanted('a.example.com'), wanted('b.example.com')])
  assert.equal((await ask(path)).status, 404, 'not before it is open')
  await v.settle()
  for (const secure of [false, true]) {
    const { status, body, headers } = await ask(path, { secure })
    assert.deepEqual([status, body, headers['content-type'], headers['cache-control'], headers['x-content-type-options']], [200, 'proof-of-a.example.com.key', 'text/plain', 'no-store', 'nosniff'])
  }
  const head = await ask(path, { method: 'HEAD' })
  assert.deepEqual([head.status, head.body, head.headers['content-length']], [200, '', '26'])
  for (const other of [token('proof-of-c-example-com'), token(''), '/.well-known/acme-challenge', token('..%2f..%2fapi'), token('a/b'), `${path}/`, `${path}?x=1`, token('x'.repeat(400)), token('%27%20or%201=1')]) {
    const { status, headers, body } = await ask(other)
    assert.deepEqual([status, headers.location, body], [404, undefined, 'There is nothing here.\n'], other)
  }
  assert.deepEqual([(await ask(path, { method: 'POST' })).status, (await ask(path, { method: 'DELETE' })).status], [405, 405])
  assert.notEqual((await ask('/.well-known/other')).headers['content-type'], 'text/plain', 'other paths are for others')
  const dns = await v.addOrder(['d.example.com'], { method: 'dns' })
  await v.sync(dns, [wanted('d.example.com')])
  await v.settle()
  assert.equal((await ask(token('proof-of-d-example-com'))).status, 404, 'only what the control plane is to answer')
  await v.end(made.attempt, 'issued')
  assert.equal((await ask(path)).status, 404, 'not after it has ended')
  broken = true
  assert.deepEqual([(await ask(path)).status, failures], [503, ['a proof could not be looked up']])
})
