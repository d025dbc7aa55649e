import { CertloopError, newId, type BotId, type TaskId, type TaskState, type WireError } from '@certloop/contract'
import { sql, type RawBuilder, type Selectable, type SqlBool } from 'kysely'
import { iso, toJson } from '../database/columns.ts'
import { skipLocked, type Database, type Db, type Tx } from '../database/database.ts'

/** One leased unit of work for the control plane or for one bot. */
export interface TaskTable {
  id: TaskId
  /** Who does it: the control plane (any replica) or one bot. */
  executor: Executor
  kind: string
  /** Id of what the work is about. */
  subject: string
  payload: string
  state: TaskState
  notBefore: string
  leaseUntil: string | null
  leaseOwner: string | null
  /** Grows with each lease; a result that names an older one is refused. */
  fence: number
  attempts: number
  maxAttempts: number
  deadline: string | null
  /** At most one task with this text; scheduling again moves it. */
  dedupe: string | null
  error: string | null
  createdAt: string
  updatedAt: string
}
export interface TaskTables { task: TaskTable }
export type Executor = 'control-plane' | BotId
export type Task = Selectable<TaskTable>

export interface NewTask {
  executor: Executor
  kind: string
  subject: string
  payload?: unknown
  notBefore?: Date
  deadline?: Date
  maxAttempts?: number
  dedupe?: string
}

export const taskTopic = (executor: Executor) => `task:${executor}`

/** Adds a task. With `dedupe`, moves the waiting or ended one instead; a running one is left to end by itself. */
export async function addTask(tx: Tx, wake: (topic: string) => void, task: NewTask, now: Date): Promise<TaskId> {
  const id = newId('tsk', now)
  const at = iso(now)
  const row = {
    id, executor: task.executor, kind: task.kind, subject: task.subject, payload: toJson(task.payload ?? {}), state: 'ready' as const, notBefore: iso(task.notBefore ?? now), leaseUntil: null, leaseOwner: null,
    fence: 0, attempts: 0, maxAttempts: task.maxAttempts ?? 10, deadline: task.deadline ? iso(task.deadline) : null, dedupe: task.dedupe ?? null, error: null, createdAt: at, updatedAt: at,
  }
  const insert = tx.insertInto('task').values(row)
  if (task.dedupe === undefined) await insert.execute()
  else {
    const { payload, notBefore, deadline, maxAttempts } = row
    await insert.onConflict((c) => c.column('dedupe').doUpdateSet({ payload, notBefore, deadline, maxAttempts, state: 'ready', attempts: 0, error: null, updatedAt: at }).where('task.state', '!=', 'leased')).execute()
  }
  wake(taskTopic(task.executor))
  return id
}

/** In the commit of a task that has just ended: it is to be done again, as if for the first time. Waking is the caller's. */
export async function repeatTask(tx: Tx, id: TaskId, notBefore: Date): Promise<void> {
  await tx.updateTable('task').set({ state: 'ready', attempts: 0, notBefore: iso(notBefore) }).where('id', '=', id).execute()
}

export async function removeTask(tx: Tx, dedupe: string): Promise<void> {
  await tx.deleteFrom('task').where('dedupe', '=', dedupe).where('state', '!=', 'leased').execute()
}

/**
 * Leases up to `max` due tasks, oldest first. Leases that ran out are taken over. One statement; a racing caller gets others or none.
 * What is ready and what is held are two ranges, each read by an index of its own: an idle look costs the same however much waits for later.
 */
export async function leaseTasks(database: Database, executor: Executor, lease: { owner: string; max: number; seconds: number }, now: Date): Promise<Task[]> {
  const { db, kind } = database
  const at = iso(now)
  const range = (where: RawBuilder<unknown>, order: RawBuilder<unknown>) => sql`
      select * from (select "id", "notBefore" from "task" where "executor" = ${executor} and ${where} and "attempts" < "maxAttempts" and ("deadline" is null or "deadline" > ${at} or "attempts" > 0) order by ${order} limit ${lease.max} ${skipLocked(kind)}) as`
  // Materialised: looked for once, whatever the join around it does, or more rows would be locked than asked for.
  const due = sql<TaskId>`with "due" as materialized (select "id" from (
    ${range(sql`"state" = 'ready' and "notBefore" <= ${at}`, sql`"notBefore", "id"`)} "ready" union all
    ${range(sql`"state" = 'leased' and "leaseUntil" < ${at}`, sql`"leaseUntil"`)} "held") as "both" order by "notBefore", "id" limit ${lease.max}) select "id" from "due"`
  const rows = await db.updateTable('task')
    .set((eb) => ({ state: 'leased' as const, leaseOwner: lease.owner, leaseUntil: iso(new Date(now.getTime() + lease.seconds * 1000)), fence: eb('fence', '+', 1), attempts: eb('attempts', '+', 1), updatedAt: at }))
    .where('id', 'in', sql<TaskId>`(${due})` as never)
    .returningAll()
    .execute()
  return rows.toSorted((a, b) => (a.notBefore + a.id < b.notBefore + b.id ? -1 : 1))
}

export interface Held { id: TaskId; fence: number }
const heldBy = { leaseUntil: null, leaseOwner: null }

async function change(db: Db | Tx, held: Held, changes: Partial<TaskTable>): Promise<void> {
  const { numUpdatedRows } = await db.updateTable('task').set(changes)
    .where('id', '=', held.id).where('fence', '=', held.fence).where('state', '=', 'leased').executeTakeFirst()
  if (numUpdatedRows === 0n) throw new CertloopError('LEASE_LOST', `The lease on task ${held.id} was lost.`, { taskId: held.id })
}

/** @throws CertloopError LEASE_LOST, so that the transaction around it changes nothing. */
export const finishTask = (tx: Tx, held: Held, now: Date) => change(tx, held, { state: 'done', ...heldBy, updatedAt: iso(now) })
/** What was sealed for a bot is of no use once the work has ended. */
export async function forgetSealed(tx: Tx, { id, payload }: Pick<Task, 'id' | 'payload'>): Promise<void> {
  if (payload.includes('"sealed":"')) await replacePayload(tx, id, toJson({}))
}
/** @throws CertloopError LEASE_LOST */
export const failTask = (tx: Tx, held: Held, error: WireError, now: Date) => change(tx, held, { state: 'failed', ...heldBy, error: toJson(error), updatedAt: iso(now) })
/** Gives it back to be tried again at `notBefore`. @throws CertloopError LEASE_LOST */
export const returnTask = (db: Db | Tx, held: Held, error: WireError | null, notBefore: Date, now: Date) =>
  change(db, held, { state: 'ready', ...heldBy, notBefore: iso(notBefore), error: error ? toJson(error) : null, updatedAt: iso(now) })
/** In a transaction that only whoever still holds the task may make. @throws CertloopError LEASE_LOST */
export const confirmLease = (tx: Tx, held: Held, now: Date) => change(tx, held, { updatedAt: iso(now) })
/** @throws CertloopError LEASE_LOST */
export const renewLease = (db: Db | Tx, held: Held, until: Date, now: Date) => change(db, held, { leaseUntil: iso(until), updatedAt: iso(now) })

/** At a new start of a bot: what its earlier process held is ready again at once. */
export async function releaseLeases(tx: Tx, executor: Executor, keepOwner: string, now: Date): Promise<void> {
  await tx.updateTable('task').set({ state: 'ready', ...heldBy, notBefore: iso(now), updatedAt: iso(now) })
    .where('executor', '=', executor).where('state', '=', 'leased').where('leaseOwner', '!=', keepOwner).execute()
}

// As the indexes task_open_deadline and task_worn have them, letter for letter: only so do those fit.
const openDeadline = sql<string>`(case when "state" in ('ready', 'leased') then "deadline" end)`
const isWorn = sql<SqlBool>`(case when "state" in ('ready', 'leased') and "attempts" >= "maxAttempts" then 1 end) = 1`

/** Tasks that will not be done any more: past their deadline, or out of attempts with no lease running. Each kind is found by an index of its own. */
export async function overdueTasks(db: Db, now: Date, limit = 100): Promise<Task[]> {
  const at = iso(now)
  const tasks = db.selectFrom('task').selectAll().limit(limit)
  const late = await tasks.where(openDeadline, '<', at).orderBy(openDeadline).execute()
  const worn = await tasks.where(isWorn).where((eb) => eb.or([eb('state', '=', 'ready'), eb('leaseUntil', '<', at)])).execute()
  return [...new Map([...late, ...worn].map((task) => [task.id, task])).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit)
}

/** Ends a task without holding it; undefined when somebody was faster. Its fence grows, so a late result is refused. */
export async function expireTask(tx: Tx, task: Task, error: WireError, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('task').set({ state: 'failed', ...heldBy, fence: task.fence + 1, error: toJson(error), updatedAt: iso(now) })
    .where('id', '=', task.id).where('fence', '=', task.fence).where('state', '=', task.state).executeTakeFirst()
  if (numUpdatedRows > 0n) await forgetSealed(tx, task)
  return numUpdatedRows > 0n
}

export async function extendDeadline(tx: Tx, taskId: TaskId, deadline: Date): Promise<void> {
  await tx.updateTable('task').set({ deadline: iso(deadline) }).where('id', '=', taskId).execute()
}

/** Takes back work that nobody has ever begun: what was leased once may have left something behind. @returns how many */
export async function cancelReadyTasks(tx: Tx, subject: string, kinds: readonly string[]): Promise<number> {
  const { numDeletedRows } = await tx.deleteFrom('task').where('subject', '=', subject).where('kind', 'in', kinds).where('state', '=', 'ready').where('attempts', '=', 0).executeTakeFirst()
  return Number(numDeletedRows)
}

/** Ends whatever an executor still had to do, because it will not come back. Results that come all the same are refused. @returns the tasks */
export async function endTasksOf(tx: Tx, executor: Executor, error: WireError, now: Date): Promise<Task[]> {
  const ended = await tx.updateTable('task').set((eb) => ({ state: 'failed' as const, ...heldBy, fence: eb('fence', '+', 1), error: toJson(error), updatedAt: iso(now) }))
    .where('executor', '=', executor).where('state', 'in', ['ready', 'leased']).returningAll().execute()
  for (const task of ended) await forgetSealed(tx, task)
  return ended
}

/** Ends the work about one subject, whoever holds it: a result that comes all the same is late. */
export async function endTasksAbout(tx: Tx, subject: string, error: WireError, now: Date): Promise<void> {
  const ended = await tx.updateTable('task').set((eb) => ({ state: 'failed' as const, ...heldBy, fence: eb('fence', '+', 1), error: toJson(error), updatedAt: iso(now) }))
    .where('subject', '=', subject).where('executor', '!=', 'control-plane').where('state', 'in', ['ready', 'leased']).returningAll().execute()
  for (const task of ended) await forgetSealed(tx, task)
}

/** Whether such work waits and nobody has begun it. */
export async function hasReadyTask(tx: Tx, subject: string, kind: string): Promise<boolean> {
  return await tx.selectFrom('task').select('id').where('subject', '=', subject).where('kind', '=', kind).where('state', '=', 'ready').limit(1).executeTakeFirst() !== undefined
}

/** What a bot still has to do with something sealed for it. */
export async function openTasksWithSecrets(tx: Tx, executor: Executor): Promise<Task[]> {
  return tx.selectFrom('task').selectAll().where('executor', '=', executor).where('state', 'in', ['ready', 'leased']).where('payload', 'like', '%"sealed":"%').orderBy('id').execute()
}
export async function replacePayload(tx: Tx, id: TaskId, payload: string): Promise<void> {
  await tx.updateTable('task').set({ payload }).where('id', '=', id).execute()
}

export async function findTask(db: Db | Tx, id: TaskId): Promise<Task | undefined> {
  return db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function openTaskCount(tx: Tx, subject: string, kind: string): Promise<number> {
  const { count } = await tx.selectFrom('task').select((eb) => eb.fn.countAll<number>().as('count')).where('subject', '=', subject).where('kind', '=', kind).where('state', 'in', ['ready', 'leased']).executeTakeFirstOrThrow()
  return Number(count)
}

/** When the next task that waits for its time falls due; undefined when none does. What is due already is not for waiting. */
export async function nextDue(db: Db, executor: Executor, now: Date): Promise<Date | undefined> {
  const row = await db.selectFrom('task').select((eb) => eb.fn.min('notBefore').as('at')).where('executor', '=', executor).where('state', '=', 'ready').where('notBefore', '>', iso(now)).executeTakeFirst()
  return row?.at ? new Date(row.at) : undefined
}

/** Ended tasks are kept for a while as evidence. */
export async function pruneTasks(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('task').where('state', 'in', ['done', 'failed']).where('updatedAt', '<', iso(before)).execute()
}
