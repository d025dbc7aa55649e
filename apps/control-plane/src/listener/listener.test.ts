import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { CertloopError } from '@certloop/contract'
import Fastify from 'fastify'
import { listen, type Listener, type TlsIdentity } from './listener.ts'
import { makeIdentity } from './listener-testing.ts'
import { isLoopback, refusePlainHttp } from './plain-http.ts'

async function start(t: TestContext, identity?: () => Promise<TlsIdentity>) {
  const app = Fastify()
  const held: (() => void)[] = []
  app.get('/', async (request) => ({ protocol: request.protocol, ip: request.ip }))
  app.post('/', async (request) => ({ got: request.body }))
  app.get('/held', () => new Promise((resolve) => { held.push(() => resolve({ done: true })) }))
  await app.ready()
  const own = identity ? undefined : await makeIdentity(t, 'one')
  const listener = await listen({ app, host: '127.0.0.1', port: 0, tlsIdentity: identity ?? (async () => own as TlsIdentity) })
  let isClosed = false
  const close = async () => { if (!isClosed) { isClosed = true; await listener.close() } }
  t.after(close)
  return { listener, held, close, own }
}

/** One exchange over a raw connection: what comes back until the other side ends it. */
async function exchange(socket: net.Socket, text: string): Promise<string> {
  socket.write(text)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}
const secureSocket = async ({ port }: Listener, ca: string) => {
  const socket = tls.connect({ host: '127.0.0.1', port, ca })
  await once(socket, 'secureConnect')
  return socket
}
const getRoot = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

test('one port speaks HTTP and HTTPS', async (t) => {
  const { listener, own } = await start(t)
  const plain = await fetch(`http://127.0.0.1:${listener.port}/`, { method: 'POST', body: JSON.stringify({ text: 'x'.repeat(200_000) }), headers: { 'content-type': 'application/json' } })
  assert.equal(((await plain.json()) as { got: { text: string } }).got.text.length, 200_000)
  assert.match(await exchange(net.connect(listener.port, '127.0.0.1'), getRoot), /"protocol":"http","ip":"127.0.0.1"/)
  assert.match(await exchange(await secureSocket(listener, own?.certPem ?? ''), getRoot), /"protocol":"https","ip":"127.0.0.1"/)
})

test('the first bytes may come one at a time', async (t) => {
  const { listener } = await start(t)
  const socket = net.connect(listener.port, '127.0.0.1').setNoDelay()
  await once(socket, 'connect')
  for (const letter of getRoot.slice(0, 8)) await new Promise((resolve) => { socket.write(letter, resolve) })
  assert.match(await exchange(socket, getRoot.slice(8)), /^HTTP\/1.1 200/)
})

test('the certificate is replaced while running; old connections go on', async (t) => {
  const identities = [await makeIdentity(t, 'first'), await makeIdentity(t, 'second')] as [TlsIdentity, TlsIdentity]
  let at = 0
  const { listener } = await start(t, async () => identities[at] as TlsIdentity)
  const before = await secureSocket(listener, identities[0].certPem)
  assert.equal(before.getPeerCertificate().subject.CN, 'first')
  at = 1
  await listener.renewTls()
  const after = await secureSocket(listener, identities[1].certPem)
  assert.equal(after.getPeerCertificate().subject.CN, 'second')
  after.destroy()
  assert.match(await exchange(before, getRoot), /^HTTP\/1.1 200/)
})

test('noise and broken handshakes end their own connection only', async (t) => {
  const { listener } = await start(t)
  const noise = net.connect(listener.port, '127.0.0.1')
  noise.on('error', () => {}) // a reset is as good an end as any
  noise.write(Buffer.from([0x16, 0xff, 0xff, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8])) // no TLS version looks like this
  await once(noise, 'close')
  assert.match(await exchange(net.connect(listener.port, '127.0.0.1'), '\0\0garbage\r\n\r\n'), /^HTTP\/1.1 400/)
  assert.equal((await fetch(`http://127.0.0.1:${listener.port}/`)).status, 200)
})

test('a request whose head does not arrive is cut', { timeout: 30_000 }, async (t) => {
  const app = Fastify()
  await app.ready()
  const identity = await makeIdentity(t, 'slow')
  const listener = await listen({ app, host: '127.0.0.1', port: 0, tlsIdentity: async () => identity, slowHeadMs: 200 })
  t.after(() => listener.close())
  const slow = 'GET / HTTP/1.1\r\nHo'
  assert.match(await exchange(net.connect(listener.port, '127.0.0.1'), slow), /^HTTP\/1.1 408/)
  assert.match(await exchange(await secureSocket(listener, identity.certPem), slow), /^HTTP\/1.1 408/)
})

test('closing waits for requests under way, ends idle connections and frees the port', async (t) => {
  const { listener, held, close } = await start(t)
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const idle = await new Promise<http.IncomingMessage>((resolve) => { http.get({ port: listener.port, agent }, resolve) })
  idle.resume()
  const answer = fetch(`http://127.0.0.1:${listener.port}/held`)
  while (held.length === 0) await new Promise(setImmediate)
  const closing = close()
  await assert.rejects(fetch(`http://127.0.0.1:${listener.port}/`))
  held[0]?.()
  assert.deepEqual(await (await answer).json(), { done: true })
  await closing
  const next = net.createServer().listen(listener.port, '127.0.0.1')
  await once(next, 'listening')
  next.close()
})

test('closing is bounded: a request that never ends is cut', { timeout: 30_000 }, async (t) => {
  const { listener, held, close } = await start(t)
  const answer = fetch(`http://127.0.0.1:${listener.port}/held`)
  const silent = net.connect(listener.port, '127.0.0.1')
  await once(silent, 'connect')
  while (held.length === 0) await new Promise(setImmediate)
  const begun = performance.now()
  const cut = assert.rejects(answer)
  await close()
  await cut
  const took = performance.now() - begun
  assert.ok(took > 4_000 && took < 15_000, `${took} ms`)
})

test('a port in use, and a host that is not ours, are said plainly', async (t) => {
  const { listener } = await start(t)
  const app = Fastify()
  await app.ready()
  const identity = await makeIdentity(t, 'x')
  const tlsIdentity = async () => identity
  await assert.rejects(listen({ app, host: '127.0.0.1', port: listener.port, tlsIdentity }), (error) => error instanceof CertloopError && error.code === 'PORT_TAKEN' && error.message.includes(String(listener.port)))
  await assert.rejects(listen({ app, host: '192.0.2.1', port: 0, tlsIdentity }), (error) => error instanceof CertloopError && error.code === 'SETTINGS_INVALID' && error.message.includes('192.0.2.1'))
})

test('what counts as this machine', () => {
  for (const own of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(own), own)
  for (const other of ['10.0.0.1', '::', '::ffff:10.0.0.1', '1.127.0.0', 'fe80::1', undefined]) assert.ok(!isLoopback(other), String(other))
})

test('plain HTTP from elsewhere is sent to https, or refused when it carries a secret', async (t) => {
  const server = http.createServer(refusePlainHttp).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}/a?b=c`
  const call = (options: RequestInit) => fetch(address, { redirect: 'manual', ...options })
  const sentOn = await call({})
  assert.equal(sentOn.status, 308)
  assert.match(sentOn.headers.get('location') ?? '', /^https:\/\/127\.0\.0\.1:\d+\/a\?b=c$/)
  const withSecrets: RequestInit[] = [{ method: 'POST' }, { headers: { authorization: 'Bearer x' } }]
  for (const options of withSecrets) {
    const refused = await call(options)
    assert.equal(refused.headers.get('content-type'), 'application/problem+json')
    assert.equal(((await refused.json()) as { code: string }).code, 'ADDRESS_INSECURE')
  }
})
