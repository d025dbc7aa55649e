import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CertificateDetail, ConfigurationInput, SshReach, Target } from '../../packages/api-client/src/index.ts'
import { tempFolder } from '../../packages/test-kit/src/index.ts'
import { createCli, jsonOf, startLoop } from './kit.ts'

const timeout = 180_000
const secret = 'p4ss-of-the-keystore'
const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----\n'

function targetIn(answer: Parameters<typeof jsonOf>[0]): Target {
  const target = jsonOf<CertificateDetail>(answer).configuration?.targets[0]
  assert.ok(target, 'there is no target')
  return target
}

test('a target on another machine is set, shown, exported without its secrets and taken in again', { timeout }, async (t) => {
  const { cli } = await startLoop(t)
  const folder = await tempFolder(t, 'files')
  const path = (name: string) => join(folder, name)
  const files: Record<string, string> = { key, password: `${secret}\n`, script: '#!/bin/sh\necho draining\n', bad: 'echo no interpreter\n' }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(path(name), text)))
  const [bot = ''] = jsonOf<{ items: { name: string }[] }>(await cli.run('bot', 'list', '--json')).items.map(({ name }) => name)
  await cli.run('certificate', 'add', 'shop.cli.test')
  const first = await cli.run('target', 'set', 'shop.cli.test', '--bot', bot, '--server-type', 'jetty')
  assert.match(first.stderr, /has no configuration yet[^]*configure shop\.cli\.test --draft/)
  assert.equal((await cli.run('certificate', 'configure', 'shop.cli.test', '--draft')).code, 0)

  const reach = ['--reach', 'ssh://deploy@db1.example:2022', '--key-file', path('key'), '--sudo', '--jump', 'ssh://hop@gate.example', '--jump-password-file', path('password')]
  const fields = ['basePath=/opt/jetty', 'keystorePath=/opt/jetty/shop.p12', 'alias=shop', 'newEntry=true', 'activation=command', 'restartCommand=/opt/jetty/bin/jetty.sh', 'restartCommand=restart', 'proofSeconds=90']
  const set = await cli.run('target', 'set', 'shop.cli.test', '--bot', bot, '--server-type', 'jetty', ...reach, ...fields.flatMap((field) => ['--field', field]),
    '--secret', `keystorePassword=${path('password')}`, '--no-overwrite', '--before', path('script'), '--after-device', '/usr/bin/tell', '--after-device', 'it is done')
  assert.equal(set.code, 0, set.stderr)
  assert.match(set.stdout, /Target 1: +Eclipse Jetty on db1\.example by .+, ssh deploy@db1\.example:2022 through gate\.example; overwrites nothing of others; script before; script after; secrets kept: fields\.keystorePassword, login\.privateKey, jumps\.0\.password/)
  const shown = targetIn(await cli.run('certificate', 'show', 'shop.cli.test', '--json'))
  assert.deepEqual(shown.fields, { basePath: '/opt/jetty', keystorePath: '/opt/jetty/shop.p12', alias: 'shop', newEntry: true, activation: 'command', restartCommand: ['/opt/jetty/bin/jetty.sh', 'restart'], proofSeconds: 90 })
  const way: SshReach = { kind: 'ssh', host: 'db1.example', port: 2022, user: 'deploy', authentication: 'key', hostKey: null, privilege: 'sudo', jumps: [{ host: 'gate.example', port: 22, user: 'hop', authentication: 'password', hostKey: null }] }
  assert.deepEqual(shown.reach, way)
  assert.deepEqual(shown.scripts, { before: { source: { from: 'platform', interpreter: '/bin/sh', text: files['script'] }, timeoutSeconds: 300 }, after: { source: { from: 'device', argv: ['/usr/bin/tell', 'it is done'] }, timeoutSeconds: 300 } })

  const exported = await cli.run('certificate', 'export', 'shop.cli.test')
  assert.match(exported.stderr, /secrets of Eclipse Jetty on db1\.example are left out: fields\.keystorePassword, login\.privateKey, jumps\.0\.password/)
  for (const { stdout, stderr } of [set, exported]) assert.ok(!`${stdout}${stderr}`.includes(secret) && !`${stdout}${stderr}`.includes('bm90IGEga2V5'))
  await writeFile(path('config.json'), exported.stdout)
  const again = await cli.run('certificate', 'configure', 'shop.cli.test', '--file', path('config.json'), '--draft', '--json')
  assert.deepEqual(jsonOf<CertificateDetail>(again).configuration?.targets, [shown])
  const elsewhere = JSON.parse(await readFile(path('config.json'), 'utf8')) as ConfigurationInput
  const moved = { ...elsewhere, targets: elsewhere.targets.map((target) => ({ ...target, reach: { ...way, user: 'root' } })), complete: true }
  await writeFile(path('moved.json'), JSON.stringify(moved))
  assert.match((await cli.run('certificate', 'configure', 'shop.cli.test', '--file', path('moved.json'))).stderr, /secrets\/login\/privateKey: has to be entered again/)

  const changed = targetIn(await cli.run('target', 'set', 'shop.cli.test', '--target', '1', '--overwrite', '--before', '', '--field', 'proofSeconds=', '--secret', 'keystorePassword=', '--json'))
  assert.deepEqual([changed.id, changed.overwrite, Object.keys(changed.scripts ?? {}), changed.fields['proofSeconds'], changed.secretsSet], [shown.id, true, ['after'], undefined, ['login.privateKey', 'jumps.0.password']])
  const renamed = targetIn(await cli.run('target', 'set', 'shop.cli.test', '--target', '1', '--field', 'alias=other', '--json'))
  assert.deepEqual([renamed.fields['alias'], renamed.secretsSet], ['other', changed.secretsSet], 'secrets stay at another place on the same machine')
  const hostKeys = (letter: string) => ['--host-key', `SHA256:${letter.repeat(43)}`, '--jump-host-key', `SHA256:${letter.repeat(43)}`]
  const withKeys = (letter: string) => ({ ...way, hostKey: `SHA256:${letter.repeat(43)}`, jumps: way.jumps.map((jump) => ({ ...jump, hostKey: `SHA256:${letter.repeat(43)}` })) })
  for (const [letter, ...words] of [['A', '--reach', 'ssh://deploy@db1.example:2022'], ['B']] as const) {
    const pinned = await cli.run('target', 'set', 'shop.cli.test', '--target', '1', ...words, ...hostKeys(letter), '--json')
    assert.equal(pinned.code, 0, pinned.stderr)
    const after = targetIn(pinned)
    assert.deepEqual([after.reach, after.secretsSet], [withKeys(letter), changed.secretsSet], 'only the host keys change')
  }
  const anotherUser = await cli.run('target', 'set', 'shop.cli.test', '--target', '1', '--reach', 'ssh://root@db1.example:2022')
  assert.match(anotherUser.stderr, /Say how to log in/)
  const inTheOpen = await cli.run('target', 'set', 'shop.cli.test', '--target', '1', '--field', `keystorePassword=${secret}`)
  assert.equal(inTheOpen.code, 2)
  assert.match(inTheOpen.stderr, /keystorePassword is secret[^]*--secret keystorePassword=FILE/)
  assert.ok(!inTheOpen.stderr.includes(secret))
  const confirmed = await cli.run('target', 'confirm-host-key', 'shop.cli.test', '--fingerprint', `SHA256:${'A'.repeat(43)}`)
  assert.match(confirmed.stderr, /No host key waits to be confirmed[^]*recheck-pinning/)
  assert.equal((await cli.run('target', 'remove', 'shop.cli.test', '--yes')).code, 0)
  assert.deepEqual(jsonOf<CertificateDetail>(await cli.run('certificate', 'show', 'shop.cli.test', '--json')).configuration?.targets, [])

  const far = await cli.run('bot', 'scan-host', bot, 'ssh://nobody@127.0.0.1:9', '--key-file', path('key'))
  assert.equal(far.code, 1)
  assert.match(far.stdout, /Scan: +scn_\w{26}\nWay: +ssh nobody@127\.0\.0\.1:9\nState: +failed/)
  assert.ok(!`${far.stdout}${far.stderr}`.includes('bm90IGEga2V5'))
})

test('words that do not fit a way in are refused before anything is sent, and no password is repeated', { timeout }, async (t) => {
  const cli = await createCli(t, { CERTLOOP_URL: 'http://127.0.0.1:9', CERTLOOP_TOKEN: 'clt_x' })
  const bot = `bot_${'0'.repeat(26)}`
  const cases: readonly [string[], RegExp][] = [
    [['bot', 'scan-host', bot, 'db1.example'], /takes an address such as ssh:\/\/deploy@db1\.example/],
    [['bot', 'scan-host', bot, `ssh://deploy:${secret}@db1.example`], /takes no password: command lines can be read by others[^]*--password-stdin/],
    [['bot', 'scan-host', bot, 'ssh://db1.example'], /has to name user and host/],
    [['bot', 'scan-host', bot, 'ssh://deploy@db1.example'], /Say how to log in: --password-stdin/],
    [['bot', 'scan-host', bot, 'ssh://deploy@db1.example', '--password-stdin', '--bot-key', '/k'], /Choose one way to log in: --password-stdin, --bot-key/],
    [['bot', 'scan-host', bot, 'ssh://deploy@db1.example', '--key-file', '/nonexistent/key'], /private key can not be read/],
    [['bot', 'scan-host', bot, 'ssh://deploy@db1.example', '--password-stdin', '--jump', 'ssh://hop@gate.example'], /jump host gate\.example: --jump-key-file/],
    [['bot', 'scan-host', bot, 'sftp://deploy@db1.example', '--bot-key', '/k'], /over ssh:\/\/ alone/],
  ]
  for (const [words, expected] of cases) {
    const { code, stdout, stderr } = await cli.run(...words)
    assert.equal(code, 2, `${words.join(' ')}: ${stderr}`)
    assert.match(stderr, expected)
    assert.ok(!`${stdout}${stderr}`.includes(secret))
  }
  assert.match((await cli.run('bot', 'scan-host', '--help')).stdout, /private key; it is\s+forgotten/)
})
