import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { DnsServer } from '@certloop/dns'
import { freePort, leftOut, selfSignedPair, startBind } from '@certloop/test-kit'
import { verdicts, viewOf, webServer, webServers, words } from './outside-testing.ts'

const bind = { skip: leftOut('named') }
const path = '/.well-known/acme-challenge/token-1'
const content = 'token-1.thumbprint'
const serve = (text: string, status = 200): RequestListener => (request, response) => { response.writeHead(request.url === path ? status : 404).end(request.url === path ? text : 'not here') }
const shown = serve(content)
const names = (t: TestContext, records: string): Promise<DnsServer> => startBind(t, { zones: [{ name: 'example.test', records }] })
const expected = (port: number, host = 'www.example.test') => ({ kind: 'http' as const, url: `http://${host}:${port}${path}`, path, content })

test('the file has to be served at each address of the name, with its name in the request', bind, async (t) => {
  const dns = await names(t, 'www IN A 127.0.0.1\nwww IN A 127.0.0.2\nwww IN AAAA ::1\nhalf IN A 127.0.0.1\nhalf IN AAAA ::1')
  const hosts: (string | undefined)[] = []
  const noting: RequestListener = (request, response) => { hosts.push(request.headers.host); shown(request, response) }
  const port = await webServers(t, { '127.0.0.1': noting, '127.0.0.2': serve(`${content}\r\n \t\n`), '::1': shown })
  const look = await viewOf([dns]).look(expected(port))
  assert.deepEqual([look.visible, verdicts(look)], [true, {
    'addresses of www.example.test': [true, null], 'split DNS for www.example.test': [true, null],
    [`port ${port} at 127.0.0.1`]: [true, null], [`port ${port} at 127.0.0.2`]: [true, null], [`port ${port} at ::1`]: [true, null],
  }])
  assert.deepEqual(hosts, [`www.example.test:${port}`])
  assert.match(words(look), /private addresses only \(127/)
})

test('another answer at one address, over IPv6 above all, is in the way', bind, async (t) => {
  const dns = await names(t, 'www IN A 127.0.0.1\nwww IN AAAA ::1')
  const port = await webServers(t, { '127.0.0.1': shown, '::1': serve('<html>Welcome</html>', 404) })
  const look = await viewOf([dns]).look(expected(port))
  assert.deepEqual([look.visible, verdicts(look)[`port ${port} at 127.0.0.1`], verdicts(look)[`port ${port} at ::1`]], [false, [true, null], [false, 'WEB_ADDRESSES_DIFFER']])
  assert.match(words(look), /::1 answers 404 Not Found with "<html>Welcome<\/html>" \(20 characters\)\. Another address/)
})

test('nobody at IPv6 is a doubt while IPv4 shows the file, and nobody at one of two IPv4 addresses is in the way', bind, async (t) => {
  const dns = await names(t, 'six IN A 127.0.0.1\nsix IN AAAA ::1\ntwo IN A 127.0.0.1\ntwo IN A 127.0.0.3\nnone IN A 127.0.0.3')
  const { port } = await webServer(t, shown)
  const view = viewOf([dns])
  const six = await view.look(expected(port, 'six.example.test'))
  assert.deepEqual([six.visible, verdicts(six)[`port ${port} at ::1`]], [true, [true, 'WEB_ADDRESSES_DIFFER']])
  const two = await view.look(expected(port, 'two.example.test'))
  assert.deepEqual([two.visible, verdicts(two)[`port ${port} at 127.0.0.3`]], [false, [false, 'WEB_ADDRESSES_DIFFER']])
  const none = await view.look(expected(port, 'none.example.test'))
  assert.deepEqual([none.visible, verdicts(none)[`port ${port} at 127.0.0.3`]], [false, [false, 'WEB_PORT_CLOSED']])
})

test('what is served instead is told, in few words', bind, async (t) => {
  const dns = await names(t, 'www IN A 127.0.0.1')
  let answer = shown
  const { port } = await webServer(t, (request, response) => answer(request, response))
  const seen = async (listener: RequestListener) => { answer = listener; const look = await viewOf([dns], { timeoutMs: 500 }).look(expected(port)); return [look.visible, look.findings.at(-1)?.error?.code, look.findings.at(-1)?.seen ?? ''] as const }
  const told = async (listener: RequestListener, code: string, pattern: RegExp) => { const [visible, got, text] = await seen(listener); assert.deepEqual([visible, got], [false, code]); assert.match(text, pattern) }
  await told(serve(` ${content}`), 'WEB_ANSWER_WRONG', /white space before/)
  await told(serve(''), 'WEB_ANSWER_WRONG', /with nothing/)
  await told(serve(content, 206), 'WEB_ANSWER_WRONG', /answers 206/)
  await told(serve('\u001b[31m\n\u0000x'.repeat(500)), 'WEB_ANSWER_WRONG', /^[\x20-\x7e…]{0,250}$/)
  await told((_, response) => { response.writeHead(200); const pour = () => { while (!response.destroyed && response.write('x'.repeat(10_000))); if (!response.destroyed) response.once('drain', pour) }; pour() }, 'WEB_ANSWER_WRONG', /"x+…"/)
  await told(() => {}, 'WEB_PORT_CLOSED', /no answer within 0.5 s/)
  await told((_, response) => { response.socket?.destroy() }, 'WEB_ANSWER_WRONG', /does not speak HTTP/)
  assert.deepEqual((await seen(shown)).slice(0, 1), [true])
})

/** Answers as the path says: /301/<address> redirects there. */
const redirects = (request: IncomingMessage, response: ServerResponse, first: string): void => {
  if (request.url === path) response.writeHead(301, { location: first }).end()
  else if (request.url === '/shown') response.end(content)
  else if (/^\/more\d+$/.test(request.url ?? '')) response.writeHead(302, { location: `/more${Number((request.url ?? '').slice(5)) - 1}`.replace('/more0', '/shown') }).end()
  else response.writeHead(404).end()
}

test('redirects are followed where authorities follow them', bind, async (t) => {
  const dns = await names(t, 'www IN A 127.0.0.1\nother IN A 127.0.0.2\nnone IN TXT "x"\ninside IN A 169.254.1.1')
  let [first, seen] = ['', '']
  const listener: RequestListener = (request, response) => redirects(request, response, first)
  const port = await webServers(t, { '127.0.0.1': listener, '127.0.0.2': (_, response) => { response.end(content) } })
  const to = async (location: string) => { first = location; const { visible, findings } = await viewOf([dns]).look(expected(port)); seen = findings.at(-1)?.seen ?? ''; return [visible, findings.at(-1)?.error?.code ?? null] }
  assert.deepEqual(await to('/shown'), [true, null])
  assert.deepEqual(await to('/more9'), [true, null], 'ten redirects')
  assert.deepEqual(await to('/more10'), [false, 'WEB_REDIRECT_WRONG'], 'eleven')
  assert.deepEqual(await to(path), [false, 'WEB_REDIRECT_WRONG'], 'a circle')
  assert.match(seen, /in a circle/)
  assert.deepEqual(await to(`http://other.example.test:${port}/x`), [true, null])
  assert.deepEqual(await to(`http://none.example.test:${port}/x`), [false, 'WEB_REDIRECT_WRONG'])
  assert.deepEqual(await to(`http://inside.example.test:${port}/x`), [false, 'ADDRESS_NOT_ALLOWED'])
  assert.deepEqual(await to('http://www.example.test:8444/'), [false, 'WEB_REDIRECT_WRONG'], 'another port')
  assert.deepEqual(await to('http://127.0.0.2/x'), [false, 'WEB_REDIRECT_WRONG'], 'an address in place of a name')
  assert.deepEqual(await to('ftp://www.example.test/x'), [false, 'WEB_REDIRECT_WRONG'])
  assert.deepEqual(await to('http://[x/'), [false, 'WEB_REDIRECT_WRONG'])
})

test('a redirect to https is followed whatever certificate is there', bind, async (t) => {
  const { certPem, keyPem } = await selfSignedPair(['else.test'])
  const secure = createTlsServer({ cert: certPem, key: keyPem }, (_, response) => { response.end(content) }).listen(0, '127.0.0.2')
  await once(secure, 'listening')
  t.after(() => { secure.closeAllConnections(); secure.close() })
  const { port } = secure.address() as AddressInfo
  await webServer(t, (_, response) => { response.writeHead(308, { location: `https://secure.example.test:${port}/x` }).end() }, '127.0.0.1', port)
  const dns = await names(t, 'www IN A 127.0.0.1\nsecure IN A 127.0.0.2')
  assert.equal((await viewOf([dns]).look(expected(port))).visible, true)
})

test('addresses without a name, names without addresses, and addresses that may not be reached', bind, async (t) => {
  const dns = await names(t, 'www IN A 127.0.0.1\ntext IN TXT "x"')
  const { port, server } = await webServer(t, shown)
  let connections = 0
  server.on('connection', () => { connections += 1 })
  const view = viewOf([dns])
  assert.deepEqual([(await view.look(expected(port, '127.0.0.1'))).visible, connections], [true, 1])
  const codes = async (host: string, look = view) => (await look.look(expected(port, host))).findings.flatMap(({ ok, error }) => (ok ? [] : [error?.code]))
  assert.deepEqual(await codes('text.example.test'), ['DNS_NAME_UNKNOWN'])
  assert.deepEqual(await codes('nothing.example.test'), ['DNS_NAME_UNKNOWN'])
  assert.deepEqual(await codes('www.example.test', viewOf([dns], { allow: ['private'] })), ['ADDRESS_NOT_ALLOWED'])
  assert.deepEqual(await codes('127.0.0.1', viewOf([dns], { allow: [] })), ['ADDRESS_NOT_ALLOWED'])
  assert.equal(connections, 1, 'nothing was sent there')
})

test('a name with many addresses is looked at twenty times at most', bind, async (t) => {
  const dns = await names(t, Array.from({ length: 30 }, (_, index) => `www IN A 127.0.1.${index + 1}`).join('\n'))
  const look = await viewOf([dns]).look(expected(await freePort()))
  assert.equal(look.findings.filter(({ title }) => title.startsWith('port ')).length, 20)
})
