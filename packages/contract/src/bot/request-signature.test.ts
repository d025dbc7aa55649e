import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { newId } from '../new-id.ts'
import { readSignature, signatureWindowSeconds, signRequest, verifySignature, type SignedRequest } from './request-signature.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const botId = newId('bot', new Date())
const at = new Date('2026-11-21T12:00:00Z')
const request: SignedRequest = { method: 'POST', path: '/bot/v1/hello', body: '{"a":1}' }
const invalid = { code: 'BOT_SIGNATURE_INVALID' }
const headersOf = (changes: Record<string, string> = {}) => ({ ...signRequest(request, botId, privateKey, at), ...changes })
const check = (sent: SignedRequest, headers = headersOf(), now = at, key = publicKey) => verifySignature(sent, readSignature(headers), key, now)

test('a signed request is accepted, also by a key read from PEM, within the window', () => {
  check(request)
  check({ ...request, method: 'post', body: Buffer.from('{"a":1}') })
  check(request, headersOf(), at, createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })))
  for (const seconds of [-signatureWindowSeconds, signatureWindowSeconds]) check(request, headersOf(), new Date(at.getTime() + seconds * 1000))
  assert.equal(readSignature(headersOf()).botId, botId)
})

test('anything altered, another key, an old or a future date is refused', () => {
  const altered: SignedRequest[] = [{ ...request, body: '{"a":2}' }, { ...request, path: '/bot/v1/tasks/lease' }, { ...request, method: 'GET' }, { ...request, body: '' }]
  for (const sent of altered) assert.throws(() => check(sent), invalid, JSON.stringify(sent))
  assert.throws(() => check(request, headersOf(), at, generateKeyPairSync('ed25519').publicKey), invalid)
  for (const seconds of [-signatureWindowSeconds - 1, signatureWindowSeconds + 1]) assert.throws(() => check(request, headersOf(), new Date(at.getTime() + seconds * 1000)), invalid)
})

test('a digest that was made to fit an altered body is refused by the signature', () => {
  const other = signRequest({ ...request, body: '{"a":2}' }, botId, generateKeyPairSync('ed25519').privateKey, at)
  assert.throws(() => check({ ...request, body: '{"a":2}' }, headersOf({ 'content-digest': other['content-digest'] })), invalid)
})

test('headers that are missing, doubled in one, or of another form are refused', () => {
  const good = headersOf()
  for (const name of Object.keys(good)) assert.throws(() => readSignature({ ...good, [name]: undefined }), invalid, name)
  const wrong = [good['signature-input'].replace('"@path" ', ''), good['signature-input'].replace('ed25519', 'hmac-sha256'), good['signature-input'].replace(botId, 'nobody'), `${good['signature-input']};expires=1`]
  for (const input of wrong) assert.throws(() => readSignature({ ...good, 'signature-input': input }), invalid, input)
  assert.throws(() => readSignature({ ...good, signature: 'sig1=:???:' }), invalid)
})
