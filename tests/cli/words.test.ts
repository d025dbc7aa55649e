import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateDetail } from '../../packages/api-client/src/index.ts'
import { createCli, jsonOf, startLoop } from './kit.ts'

const timeout = 180_000

test('mistyped words, options and values name the nearest, and end with 2', { timeout }, async (t) => {
  // Nobody listens there: words that do not fit are refused before anything is sent.
  const cli = await createCli(t, { CERTLOOP_URL: 'http://127.0.0.1:9', CERTLOOP_TOKEN: 'clt_x' })
  const cases: readonly [string[], RegExp][] = [
    [['certificat', 'list'], /Did you mean "certificate"\?/],
    [['certificate', 'roate', 'x'], /Did you mean "rotate"\?/],
    [['certificate', 'list', '--stauts', 'x'], /no option --stauts\. Did you mean --status\?/],
    [['certificate', 'list', '--status', 'deployd'], /Did you mean "deployed"\?/],
    [['certificate', 'manage', 'x', 'ignore'], /Did you mean "ignored"\?/],
    [['certificate', 'show'], /needs CERTIFICATE/],
    [['certificate', 'show', 'a', 'b'], /one word too many/],
    [['certificate', 'list', '--limit', '0'], /from 1 to 10000/],
    [['certificate', 'list', '--status'], /argument missing/],
    [['certificate', 'configure', 'x', '--bot', 'y'], /add --target-from-scan/],
    [['certificate', 'configure', 'x', '--file', 'y', '--key', 'ec-256'], /does not go with --key/],
    [['certificate', 'configure', 'x', '--canary', '-1'], /--canary takes no negative number, such as -1\./],
    [['certificate', 'list', '--search', '--all'], /--search needs a value, and "--all" looks like the next option/],
    [['order'], /needs a verb: list, show, cancel/],
    [[], /No command was given/],
    [['--url', 'x', 'bot', 'list'], /stands before a command/],
  ]
  for (const [words, expected] of cases) {
    const { code, stdout, stderr } = await cli.run(...words)
    assert.equal(code, 2, `${words.join(' ')}: ${stderr}`)
    assert.match(stderr, expected)
    assert.equal(stdout, '')
  }
})

test('the API says what is wrong with names, and things are found by name', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const bad = await cli.run('certificate', 'add', 'two words.test')
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /\(NAME_INVALID\)\n {2}What to do: .+\n {2}Where: .+\n {2}Request: +req_/)
  const asJson = await cli.run('certificate', 'add', '*.*.test', '--json')
  assert.equal(asJson.code, 1)
  assert.equal((JSON.parse(asJson.stdout) as { code: string }).code, 'NAME_INVALID')

  const first = jsonOf<CertificateDetail>(await cli.run('--json', 'certificate', 'add', 'www.cli.test', 'cli.test', '--label', 'shop'))
  assert.deepEqual(first.names, ['www.cli.test', 'cli.test'])
  for (const word of ['shop', 'SHOP', 'cli.test', first.id]) assert.match((await cli.run('certificate', 'show', word)).stdout, new RegExp(`Id: +${first.id}`))
  const missing = await cli.run('certificate', 'show', 'shup')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /Did you mean "shop"\?/)
  const second = jsonOf<CertificateDetail>(await cli.run('certificate', 'add', 'www.cli.test', '--label', 'shop', '--json'))
  const both = await cli.run('certificate', 'show', 'shop')
  assert.equal(both.code, 2)
  assert.match((await cli.run('certificate', 'show', second.id)).stdout, new RegExp(`Do next: +certloop certificate configure ${second.id}\n`), 'the name alone would not do')
  assert.match(both.stderr, new RegExp(`names 2 certificates[^]*${first.id}[^]*${second.id}|names 2 certificates[^]*${second.id}[^]*${first.id}`))

  assert.equal((await cli.run('certificate', 'manage', second.id, 'ignored')).code, 0)
  const paged = await cli.run('certificate', 'list', '--limit', '1')
  const [, cursor = ''] = /--cursor (\S+)/.exec(paged.stderr) ?? []
  const next = await cli.run('certificate', 'list', '--limit', '1', '--cursor', cursor)
  assert.equal(new Set([...paged.stdout.matchAll(/crt_\w+/g), ...next.stdout.matchAll(/crt_\w+/g)].map(([id]) => id)).size, 2)
  const nothing = await cli.run('certificate', 'configure', first.id, '--target-from-scan')
  assert.equal(nothing.code, 1)
  assert.match(nothing.stderr, /No scan found a place for "shop"[^]*certloop bot scan/)
})

test('a bot is announced, listed and revoked', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const made = await cli.run('bot', 'add', 'web1', '--hours', '2')
  assert.match(made.stdout, /printf %s clj1\.\S+ \| npm run bot -- join -/)
  assert.match((await cli.run('bot', 'list')).stdout, /web1 +never-joined/)
  const scan = await cli.run('bot', 'scan', 'web1', '--wait')
  assert.equal(scan.code, 1)
  assert.match(scan.stderr, /has not joined yet[^]*\(ACTION_NOT_POSSIBLE\)/)
  assert.equal((await cli.run('bot', 'revoke', 'web1', '--yes')).code, 0)
  assert.match((await cli.run('bot', 'show', 'web1')).stdout, /Status: +revoked/)
  assert.match((await cli.run('authority', 'list')).stdout, /Built-in CA/)
  assert.match((await cli.run('server-type', 'list')).stdout, /^nginx /m)
  assert.match((await cli.run('system', 'show')).stdout, /Database: sqlite/)
})
