import { CertloopError, type DeployResult, type HttpRequestStep } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRedactor, neededLater, secretsOf } from './secrets.ts'

const odd = 'p"ä ss<w&ord\\'

test('a secret is hidden as it stands, in JSON, XML, URLs and Basic authorization, and nothing else is', () => {
  const hide = createRedactor([odd, 'other-one'])
  const basic = ['a', 'ab', 'abc', 'abcd'].map((user) => Buffer.from(`${user}:${odd}`).toString('base64'))
  for (const form of [odd, JSON.stringify({ p: odd }), encodeURIComponent(odd), 'p=%22x', 'other-one']) {
    const shown = hide.text(`before ${form} after`)
    assert.ok(shown.startsWith('before ') && shown.endsWith(' after'), shown)
    if (form !== 'p=%22x') assert.match(shown, /\[hidden\]/, form)
  }
  assert.doesNotMatch(hide.text('x p&quot;ä ss&lt;w&amp;ord\\ y'), /ord/)
  for (const text of basic) assert.match(hide.text(`Authorization: Basic ${text}`), /^Authorization: Basic .{0,8}\[hidden\].{0,3}$/, text)
  assert.equal(hide.text('nothing of that'), 'nothing of that')
})

test('short values are left, those learnt later are hidden, and the longer one of two that begin alike goes first', () => {
  const hide = createRedactor(['abc'])
  assert.equal(hide.text('abc changeit-long'), 'abc changeit-long')
  hide.learn(['changeit', 'changeit-long'])
  assert.equal(hide.text('abc changeit-long'), 'abc [hidden]')
  const error = hide.error(new CertloopError('COMMAND_FAILED', 'said changeit', { output: 'changeit', list: ['changeit'], exitCode: 1 }))
  assert.deepEqual([error.message, error.facts], ['said [hidden]', { output: '[hidden]', list: ['[hidden]'], exitCode: 1 }])
})

test('a result keeps its form whatever a password looks like', () => {
  const at = '2026-01-01T00:00:00.000Z'
  const endpoint = { address: '127.0.0.1', port: 1, serverName: null, keyType: null }
  const result: DeployResult = {
    outcome: 'failed', touched: true, error: { code: 'COMMAND_FAILED', message: '2026', facts: {} }, differences: ['+1: 2026'],
    inspection: { at, installedPem: '2026', served: [{ endpoint, fingerprint: `2026${'0'.repeat(60)}`, error: null, at }] },
    log: [{ at, step: null, phase: 'do', ok: true, message: 'in 2026', output: '2026', durationMs: null }],
  }
  const shown = createRedactor(['2026']).result(result)
  assert.deepEqual([shown.log[0]?.at, shown.inspection], [at, result.inspection])
  assert.deepEqual([shown.error?.message, shown.differences, shown.log[0]?.message, shown.log[0]?.output], ['[hidden]', ['+1: [hidden]'], 'in [hidden]', '[hidden]'])
})

test('every secret of a target is known, and only what requests need is kept for after a crash', () => {
  assert.deepEqual(secretsOf({ fields: { a: 'one' }, login: { password: 'two' }, jumps: [{ privateKey: 'three', passphrase: 'four' }] }), ['one', 'two', 'three', 'four'])
  const step: HttpRequestStep = { kind: 'http-request', purpose: 'activate', title: 't', method: 'GET', url: 'http://x/', authorization: { scheme: 'basic', user: 'u', password: 'admin' }, expect: { status: [200] }, timeoutSeconds: 1 }
  assert.deepEqual(neededLater([step], { admin: 'x', keystore: 'y' }), { admin: 'x' })
})
