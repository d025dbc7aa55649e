import { CertloopError, type BotId, type BotTask, type BotTaskKind, type LeaseRequest, type ProgressRequest, type ProgressResponse, type ResultRequest, type TaskId, botTaskKinds, checkShape, DeployResult, fromWire } from '@certloop/contract'
import { fromJson, iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { failTask, findTask, finishTask, forgetSealed, leaseTasks, nextDue, renewLease, returnTask, taskTopic, type Held, type Task } from '../task/task-store.ts'
import type { BotTaskHandler } from '../task/task-kinds.ts'
import { cutLog, cutResultLog } from './log-limits.ts'

export interface LeaseDeps { database: Database; handlers: Readonly<Record<BotTaskKind, BotTaskHandler>>; now: () => Date; closing: AbortSignal }

const leaseSeconds = 60
const defaultDeadlineHours = 24

const toBotTask = (task: Task, now: Date): BotTask => ({
  id: task.id, kind: task.kind as BotTaskKind, fence: task.fence, leaseUntil: task.leaseUntil ?? iso(now), deadline: task.deadline ?? iso(new Date(now.getTime() + defaultDeadlineHours * 3_600_000)), payload: fromJson(task.payload),
})

/** Waits until there may be work for this bot: news of a task, one falling due, the time given, or shutdown. */
function waitForWork({ database, now, closing }: LeaseDeps, botId: BotId, due: Date | undefined, milliseconds: number, gone: AbortSignal): { done: Promise<void>; cancel: () => void } {
  let finish = () => {}
  const done = new Promise<void>((resolve) => { finish = resolve })
  const stop = database.wake.listen((topic) => { if (topic === taskTopic(botId)) finish() })
  const untilDue = due ? Math.max(5, due.getTime() - now().getTime()) : milliseconds
  const timer = setTimeout(finish, Math.min(milliseconds, untilDue))
  for (const signal of [closing, gone]) signal.addEventListener('abort', finish, { once: true })
  return { done: done.finally(() => { clearTimeout(timer); stop(); for (const signal of [closing, gone]) signal.removeEventListener('abort', finish) }), cancel: finish }
}

/** Gives a bot its work; waits for some up to the time it asks for. Listens before it looks, so that nothing slips between. */
export async function leaseWork(deps: LeaseDeps, botId: BotId, request: LeaseRequest, gone: AbortSignal): Promise<BotTask[]> {
  const { database, now, closing } = deps
  const until = now().getTime() + request.waitSeconds * 1000
  for (;;) {
    const due = await nextDue(database.db, botId, now())
    const wait = waitForWork(deps, botId, due, Math.max(0, until - now().getTime()), gone)
    const tasks = gone.aborted || closing.aborted ? [] : await leaseTasks(database, botId, { owner: request.bootId, max: request.max, seconds: leaseSeconds }, now())
    if (tasks.length > 0 || now().getTime() >= until || gone.aborted || closing.aborted) {
      wait.cancel()
      await wait.done
      return tasks.map((t) => toBotTask(t, now()))
    }
    await wait.done
  }
}

/** A task that this bot holds, or NOT_FOUND: bots see only their own. */
async function ownTask({ database }: LeaseDeps, botId: BotId, id: TaskId): Promise<Task> {
  const task = await findTask(database.db, id)
  if (!task || task.executor !== botId) throw new CertloopError('NOT_FOUND', `There is no task ${id} for this bot.`, { taskId: id })
  return task
}

/** Renews the lease and takes log lines. @throws CertloopError LEASE_LOST */
export async function reportProgress(deps: LeaseDeps, botId: BotId, id: TaskId, { fence, log, waiting = false }: ProgressRequest): Promise<ProgressResponse> {
  const { database, handlers, now } = deps
  const task = await ownTask(deps, botId, id)
  const until = new Date(now().getTime() + leaseSeconds * 1000)
  const answer = await database.transaction(async (tx, wake) => {
    await renewLease(tx, { id, fence }, until, now())
    return handlers[task.kind as BotTaskKind]?.progress?.(tx, wake, task, cutLog(log), waiting)
  })
  // Bots of an earlier version take no field that they don't know: they learn nothing of a request to stop.
  return { leaseUntil: iso(until), ...(answer?.cancel ? { cancel: true } : {}) }
}

/** Takes the result of a task; the same result again is accepted again. @throws CertloopError LEASE_LOST, INPUT_INVALID */
export async function reportResult(deps: LeaseDeps, botId: BotId, id: TaskId, { fence, result }: ResultRequest): Promise<void> {
  const { database, handlers, now } = deps
  const task = await ownTask(deps, botId, id)
  if ((task.state === 'done' || task.state === 'failed') && task.fence === fence) return
  const kind = task.kind as BotTaskKind
  const held: Held = { id, fence }
  if (result.ok) {
    const data = checkShape(botTaskKinds[kind].result, botTaskKinds[kind].result === DeployResult ? cutResultLog(result.data) : result.data, { what: `The result of "${kind}"` })
    await database.transaction(async (tx, wake) => {
      const late = handlers[kind].late
      if (task.state === 'failed' && late) return late(tx, wake, task, data)
      await finishTask(tx, held, now())
      await forgetSealed(tx, task)
      await handlers[kind].completed(tx, wake, task, data)
    })
    return
  }
  const error = fromWire(result.error)
  await database.transaction(async (tx, wake) => {
    if (error.spec.retry === 'later' && task.attempts < Math.min(task.maxAttempts, 5)) {
      await returnTask(tx, held, error.toWire(), new Date(now().getTime() + 2 ** task.attempts * 1000), now())
      return
    }
    await failTask(tx, held, error.toWire(), now())
    await forgetSealed(tx, task)
    await handlers[kind].failed(tx, wake, task, error)
  })
}
