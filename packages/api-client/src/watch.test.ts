import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createEventParser } from './event-stream.ts'
import { createClient, watchChanges } from './index.ts'

test('the parser reads events however they are cut', () => {
  const stream = ': hello\r\nid: 1\r\ndata: {"a":1}\r\n\r\nevent: x\ndata: one\ndata:two\n\nretry: 5\rdata: three\r\rdata: unfinished'
  for (let size = 1; size <= stream.length; size++) {
    const events: string[] = []
    const parse = createEventParser((data) => events.push(data))
    for (let at = 0; at < stream.length; at += size) parse(stream.slice(at, at + size))
    assert.deepEqual(events, ['{"a":1}', 'one\ntwo', 'three'], `pieces of ${size}`)
  }
})

test('a watch with a token tells of changes, of an interruption, and goes on after it', { timeout: 30_000 }, async (t) => {
  const streams: ServerResponse[] = []
  const tokens: (string | undefined)[] = []
  const server = createServer((request, response) => {
    tokens.push(request.headers.authorization)
    if (tokens.length === 2) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    response.write(`data: {"kind":"bot","id":"bot_${tokens.length}"}\n\n`)
    streams.push(response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => { server.closeAllConnections(); server.close() })

  const client = createClient({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'clt_x' })
  const told: string[] = []
  await new Promise<void>((resolve) => {
    const watch = watchChanges(client, {
      onOpen: () => told.push('open'),
      onLost: (reason) => told.push(`lost: ${reason.message.slice(0, 20)}`),
      onChange: (notice) => {
        told.push(notice.id)
        if (notice.id === 'bot_1') return void streams[0]?.destroy()
        watch.close()
        resolve()
      },
    }, { retryMs: 5 })
  })
  assert.deepEqual(told.map((line) => line.replace(/^lost: .*/, 'lost')), ['open', 'bot_1', 'lost', 'lost', 'open', 'bot_3'])
  assert.deepEqual(tokens, ['Bearer clt_x', 'Bearer clt_x', 'Bearer clt_x'])
})
