import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { run } from '../../apps/cli/src/run.ts'
import type { World } from '../../apps/cli/src/world.ts'
import { startPlane } from './kit.ts'
import { tempFolder } from '../../packages/test-kit/src/index.ts'

/** A person at a terminal: everything else is real. `answers` are [part of the question, what is typed]. */
function personAt(home: string, answers: [string, string][]) {
  const said = { out: '', err: '', hidden: [] as string[] }
  const world: World = {
    env: {}, home, now: () => new Date(), zone: 'UTC', whoHere: 'ada on laptop', pid: process.pid,
    out: (text) => { said.out += text }, err: (text) => { said.err += text }, outIsTerminal: false, errIsTerminal: false, canAsk: true,
    ask: async (question, options) => {
      const [expected, answer] = answers.shift() ?? ['no more questions', '']
      assert.ok(question.includes(expected), `"${question}" where "${expected}" was expected`)
      if (options?.hidden) said.hidden.push(question)
      return answer
    },
    readInput: async () => '',
    onInterrupt: () => () => {},
  }
  return { said, run: (...words: string[]) => run(words, world, async () => '0'), left: answers }
}

async function scene(t: TestContext) {
  const home = await tempFolder(t, 'cli')
  const plane = await startPlane(t, { data: join(await tempFolder(t, 'plane'), 'data'), bot: false })
  const kept = async () => JSON.parse(await readFile(join(home, '.config/certloop/cli.json'), 'utf8')) as { url: string; token: string; tokenId: string }
  return { home, plane, kept }
}

test('at a terminal: one-time password replaced, a token of its own made, renewed and deleted', { timeout: 180_000 }, async (t) => {
  const { home, plane, kept } = await scene(t)
  const password = 'a password of the tests'
  const first = personAt(home, [
    ['Address', plane.url], ['User name', ''], ['Password', plane.oneTimePassword],
    ['New password', 'short'], ['Once more', 'short'], ['New password', password], ['Once more', 'typed otherwise'], ['New password', password], ['Once more', password],
  ])
  assert.equal(await first.run('login'), 0, first.said.err)
  assert.deepEqual(first.left, [])
  assert.match(first.said.err, /fewer than 12[^]*not the same/)
  assert.equal(first.said.hidden.length, 7, 'no password is shown')
  const before = await kept()

  const wrong = personAt(home, [['Address', ''], ['User name', 'admin'], ['Password', 'not this one']])
  assert.equal(await wrong.run('login'), 3)
  assert.match(wrong.said.err, /\(SIGN_IN_FAILED\)/)
  assert.deepEqual(await kept(), before)

  const again = personAt(home, [['Address', ''], ['User name', 'admin'], ['Password', password]])
  assert.equal(await again.run('login', '--days', '5'), 0, again.said.err)
  const after = await kept()
  assert.notEqual(after.token, before.token)
  const list = personAt(home, [])
  assert.equal(await list.run('token', 'list', '--json'), 0)
  const { items } = JSON.parse(list.said.out) as { items: { id: string; expiresAt: string }[] }
  assert.deepEqual(items.map(({ id }) => id), [after.tokenId], 'the token before is gone')
  const days = (Date.parse(items[0]?.expiresAt ?? '') - Date.now()) / 86_400_000
  assert.ok(days > 4.9 && days <= 5, String(days))

  const out = personAt(home, [])
  assert.equal(await out.run('logout'), 0)
  assert.match(out.said.out, /The API token was deleted/)
  const gone = await fetch(`${plane.url}/api/v1/session`, { headers: { authorization: `Bearer ${after.token}` } })
  assert.equal(gone.status, 401)
})

test('what can not be taken back is asked about', { timeout: 180_000 }, async (t) => {
  const { home, plane } = await scene(t)
  const password = 'a password of the tests'
  assert.equal(await personAt(home, [['Address', plane.url], ['User name', ''], ['Password', plane.oneTimePassword], ['New', password], ['Once', password]]).run('login'), 0)
  assert.equal(await personAt(home, []).run('certificate', 'add', 'ask.cli.test'), 0)
  const no = personAt(home, [['Stop tracking "ask.cli.test"', '']])
  assert.equal(await no.run('certificate', 'delete', 'ask.cli.test'), 1)
  assert.equal(await personAt(home, []).run('certificate', 'show', 'ask.cli.test'), 0)
  assert.equal(await personAt(home, []).run('certificate', 'delete', 'ask.cli.test', '--yes'), 0)
  assert.equal(await personAt(home, []).run('certificate', 'show', 'ask.cli.test'), 1)
})
