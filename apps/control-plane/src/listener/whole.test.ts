import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import { test } from 'node:test'
import { emptyDatabase } from '../database/database-testing.ts'
import { asPage, startHttp, testPassword } from '../http/http-testing.ts'
import { listen } from './listener.ts'
import { makeIdentity } from './listener-testing.ts'

test('sign-in and events over both protocols of the one port; closing ends the streams', { timeout: 60_000 }, async (t) => {
  const { app, root } = await startHttp(t, await emptyDatabase(t))
  const identity = await makeIdentity(t, 'whole')
  const listener = await listen({ app, host: '127.0.0.1', port: 0, tlsIdentity: async () => identity })
  const call = async (secure: boolean, path: string, options: RequestOptions = {}, body = ''): Promise<IncomingMessage> => {
    const request = (secure ? https : http).request({ host: '127.0.0.1', port: listener.port, path, ...(secure ? { ca: identity.certPem } : {}), ...options })
    request.end(body)
    const [answer] = await once(request, 'response') as [IncomingMessage]
    return answer
  }
  const signIn = (secure: boolean) => call(secure, '/api/v1/session', { method: 'POST', headers: { 'content-type': 'application/json' } }, JSON.stringify({ name: 'root', password: testPassword }))
  const [secure, plain] = [await signIn(true), await signIn(false)]
  assert.match(secure.headers['set-cookie']?.[0] ?? '', /; HttpOnly; SameSite=Strict; Secure$/)
  assert.match(plain.headers['set-cookie']?.[0] ?? '', /; HttpOnly; SameSite=Strict$/)
  for (const answer of [secure, plain]) answer.resume()

  const streams = [await call(true, '/api/v1/events', { headers: asPage(root.cookie) }), await call(false, '/api/v1/events', { headers: asPage(root.cookie) })]
  const ends = streams.map((stream) => { stream.resume(); return once(stream, 'end') })
  const begun = performance.now()
  await listener.close()
  await Promise.all(ends)
  assert.ok(performance.now() - begun < 4_500, 'without waiting for the limit')
})
