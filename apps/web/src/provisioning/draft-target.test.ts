import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SshReach, Target } from '@certloop/api-client'
import { argumentLines } from './argument-lines.ts'
import { blankTarget, draftTargetOf, reachOfKind, targetInputOf, withJumpSecret, withLoginSecret, withoutJump, withSecretField } from './draft-target.ts'

const jump = (host: string) => ({ host, port: 22, user: 'hop', authentication: 'key' as const, hostKey: null })
const reach: SshReach = { kind: 'ssh', host: 'db1', port: 22, user: 'u', authentication: 'password', hostKey: null, privilege: 'sudo', jumps: [jump('a'), jump('b')] }
const saved = { id: 'tgt_1', botId: 'bot_1', botName: 'w', serverType: 'jetty', reach, fields: { alias: 'x' }, title: 't', placement: { labels: [], pair: null }, secretsSet: ['fields.keystorePassword', 'login.password', 'jumps.0.privateKey', 'jumps.1.privateKey'], seenHostKey: null } satisfies Target

test('secrets that nobody touched are left out; typed ones and deletions are sent', () => {
  const draft = draftTargetOf(saved)
  assert.deepEqual(targetInputOf(draft), { id: 'tgt_1', botId: 'bot_1', serverType: 'jetty', reach, fields: { alias: 'x' }, placement: { labels: [], pair: null } })
  const typed = withJumpSecret(withLoginSecret(withSecretField(draft, 'keystorePassword', null), 'password', 'new'), 1, 'passphrase', 'p')
  assert.deepEqual(targetInputOf(typed).secrets, { fields: { keystorePassword: null }, login: { password: 'new' }, jumps: [{}, { passphrase: 'p' }] })
  assert.equal(targetInputOf(withJumpSecret(withLoginSecret(withSecretField(typed, 'keystorePassword', undefined), 'password', undefined), 1, 'passphrase', undefined)).secrets, undefined)
})

test('a jump host goes with its secrets, and those behind it have to be entered again', () => {
  const typed = withJumpSecret(draftTargetOf(saved), 1, 'passphrase', 'p')
  const after = withoutJump(typed, reach, 0)
  assert.deepEqual([after.reach === 'local' || after.reach.kind !== 'ssh' ? [] : after.reach.jumps.map(({ host }) => host), after.secrets?.jumps, after.kept], [['b'], [{ passphrase: 'p' }], ['fields.keystorePassword', 'login.password']])
})

test('another way in keeps host and user as far as it knows them', () => {
  assert.deepEqual(reachOfKind('ftp', reach), { kind: 'ftp', host: 'db1', port: 21, user: 'u', security: 'explicit-tls', pin: null })
  assert.deepEqual(reachOfKind('ssh', reachOfKind('ftp', reach)), { kind: 'ssh', host: 'db1', port: 22, user: 'u', authentication: 'key', hostKey: null, privilege: 'none', jumps: [] })
  const { privilege: _, ...way } = reach
  assert.deepEqual(reachOfKind('sftp', reach), { ...way, kind: 'sftp' })
  assert.equal(reachOfKind('local', reach), 'local')
  assert.equal(blankTarget({ botId: 'bot_1', serverType: 'nginx', fields: {} }).reach, 'local')
})

test('an argument may hold a comma or begin with a blank', () => {
  assert.deepEqual(argumentLines('/bin/tell\r\n a, b\n\n--x'), ['/bin/tell', ' a, b', '--x'])
})
