import { type HttpRequestStep, CertloopError, sealPlan } from '@certloop/contract'
import { leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { digestAuthorization, readChallenges } from '../../src/engine/steps/http-authorization.ts'
import { httpRequest } from '../../src/engine/steps/http-request.ts'
import { stepContext } from './engine-kit.ts'

const password = 'sécret "1"'
const step = (url: string, more: Partial<HttpRequestStep> = {}): HttpRequestStep => ({ kind: 'http-request', purpose: 'activate', title: 'Reload', method: 'POST', url, expect: { status: [200] }, timeoutSeconds: 5, ...more })
const context = stepContext({ secret: (name) => (name === 'admin' ? password : '') })
const run = (asked: HttpRequestStep) => httpRequest.do(context, asked)

async function server(t: TestContext, answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<string> {
  const listening = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => { answer(request, response, Buffer.concat(chunks).toString()) })
  })
  await new Promise<void>((resolve) => { listening.listen(0, '127.0.0.1', resolve) })
  t.after(() => { listening.closeAllConnections(); listening.close() })
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
}

test('method, headers and body arrive; the answer has to fit in status and text', async (t) => {
  const url = await server(t, (request, response, body) => { response.end(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`) })
  const asked = step(`${url}/management?x=1`, { headers: { 'Content-Type': 'application/json' }, body: '{"a":1}' })
  assert.deepEqual(await run({ ...asked, expect: { status: [200], body: '^POST /management\\?x=1 application/json \\{"a":1\\}$' } }), { message: 'Reload: answered with status 200.', output: 'POST /management?x=1 application/json {"a":1}' })
  await assert.rejects(run({ ...asked, expect: { status: [200], body: 'success' } }), { code: 'MANAGEMENT_REFUSED', message: /status 200: POST \/management/ })
  await assert.rejects(run({ ...asked, expect: { status: [204] } }), { code: 'MANAGEMENT_REFUSED' })
})

test('nothing there, no answer, a broken one and an endless one have codes of their own', { timeout: 60_000 }, async (t) => {
  const url = await server(t, ({ url: path }, response) => {
    if (path === '/broken') response.socket?.destroy()
    if (path === '/short') { response.writeHead(200, { 'Content-Length': 10 }); response.write('x'); response.socket?.end() }
    if (path === '/endless') { response.on('error', () => undefined); const more = () => { if (!response.destroyed && response.write('x'.repeat(65_536))) setImmediate(more); else response.once('drain', more) }; more() }
  })
  await assert.rejects(run(step('http://127.0.0.1:1/')), { code: 'HOST_UNREACHABLE' })
  await assert.rejects(run(step(`${url}/silent`, { timeoutSeconds: 1 })), { code: 'COMMAND_TIMEOUT' })
  await assert.rejects(run(step(`${url}/broken`)), { code: 'HOST_UNREACHABLE' })
  await assert.rejects(run(step(`${url}/short`)), { code: 'HOST_UNREACHABLE' })
  await assert.rejects(run(step(`${url}/endless`)), { code: 'MANAGEMENT_REFUSED', message: /longer/ })
})

test('after a failure: a management that still answers is asked, also when nothing listens where the certificate is served; a server that is gone reads its files when it starts', async (t) => {
  const url = await server(t, (_request, response) => { response.end('asked') })
  const endpoint = { address: '127.0.0.1', port: 1, serverName: null, keyType: null }
  const fingerprint = 'a'.repeat(64)
  const plan = sealPlan({ serverType: 'tiny', observed: [], steps: [{ kind: 'prove', expect: fingerprint, endpoints: [{ endpoint, before: fingerprint }], timeoutSeconds: 1 }] })
  const troubled = stepContext({ plan, troubled: true, probe: async () => ({ endpoint, fingerprint: null, error: 'nothing there', at: '2026-01-01T00:00:00Z' }) })
  assert.equal((await httpRequest.do(troubled, step(url)))?.output, 'asked')
  assert.match((await httpRequest.do(troubled, step('http://127.0.0.1:1/')))?.message ?? '', /is down; it reads its files/)
  await assert.rejects(async () => httpRequest.do({ ...troubled, troubled: false }, step('http://127.0.0.1:1/')), { code: 'HOST_UNREACHABLE' })
})

// RFC 7616, 3.9.1
const example = (algorithm: string) => `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
const answered = (lines: string[]) => digestAuthorization(lines, { user: 'Mufasa', password: 'Circle of Life' }, 'GET', '/dir/index.html', 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ')

test('Digest: the examples of RFC 7616, and of several the best', () => {
  assert.match(answered([example('MD5')]), /response="8ca523f5e9506fed4657c9700eebdbec"/)
  const best = answered([`Basic realm="x", ${example('MD5')}`, example('SHA-256')])
  assert.match(best, /response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"/)
  assert.match(best, /^Digest username="Mufasa", .*opaque="FQhe.*algorithm=SHA-256, qop=auth, nc=00000001$/)
  // RFC 2069: without qop
  assert.match(answered(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"']), /response="[0-9a-f]{32}"(?!.*(?:qop|cnonce))/)
  for (const lines of [[], ['Negotiate abc=='], [example('SHA-512-256')], ['Digest realm="x", nonce="y", qop="auth-int"']]) assert.throws(() => answered(lines), { code: 'MANAGEMENT_REFUSED' })
  assert.deepEqual(readChallenges(['Bearer, Digest realm="a \\"b\\", c" , nonce=n']).map(({ scheme, parameters }) => [scheme, ...parameters]), [['bearer'], ['digest', ['realm', 'a "b", c'], ['nonce', 'n']]])
})

for (const [algorithm, hash] of [['MD5', 'md5'], ['SHA-256', 'sha256']] as const) {
  test(`Digest with ${algorithm} is asked for and given`, async (t) => {
    const h = (text: string) => createHash(hash).update(text).digest('hex')
    const url = await server(t, (request, response, body) => {
      const part = (name: string) => new RegExp(`${name}="?([^",]*)`).exec(request.headers.authorization ?? '')?.[1] ?? ''
      const expected = h([h(`admin:Realm:${password}`), 'n0nce', part('nc'), part('cnonce'), 'auth', h('POST:/m?a=b')].join(':'))
      if (part('response') === expected && part('uri') === '/m?a=b') response.end(`welcome ${body}`)
      else response.writeHead(401, { 'WWW-Authenticate': `Digest realm="Realm", nonce="n0nce", qop="auth", algorithm=${algorithm}` }).end('who are you?')
    })
    const asked = step(`${url}/m?a=b`, { body: 'x', authorization: { scheme: 'digest', user: 'admin', password: 'admin' }, expect: { status: [200], body: 'welcome x' } })
    await run(asked)
    await assert.rejects(run({ ...asked, authorization: { scheme: 'digest', user: 'admin', password: 'wrong' } }), { code: 'MANAGEMENT_REFUSED', message: /user or password refused\): who are you/ })
  })
}

test('Basic at a real nginx over TLS: a pinned certificate is taken, another one gets no password', { skip: leftOut('nginx') }, async (t) => {
  const folder = await tempFolder(t, 'http')
  const pair = await selfSignedPair(['admin.test'])
  const { certPath, keyPath } = await writePair(folder, 'admin', pair)
  await writeFile(join(folder, 'users'), `admin:{SHA}${createHash('sha1').update(password).digest('base64')}\n`, { mode: 0o644 })
  const nginx = await startNginx(t, {
    configuration: ({ ports }) => `http { access_log off; server { listen 127.0.0.1:${ports[0]} ssl; ssl_certificate ${certPath}; ssl_certificate_key ${keyPath}; auth_basic x; auth_basic_user_file ${join(folder, 'users')}; root ${folder}; } }`,
  })
  await writeFile(join(folder, 'state'), 'running')
  const asked = step(`https://127.0.0.1:${nginx.ports[0]}/state`, { method: 'GET', authorization: { scheme: 'basic', user: 'admin', password: 'admin' }, pins: [pair.fingerprint], expect: { status: [200], body: '^running$' } })
  await run(asked)
  await assert.rejects(run({ ...asked, authorization: { scheme: 'basic', user: 'admin', password: 'wrong' } }), { code: 'MANAGEMENT_REFUSED', message: /401/ })
  await assert.rejects(run({ ...asked, pins: ['0'.repeat(64)] }), { code: 'MANAGEMENT_REFUSED', message: /none of the expected.*Nothing was sent/ })
  const { pins: _, ...unpinned } = asked
  await assert.rejects(run(unpinned), (error) => error instanceof CertloopError && error.code === 'MANAGEMENT_REFUSED' && /self-signed/.test(error.message))
})
