import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createCli, jsonOf, startLoop } from './kit.ts'

const timeout = 180_000

test('sign-in with a token: kept 0600, used by what follows, forgotten by logout', { timeout }, async (t) => {
  const { plane, token } = await startLoop(t, { bot: false })
  const cli = await createCli(t)
  const path = join(cli.home, '.config/certloop/cli.json')

  const none = await cli.run('certificate', 'list')
  assert.equal(none.code, 3)
  assert.match(none.stderr, /You are not signed in\.\n {2}What to do: Run "certloop login"/)
  const wrong = await cli.run('login', '--url', plane.url, '--token', 'clt_wrong')
  assert.equal(wrong.code, 3)
  assert.match(wrong.stderr, /\(SIGN_IN_REQUIRED\)/)
  await assert.rejects(readFile(path), 'a wrong token is not kept')

  assert.equal((await cli.run('login', '--url', plane.url, '--token', token)).code, 0)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700)
  assert.equal((await cli.run('certificate', 'list')).stdout, 'There are no such certificates.\n')
  assert.match((await cli.run('session', 'show')).stdout, new RegExp(`Control plane: ${plane.url}\nWho: +token:tests`))

  // What the environment says wins, and a kept token never goes to another address.
  assert.equal((await cli.runWith({ CERTLOOP_TOKEN: 'clt_wrong' }, 'certificate', 'list')).code, 3)
  const elsewhere = await cli.runWith({ CERTLOOP_URL: 'http://127.0.0.1:9' }, 'certificate', 'list')
  assert.equal(elsewhere.code, 3)
  assert.match(elsewhere.stderr, /the stored sign-in is for/)

  assert.match((await cli.run('logout')).stdout, /Signed out/)
  await assert.rejects(readFile(path))
  assert.equal((await cli.run('certificate', 'list')).code, 3)
  const still = await cli.runWith({ CERTLOOP_URL: plane.url, CERTLOOP_TOKEN: token }, 'session', 'show')
  assert.equal(still.code, 0, 'a token that login did not make stays')
})

test('the token can come from standard input, where no process list shows it', { timeout }, async (t) => {
  const { plane, token } = await startLoop(t, { bot: false })
  const cli = await createCli(t)
  const main = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'login', '--url', plane.url, '--token', '-'], { env: { PATH: process.env['PATH'], HOME: cli.home }, stdio: ['pipe', 'ignore', 'inherit'] })
  t.after(() => { child.kill('SIGKILL') })
  child.stdin.end(`${token}\n`)
  assert.deepEqual(await once(child, 'exit'), [0, null])
  assert.equal((await cli.run('session', 'show')).code, 0)
})

test('tokens are made with few rights, shown once, and deleted by name', { timeout }, async (t) => {
  const { cli, plane } = await startLoop(t, { bot: false })
  const { token } = jsonOf<{ token: string }>(await cli.run('token', 'add', 'watcher', '--permission', 'certificate:read', '--days', '30', '--json'))
  const list = await cli.run('token', 'list')
  assert.match(list.stdout, /watcher .*certificate:read/)
  assert.doesNotMatch(list.stdout, new RegExp(token))
  const asWatcher = { CERTLOOP_URL: plane.url, CERTLOOP_TOKEN: token }
  assert.equal((await cli.runWith(asWatcher, 'certificate', 'list')).code, 0)
  const denied = await cli.runWith(asWatcher, 'certificate', 'add', 'www.cli.test')
  assert.equal(denied.code, 3)
  assert.match(denied.stderr, /certificate:write\.[^]*\(PERMISSION_DENIED\)/)
  assert.equal((await cli.run('token', 'delete', 'watcher', '--yes')).code, 0)
  assert.equal((await cli.runWith(asWatcher, 'certificate', 'list')).code, 3)
})

test('what can not be used is refused before anything is sent', { timeout }, async (t) => {
  const cli = await createCli(t)
  const plain = await cli.run('login', '--url', 'http://certloop.example:8420', '--token', 'clt_x')
  assert.equal(plain.code, 2)
  assert.match(plain.stderr, /without TLS/)
  const noTerminal = await cli.run('login', '--url', 'http://localhost:9')
  assert.equal(noTerminal.code, 2)
  assert.match(noTerminal.stderr, /--token -/)
  const nobody = await cli.runWith({ CERTLOOP_URL: 'http://127.0.0.1:9', CERTLOOP_TOKEN: 'clt_x' }, 'bot', 'list')
  assert.equal(nobody.code, 1)
  assert.match(nobody.stderr, /No answer from http:\/\/127\.0\.0\.1:9[^]*CONTROL_PLANE_UNREACHABLE/)
  await mkdir(join(cli.home, '.config/certloop'), { recursive: true })
  await writeFile(join(cli.home, '.config/certloop/cli.json'), '{ not json')
  const damaged = await cli.run('bot', 'list')
  assert.equal(damaged.code, 3)
  assert.match(damaged.stderr, /not JSON/)
})

test('over https the control plane\'s own root has to be given, and is enough', { timeout }, async (t) => {
  const { plane, token, cli, client } = await startLoop(t, { bot: false })
  const https = plane.url.replace('http:', 'https:')
  const strange = await cli.runWith({ CERTLOOP_URL: https }, 'bot', 'list')
  assert.equal(strange.code, 1)
  assert.match(strange.stderr, /--ca root\.pem, or CERTLOOP_CA/)
  const { items: [authority] } = await client.call('listAuthorities')
  const root = join(cli.home, 'root.pem')
  await writeFile(root, authority?.chainPem.at(-1) ?? '')
  const known = await cli.runWith({ CERTLOOP_URL: https, CERTLOOP_CA: root }, 'bot', 'list')
  assert.equal(known.code, 0, known.stderr)
  const fresh = await createCli(t)
  assert.equal((await fresh.run('login', '--url', https, '--token', token, '--ca', root)).code, 0)
  assert.equal((await fresh.run('bot', 'list')).code, 0)
})
