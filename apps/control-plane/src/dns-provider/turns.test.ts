import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { createTurns, type Turns } from './turns.ts'

/** Work that says when it began and ended. */
function recorder() {
  const said: string[] = []
  const work = (name: string) => async () => {
    said.push(`${name} begins`)
    await pause(20)
    said.push(`${name} ends`)
    return name
  }
  return { said, work }
}
const isOneByOne = (said: readonly string[]) => said.every((line, i) => (i % 2 === 0 ? line.endsWith('begins') : line === said[i - 1]?.replace('begins', 'ends')))

testOnDatabases('work of one key goes one after the other in the order it came, work of others beside it', async (_t, database) => {
  const [turns, { said, work }] = [createTurns(database), recorder()]
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((name) => turns.inTurn('zone', work(name)))), ['a', 'b', 'c'])
  assert.deepEqual(said, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  const beside = recorder()
  await Promise.all(['a', 'b'].map((name) => turns.inTurn(name, beside.work(name))))
  assert.deepEqual(beside.said.slice(0, 2), ['a begins', 'b begins'])
})

testOnDatabases('work that fails lets the next begin, and says why', async (_t, database) => {
  const turns = createTurns(database)
  const failing = turns.inTurn('zone', () => Promise.reject(new Error('no such zone')))
  const next = turns.inTurn('zone', async () => 'done')
  await assert.rejects(failing, /no such zone/)
  assert.equal(await next, 'done')
})

testOnDatabases('replicas on one database take turns too, and leave connections for others', async (_t, database) => {
  if (database.kind === 'sqlite') return // one process has it for itself
  const { said, work } = recorder()
  const replicas = Array.from({ length: 3 }, (): Turns => createTurns(database))
  const all = replicas.flatMap((turns, r) => [1, 2].map((n) => turns.inTurn('zone', work(`${r}.${n}`))))
  // Keys enough to use up every connection if each held one.
  const many = Array.from({ length: 20 }, (_, i) => replicas[0]?.inTurn(`key ${i}`, () => database.db.selectFrom('event').select('id').limit(1).execute()))
  await Promise.all([...all, ...many])
  assert.equal(said.length, 12)
  assert.ok(isOneByOne(said), said.join(', '))
})

test('what has ended is forgotten', async (t) => {
  const turns = createTurns(await emptyDatabase(t))
  for (let i = 0; i < 3; i++) assert.equal(await turns.inTurn('zone', async () => i), i)
})
