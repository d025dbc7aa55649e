import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { CertloopError, type ErrorFacts } from '@certloop/contract'
import { freePort, selfSignedPair } from '@certloop/test-kit'
import { addressGuard, createOutbound, type OutboundOptions } from './outbound.ts'

test('which addresses may be reached', () => {
  const cases: [allow: string[], allowed: string[], refused: string[]][] = [
    [[], ['192.0.2.7', '8.8.8.8', '2001:db8::1', '::ffff:8.8.8.8', '64:ff9b::808:808', '2002:808:808::1'], [
      '127.0.0.1', '127.9.9.9', '0.0.0.0', '0.1.2.3', '169.254.169.254', '224.0.0.1', '255.255.255.255', '192.0.0.192', '::', '::1', 'fe80::1', 'fe80::1%eth0', 'ff02::1',
      '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', '198.18.0.1', 'fd00::1', 'fc00::1', 'fec0::1',
      '::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:a00:1', '0:0:0:0:0:ffff:10.0.0.1', '64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '2002:7f00:1::', '2002:a9fe:a9fe::1', '::127.0.0.1',
      '100.100.100.200', '168.63.129.16', 'fd00:ec2::254', 'localhost', '', '127.1', '2130706433', '1.2.3.4.5',
    ]],
    [['private'], ['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1', '::ffff:10.0.0.1', '2002:a00:1::'], ['127.0.0.1', '169.254.169.254', '::1', 'fe80::1', '::ffff:127.0.0.1', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254', 'fd20:ce::254', '2002:7f00:1::']],
    [['127.0.0.0/8', '::1'], ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1'], ['10.0.0.1', '169.254.169.254', '0.0.0.0', 'fe80::1']],
    [['10.1.0.0/16', 'fe80::7', '169.254.169.254'], ['10.1.2.3', 'fe80::7', 'fe80::7%2', '169.254.169.254', '::ffff:10.1.2.3'], ['10.2.0.1', 'fe80::8', '169.254.169.253']],
  ]
  for (const [allow, allowed, refused] of cases) {
    const guard = addressGuard(allow)
    assert.deepEqual(allowed.filter((address) => !guard.allows(address)), [], `allowed by "${allow.join()}"`)
    assert.deepEqual(refused.filter((address) => guard.allows(address)), [], `refused by "${allow.join()}"`)
  }
})

const local = addressGuard(['127.0.0.0/8'])
const outbound = (options: Partial<OutboundOptions> = {}) => createOutbound({ guard: local, unreachable: 'DNS_PROVIDER_UNREACHABLE', userAgent: 'certloop/test', timeoutMs: 5000, ...options })
async function listen<S extends Server>(t: TestContext, server: S, closeAll: () => void): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { closeAll(); server.close() })
  return (server.address() as AddressInfo).port
}
async function http(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createHttpServer(answer)
  return `http://127.0.0.1:${await listen(t, server, () => server.closeAllConnections())}`
}
async function https(t: TestContext, names: string[], answer: RequestListener): Promise<{ port: number; trustPem: string; requests: () => number }> {
  const { certPem, keyPem } = await selfSignedPair(names)
  let count = 0
  const server = createHttpsServer({ cert: certPem, key: keyPem }, (request, response) => { count++; answer(request, response) })
  return { port: await listen(t, server, () => server.closeAllConnections()), trustPem: certPem, requests: () => count }
}
/** Answers each connection as told, without any HTTP of its own. */
async function tcp(t: TestContext, answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  return `http://127.0.0.1:${await listen(t, server, () => { for (const socket of sockets) socket.destroy() })}`
}
async function failing(work: Promise<unknown>): Promise<{ code: string; message: string; facts: ErrorFacts }> {
  const error = await work.then(() => assert.fail('it succeeded'), (thrown: unknown) => thrown)
  assert.ok(error instanceof CertloopError, String(error))
  return error
}

test('a request arrives as it was meant, and any status is an answer', async (t) => {
  const seen: unknown[] = []
  const url = await http(t, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      seen.push([request.method, request.url, request.headers['user-agent'], request.headers['content-length'], request.headers['x-one'], Buffer.concat(chunks).toString()])
      response.writeHead(request.url === '/moved' ? 302 : 418, { 'location': '/elsewhere', 'x-answer': 'yes' }).end('grüezi')
    })
  })
  const { status, headers, body, text } = await outbound().request({ method: 'POST', url: `${url}/a?b=c`, body: 'zürich', headers: { 'x-one': '1' } })
  assert.deepEqual([status, headers['x-answer'], text(), body.length], [418, 'yes', 'grüezi', 7])
  assert.equal((await outbound().request({ url: `${url}/moved` })).status, 302, 'redirects are not followed')
  assert.equal((await outbound().request({ method: 'PUT', url, body: Buffer.from([1, 2, 3]) })).status, 418)
  assert.equal((await outbound().request({ method: 'HEAD', url })).body.length, 0)
  assert.deepEqual(seen, [['POST', '/a?b=c', 'certloop/test', '7', '1', 'zürich'], ['GET', '/moved', 'certloop/test', undefined, undefined, ''], ['PUT', '/', 'certloop/test', '3', undefined, '\u0001\u0002\u0003'], ['HEAD', '/', 'certloop/test', undefined, undefined, '']])
})

test('only http and https addresses are called, and none that the guard refuses, however it is written', async (t) => {
  const url = await http(t, (_request, response) => response.end('inside'))
  const port = new URL(url).port
  for (const bad of ['', 'ca.example/dir', 'ftp://127.0.0.1/', 'file:///etc/passwd', 'javascript:1']) assert.equal((await failing(outbound().request({ url: bad }))).code, 'INPUT_INVALID', bad)
  const strict = outbound({ guard: addressGuard(['private']) })
  for (const host of ['127.0.0.1', '127.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::1]', 'localhost']) {
    const { code, message } = await failing(strict.request({ url: `http://${host}:${port}/` }))
    assert.equal(code, 'ADDRESS_NOT_ALLOWED', `${host}: ${message}`)
  }
})

test('a name that resolves to an address that is refused is refused, also when another of its addresses is not', async (t) => {
  const url = await http(t, (_request, response) => response.end('inside'))
  const port = new URL(url).port
  let answers = [{ address: '127.0.0.1', family: 4 }]
  const asked: string[] = []
  const lookup = ((hostname: string, _options: object, callback: (error: null, found: typeof answers) => void) => { asked.push(hostname); callback(null, answers) }) as unknown as NonNullable<OutboundOptions['lookup']>
  assert.equal((await outbound({ lookup }).request({ url: `http://ca.example:${port}/` })).text(), 'inside')
  for (const guard of [addressGuard([]), addressGuard(['private'])]) {
    const { code, message } = await failing(outbound({ lookup, guard }).request({ url: `http://ca.example:${port}/` }))
    assert.deepEqual([code, message], ['ADDRESS_NOT_ALLOWED', 'ca.example (127.0.0.1) is an address that outgoing calls may not reach.'])
  }
  answers = [{ address: '127.0.0.1', family: 4 }, { address: '::ffff:169.254.169.254', family: 6 }]
  assert.match((await failing(outbound({ lookup }).request({ url: `http://ca.example:${port}/` }))).message, /^ca\.example \(::ffff:169\.254\.169\.254\)/)
  assert.equal(asked.length, 4, 'asked at each call')
})

test('trust: the given anchor alone, for the name that was called', async (t) => {
  const { port, trustPem, requests } = await https(t, ['localhost', '127.0.0.1'], (_request, response) => response.end('safe'))
  const url = `https://127.0.0.1:${port}/`
  assert.equal((await outbound({ trustPem }).request({ url })).text(), 'safe')
  const { certPem: other } = await selfSignedPair(['127.0.0.1'])
  for (const pem of [undefined, other, 'nonsense', '-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n']) {
    const { code, facts } = await failing(outbound(pem === undefined ? {} : { trustPem: pem }).request({ url, method: 'POST', body: 'secret' }))
    assert.deepEqual([code, facts['sent']], ['AUTHORITY_NOT_TRUSTED', 'no'], pem ?? 'none given')
  }
  const elsewhere = await https(t, ['ca.example'], (_request, response) => response.end('x'))
  assert.equal((await failing(outbound({ trustPem: elsewhere.trustPem }).request({ url: `https://127.0.0.1:${elsewhere.port}/` }))).code, 'AUTHORITY_NOT_TRUSTED')
  assert.deepEqual([requests(), elsewhere.requests()], [1, 0], 'nothing was sent to whom is not trusted')
})

test('what can not be reached is told with whether anything arrived', async (t) => {
  const whyOf = async (url: string, options: Partial<OutboundOptions> = {}, more: { timeoutMs?: number; signal?: AbortSignal } = {}) => {
    const { code, message, facts } = await failing(outbound(options).request({ method: 'POST', url, body: 'order', ...more }))
    assert.equal(code, 'DNS_PROVIDER_UNREACHABLE', message)
    return `${String(facts['sent'])}: ${message.replace(/^127\.0\.0\.1:\d+ can not be reached: /, '')}`
  }
  assert.equal(await whyOf(`http://127.0.0.1:${await freePort()}/`), 'no: nothing listens there (connection refused).')
  const unknown = ((_hostname: string, _options: object, callback: (error: Error) => void) => callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }))) as unknown as NonNullable<OutboundOptions['lookup']>
  assert.equal(await whyOf('http://gone.example/', { lookup: unknown }), 'no: gone.example can not be reached: there is no such name in DNS.')

  const silent = await tcp(t, () => {})
  assert.equal(await whyOf(silent, {}, { timeoutMs: 50 }), 'maybe: no whole answer within 0.05 s.')
  const slow = await tcp(t, (socket) => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome') })
  assert.equal(await whyOf(slow, {}, { timeoutMs: 100 }), 'maybe: no whole answer within 0.1 s.')
  const stop = new AbortController()
  const stopped = await tcp(t, () => stop.abort())
  assert.equal(await whyOf(stopped, {}, { signal: stop.signal }), 'maybe: the call was given up.')

  const halfClosed = await tcp(t, (socket) => { socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome') })
  assert.equal(await whyOf(halfClosed), 'maybe: the connection ended in the middle of the answer.')
  const noAnswer = await tcp(t, (socket) => { socket.end() })
  assert.match(await whyOf(noAnswer), /^maybe: the connection was cut off\.$/)
  const chunks = await tcp(t, (socket) => { socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n') })
  assert.equal(await whyOf(chunks), 'maybe: the connection ended in the middle of the answer.')
  const garbage = await tcp(t, (socket) => { socket.end('SSH-2.0-OpenSSH\r\n\r\n') })
  assert.match(await whyOf(garbage), /^maybe: /)
  const plainText = (await tcp(t, (socket) => { socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })).replace('http:', 'https:')
  assert.equal(await whyOf(plainText), 'no: what answers there does not speak TLS, or none that is safe.')
})

test('an answer that is too long is not read on', async (t) => {
  let written = 0
  const url = await http(t, (_request, response) => {
    const more = () => { if (!response.destroyed && written < 50_000_000) { written += 65_536; response.write(Buffer.alloc(65_536), more) } }
    more()
  })
  const { message, facts } = await failing(outbound({ maxBytes: 100_000 }).request({ url }))
  assert.deepEqual([facts['sent'], /the answer is longer than 100000 bytes/.test(message)], ['maybe', true], message)
  assert.ok(written < 50_000_000)
  const short = await http(t, (_request, response) => response.end(Buffer.alloc(100_000)))
  assert.equal((await outbound({ maxBytes: 100_000 }).request({ url: short })).body.length, 100_000)
})
