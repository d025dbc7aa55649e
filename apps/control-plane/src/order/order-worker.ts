import type { AuthorityId, OrderId } from '@certloop/contract'
import { lockCertificate } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import { repeatTask, taskTopic, type Task } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { afterCall, onFailure, type Next } from './after-call.ts'
import { openAttemptOf } from './attempt-store.ts'
import { beginCall, overdueError, type Begun, type Places, type Under } from './begin-call.ts'
import { callAuthority, type Answer, type CallDeps } from './call-authority.ts'
import { createNotes, writeNotes } from './order-notes.ts'
import { findOrder, type OrderRow } from './order-store.ts'
import { forgetAsked, wasAskedMeanwhile } from './order-task.ts'
import { doubtOrder, failOrder } from './settle.ts'
import { spreadOf } from './spread.ts'

const busySeconds = 2
const longestBusySeconds = 300
/** Of the places that one process has for work, an authority that hangs is not to take all. */
const mostPerAuthority = 6

/** Those that are turned away come again so seldom that looking for a place is not all the work that is done. */
const secondsPerWaiting = 0.02

/** While an authority does not answer, one order at a time finds out whether it does again, and the others come ever more rarely. */
export function watchAuthorities(): Places & { saw(authorityId: AuthorityId, orderId: OrderId, answer: Answer): void } {
  const silent = new Map<AuthorityId, number>()
  const lines = new Map<AuthorityId, { waiting: Set<OrderId>; at: number }>()
  /** How many orders wait here for a place. When none has come for so long, those that are left in it have ended elsewhere. */
  function inLine({ id, authorityId }: Pick<OrderRow, 'id' | 'authorityId'>, now: Date): number {
    const known = lines.get(authorityId)
    const waiting = known && now.getTime() - known.at < 2 * longestBusySeconds * 1000 ? known.waiting : new Set<OrderId>()
    lines.set(authorityId, { waiting: waiting.add(id), at: now.getTime() })
    return waiting.size
  }
  return {
    limit: (authorityId, concurrency) => (silent.has(authorityId) ? 1 : Math.min(concurrency, mostPerAuthority)),
    comeAgain(order, now) {
      const seconds = Math.max(busySeconds * 2 ** (silent.get(order.authorityId) ?? 0), inLine(order, now) * secondsPerWaiting)
      return new Date(now.getTime() + Math.min(longestBusySeconds, seconds) * (0.5 + spreadOf(order.id)) * 1000)
    },
    saw(authorityId, orderId, answer) {
      lines.get(authorityId)?.waiting.delete(orderId)
      const isSilent = answer.is === 'failure' && answer.error.code === 'AUTHORITY_UNREACHABLE'
      if (isSilent) silent.set(authorityId, Math.min(10, (silent.get(authorityId) ?? 0) + 1))
      else silent.delete(authorityId)
    },
  }
}

/** Carries an order on, a step each time it runs: what is known of it is in its rows and at the authority, nothing is in memory. */
export function submitOrderKind(deps: CallDeps): PlaneTaskKind {
  const { database, now } = deps
  const places = watchAuthorities()
  return {
    async run(task, signal) {
      const begun = await database.transaction((tx) => beginCall(tx, task, places, now()))
      if (begun.do === 'nothing') return async () => {}
      if (begun.do === 'later') return (tx, wake) => again(tx, wake, task, begun.at, now())
      const notes = createNotes()
      const answer = begun.do === 'call' ? await callAuthority(deps, task, begun, notes, signal) : undefined
      if (answer) places.saw(begun.under.attempt.authorityId, begun.under.order.id, answer)
      return async (tx, wake) => {
        await lockCertificate(tx, begun.under.order.certificateId)
        const under = await asItIsNow(tx, begun.under)
        if (!under) return
        await writeNotes(tx, under.order, notes.take(), now())
        const next = await carryOn(tx, wake, under, { begun, answer }, now())
        if (next) await again(tx, wake, task, next, now())
      }
    },
    async failed(tx, wake, task, error) {
      const order = await findOrder(tx, task.subject as OrderId)
      if (order?.state !== 'processing') return
      const attempt = await openAttemptOf(tx, order.id)
      if (attempt?.mayIssue === 1) await doubtOrder(tx, wake, order, error, now())
      else await failOrder(tx, wake, order, attempt && error.code === 'TASK_DEADLINE_PASSED' ? await overdueError(tx, order, attempt) : error, now())
    },
  }
}

/** With what validations and pages wrote meanwhile, and the handle that was kept. undefined: it has ended. */
async function asItIsNow(tx: Tx, { order: { id }, attempt: before, request }: Under): Promise<Under | undefined> {
  const [order, attempt] = [await findOrder(tx, id), await openAttemptOf(tx, id)]
  return order?.state === 'processing' && attempt?.id === before.id ? { order, attempt, request } : undefined
}

async function carryOn(tx: Tx, wake: Wakes, under: Under, { begun, answer }: { begun: Begun; answer: Answer | undefined }, now: Date): Promise<Next> {
  if (answer) return afterCall(tx, wake, under, answer, now)
  if (begun.do !== 'stop') return null
  if (!begun.isOver) return onFailure({ tx, wake, now }, under, { error: begun.error, mayIssue: under.attempt.mayIssue === 1 })
  await failOrder(tx, wake, under.order, begun.error, now)
  return null
}

/** Polling is no failing: the task begins anew each time. */
async function again(tx: Tx, wake: Wakes, task: Task, at: Date, now: Date): Promise<void> {
  const asked = await wasAskedMeanwhile(tx, task)
  if (asked) await forgetAsked(tx, task)
  const next = asked ? now : await notAfterDeadline(tx, task, at, now)
  await repeatTask(tx, task.id, next)
  wake(taskTopic('control-plane'))
}
/** It looks a last time then. */
async function notAfterDeadline(tx: Tx, task: Task, at: Date, now: Date): Promise<Date> {
  const text = (await findOrder(tx, task.subject as OrderId))?.deadline
  const deadline = text ? new Date(text) : at
  return deadline > now && deadline < at ? deadline : at
}
