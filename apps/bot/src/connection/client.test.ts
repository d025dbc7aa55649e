import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { botProtocolVersion, newId, type CertloopError } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { joinedBot, listeningLogger } from '../../test/joined-bot.ts'
import type { Mischief } from '../../test/contract-server.ts'
import { createControlPlane } from './client.ts'
import { createServerClock } from './server-clock.ts'
import { createTransport } from './transport.ts'

const never = new AbortController().signal
const hello = { bootId: 'boot-0001', version: '0.1.0', protocol: botProtocolVersion, host: { hostName: 'web-1', os: 'linux', osVersion: '12', arch: 'x64', addresses: [] } }

async function connected(t: TestContext, { serverAheadMs = 0, url: through }: { serverAheadMs?: number; url?: (port: number) => Promise<string> } = {}) {
  const { server, identity } = await joinedBot(t, { now: () => new Date(Date.now() + serverAheadMs) })
  const logger = listeningLogger()
  const transport = createTransport({ url: new URL(through ? await through(server.port) : server.url), trust: 'system', proxy: undefined, userAgent: 'test' })
  t.after(() => transport.close())
  const dismissed: CertloopError[] = []
  const client = createControlPlane({ transport, clock: createServerClock({ now: () => new Date(), logger }), botId: identity.joined.botId, key: identity.key, onDismissed: (error) => dismissed.push(error) })
  return { server, client, logger, dismissed, transport }
}

test('a signed request is taken, and what a newer control plane adds to its answer is dropped', async (t) => {
  const { server, client } = await connected(t)
  assert.deepEqual(Object.keys(await client.hello(hello, never)).toSorted(), ['name', 'now'])
  assert.deepEqual(server.problems, [])
})

for (const serverAheadMs of [3_600_000, -3_600_000]) {
  test(`a host whose clock is an hour ${serverAheadMs > 0 ? 'behind' : 'ahead'} is heard at its second try and told so`, async (t) => {
    const { server, client, logger } = await connected(t, { serverAheadMs })
    await client.hello(hello, never)
    // Whole seconds on both sides, read at different moments: an hour, give or take a few.
    const anHour = (text = '') => assert.ok(Math.abs(Number(/(\d+) seconds/.exec(text)?.[1]) - 3600) <= 10, text)
    assert.match(server.problems.join(), /BOT_SIGNATURE_INVALID/)
    anHour(server.problems.join())
    assert.equal(server.hellos.length, 1)
    anHour(logger.lines[0]?.message)
    await client.hello(hello, never)
    assert.equal(server.problems.length, 1, 'the correction is kept')
    assert.ok(Math.abs(client.now().getTime() - Date.now() - serverAheadMs) < 60_000)
  })
}

test('something between that alters a request is noticed by the signature', async (t) => {
  const { server, client } = await connected(t, { url: (port) => tamperingProxy(t, port) })
  await assert.rejects(client.hello(hello, never), { code: 'BOT_SIGNATURE_INVALID', message: /altered/ })
  assert.equal(server.hellos.length, 0)
})

/** Passes requests on with another host name inside. */
async function tamperingProxy(t: TestContext, port: number): Promise<string> {
  const server = http.createServer((request, response) => {
    const chunks: string[] = []
    request.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk)).on('end', () => {
      const body = chunks.join('').replace('web-1', 'web-2')
      const onward = http.request({ port, host: '127.0.0.1', method: request.method, path: request.url, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      })
      onward.end(body)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const answers: [title: string, mischief: Mischief, code: string][] = [
  ['a gateway without a control plane behind it', { status: 502, body: '<html>Bad gateway</html>' }, 'CONTROL_PLANE_UNREACHABLE'],
  ['a gateway that lost patience', { status: 504 }, 'CONTROL_PLANE_UNREACHABLE'],
  ['a proxy with a small limit', { status: 413, body: 'too large' }, 'BODY_TOO_LARGE'],
  ['a web page', { status: 200, body: '<html>Welcome</html>' }, 'ANSWER_INVALID'],
  ['a login page', { status: 302, headers: { location: '/login' } }, 'ANSWER_INVALID'],
  ['another shape', { status: 200, body: '{"name":7}' }, 'ANSWER_INVALID'],
  ['an unknown code', { status: 400, body: '{"code":"toString","detail":"x"}' }, 'ANSWER_INVALID'],
  ['nothing', { status: 204 }, 'ANSWER_INVALID'],
  ['more than fits', { status: 200, body: `{"now":"${'x'.repeat(17 * 1024 * 1024)}"}` }, 'CONTROL_PLANE_UNREACHABLE'],
  ['a cut connection', 'cut-before', 'CONTROL_PLANE_UNREACHABLE'],
]
for (const [title, mischief, code] of answers) {
  test(`${title} is ${code}`, async (t) => {
    const { server, client, dismissed } = await connected(t)
    server.state.mischief = () => mischief
    await assert.rejects(client.hello(hello, never), { code })
    assert.equal(dismissed.length, 0)
  })
}

test('Retry-After is passed on', async (t) => {
  const { server, client } = await connected(t)
  server.state.mischief = () => ({ status: 503, headers: { 'retry-after': '17' } })
  await assert.rejects(client.hello(hello, never), (error: CertloopError) => error.facts['retryAfterSeconds'] === 17)
})

test('a problem document comes back as its error; being dismissed is told apart', async (t) => {
  const { server, client, dismissed } = await connected(t)
  await client.hello(hello, never)
  await assert.rejects(client.progress(newId('tsk', new Date()), { fence: 1, log: [] }), { code: 'LEASE_LOST' })
  assert.equal(dismissed.length, 0)
  server.gate.refuse = 'BOT_REVOKED'
  await assert.rejects(client.hello(hello, never), { code: 'BOT_REVOKED' })
  assert.deepEqual(dismissed.map((e) => e.code), ['BOT_REVOKED'])
})

test('a server that never answers is given up in time; stopping ends a long poll at once', async (t) => {
  const { server, client, transport } = await connected(t)
  server.state.mischief = () => 'hang'
  await assert.rejects(transport.send({ method: 'GET', path: '/bot/v1/trust-anchor', timeoutMs: 50 }), { code: 'CONTROL_PLANE_UNREACHABLE', message: /0\.05 seconds/ })
  const stop = new AbortController()
  const reason = new Error('stop')
  const poll = client.lease({ bootId: hello.bootId, waitSeconds: 25, max: 1 }, stop.signal)
  await eventually(() => server.paths().includes('POST /bot/v1/tasks/lease'))
  stop.abort(reason)
  await assert.rejects(poll, reason)
})

test('calls one after the other share a connection', async (t) => {
  const { server, client } = await connected(t)
  let connections = 0
  const { port } = server
  const counting = await tunnel(t, port, () => { connections++ })
  const { client: through } = await connected(t, { url: () => Promise.resolve(counting) })
  // This bot is unknown at the server behind the tunnel: the answer doesn't matter, the connection does.
  for (let i = 0; i < 5; i++) await assert.rejects(through.hello(hello, never), { code: 'BOT_UNKNOWN' })
  assert.equal(connections, 1)
  await client.hello(hello, never)
})

async function tunnel(t: TestContext, port: number, onConnection: () => void): Promise<string> {
  const { createServer, connect } = await import('node:net')
  const server = createServer((socket) => {
    onConnection()
    const onward = connect(port, '127.0.0.1')
    socket.pipe(onward).pipe(socket)
    for (const end of [socket, onward]) end.on('error', () => { socket.destroy(); onward.destroy() })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
