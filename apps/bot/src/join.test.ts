import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { encodeJoinToken, newId } from '@certloop/contract'
import { freePort, tempFolder } from '@certloop/test-kit'
import { certificate } from '../test/authority.ts'
import { startConnectProxy } from '../test/connect-proxy.ts'
import { startContractServer, type ServerOptions } from '../test/contract-server.ts'
import { loadIdentity } from './identity.ts'
import { joinControlPlane, type JoinOptions } from './join.ts'

const now = () => new Date()
const host = { hostName: 'web-1', os: 'linux', osVersion: '12', arch: 'x64', addresses: ['192.0.2.1'] }

async function secureServer(t: TestContext, options: Partial<ServerOptions> & { names?: string[] } = {}) {
  const folder = await tempFolder(t)
  const anchor = await certificate(folder, 'anchor')
  const tls = await certificate(folder, 'server', { issuer: anchor, names: options.names ?? ['127.0.0.1'] })
  return startContractServer(t, { now, tls, anchorPem: anchor.cert, ...options })
}

async function attempt(t: TestContext, token: string, more: Partial<JoinOptions> = {}) {
  const dataFolder = more.dataFolder ?? await tempFolder(t)
  return { dataFolder, joining: joinControlPlane({ token, dataFolder, name: 'web-1', host, proxy: undefined, environment: {}, ...more }) }
}
const trustAnchor = 'GET /bot/v1/trust-anchor'
const joinCall = 'POST /bot/v1/join'

test('joining checks the pin, then sends the secret over TLS that the anchor vouches for', async (t) => {
  const server = await secureServer(t)
  const { dataFolder, joining } = await attempt(t, server.token())
  const identity = await joining
  assert.deepEqual(server.paths(), [trustAnchor, joinCall])
  assert.deepEqual([identity.url, identity.joined.name], [server.url, 'web-1'])
  assert.deepEqual((await readdir(dataFolder)).toSorted(), ['identity.json', 'identity.key'])
  assert.equal((await stat(join(dataFolder, 'identity.key'))).mode & 0o777, 0o600)
  const privateKey = (await readFile(join(dataFolder, 'identity.key'), 'utf8')).split('\n')[1] ?? ''
  assert.ok(server.seen.every((s) => !s.body.includes(privateKey)), 'the private key was sent')
})

test('with a wrong pin nothing is sent but the question for the anchor', async (t) => {
  const server = await secureServer(t)
  const { dataFolder, joining } = await attempt(t, server.token({ pin: 'ab'.repeat(32) }))
  await assert.rejects(joining, { code: 'PIN_MISMATCH', message: new RegExp(server.pin) })
  assert.deepEqual(server.paths(), [trustAnchor])
  assert.equal(await loadIdentity(dataFolder), undefined)
})

test('a server that shows the right anchor but can not prove it never sees the secret', async (t) => {
  const folder = await tempFolder(t)
  const impostor = await certificate(folder, 'impostor', { names: ['127.0.0.1'] })
  const anchor = await certificate(folder, 'anchor')
  const server = await startContractServer(t, { now, tls: impostor, anchorPem: anchor.cert })
  const { joining } = await attempt(t, server.token())
  await assert.rejects(joining, { code: 'PIN_MISMATCH' })
  assert.deepEqual(server.paths(), [trustAnchor])
})

test('the anchor\'s certificate for another host name is not enough', async (t) => {
  const server = await secureServer(t, { names: ['other.example'] })
  const { joining } = await attempt(t, server.token())
  await assert.rejects(joining, { code: 'PIN_MISMATCH', message: /127\.0\.0\.1/ })
  assert.deepEqual(server.paths(), [trustAnchor])
})

test('an intermediate, or the server\'s own certificate, can be the anchor', async (t) => {
  const folder = await tempFolder(t)
  const root = await certificate(folder, 'root')
  const intermediate = await certificate(folder, 'intermediate', { issuer: root })
  const tls = await certificate(folder, 'server', { issuer: intermediate, names: ['127.0.0.1'] })
  for (const anchorPem of [intermediate.cert, tls.cert]) {
    const server = await startContractServer(t, { now, tls, anchorPem })
    const { joining } = await attempt(t, server.token())
    assert.equal((await joining).anchorPem, anchorPem)
  }
})

test('without a pin the roots of the system decide, and a private authority is none of them', async (t) => {
  const server = await secureServer(t)
  const { joining } = await attempt(t, server.token({ pin: '' }))
  await assert.rejects(joining, { code: 'CONTROL_PLANE_UNREACHABLE', message: /certificate/ })
  assert.deepEqual(server.paths(), [])
})

test('an anchor that is no certificate, or two, is refused', async (t) => {
  const { cert } = await certificate(await tempFolder(t), 'anchor')
  const tls = await certificate(await tempFolder(t), 'server', { names: ['127.0.0.1'] })
  const server = await startContractServer(t, { now, tls })
  for (const text of ['none', cert + cert]) {
    server.state.mischief = () => ({ status: 200, body: JSON.stringify({ certificatePem: text }) })
    await assert.rejects((await attempt(t, server.token())).joining, { code: 'ANSWER_INVALID' }, text)
  }
})

test('a used, unknown or malformed token is told apart, and the next one gets a new key', async (t) => {
  const server = await secureServer(t)
  const token = server.token()
  await (await attempt(t, token)).joining
  const { dataFolder, joining } = await attempt(t, token)
  await assert.rejects(joining, { code: 'JOIN_TOKEN_USED' })
  assert.deepEqual(await readdir(dataFolder), [])
  await assert.rejects((await attempt(t, server.token({ secret: 'x'.repeat(32) }))).joining, { code: 'JOIN_TOKEN_UNKNOWN' })
  await assert.rejects((await attempt(t, token.slice(0, -8))).joining, { code: 'JOIN_TOKEN_MALFORMED' })
})

test('http is refused for another host before anything is sent, and works on loopback', async (t) => {
  const insecure = encodeJoinToken({ url: 'http://certloop.example', pin: '', id: newId('jtk', new Date()), secret: 'x'.repeat(32) })
  await assert.rejects((await attempt(t, insecure)).joining, { code: 'ADDRESS_INSECURE' })
  const server = await startContractServer(t, { now })
  assert.equal((await (await attempt(t, server.token())).joining).anchorPem, null)
})

test('a folder that belongs to a bot is left alone unless it is to be replaced', async (t) => {
  const server = await secureServer(t)
  const { dataFolder, joining } = await attempt(t, server.token())
  const first = await joining
  await assert.rejects((await attempt(t, server.token(), { dataFolder })).joining, { code: 'BOT_ALREADY_JOINED', message: new RegExp(first.joined.botId) })
  const second = await (await attempt(t, server.token(), { dataFolder, replace: true })).joining
  assert.notEqual(second.joined.botId, first.joined.botId)
  assert.notEqual(second.keyDigest, first.keyDigest)
})

test('a replacement that fails leaves the present identity', async (t) => {
  const server = await secureServer(t)
  const { dataFolder, joining } = await attempt(t, server.token())
  const first = await joining
  await assert.rejects((await attempt(t, server.token({ secret: 'x'.repeat(32) }), { dataFolder, replace: true })).joining, { code: 'JOIN_TOKEN_UNKNOWN' })
  assert.equal((await loadIdentity(dataFolder))?.joined.botId, first.joined.botId)
})

test('an answer lost on its way is said with what to do; the same token then turns out used', async (t) => {
  const server = await secureServer(t)
  const token = server.token()
  server.state.mischief = (path) => path.endsWith('/join') ? 'cut-after' : undefined
  const { dataFolder, joining } = await attempt(t, token)
  await assert.rejects(joining, { code: 'CONTROL_PLANE_UNREACHABLE', message: /answer to joining was lost.*make a new one and revoke/s })
  assert.deepEqual(await readdir(dataFolder), ['identity-next.key'])
  server.state.mischief = () => undefined
  await assert.rejects((await attempt(t, token, { dataFolder })).joining, { code: 'JOIN_TOKEN_USED' })
  await (await attempt(t, server.token(), { dataFolder })).joining
})

test('nobody at the address is said plainly', async (t) => {
  const server = await secureServer(t)
  const token = server.token({ url: `https://127.0.0.1:${await freePort()}` })
  await assert.rejects((await attempt(t, token)).joining, { code: 'CONTROL_PLANE_UNREACHABLE', message: /ECONNREFUSED/ })
})

test('anchor and secret go through the proxy, and TLS inside it is checked by host name', async (t) => {
  const server = await secureServer(t, { hostName: 'control.example', names: ['control.example'] })
  const proxy = await startConnectProxy(t, server.port, 'secret')
  const environment = { HTTPS_PROXY: `http://bot:secret@127.0.0.1:${proxy.port}` }
  await (await attempt(t, server.token(), { environment })).joining
  assert.deepEqual([...new Set(proxy.asked)], [`control.example:${server.port}`])
  assert.deepEqual(server.paths(), [trustAnchor, joinCall])
  await (await attempt(t, server.token(), { proxy: environment.HTTPS_PROXY })).joining

  const other = server.token({ url: `https://other.example:${server.port}` })
  await assert.rejects((await attempt(t, other, { environment })).joining, { code: 'PIN_MISMATCH', message: /other\.example/ })
})

test('a proxy that wants a password, and one that is away, are said plainly', async (t) => {
  const server = await secureServer(t, { hostName: 'control.example', names: ['control.example'] })
  const proxy = await startConnectProxy(t, server.port, 'secret')
  await assert.rejects((await attempt(t, server.token(), { proxy: proxy.url })).joining, { code: 'CONTROL_PLANE_UNREACHABLE', message: /407|[Pp]roxy/ })
  await assert.rejects((await attempt(t, server.token(), { proxy: `http://127.0.0.1:${await freePort()}` })).joining, { code: 'CONTROL_PLANE_UNREACHABLE' })
  assert.deepEqual(server.paths(), [])
})
