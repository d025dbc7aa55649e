import assert from 'node:assert/strict'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '@certloop/test-kit'
import { loadConfiguration, readConfiguration } from './configuration.ts'

const exampleFile = new URL('../bot.example.toml', import.meta.url)
const defaults = { writePaths: null, commands: null, scripts: false, ssh: true, sshHosts: null }

test('without bot.toml paths and programs are free and scripts are off', async (t) => {
  const folder = await tempFolder(t)
  assert.deepEqual(await loadConfiguration([join(folder, 'bot.toml')]), { file: null, proxy: undefined, limits: defaults, undoDays: null })
})

test('the example says what the defaults say, and its commented lines are usable', async () => {
  const example = await readFile(exampleFile, 'utf8')
  assert.deepEqual(readConfiguration(example, 'x').limits, defaults)
  const { proxy, limits, undoDays } = readConfiguration(example.replaceAll(/^# (?=\w+ = )/gm, ''), 'x')
  assert.equal(proxy, 'http://proxy.example:3128')
  assert.equal(undoDays, 7)
  assert.deepEqual(limits, { writePaths: ['/etc/nginx/tls', '/etc/ssl/private'], commands: ['/usr/sbin/nginx', 'systemctl'], scripts: false, ssh: false, sshHosts: ['web-1.example', '192.0.2.7:2222'] })
})

test('the first file that is there is read and no other', async (t) => {
  const folder = await tempFolder(t)
  const [first, second] = [join(folder, 'a.toml'), join(folder, 'b.toml')]
  await writeFile(second, '[limits]\nwrite_paths = ["/b"]\n')
  assert.deepEqual((await loadConfiguration([first, second])).limits.writePaths, ['/b'])
  await writeFile(first, '[limits]\nscripts = true\n')
  const { file, limits } = await loadConfiguration([first, second])
  assert.deepEqual([file, limits], [first, { ...defaults, scripts: true }])
})

test('an empty list is a limit, not the lack of one', () => {
  assert.deepEqual(readConfiguration('[limits]\nwrite_paths = []\ncommands = []', 'x').limits, { ...defaults, writePaths: [], commands: [] })
})

test('"none" turns the proxy of the environment off', () => {
  assert.equal(readConfiguration('[control-plane]\nproxy = "none"', 'x').proxy, null)
})

const bad: [title: string, text: string, key: string][] = [
  ['an unknown table', '[limit]\nscripts = false', 'limit'],
  ['an unknown key', '[limits]\nwrite_path = ["/etc"]', 'limits.write_path'],
  ['a key outside its table', 'scripts = false', 'scripts'],
  ['a table written as a value', 'limits = 3', 'limits'],
  ['a text for a list', '[limits]\nwrite_paths = "/etc"', 'limits.write_paths'],
  ['a relative path', '[limits]\nwrite_paths = ["etc"]', 'limits.write_paths'],
  ['a number in a list', '[limits]\ncommands = [1]', 'limits.commands'],
  ['a relative program', '[limits]\ncommands = ["bin/nginx"]', 'limits.commands'],
  ['a text for a yes or no', '[limits]\nscripts = "no"', 'limits.scripts'],
  ['a machine with a user', '[limits]\nssh_hosts = ["root@web-1"]', 'limits.ssh_hosts'],
  ['a number of days that is none', '[deployments]\nundo_days = 1.5', 'deployments.undo_days'],
  ['a proxy without scheme', '[control-plane]\nproxy = "proxy:3128"', 'control-plane.proxy'],
  ['a proxy of another kind', '[control-plane]\nproxy = "socks5://proxy:1080"', 'control-plane.proxy'],
  ['no TOML', '[limits\n', ''],
  ['a key twice', '[limits]\nscripts = true\nscripts = false', ''],
]
for (const [title, text, key] of bad) {
  test(`bot.toml with ${title} is refused by name`, () => {
    assert.throws(() => readConfiguration(text, '/x/bot.toml'), (error: { code: string; message: string; facts: { key: string } }) => {
      assert.equal(error.code, 'BOT_CONFIGURATION_INVALID')
      assert.equal(error.facts.key, key)
      assert.ok(error.message.startsWith('/x/bot.toml: ') && error.message.includes(key), error.message)
      return true
    })
  })
}

test('a file that everybody may write, or that is a folder, is refused', async (t) => {
  const file = join(await tempFolder(t), 'bot.toml')
  await writeFile(file, '')
  await chmod(file, 0o666)
  await assert.rejects(loadConfiguration([file]), { code: 'BOT_CONFIGURATION_INVALID', message: /everybody/ })
  await assert.rejects(loadConfiguration([await tempFolder(t)]), { code: 'BOT_CONFIGURATION_INVALID', message: /can not be read/ })
})
