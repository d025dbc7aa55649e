import { CertloopError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import type { BotTaskHandler, PlaneTaskKind } from './task-kinds.ts'
import { expireTask, extendDeadline, overdueTasks, pruneTasks, type Task } from './task-store.ts'

export interface WatchdogDeps {
  database: Database
  planeKinds: Readonly<Record<string, PlaneTaskKind>>
  botKinds: Readonly<Record<string, BotTaskHandler>>
  now: () => Date
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void
}

const keepEndedDays = 30
const waitAgainSeconds = 3600

/** Ends what is overdue, with its reason. Safe to run on every replica. @returns how many tasks ended */
export async function watch(deps: WatchdogDeps): Promise<number> {
  const { database, now } = deps
  let ended = 0
  for (const task of await overdueTasks(database.db, now())) {
    try {
      if (await endOverdue(deps, task)) ended++
    } catch (error) {
      deps.log('error', 'an overdue task could not be ended; it is tried again', { task: task.id, kind: task.kind, error })
    }
  }
  await pruneTasks(database.db, new Date(now().getTime() - keepEndedDays * 86_400_000))
  return ended
}

async function endOverdue({ database, planeKinds, botKinds, now }: WatchdogDeps, task: Task): Promise<boolean> {
  const late = task.deadline !== null && new Date(task.deadline) < now()
  const error = overdueError(task, late)
  return database.transaction(async (tx, wake) => {
    const bot = botKinds[task.kind]
    if (bot && task.attempts > 0 && late && await bot.waitsWhenOverdue?.(tx, wake, task)) {
      await extendDeadline(tx, task.id, new Date(now().getTime() + waitAgainSeconds * 1000))
      return false
    }
    if (!await expireTask(tx, task, error.toWire(), now())) return false
    await (bot ?? planeKinds[task.kind])?.failed(tx, wake, task, error)
    return true
  })
}

function overdueError(task: Task, late: boolean): CertloopError {
  const isBot = task.executor !== 'control-plane'
  if (late && isBot && task.attempts === 0) return new CertloopError('BOT_UNREACHABLE', 'The bot did not take up the work in time.', { botId: task.executor })
  if (late) return new CertloopError('TASK_DEADLINE_PASSED', `The work "${task.kind}" was not finished by ${task.deadline}.`)
  return new CertloopError('TASK_ATTEMPTS_EXHAUSTED', `The work "${task.kind}" was tried ${task.attempts} times.`)
}

/** Looks every ten seconds until stopped. */
export function startWatchdog(deps: WatchdogDeps, everyMs = 10_000): { stop(): Promise<void> } {
  let running: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    running = watch(deps).catch((error: unknown) => deps.log('error', 'the watchdog could not look', { error }))
  }, everyMs)
  return { async stop() { clearInterval(timer); await running } }
}
