import { CertloopError, type Endpoint } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { eventually, selfSignedPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createSecureContext, createServer, type TlsOptions } from 'node:tls'
import { duplexPair } from 'node:stream'
import { connectLocally } from '../hosts/local-connect.ts'
import { createProber, probersFor } from './probe.ts'

const now = () => new Date('2026-01-01T00:00:00Z')
const probe = createProber({ now, timeLimitMs: 5000 })
const endpoint = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({ address: '127.0.0.1', port, serverName: null, keyType: null, ...more })

async function listening(t: TestContext, server: Server, address = '127.0.0.1'): Promise<number> {
  server.listen(0, address)
  await once(server, 'listening')
  t.after(() => { server.close() })
  return (server.address() as AddressInfo).port
}

async function tlsServer(t: TestContext, options: TlsOptions, address?: string): Promise<number> {
  const server = createServer(options)
  server.on('tlsClientError', () => undefined).on('secureConnection', (socket) => socket.on('error', () => undefined).end())
  return listening(t, server, address)
}

const asOptions = ({ certPem: cert, keyPem: key }: { certPem: string; keyPem: string }) => ({ cert, key })

test('the leaf that is served, over IPv4 and IPv6, trusted or not', async (t) => {
  const pair = await selfSignedPair(['shop.test'])
  for (const address of ['127.0.0.1', '::1']) {
    const at = endpoint(await tlsServer(t, asOptions(pair), address), { address })
    assert.deepEqual(await probe(at), { endpoint: at, fingerprint: pair.fingerprint, error: null, at: '2026-01-01T00:00:00.000Z' })
  }
})

test('the name asked for is sent, or none', async (t) => {
  const [one, two] = await Promise.all([selfSignedPair(['one.test']), selfSignedPair(['two.test'])])
  const names: string[] = []
  const port = await tlsServer(t, { ...asOptions(one), SNICallback: (name, done) => { names.push(name); done(null, createSecureContext(asOptions(two))) } })
  assert.equal((await probe(endpoint(port))).fingerprint, one.fingerprint)
  assert.deepEqual(names, [])
  assert.equal((await probe(endpoint(port, { serverName: 'two.test' }))).fingerprint, two.fingerprint)
  assert.deepEqual(names, ['two.test'])
})

for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
  test(`of an RSA and an ECDSA certificate the one asked for, ${maxVersion}`, async (t) => {
    const [rsa, ec] = await Promise.all([selfSignedPair(['shop.test'], 'rsa'), selfSignedPair(['shop.test'], 'ec')])
    const port = await tlsServer(t, { cert: [rsa.certPem, ec.certPem], key: [rsa.keyPem, ec.keyPem], maxVersion })
    assert.equal((await probe(endpoint(port, { keyType: 'rsa' }))).fingerprint, rsa.fingerprint)
    assert.equal((await probe(endpoint(port, { keyType: 'ec' }))).fingerprint, ec.fingerprint)
    const only = await tlsServer(t, { ...asOptions(rsa), maxVersion })
    const missing = await probe(endpoint(only, { keyType: 'ec' }))
    assert.equal(missing.fingerprint, null)
    assert.ok(missing.error)
  })
  test(`a server that insists on a client certificate is seen, ${maxVersion}`, async (t) => {
    const pair = await selfSignedPair(['shop.test'])
    const port = await tlsServer(t, { ...asOptions(pair), requestCert: true, rejectUnauthorized: true, maxVersion })
    assert.equal((await probe(endpoint(port))).fingerprint, pair.fingerprint)
  })
}

test('a server of yesterday: TLS 1.0 with SHA-1', async (t) => {
  const pair = await selfSignedPair(['shop.test'], 'rsa')
  const port = await tlsServer(t, { ...asOptions(pair), minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' })
  assert.equal((await probe(endpoint(port))).fingerprint, pair.fingerprint)
})

test('a server that would rather do without certificates still shows its own', async (t) => {
  const pair = await selfSignedPair(['shop.test'], 'rsa')
  const port = await tlsServer(t, { ...asOptions(pair), maxVersion: 'TLSv1.2', honorCipherOrder: true, ciphers: 'aNULL:ALL:@SECLEVEL=0', dhparam: 'auto' })
  assert.equal((await probe(endpoint(port))).fingerprint, pair.fingerprint)
})

test('nothing listens, something silent, something that hangs up, something else: an error and never a throw', async (t) => {
  const impatient = createProber({ now, timeLimitMs: 100 })
  const closed = await listening(t, createTcpServer())
  const silent = await listening(t, createTcpServer((socket) => socket.on('error', () => undefined)))
  const rude = await listening(t, createTcpServer((socket) => socket.on('error', () => undefined).end()))
  const talker = await listening(t, createTcpServer((socket) => socket.on('error', () => undefined).end('220 mail.test ESMTP\r\n')))
  const gone = createTcpServer()
  const freed = await listening(t, gone)
  gone.close()
  await once(gone, 'close')
  assert.ok(closed)
  for (const [port, reason] of [[silent, /within 100 ms/], [rude, /./], [talker, /does not speak TLS/], [freed, /^Nothing listens there/]] as const) {
    const seen = await impatient(endpoint(port))
    assert.equal(seen.fingerprint, null)
    assert.match(seen.error ?? '', reason)
  }
  assert.ok((await impatient(endpoint(1, { address: 'not an address' }))).error)
  assert.ok((await impatient(endpoint(99_999_999))).error)
})

test('no session is taken up again: each look is a handshake of its own', async (t) => {
  const pair = await selfSignedPair(['shop.test'])
  const server = createServer(asOptions(pair))
  const reused: boolean[] = []
  server.on('secureConnection', (socket) => { reused.push(socket.isSessionReused()); socket.on('error', () => undefined).end() })
  const at = endpoint(await listening(t, server))
  await probe(at)
  await probe(at)
  await eventually(() => reused.length === 2, { what: 'both handshakes seen by the server' })
  assert.deepEqual(reused, [false, false])
})

/** A host whose 127.0.0.1:443 is elsewhere, reached by a stream that is no socket. */
function farHost(port: number): Host {
  const connectFar: Host['connect'] = async (to, timeoutMs) => {
    assert.deepEqual(to, { address: '127.0.0.1', port: 443 })
    const socket = await connectLocally({ address: '127.0.0.1', port }, timeoutMs)
    const [near, far] = duplexPair()
    far.pipe(socket).pipe(far)
    return near
  }
  return { kind: 'ssh', connect: connectFar } as Partial<Host> as Host
}

test('an endpoint of a far host is reached as that host reaches it, with TLS over the given stream', async (t) => {
  const pair = await selfSignedPair(['shop.test'], 'rsa')
  const far = probersFor({ now })(farHost(await tlsServer(t, asOptions(pair))))
  for (const more of [{}, { serverName: 'shop.test' }, { keyType: 'rsa' as const }]) assert.equal((await far(endpoint(443, more))).fingerprint, pair.fingerprint)
  const wrong = createTcpServer((socket) => { socket.on('error', () => undefined).end('220 hello\r\n') })
  const plain = probersFor({ now })(farHost(await listening(t, wrong)))
  assert.match((await plain(endpoint(443))).error ?? '', /does not speak TLS|closed during/)
  assert.match((await plain(endpoint(443, { startTls: 'smtp' }))).error ?? '', /hung up|closed/)
})

test('what a far host says about a failed connection is the error', async () => {
  const refusing = { kind: 'ssh', connect: async () => { throw new CertloopError('HOST_UNREACHABLE', 'No way there.') } } as Partial<Host> as Host
  assert.equal((await probersFor({ now })(refusing)(endpoint(443))).error, 'No way there.')
  const never = { kind: 'ssh', connect: () => new Promise(() => undefined) } as Partial<Host> as Host
  assert.match((await probersFor({ now, timeLimitMs: 50 })(never)(endpoint(443))).error ?? '', /within 50 ms/)
})
