import { CertloopError, newId, type BotTask, type BotTaskKind, type ProgressRequest, type ResultRequest, type TaskId } from '@certloop/contract'

interface Held { task: BotTask; bootId: string | null; leaseUntil: number; done: boolean }

/** Tasks with leases and fences, as a control plane keeps them. */
export function createTaskBoard({ now, leaseMs }: { now: () => Date; leaseMs: number }) {
  const held: Held[] = []
  const results = new Map<TaskId, ResultRequest['result']>()
  const progress: { taskId: TaskId; request: ProgressRequest }[] = []
  const leaseEnd = () => now().getTime() + leaseMs

  const heldBy = (id: TaskId, fence: number): Held => {
    const found = held.find(({ task }) => task.id === id)
    if (!found || found.done || found.task.fence !== fence || found.bootId === null || found.leaseUntil < now().getTime()) throw new CertloopError('LEASE_LOST', 'Not yours.')
    return found
  }
  return {
    held, results, progress,
    add(kind: string, payload: unknown): TaskId {
      const id = newId('tsk', new Date())
      const deadline = new Date(now().getTime() + 3_600_000).toISOString()
      held.push({ task: { id, kind: kind as BotTaskKind, fence: 0, leaseUntil: deadline, deadline, payload }, bootId: null, leaseUntil: 0, done: false })
      return id
    },
    /** A new boot of the bot gives back what the earlier one held. */
    giveBack(bootId: string) {
      for (const one of held) if (one.bootId !== bootId) one.bootId = null
    },
    /** Takes a task away from whoever holds it, as a passed lease does. */
    takeAway(id: TaskId) {
      for (const one of held) if (one.task.id === id) one.bootId = null
    },
    due: () => held.filter((one) => !one.done && (one.bootId === null || one.leaseUntil < now().getTime())),
    lease(bootId: string, max: number): BotTask[] {
      return this.due().slice(0, max).map((one) => {
        one.task.fence += 1
        one.bootId = bootId
        one.leaseUntil = leaseEnd()
        one.task.leaseUntil = new Date(one.leaseUntil).toISOString()
        return { ...one.task }
      })
    },
    renew(id: TaskId, request: ProgressRequest) {
      const one = heldBy(id, request.fence)
      progress.push({ taskId: id, request })
      one.leaseUntil = leaseEnd()
      return { leaseUntil: new Date(one.leaseUntil).toISOString() }
    },
    finish(id: TaskId, { fence, result }: ResultRequest, check: (kind: BotTaskKind, data: unknown) => void) {
      if (results.has(id) && held.some(({ task }) => task.id === id && task.fence === fence)) return
      const one = heldBy(id, fence)
      if (result.ok) check(one.task.kind, result.data)
      one.done = true
      results.set(id, result)
    },
  }
}
