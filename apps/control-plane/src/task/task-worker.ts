import { CertloopError, newId, toCertloopError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import type { PlaneTaskKind } from './task-kinds.ts'
import { failTask, finishTask, leaseTasks, nextDue, releaseLeases, renewLease, returnTask, taskTopic, type Task } from './task-store.ts'

export interface WorkerDeps {
  database: Database
  kinds: Readonly<Record<string, PlaneTaskKind>>
  now: () => Date
  /** 0 <= value < 1, spreads retries. */
  random: () => number
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void
}
export interface Worker { stop(): Promise<void> }

/** So long the work of a replica that died stays untouched by the others. */
const leaseSeconds = 20
const concurrency = 8
/** At its end the worker waits so long for calls that are under way. */
const patienceMs = 5_000
/** Wakes can be lost; so often the worker looks anyway. */
const lookAgainMs = 5_000

/** Seconds until the next try: 1, 2, 4 … 300, spread by a quarter either way. */
export function retrySeconds(attempt: number, random: number): number {
  return Math.min(300, 2 ** Math.max(0, attempt - 1)) * (0.75 + random / 2)
}

/** Works off the tasks of the control plane. Any number may run on one database. */
export function startWorker(deps: WorkerDeps): Worker {
  const { database, now } = deps
  const owner = newId('req', now())
  const running = new Set<Promise<void>>()
  let stopped = false
  let signal = () => {}
  let pending = true
  const stopping = new AbortController()
  const poke = () => { pending = true; signal() }
  const unlisten = database.wake.listen((topic) => { if (topic === taskTopic('control-plane')) poke() })

  const wait = async (since: Date) => {
    const due = await nextDue(database.db, 'control-plane', since)
    const ms = Math.max(5, Math.min(lookAgainMs, due ? due.getTime() - now().getTime() : lookAgainMs))
    if (pending || stopped) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      signal = () => { clearTimeout(timer); resolve() }
    })
  }

  const loop = async () => {
    // On SQLite there is no other replica: what an earlier process held is free at once.
    if (database.kind === 'sqlite') await database.transaction((tx) => releaseLeases(tx, 'control-plane', owner, now()))
    while (!stopped) {
      pending = false
      const at = now()
      try {
        const tasks = running.size >= concurrency ? [] : await leaseTasks(database, 'control-plane', { owner, max: concurrency - running.size, seconds: leaseSeconds }, at)
        for (const task of tasks) {
          const work = runTask(deps, task, stopping.signal).finally(() => { running.delete(work); poke() })
          running.add(work)
        }
        if (tasks.length === 0) await wait(at)
      } catch (error) {
        deps.log('error', 'the worker could not read its tasks', { error })
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
    }
  }
  const done = loop()
  return {
    async stop() {
      stopped = true
      poke()
      unlisten()
      await done
      const patience = setTimeout(() => stopping.abort(), patienceMs)
      await Promise.allSettled(running)
      clearTimeout(patience)
    },
  }
}

/** One attempt at one task. Never throws. */
export async function runTask(deps: WorkerDeps, task: Task, stopping?: AbortSignal): Promise<void> {
  const { database, kinds, now, log } = deps
  const kind = kinds[task.kind]
  const lost = new AbortController()
  const signal = AbortSignal.any([lost.signal, ...(stopping ? [stopping] : [])])
  const beat = setInterval(() => {
    renewLease(database.db, task, new Date(now().getTime() + leaseSeconds * 1000), now()).catch((error: unknown) => {
      if (toCertloopError(error).code === 'LEASE_LOST') lost.abort()
      log('warn', 'lease not renewed', { task: task.id, error })
    })
  }, (leaseSeconds / 3) * 1000)
  try {
    if (!kind) throw new CertloopError('INTERNAL', `No handler for tasks of kind "${task.kind}".`)
    const commit = await kind.run(task, signal)
    await database.transaction(async (tx, wake) => {
      await finishTask(tx, task, now())
      await commit(tx, wake)
    })
  } catch (thrown) {
    // What was broken off says nothing of the work: it is done again by whoever holds it.
    if (signal.aborted) await returnTask(database.db, task, null, now(), now()).catch(() => {})
    else await endFailedAttempt(deps, task, kind, toCertloopError(thrown)).catch((error: unknown) => log('error', 'a failed task could not be written down; its lease will run out', { task: task.id, error }))
  } finally {
    clearInterval(beat)
  }
}

async function endFailedAttempt({ database, now, random, log }: WorkerDeps, task: Task, kind: PlaneTaskKind | undefined, error: CertloopError): Promise<void> {
  if (error.code === 'LEASE_LOST') return
  const again = error.spec.retry === 'later' || error.code === 'CONFLICT'
  log(again ? 'warn' : 'error', 'task failed', { task: task.id, kind: task.kind, subject: task.subject, attempt: task.attempts, code: error.code, message: error.message, cause: error.cause })
  if (again && task.attempts < task.maxAttempts) {
    const notBefore = new Date(now().getTime() + retrySeconds(task.attempts, random()) * 1000)
    await returnTask(database.db, task, error.toWire(), notBefore, now())
    return
  }
  await database.transaction(async (tx, wake) => {
    await failTask(tx, task, error.toWire(), now())
    await kind?.failed(tx, wake, task, error)
  })
}
