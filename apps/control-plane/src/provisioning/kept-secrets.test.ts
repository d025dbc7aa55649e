import assert from 'node:assert/strict'
import { test } from 'node:test'
import { field, fieldsObject, type JumpHost, type Reach, type SshReach, type TargetSecrets, type TargetSecretsInput } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { mergeSecrets, secretsSet } from './kept-secrets.ts'

const manifest: ServerTypeManifest = {
  id: 'sample', title: 'Sample', category: 'java', summary: '', identity: ['path'], capabilities: [],
  fields: fieldsObject({
    path: field.path({ label: 'Path', help: '' }), url: field.optional(field.text({ label: 'URL', help: '' })), owner: field.optional(field.text({ label: 'Owner', help: '' })),
    storePassword: field.secret({ label: 'Store', help: '' }), managerPassword: field.optional(field.secret({ label: 'Manager', help: '', sentTo: ['url'] })),
  }),
}
const jump: JumpHost = { host: 'jump.example', port: 22, user: 'hop', authentication: 'key', hostKey: null }
const ssh: SshReach = { kind: 'ssh', host: 'db1.example', port: 22, user: 'deploy', authentication: 'password', hostKey: null, privilege: 'none', jumps: [jump] }
const kept: TargetSecrets = { fields: { storePassword: 's1', managerPassword: 'm1' }, login: { password: 'p1' }, jumps: [{ privateKey: 'k1', passphrase: 'q1' }] }
const botId = `bot_${'0'.repeat(26)}` as const
const place = (reach: Reach, fields: Record<string, unknown> = { path: '/a', url: 'https://a' }) => ({ botId, manifest, reach, fields })
const merge = (reach: Reach, given: TargetSecretsInput = {}, fields?: Record<string, unknown>) => mergeSecrets(place(reach, fields), { place: place(ssh), secrets: kept }, given)
const setAfter = (reach: Reach, given: TargetSecretsInput = {}) => secretsSet(merge(reach, given).secrets)

test('what is left out stays, null deletes, a new value replaces', () => {
  assert.deepEqual(merge(ssh), { secrets: kept, problems: [], missing: [] })
  assert.deepEqual(merge({ ...ssh, hostKey: `SHA256:${'A'.repeat(43)}`, privilege: 'sudo', host: 'DB1.example' }).secrets, kept, 'the host is the same')
  assert.deepEqual(merge(ssh, { login: { password: 'p2' }, fields: { managerPassword: null, storePassword: 's2' } }).secrets, { ...kept, login: { password: 'p2' }, fields: { storePassword: 's2' } })
  assert.deepEqual(merge(ssh, { jumps: [{ privateKey: 'k2' }] }).secrets.jumps, [{ privateKey: 'k2' }], 'a passphrase goes with its key')
  assert.deepEqual(merge(ssh, { login: { password: null } }).missing, ['secrets/login/password: is missing'])
})

test('a kept password is given to nobody else: another host, port, user, authentication or way drops it and says so', () => {
  const others: Partial<SshReach>[] = [{ host: 'evil.example' }, { port: 2222 }, { user: 'root' }, { jumps: [] }, { jumps: [{ ...jump, host: 'evil.example' }] }, { jumps: [{ ...jump, user: 'x' }] }, { jumps: [jump, { ...jump, host: 'second.example' }] }]
  for (const change of others) {
    const { secrets, missing } = merge({ ...ssh, ...change })
    assert.equal(secrets.login, undefined, JSON.stringify(change))
    assert.ok(missing.some((line) => line.startsWith('secrets/login/password: has to be entered again')), missing.join())
  }
  assert.deepEqual(setAfter({ ...ssh, authentication: 'key' }), ['fields.storePassword', 'jumps.0.privateKey', 'jumps.0.passphrase'])
  assert.deepEqual(setAfter({ ...ssh, jumps: [{ ...jump, port: 23 }] }), [], 'an address behind another host is that of another machine')
  assert.deepEqual(setAfter({ ...ssh, user: 'root' }), ['fields.storePassword', 'jumps.0.privateKey', 'jumps.0.passphrase'], 'the machine is the same')
  assert.deepEqual(setAfter({ ...ssh, host: 'evil.example' }), ['jumps.0.privateKey', 'jumps.0.passphrase'], 'the jump host is still the same')
  assert.deepEqual(setAfter('local'), [])
})

test('another bot is given nothing that was kept, another kind of server no secret of the fields', () => {
  const before = { place: place(ssh), secrets: kept }
  const elsewhere = mergeSecrets({ ...place(ssh), botId: `bot_${'1'.repeat(26)}` }, before, {})
  assert.deepEqual(secretsSet(elsewhere.secrets), [])
  assert.deepEqual(elsewhere.missing.map((line) => line.split(':')[0]), ['fields/storePassword', 'secrets/login/password', 'secrets/jumps/0/privateKey'])
  const another = mergeSecrets({ ...place(ssh), manifest: { ...manifest, id: 'another' } }, before, {})
  assert.deepEqual(secretsSet(another.secrets), ['login.password', 'jumps.0.privateKey', 'jumps.0.passphrase'])
})

test('FTP without TLS is another place to give a password to', () => {
  const ftp: Reach = { kind: 'ftp', host: 'f.example', port: 21, user: 'u', security: 'explicit-tls', pin: null }
  const after = (reach: Reach) => mergeSecrets(place(reach), { place: place(ftp), secrets: { login: { password: 'p' } } }, {}).secrets.login
  assert.deepEqual(after({ ...ftp, pin: 'a'.repeat(64) }), { password: 'p' })
  assert.equal(after({ ...ftp, security: 'none' }), undefined)
})

test('a secret field stays while the fields that say whom it is given to stay', () => {
  assert.deepEqual(merge(ssh, {}, { path: '/a', url: 'https://a', owner: 'x' }).secrets.fields, kept.fields)
  assert.deepEqual(merge(ssh, {}, { path: '/a', url: 'https://evil' }).secrets.fields, { storePassword: 's1' })
})

test('what is missing for a complete configuration and what fits nowhere is named', () => {
  const first = mergeSecrets(place({ ...ssh, authentication: 'key' }), undefined, { login: { password: 'p' }, jumps: [{}, {}], fields: { path: 'x' } })
  assert.deepEqual(first.missing, ['fields/storePassword: is missing', 'secrets/login/privateKey: is missing', 'secrets/jumps/0/privateKey: is missing'])
  assert.deepEqual(first.problems.map((line) => line.split(':')[0]), ['secrets/fields/path', 'secrets/login/password', 'secrets/jumps/1'])
  assert.match(mergeSecrets(place('local'), undefined, { login: { password: 'p' } }).problems.join(), /machine of the bot/)
  for (const line of [...first.missing, ...first.problems]) assert.ok(!line.includes('"p"'), line)
})
