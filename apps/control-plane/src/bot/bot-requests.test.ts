import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { botPaths, newId, signRequest, type ErrorCode, type Problem } from '@certloop/contract'
import { emptyDatabase } from '../database/database-testing.ts'
import type { HttpDeps } from '../http/index.ts'
import { startHttp } from '../http/http-testing.ts'
import { createBotAuth } from './bot-auth.ts'
import { registerBotProtocol } from './bot-protocol-routes.ts'
import { insertBot, updateBot } from './bot-store.ts'

const never = async (): Promise<never> => { throw new Error('never called') }

/** The bot protocol on a real port, with one joined bot. */
async function startProtocol(t: TestContext, options: Partial<HttpDeps> = {}) {
  const database = await emptyDatabase(t)
  let at = new Date('2026-03-01T00:00:00.000Z')
  const now = () => at
  const http = await startHttp(t, database, (app) => registerBotProtocol(app, {
    database, now, closing: new AbortController().signal, handlers: {} as never, publicUrl: () => '', trustPin: never, issueIdentity: never, trustAnchorPem: never,
  }), { botAuth: createBotAuth({ database, now }), now, ...options })
  await http.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = http.app.server.address() as AddressInfo
  const addBot = async () => {
    const key = generateKeyPairSync('ed25519')
    const botId = await database.transaction((tx) => insertBot(tx, { name: 'b', purpose: 'both' }, at))
    await updateBot(database.db, botId, { publicKeyPem: key.publicKey.export({ type: 'spki', format: 'pem' }).toString(), joinedAt: at.toISOString() })
    const signed = (path: string, body: string, when = at) => ({ ...signRequest({ method: 'POST', path, body }, botId, key.privateKey, when) })
    return { botId, signed }
  }
  return { ...http, database, port, addBot, pass: (seconds: number) => { at = new Date(at.getTime() + seconds * 1000) }, now }
}

/** Sends a head that promises `bytes`, and then nothing: the answer shows what is known without the body. */
async function answerToHead(port: number, path: string, headers: Record<string, string>, bytes: number): Promise<ErrorCode | undefined> {
  return new Promise((resolve, reject) => {
    const request = sendRequest({ host: '127.0.0.1', port, path, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': bytes, ...headers }, timeout: 5000 }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => { text += piece }).once('end', () => { request.destroy(); resolve((JSON.parse(text) as Problem).code) })
    })
    request.once('timeout', () => { request.destroy(); resolve(undefined) })
    request.once('error', reject)
    request.flushHeaders()
  })
}

test('who sends is known before the body is read: strangers can not make us read one', { timeout: 60_000 }, async (t) => {
  const { port, addBot, database, now } = await startProtocol(t)
  const bot = await addBot()
  const path = `/bot/v1/tasks/${newId('tsk', now())}/result`
  const head = (headers: Record<string, string>) => answerToHead(port, path, headers, 30_000_000)
  assert.equal(await head({}), 'BOT_SIGNATURE_INVALID')
  assert.equal(await head(signRequest({ method: 'POST', path, body: 'x' }, newId('bot', now()), generateKeyPairSync('ed25519').privateKey, now()) as never), 'BOT_UNKNOWN')
  assert.equal(await head(signRequest({ method: 'POST', path, body: 'x' }, bot.botId, generateKeyPairSync('ed25519').privateKey, now()) as never), 'BOT_SIGNATURE_INVALID')
  assert.equal(await head(bot.signed('/bot/v1/tasks/lease', 'x')), 'BOT_SIGNATURE_INVALID', 'signed for another call')
  assert.equal(await head(bot.signed(path, 'x', new Date(now().getTime() - 400_000))), 'BOT_SIGNATURE_INVALID')
  await updateBot(database.db, bot.botId, { revokedAt: now().toISOString() })
  assert.equal(await head(bot.signed(path, 'x')), 'BOT_REVOKED')
})

test('a body other than the one that was signed is refused', async (t) => {
  const { call, addBot } = await startProtocol(t)
  const bot = await addBot()
  const path = '/bot/v1/tasks/lease'
  const body = JSON.stringify({ bootId: 'boot-0001', waitSeconds: 0, max: 1 })
  const headers = () => ({ 'content-type': 'application/json', ...bot.signed(path, body) })
  const altered = await call('POST', path, headers(), body.replace('1}', '2}'))
  assert.deepEqual([altered.json().code, altered.json().detail], ['BOT_SIGNATURE_INVALID', 'The body was altered on its way.'])
  assert.equal((await call('POST', path, headers())).json().code, 'BOT_SIGNATURE_INVALID', 'nor none at all')
  assert.deepEqual((await call('POST', path, headers(), body)).json(), { tasks: [] })
})

test('the key for secrets that a bot tells at its start is kept; anything but a public X25519 key is refused', async (t) => {
  const { call, addBot, database } = await startProtocol(t)
  const bot = await addBot()
  const host = { hostName: 'h', os: 'linux', osVersion: '6', arch: 'x64', addresses: [] }
  const hello = async (encryptionKeyPem?: string) => {
    const body = JSON.stringify({ bootId: 'boot-0001', version: '0.1.0', protocol: 1, host, ...(encryptionKeyPem === undefined ? {} : { encryptionKeyPem }) })
    return call('POST', botPaths.hello, { 'content-type': 'application/json', ...bot.signed(botPaths.hello, body) }, body)
  }
  const kept = async () => (await database.db.selectFrom('bot').select('encryptionKeyPem').where('id', '=', bot.botId).executeTakeFirstOrThrow()).encryptionKeyPem
  const { publicKey, privateKey } = generateKeyPairSync('x25519')
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  assert.equal((await hello(pem)).statusCode, 200)
  assert.equal(await kept(), pem)
  const others = [privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'nonsense']
  for (const other of others) assert.match((await hello(other)).body, /INPUT_INVALID.*encryptionKeyPem/)
  assert.equal(await kept(), pem)
  assert.equal((await hello()).statusCode, 200)
  assert.equal(await kept(), null, 'an older bot in its place can open nothing')
})

test('joining, which is open to strangers, takes small bodies only', async (t) => {
  const { call } = await startProtocol(t)
  const answer = await call('POST', botPaths.join, { 'content-type': 'application/json' }, JSON.stringify({ name: 'x'.repeat(300_000) }))
  assert.deepEqual([answer.statusCode, answer.json().code], [413, 'BODY_TOO_LARGE'])
})

test('bots behind one address are counted each by itself; whoever is no bot by that address', async (t) => {
  const { call, addBot } = await startProtocol(t, { rateLimits: { signInPerMinute: 2, requestsPerMinute: 5 } })
  const path = '/bot/v1/tasks/lease'
  const body = JSON.stringify({ bootId: 'boot-0001', waitSeconds: 0, max: 1 })
  const json = { 'content-type': 'application/json' }
  for (const bot of [await addBot(), await addBot(), await addBot()]) {
    for (let i = 0; i < 5; i++) assert.equal((await call('POST', path, { ...json, ...bot.signed(path, body) }, body)).statusCode, 200)
    const refused = await call('POST', path, { ...json, ...bot.signed(path, body) }, body)
    assert.deepEqual([refused.statusCode, refused.json().code], [429, 'TOO_MANY_REQUESTS'])
  }
  for (let i = 0; i < 5; i++) assert.equal((await call('POST', path, json, body)).json().code, 'BOT_SIGNATURE_INVALID')
  assert.equal((await call('POST', path, json, body)).statusCode, 429)
  assert.equal((await call('GET', '/healthz')).statusCode, 429)
})
