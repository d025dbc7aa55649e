import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { configurationLine, forLog, withoutPrivateKeys } from './redact.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })
const body = privateKey.split('\n').slice(1, -2)

test('private keys are hidden, whole or cut off at either end', () => {
  const shown = [
    withoutPrivateKeys(`before\n${privateKey}after`),
    withoutPrivateKeys(`before\n${privateKey.slice(0, privateKey.length / 2)}`),
    withoutPrivateKeys(`${privateKey.slice(60)}after`),
    withoutPrivateKeys(`one ${privateKey} two ${privateKey.replaceAll('PRIVATE', 'EC PRIVATE')} three`),
  ]
  for (const text of shown) {
    assert.match(text, /\[private key hidden\]/)
    for (const line of body) assert.ok(!text.includes(line), text)
  }
  assert.match(shown[0] ?? '', /^before\n.*\nafter$/)
  assert.match(shown[3] ?? '', /^one .*\n two .*\n three$/)
})

test('a long output keeps its beginning and its end', () => {
  const text = forLog(`first ${'x'.repeat(10_000)} last`, 100) ?? ''
  assert.match(text, /^first x+\n… \d+ characters left out …\nx+ last$/)
  assert.ok(text.length < 150)
  assert.equal(forLog(' \n'), null)
})

test('a line of a configuration shows no secret', () => {
  const cases = [
    ['  proxy_set_header Authorization "Basic abc";', '  proxy_set_header [hidden]'],
    ['ssl_password_file /etc/keys/pass;', 'ssl_password_file [hidden]'],
    ['secret=hunter2', 'secret=[hidden]'],
    ['  stats auth admin:hunter2', '  stats [hidden]'],
    ['wsrep-sst-auth=sst:hunter2', 'wsrep-sst-auth=[hidden]'],
    ['  auth_basic off;', '  auth_basic off;'],
    ['token: abc', 'token: [hidden]'],
    ['set $x deadbeefdeadbeefdeadbeefdeadbeefdeadbeef;', 'set $x [hidden];'],
    ['  ssl_certificate_key /etc/ssl/shop.key;', '  ssl_certificate_key /etc/ssl/shop.key;'],
    ['  listen 443 ssl;', '  listen 443 ssl;'],
  ] as const
  for (const [line, shown] of cases) assert.equal(configurationLine(line), shown)
})
