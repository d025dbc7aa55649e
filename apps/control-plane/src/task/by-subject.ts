import type { IdKind } from '@certloop/contract'
import type { BotTaskHandler } from './task-kinds.ts'
import type { Task } from './task-store.ts'

/** One kind of work that several domains ask the bots for: the id it is about says whose it is. */
export function bySubject(handlers: Partial<Record<IdKind, BotTaskHandler>>): BotTaskHandler {
  const of = ({ subject }: Task): BotTaskHandler => {
    const handler = handlers[subject.split('_')[0] as IdKind]
    if (!handler) throw new Error(`nobody asked for work about ${subject}`)
    return handler
  }
  return {
    completed: (tx, wake, task, data) => of(task).completed(tx, wake, task, data),
    failed: (tx, wake, task, error) => of(task).failed(tx, wake, task, error),
    progress: async (tx, wake, task, log, waiting) => await of(task).progress?.(tx, wake, task, log, waiting) ?? { cancel: false },
    secretsOf: async (tx, task) => of(task).secretsOf?.(tx, task),
    waitsWhenOverdue: async (tx, wake, task) => await of(task).waitsWhenOverdue?.(tx, wake, task) ?? false,
  }
}
