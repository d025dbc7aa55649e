import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { CertloopError, newId } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import type { Database } from '../database/database.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { testClock } from '../http/http-testing.ts'
import type { BotTaskHandler, PlaneTaskKind } from './task-kinds.ts'
import { addTask, leaseTasks, type NewTask } from './task-store.ts'
import { retrySeconds, runTask, startWorker, type WorkerDeps } from './task-worker.ts'
import { watch } from './watchdog.ts'

const quiet = () => {}
const add = (database: Database, task: Partial<NewTask>, now = new Date()) => database.transaction((tx, wake) => addTask(tx, wake, { executor: 'control-plane', kind: 'k', subject: 's', ...task }, now))
const tasks = async (database: Database) => (await database.db.selectFrom('task').selectAll().orderBy('id').execute())
const kind = (run: PlaneTaskKind['run'], failed: PlaneTaskKind['failed'] = async () => {}): Record<string, PlaneTaskKind> => ({ k: { run, failed } })

/** Two workers, as two replicas are on PostgreSQL. */
function startTwo(t: TestContext, deps: Omit<WorkerDeps, 'now' | 'random' | 'log'>) {
  const workers = [0, 1].map(() => startWorker({ now: () => new Date(), random: () => 0.5, log: quiet, ...deps }))
  t.after(() => Promise.all(workers.map((w) => w.stop())))
}

test('the time until the next try', () => {
  assert.deepEqual([1, 2, 3, 9, 10, 50, 1000].map((n) => retrySeconds(n, 0.5)), [1, 2, 4, 256, 300, 300, 300])
  assert.deepEqual([retrySeconds(3, 0), retrySeconds(3, 0.999999).toFixed(2)], [3, '5.00'])
})

testOnDatabases('two workers never run one task at once, and run all of them', async (t, database) => {
  const running = new Set<string>()
  const runs = new Map<string, number>()
  const kinds = kind(async (task) => {
    assert.ok(!running.has(task.subject), `${task.subject} runs twice`)
    running.add(task.subject)
    await new Promise((resolve) => setImmediate(resolve))
    running.delete(task.subject)
    runs.set(task.subject, (runs.get(task.subject) ?? 0) + 1)
    return async () => {}
  })
  for (let i = 0; i < 100; i++) await add(database, { subject: `s${i}` })
  startTwo(t, { database, kinds })
  for (let i = 100; i < 150; i++) await add(database, { subject: `s${i}` })
  await eventually(async () => (await tasks(database)).every((task) => task.state === 'done'), { timeoutMs: 60_000 })
  assert.equal(runs.size, 150)
  assert.deepEqual([...runs.values()].filter((n) => n !== 1), [])
})

testOnDatabases('a task falling due while all sleep is taken at its time, and one that is news at once', async (t, database) => {
  const begun: number[] = []
  startTwo(t, { database, kinds: kind(async () => { begun.push(Date.now()); return async () => {} }) })
  await new Promise((resolve) => setTimeout(resolve, 200))
  const at = Date.now()
  await add(database, {})
  await eventually(() => begun.length === 1)
  const due = Date.now() + 700
  await add(database, { notBefore: new Date(due) })
  await eventually(() => begun.length === 2)
  t.diagnostic(`news: ${(begun[0] ?? 0) - at} ms; due: ${(begun[1] ?? 0) - due} ms late`)
  assert.ok((begun[1] ?? 0) >= due)
  assert.ok((begun[1] ?? 0) - due < 3000 && (begun[0] ?? 0) - at < 3000, 'not by the look every five seconds')
})

testOnDatabases('while all places are taken, the worker asks the database rarely', async (t, database) => {
  let open = () => {}
  const gate = new Promise<void>((resolve) => { open = resolve })
  for (let i = 0; i < 20; i++) await add(database, { subject: `s${i}` })
  let queries = 0
  const counting: Database = { ...database, db: new Proxy(database.db, { get: (target, name) => { if (name === 'selectFrom' || name === 'updateTable') queries++; const value: unknown = Reflect.get(target, name); return typeof value === 'function' ? value.bind(target) : value } }) }
  const worker = startWorker({ database: counting, kinds: kind(async () => { await gate; return async () => {} }), now: () => new Date(), random: () => 0, log: quiet })
  t.after(async () => {
    open()
    await worker.stop()
  })
  await eventually(async () => (await tasks(database)).filter((task) => task.state === 'leased').length === 8)
  queries = 0
  await new Promise((resolve) => setTimeout(resolve, 500))
  assert.ok(queries <= 3, `${queries} queries in half a second`)
  open()
  await eventually(async () => (await tasks(database)).every((task) => task.state === 'done'))
})

testOnDatabases('a handler that throws: tried again when that may help, otherwise ended with its reason', async (_t, database) => {
  const clock = testClock()
  const failed: string[] = []
  const run = async (thrown: unknown) => {
    const deps = { database, now: clock.now, random: () => 0.5, log: quiet, kinds: kind(async () => { throw thrown }, async (_tx, _wake, task, error) => { failed.push(`${task.subject} ${error.code}`) }) }
    for (const task of await leaseTasks(database, 'control-plane', { owner: 'w', max: 5, seconds: 20 }, clock.now())) await runTask(deps, task)
    return (await tasks(database)).at(-1)
  }
  await add(database, { subject: 'a', maxAttempts: 2 }, clock.now())
  const first = await run(new CertloopError('AUTHORITY_UNREACHABLE', 'no answer'))
  assert.deepEqual([first?.state, first?.notBefore], ['ready', new Date(clock.now().getTime() + 1000).toISOString()])
  assert.match(first?.error ?? '', /no answer/)
  await run(new Error('nobody leases before its time'))
  clock.pass(1)
  assert.equal((await run(new CertloopError('AUTHORITY_UNREACHABLE', 'still none')))?.state, 'failed')
  await add(database, { subject: 'b' }, clock.now())
  assert.equal((await run(new CertloopError('AUTHORITY_REJECTED', 'no')))?.state, 'failed')
  await add(database, { subject: 'c', kind: 'unknown', maxAttempts: 1 }, clock.now())
  assert.equal((await run(new Error()))?.state, 'failed', 'a kind that nobody knows')
  await add(database, { subject: 'd', maxAttempts: 3 }, clock.now())
  assert.equal((await run(new TypeError('a bug')))?.state, 'ready', 'what nobody foresaw is tried again')
  assert.deepEqual(failed, ['a AUTHORITY_UNREACHABLE', 'b AUTHORITY_REJECTED'])
})

testOnDatabases('a result whose lease was lost changes nothing, and its commit does not run', async (_t, database) => {
  const clock = testClock()
  await add(database, {}, clock.now())
  const [task] = await leaseTasks(database, 'control-plane', { owner: 'w', max: 5, seconds: 20 }, clock.now())
  assert.ok(task)
  let committed = false
  let failed = false
  const deps = { database, now: clock.now, random: () => 0.5, log: quiet, kinds: kind(async () => {
    clock.pass(21)
    await leaseTasks(database, 'control-plane', { owner: 'other', max: 5, seconds: 20 }, clock.now())
    return async () => { committed = true }
  }, async () => { failed = true }) }
  await runTask(deps, task)
  assert.deepEqual([committed, failed], [false, false])
  const [now] = await tasks(database)
  assert.deepEqual([now?.state, now?.leaseOwner], ['leased', 'other'])
})

testOnDatabases('the watchdog: says why, waits for a deployment that began, and one failing handler does not stop it', async (_t, database) => {
  const clock = testClock()
  const said: string[] = []
  const botId = newId('bot', clock.now())
  const handler = (waits: boolean): BotTaskHandler => ({ completed: async () => {}, failed: async (_tx, _wake, task, error) => { said.push(`${task.subject} ${error.code}`); if (task.subject === 'broken') throw new Error('a bug') }, waitsWhenOverdue: async () => waits })
  const deps = { database, planeKinds: kind(async () => async () => {}, async (_tx, _wake, task, error) => { said.push(`${task.subject} ${error.code}`) }), botKinds: { deploy: handler(true), plan: handler(false) }, now: clock.now, log: quiet }
  const deadline = new Date(clock.now().getTime() + 60_000)
  await add(database, { subject: 'broken', executor: botId, kind: 'plan', deadline }, clock.now())
  await add(database, { subject: 'unbegun', executor: botId, kind: 'deploy', deadline }, clock.now())
  await add(database, { subject: 'worn', maxAttempts: 1 }, clock.now())
  await leaseTasks(database, 'control-plane', { owner: 'w', max: 1, seconds: 20 }, clock.now())
  await add(database, { subject: 'slow', deadline }, clock.now())
  await leaseTasks(database, 'control-plane', { owner: 'w', max: 1, seconds: 20 }, clock.now())
  assert.equal(await watch(deps), 0)
  clock.pass(61)
  assert.equal(await watch(deps), 3)
  assert.deepEqual(said.toSorted(), ['broken BOT_UNREACHABLE', 'slow TASK_DEADLINE_PASSED', 'unbegun BOT_UNREACHABLE', 'worn TASK_ATTEMPTS_EXHAUSTED'])
  assert.equal((await tasks(database)).find((task) => task.subject === 'broken')?.state, 'ready', 'rolled back whole')

  await add(database, { subject: 'begun', executor: newId('bot', clock.now()), kind: 'deploy', deadline: new Date(clock.now().getTime() + 60_000) }, clock.now())
  const begun = (await tasks(database)).find((task) => task.subject === 'begun')
  assert.ok(begun)
  await leaseTasks(database, begun.executor, { owner: 'b', max: 1, seconds: 20 }, clock.now())
  clock.pass(61)
  await watch(deps)
  const waiting = (await tasks(database)).find((task) => task.subject === 'begun')
  assert.equal(waiting?.state, 'leased')
  assert.equal(waiting.deadline, new Date(clock.now().getTime() + 3_600_000).toISOString())
  clock.pass(31 * 86_400)
  await database.db.deleteFrom('task').where('subject', '=', 'broken').execute()
  await watch(deps)
  assert.deepEqual((await tasks(database)).map((task) => task.subject), ['begun'], 'ended ones are forgotten after thirty days')
})
