import assert from 'node:assert/strict'
import { CertloopError, newId } from '@certloop/contract'
import { sql } from 'kysely'
import { testOnDatabases } from '../database/database-testing.ts'
import { wideReads } from '../database/plan-testing.ts'
import type { Database } from '../database/database.ts'
import { testClock } from '../http/http-testing.ts'
import { addTask, cancelReadyTasks, endTasksOf, expireTask, failTask, findTask, finishTask, leaseTasks, nextDue, overdueTasks, pruneTasks, releaseLeases, removeTask, renewLease, returnTask, type NewTask, type Task } from './task-store.ts'

const lost = (error: unknown) => error instanceof CertloopError && error.code === 'LEASE_LOST'
const wire = { code: 'INTERNAL' as const, message: 'no', facts: {} }

function makeQueue(database: Database) {
  const clock = testClock()
  const { now } = clock
  const botId = newId('bot', now())
  const subject = newId('ord', now())
  const wakes: string[] = []
  const add = (task: Partial<NewTask> = {}) => database.transaction((tx) => addTask(tx, (topic) => wakes.push(topic), { executor: 'control-plane', kind: 'k', subject, ...task }, now()))
  const lease = (max = 10, seconds = 20, owner = 'me', executor: Task['executor'] = 'control-plane') => leaseTasks(database, executor, { owner, max, seconds }, now())
  const read = async (id: Task['id']) => {
    const task = await findTask(database.db, id)
    assert.ok(task)
    return task
  }
  return { clock, now, botId, subject, wakes, add, lease, read, tx: database.transaction.bind(database) }
}

testOnDatabases('a lease that ran out is taken over, and the late result writes nothing', async (_t, database) => {
  const q = makeQueue(database)
  const id = await q.add()
  assert.deepEqual(q.wakes, ['task:control-plane'])
  const [first] = await q.lease()
  assert.ok(first)
  q.clock.pass(20)
  assert.deepEqual(await q.lease(), [], 'the lease counts to its last instant')
  q.clock.pass(0.001)
  const [second] = await q.lease(10, 20, 'other')
  assert.ok(second)
  assert.deepEqual([second.fence, second.attempts, second.leaseOwner], [2, 2, 'other'])
  let wrote = false
  for (const late of [finishTask, (tx: Parameters<typeof finishTask>[0], held: Task, now: Date) => failTask(tx, held, wire, now)] as const) {
    await assert.rejects(q.tx(async (tx) => {
      await tx.updateTable('task').set({ payload: '"late"' }).where('id', '=', id).execute()
      await late(tx, first, q.now())
      wrote = true
    }), lost)
  }
  await assert.rejects(renewLease(database.db, first, q.now(), q.now()), lost)
  await assert.rejects(returnTask(database.db, first, null, q.now(), q.now()), lost)
  assert.equal(wrote, false)
  assert.equal((await q.read(id)).payload, '{}')
  await q.tx((tx) => finishTask(tx, second, q.now()))
  await assert.rejects(q.tx((tx) => finishTask(tx, second, q.now())), lost, 'twice is once too often')
  assert.equal((await q.read(id)).state, 'done')
})

testOnDatabases('many tasks, many workers at once: each task is leased once, never more than asked for', async (_t, database) => {
  const q = makeQueue(database)
  const ids = new Set(await Promise.all(Array.from({ length: 200 }, () => q.add())))
  assert.equal(ids.size, 200)
  const taken: Task['id'][] = []
  await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    for (let idle = 0; idle < 3;) {
      const tasks = await q.lease(7, 60, `w${i}`)
      assert.ok(tasks.length <= 7, `${tasks.length} leased where 7 were asked for`)
      if (tasks.length === 0) idle++
      taken.push(...tasks.map((task) => task.id))
      for (const task of tasks) await q.tx((tx) => finishTask(tx, task, q.now()))
    }
  }))
  assert.equal(taken.length, 200)
  assert.equal(new Set(taken).size, 200)
})

testOnDatabases('oldest first, not before their time, only for their executor', async (_t, database) => {
  const q = makeQueue(database)
  const later = await q.add({ notBefore: new Date(q.now().getTime() + 5000) })
  const first = await q.add()
  await q.add({ executor: q.botId })
  assert.deepEqual((await q.lease()).map((task) => task.id), [first])
  assert.equal((await nextDue(database.db, 'control-plane', q.now()))?.toISOString(), new Date(q.now().getTime() + 5000).toISOString())
  q.clock.pass(5)
  assert.equal(await nextDue(database.db, 'control-plane', q.now()), undefined, 'due now is not for waiting')
  assert.deepEqual((await q.lease()).map((task) => task.id), [later])
  assert.equal((await q.lease(10, 20, 'b', q.botId)).length, 1)
})

testOnDatabases('a task of one name: scheduled again it moves; one that runs is left alone', async (_t, database) => {
  const q = makeQueue(database)
  const id = await q.add({ dedupe: 'renew:x', payload: { n: 1 } })
  await q.add({ dedupe: 'renew:x', payload: { n: 2 }, notBefore: new Date(q.now().getTime() + 60_000) })
  assert.deepEqual(await q.lease(), [])
  q.clock.pass(60)
  const [task] = await q.lease()
  assert.deepEqual([task?.id, task?.payload], [id, '{"n":2}'])
  await q.add({ dedupe: 'renew:x', payload: { n: 3 } })
  assert.equal((await q.read(id)).payload, '{"n":2}')
  await q.tx((tx) => removeTask(tx, 'renew:x'))
  assert.equal((await q.read(id)).state, 'leased', 'nor can it be taken away')
  assert.ok(task)
  await q.tx((tx) => finishTask(tx, task, q.now()))
  await q.add({ dedupe: 'renew:x', payload: { n: 4 } })
  assert.deepEqual((await q.lease()).map((again) => [again.id, again.payload, again.attempts, again.fence]), [[id, '{"n":4}', 1, 2]])
})

testOnDatabases('given back for later; released when a bot says hello again', async (_t, database) => {
  const q = makeQueue(database)
  await q.add({ executor: q.botId })
  const [task] = await q.lease(1, 20, 'boot 1', q.botId)
  assert.ok(task)
  await returnTask(database.db, task, wire, new Date(q.now().getTime() + 2000), q.now())
  assert.deepEqual(await q.lease(1, 20, 'boot 1', q.botId), [])
  q.clock.pass(2)
  const [again] = await q.lease(1, 20, 'boot 1', q.botId)
  assert.ok(again)
  await q.tx((tx) => releaseLeases(tx, q.botId, 'boot 1', q.now()))
  assert.equal((await q.read(again.id)).state, 'leased', 'its own lease stays')
  await q.tx((tx) => releaseLeases(tx, q.botId, 'boot 2', q.now()))
  const [third] = await q.lease(1, 20, 'boot 2', q.botId)
  assert.deepEqual([third?.attempts, third?.fence], [3, 3])
  await assert.rejects(q.tx((tx) => finishTask(tx, again, q.now())), lost)
})

testOnDatabases('overdue: past the deadline, or out of attempts and no lease running', async (_t, database) => {
  const q = makeQueue(database)
  const soon = new Date(q.now().getTime() + 30_000)
  const late = await q.add({ deadline: soon })
  const worn = await q.add({ maxAttempts: 1 })
  assert.deepEqual(await overdueTasks(database.db, q.now()), [])
  assert.equal((await q.lease()).length, 2)
  assert.deepEqual(await overdueTasks(database.db, q.now()), [], 'the last attempt may still succeed')
  q.clock.pass(21)
  assert.deepEqual((await overdueTasks(database.db, q.now())).map((task) => task.id), [worn])
  assert.deepEqual((await q.lease()).map((task) => task.id), [late], 'begun before the deadline it may be taken over')
  q.clock.pass(10)
  const overdue = await overdueTasks(database.db, q.now())
  assert.deepEqual(overdue.map((task) => task.id), [late, worn])
  const [task] = overdue
  assert.ok(task)
  assert.deepEqual(await Promise.all([q.tx((tx) => expireTask(tx, task, wire, q.now())), q.tx((tx) => expireTask(tx, task, wire, q.now()))]).then((r) => r.toSorted()), [false, true])
  await assert.rejects(q.tx((tx) => finishTask(tx, task, q.now())), lost)
  const unbegun = await q.add({ deadline: new Date(q.now().getTime() - 1) })
  assert.deepEqual((await q.lease()).filter((leased) => leased.id === unbegun), [], 'what is too late is not begun')
})

testOnDatabases('taking back, ending and forgetting', async (_t, database) => {
  const q = makeQueue(database)
  await q.add()
  const begun = await q.add({ executor: q.botId })
  const [task] = await q.lease(1, 20, 'b', q.botId)
  assert.ok(task)
  await returnTask(database.db, task, null, q.now(), q.now())
  await q.add({ kind: 'watch' })
  assert.equal(await q.tx((tx) => cancelReadyTasks(tx, q.subject, ['k'])), 1, 'only what nobody began, and nothing that only looks on')
  assert.deepEqual((await q.tx((tx) => endTasksOf(tx, q.botId, wire, q.now()))).map((ended) => ended.id), [begun])
  assert.deepEqual([(await q.read(begun)).state, (await q.read(begun)).error], ['failed', JSON.stringify(wire)])
  await pruneTasks(database.db, q.now())
  await q.read(begun)
  q.clock.pass(1)
  await pruneTasks(database.db, q.now())
  assert.equal(await findTask(database.db, begun), undefined)
})

/** Tasks of a large inventory: nearly all wait for a day far off. */
async function fillQueue({ db, kind }: Database): Promise<void> {
  const rows = 20_000
  const numbers = kind === 'sqlite' ? sql`(with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows}) select i from n)` : sql`(select i from generate_series(1, ${rows}::int) as i)`
  const columns = sql.raw('"id", "executor", "kind", "subject", "payload", "state", "notBefore", "leaseUntil", "leaseOwner", "fence", "attempts", "maxAttempts", "deadline", "dedupe", "createdAt", "updatedAt"')
  await sql`insert into "task" (${columns})
    select 'tsk_' || i, 'control-plane', 'renew', 'crt_' || i, '{}', 'ready', '2027-01-01T00:00:00.000Z', null, null, 0, 0, 10, case when i % 2 = 0 then '2027-02-01T00:00:00.000Z' end, 'renew:' || i, '2026-01-01', '2026-01-01' from ${numbers} as numbers`.execute(db)
  await sql`insert into "task" (${columns})
    select 'tsk_leased_' || i, 'control-plane', 'renew', 'crt_' || i, '{}', 'leased', '2026-01-01T00:00:00.000Z', '2026-03-01T00:00:20.000Z', 'other', 1, 10, 10, null, null, '2026-01-01', '2026-01-01' from ${numbers} as numbers where i <= 10`.execute(db)
  if (kind === 'postgresql') await sql`analyze`.execute(db) // as it does by itself; SQLite plans without figures
}

testOnDatabases('idle looks at a large inventory read no more than what is due', async (_t, database) => {
  const q = makeQueue(database)
  await fillQueue(database)
  const looks: Record<string, (db: Database) => Promise<unknown>> = {
    leaseTasks: (db) => leaseTasks(db, 'control-plane', { owner: 'me', max: 8, seconds: 20 }, q.now()),
    'leaseTasks of a bot': (db) => leaseTasks(db, q.botId, { owner: 'me', max: 8, seconds: 20 }, q.now()),
    nextDue: ({ db }) => nextDue(db, 'control-plane', q.now()),
    overdueTasks: ({ db }) => overdueTasks(db, q.now()),
    pruneTasks: ({ db }) => pruneTasks(db, q.now()),
  }
  for (const [name, look] of Object.entries(looks)) assert.deepEqual(await wideReads(database, look, { tooWide: /^SEARCH .*\((executor=\?|state=\?|executor=\? AND state=\?)\)$/, narrow: /^SCAN (ready|held|both|due)$/ }), [], name)
})
