import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { IssuanceProfile } from '../../packages/api-client/src/index.ts'
import { jsonOf, startLoop } from './kit.ts'

const timeout = 240_000

test('a profile goes out to a file and back in; a stale file overwrites nothing', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const at = (name: string) => join(cli.home, name)
  const shown = await cli.run('profile', 'show', 'server')
  assert.match(shown.stdout, /Whose: +built in\n[^]*Lifetime: +90 days, at most 3650; begins 60 minutes back\n[^]*Names: +dns, ip; 1 to 250; with wildcards/)
  const printed = await cli.run('profile', 'show', 'server', '--json')
  await writeFile(at('server.json'), printed.stdout)
  const made = jsonOf<IssuanceProfile>(await cli.run('profile', 'create', 'shop', '--file', 'server.json', '--json'))
  assert.deepEqual(made.rules, jsonOf<IssuanceProfile>(printed).rules, 'what show prints, create takes')

  const first = jsonOf<IssuanceProfile>(await cli.run('profile', 'show', 'shop', '--json'))
  const shorter = { ...first, rules: { ...first.rules, title: 'Shop', defaultValidityDays: 30, maximumValidityDays: 47, names: { ...first.rules.names, permitted: ['shop.example'] } } }
  await writeFile(at('shop.json'), JSON.stringify(shorter))
  const changed = await cli.run('profile', 'change', 'shop', '--file', 'shop.json')
  assert.equal(changed.code, 0, changed.stderr)
  assert.match(changed.stdout, /Revision: +2\n[^]*at most 47[^]*only shop\.example/)
  const stale = await cli.run('profile', 'change', 'shop', '--file', 'shop.json')
  assert.equal(stale.code, 1)
  assert.match(stale.stderr, /changed by somebody else: it is at revision 2[^]*\(CONFLICT\)/)
  await writeFile(at('rules.json'), JSON.stringify(first.rules))
  assert.match((await cli.run('profile', 'change', 'shop', '--file', 'rules.json')).stdout, /Revision: +3\n[^]*at most 3650/, 'rules alone are a change of what is there now')

  const copied = await cli.run('profile', 'copy', 'shop', 'shop-2', '--title', 'Second shop')
  assert.match(copied.stdout, /Title: +Second shop/)
  assert.match(copied.stderr, /certloop profile change shop-2 --file shop-2\.json/)
  assert.match((await cli.run('profile', 'list')).stdout, /server +end-entity +private +90 +3650 +built in[^]*bot-identity .*control plane's own[^]*shop-2 .*yours +Second shop/)
  assert.match((await cli.run('profile', 'delete', 'shop-2', '--yes')).stdout, /"shop-2" is deleted/)
  assert.equal(await readFile(at('server.json'), 'utf8'), printed.stdout)
})

test('rules that contradict themselves, damaged files and built-in profiles are refused with the reason', { timeout }, async (t) => {
  const { cli } = await startLoop(t, { bot: false })
  const at = (name: string) => join(cli.home, name)
  const { rules } = jsonOf<IssuanceProfile>(await cli.run('profile', 'show', 'server', '--json'))
  await writeFile(at('bad.json'), JSON.stringify({ ...rules, maximumValidityDays: 5 }))
  await writeFile(at('public.json'), JSON.stringify({ ...rules, style: 'public' }))
  await writeFile(at('half.json'), JSON.stringify({ rules: { title: 'x' } }))
  await writeFile(at('broken.json'), '{')
  await writeFile(at('list.json'), '[]')
  await writeFile(at('good.json'), JSON.stringify(rules))
  const cases: readonly [string[], number, RegExp][] = [
    [['create', 'x', '--file', 'bad.json'], 1, /rules\.defaultValidityDays: is more than the maximum[^]*\(INPUT_INVALID\)/],
    [['create', 'x', '--file', 'public.json'], 1, /rules\.keyAlgorithms: ml-dsa-44 is not allowed to public authorities[^]*maximumValidityDays: at most 199/],
    [['create', 'x', '--file', 'half.json'], 1, /rules\.keyAlgorithms: is missing/],
    [['create', 'x', '--file', 'broken.json'], 2, /broken\.json is not JSON/],
    [['create', 'x', '--file', 'list.json'], 2, /has to be a JSON object[^]*certloop profile show server --json/],
    [['create', 'x'], 2, /Give the rules with --file/],
    [['create', 'Two Words', '--file', 'good.json'], 1, /name[^]*\(INPUT_INVALID\)/],
    [['create', 'server', '--file', 'good.json'], 1, /There is a profile "server" already[^]*\(CONFLICT\)/],
    [['change', 'server', '--file', 'good.json'], 1, /built in; make a copy/],
    [['delete', 'server', '--yes'], 1, /built in and can not be deleted/],
    [['show', 'servr'], 1, /Did you mean "server"/],
  ]
  for (const [words, code, expected] of cases) {
    const said = await cli.run('profile', ...words)
    assert.equal(said.code, code, `${words.join(' ')}: ${said.stderr}`)
    assert.match(said.stderr, expected)
  }
})
