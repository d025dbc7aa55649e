import assert from 'node:assert/strict'
import { test } from 'node:test'
import { machineOf, type JumpHost, type SshReach } from './target.ts'

test('a machine is named by its address and the way to it, whoever logs in', () => {
  const jump = (host: string): JumpHost => ({ host, port: 22, user: 'hop', authentication: 'bot-key', hostKey: null })
  const ssh: SshReach = { ...jump('Web-1.example'), kind: 'ssh', privilege: 'none', jumps: [] }
  const { privilege: _, ...login } = ssh
  assert.equal(machineOf({ reach: 'local' }), 'local')
  assert.equal(machineOf({ reach: ssh }), 'ssh web-1.example:22')
  assert.equal(machineOf({ reach: { ...ssh, user: 'root', privilege: 'sudo' } }), 'ssh web-1.example:22')
  assert.equal(machineOf({ reach: { ...login, kind: 'sftp' } }), 'ssh web-1.example:22')
  assert.equal(machineOf({ reach: { kind: 'ftp', host: 'Web-1.example', port: 21, user: 'u', security: 'none', pin: null } }), 'ftp web-1.example:21')
  assert.equal(machineOf({ reach: { ...ssh, host: '10.0.0.5', jumps: [jump('outer'), jump('inner')] } }), 'ssh 10.0.0.5:22 via inner:22 via outer:22')
  assert.notEqual(machineOf({ reach: { ...ssh, jumps: [jump('one')] } }), machineOf({ reach: { ...ssh, jumps: [jump('other')] } }))
})
