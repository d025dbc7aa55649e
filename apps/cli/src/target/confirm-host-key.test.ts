import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateDetail, JumpHost, Target } from '@certloop/api-client'
import { nothingToConfirm } from './confirm-host-key.ts'

const key = `SHA256:${'A'.repeat(43)}`
const login = (host: string): JumpHost => ({ host, port: 22, user: 'u', authentication: 'key', hostKey: key })
const reach = { kind: 'ssh', ...login('db1.example'), privilege: 'none', jumps: [login('gate.example'), login('second.example')] }
const target = { id: 'tgt_2', reach, title: 'nginx on db1.example' } as unknown as Target
const certificate = (host: string, code = 'HOST_KEY_CHANGED') => ({
  name: 'db.example', configuration: { targets: [{ id: 'tgt_1' }, target] }, lastAction: null, problem: { code, message: `${host} port 22 does not show the confirmed key ${key}. It shows another.`, facts: {} },
}) as unknown as CertificateDetail

test('a key that has changed is not confirmed: it says so, and the command that sets it', () => {
  const { text } = nothingToConfirm(certificate('db1.example'), target)
  assert.deepEqual([text.code, text.what], ['HOST_KEY_CHANGED', 'The key of db1.example:22 has changed. Such a key is not confirmed this way.'])
  assert.match(text.remedy ?? '', /certloop target set db\.example --target 2 --host-key SHA256:…$/)
  assert.ok(nothingToConfirm(certificate('second.example'), target).text.remedy?.endsWith(`--target 2 --jump-host-key ${key} --jump-host-key SHA256:…`))
})

test('without a changed key on the way to this target the bot is to look first', () => {
  for (const other of [certificate('elsewhere.example'), certificate('db1.example', 'LOGIN_REFUSED')]) {
    const { code, remedy } = nothingToConfirm(other, target).text
    assert.deepEqual([code, remedy], ['ACTION_NOT_POSSIBLE', 'Let the bot look first: certloop certificate recheck-pinning db.example --wait'])
  }
})
