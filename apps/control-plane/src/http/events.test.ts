import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { permissions, type ChangeNotice } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { noticeOf } from './events.ts'
import { asPage, asToken, startHttp } from './http-testing.ts'

/** A reader of the stream over a real connection. */
async function openStream(t: TestContext, base: string, headers: Record<string, string>) {
  const abort = new AbortController()
  t.after(() => abort.abort())
  const response = await fetch(`${base}/api/v1/events`, { headers, signal: abort.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.ok(reader)
  let text = ''
  return {
    response,
    abort,
    /** All that came until `wanted` did; undefined when the stream ended before. */
    async until(wanted: string): Promise<string | undefined> {
      while (!text.includes(wanted)) {
        const { value, done } = await reader.read()
        if (done) return undefined
        text += value
      }
      return text
    },
  }
}

async function startServer(t: TestContext, database: Database) {
  const http = await startHttp(t, database)
  await http.app.listen({ port: 0, host: '127.0.0.1' })
  return { ...http, base: `http://127.0.0.1:${(http.app.server.address() as AddressInfo).port}` }
}

testOnDatabases('changes reach the readers of the stream', async (t, database) => {
  const { base, root, tokenFor } = await startServer(t, database)
  const [page, tool] = [await openStream(t, base, asPage(root.cookie)), await openStream(t, base, asToken(await tokenFor(['certificate:read'])))]
  assert.equal(page.response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  for (const stream of [page, tool]) assert.ok(await stream.until('changes follow'))
  await database.transaction(async (_tx, wake) => { wake('task:bot_1'); wake('change:order:ord_1:crt_1'); wake('change:bot:bot_1') })
  for (const stream of [page, tool]) {
    const text = await stream.until('bot_1') ?? ''
    const notices = text.split('\n').filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6)) as ChangeNotice)
    assert.deepEqual(notices, [{ kind: 'order', id: 'ord_1', certificateId: 'crt_1' }, { kind: 'bot', id: 'bot_1' }])
  }
})

test('the stream ends with its session, its token and the app', async (t) => {
  const { base, root, signIn, call, users, tokenFor, app } = await startServer(t, await emptyDatabase(t))
  const other = await signIn('root')
  const [first, second] = [await openStream(t, base, asPage(root.cookie)), await openStream(t, base, asPage(other.cookie))]
  for (const stream of [first, second]) await stream.until('changes follow')
  assert.equal((await call('DELETE', '/api/v1/session', asPage(root.cookie))).statusCode, 204)
  assert.equal(await first.until('never'), undefined)
  const tool = await openStream(t, base, asToken(await tokenFor(['certificate:read'], other.who)))
  await tool.until('changes follow')
  const [token] = await users.tokens.list()
  assert.ok(token)
  await users.tokens.remove(token.id)
  assert.equal(await tool.until('never'), undefined)
  await app.close()
  assert.equal(await second.until('never'), undefined)
})

test('the stream needs certificate:read', async (t) => {
  const { base, tokenFor } = await startServer(t, await emptyDatabase(t))
  const token = await tokenFor(permissions.filter((permission) => permission !== 'certificate:read'))
  assert.equal((await openStream(t, base, asToken(token))).response.status, 403)
  assert.equal((await openStream(t, base, {})).response.status, 401)
})

test('only topics about changes become notices', () => {
  assert.deepEqual(noticeOf('change:certificate:crt_1'), { kind: 'certificate', id: 'crt_1' })
  for (const topic of ['task:bot_1', 'change:secret:sec_1', 'change:order', 'ended:ses_1', '']) assert.equal(noticeOf(topic), undefined, topic)
})
