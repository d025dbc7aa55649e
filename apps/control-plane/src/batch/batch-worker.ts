import type { BatchId } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { announce } from '../event/event-store.ts'
import { cancelIfWaiting } from '../provisioning/action-cancel.ts'
import { repeatTask, taskTopic, type Task } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { usageOf, type LimitKey, type Usage } from './batch-limits.ts'
import { startItem, type BatchDeps, type StartOutcome } from './batch-start.ts'
import { isOpenBatch, type BatchItemEvent } from './batch-state.ts'
import { actionsInWaiting, batchDetails, changeBatch, changeItem, countItems, failedCount, findBatch, giveUpPlace, hasItems, itemsToSettle, limitsOf, nextWaiting, placesOfItem, runningPlaces, setWaitsFor, waitedFor, type BatchItemRow, type BatchRow, type ItemCounts } from './batch-store.ts'

/** One look at a batch ends after so much, and asks for the next: other work gets its turn, and people see how it goes. */
const slice = { milliseconds: 2000, starts: 100, looks: 5000 } as const
const page = 200

/**
 * Moves a batch on: settles the items whose actions have ended and starts what the limits allow. Everything it goes by
 * is in the rows, so it may run at any time, twice, or again after a crash.
 */
export function advanceBatchKind(deps: BatchDeps): PlaneTaskKind {
  const { now } = deps
  return {
    run: async (task) => {
      const id = task.subject as BatchId
      await settleEnded(deps, id)
      await cancelThoseInWaiting(deps, id)
      await startNext(deps, id)
      return (tx, wake) => conclude(tx, wake, task, now())
    },
    async failed(tx, wake, task, error) {
      const batch = await findBatch(tx, task.subject as BatchId)
      if (batch?.state === 'running') await changeBatch(tx, wake, batch, { event: 'paused', reason: `It could not be moved on: ${error.message}`, nextAction: `${error.spec.remedy} Then resume it.` }, now())
    },
  }
}

const endings: Record<string, BatchItemEvent> = { done: 'succeeded', failed: 'failed', cancelled: 'cancelled' }

async function settleEnded({ database }: Pick<BatchDeps, 'database'>, id: BatchId): Promise<void> {
  for (;;) {
    const count = await database.transaction(async (tx) => {
      const found = await itemsToSettle(tx, id, page)
      for (const { item, action } of found) {
        if (action.endedAt === null) await giveUpPlace(tx, item)
        else await changeItem(tx, item, { event: endings[action.state] ?? 'failed', reason: action.reason, error: fromJsonOrNull(action.error) }, new Date(action.endedAt))
      }
      return found.length
    })
    if (count < page) return
  }
}

/** A cancelled batch ends what has issued and waits for the time of its deployment; what was issued is kept. */
async function cancelThoseInWaiting({ database, now }: BatchDeps, id: BatchId): Promise<void> {
  const endsAt = now().getTime() + slice.milliseconds
  const batch = await findBatch(database.db, id)
  if (batch?.state !== 'cancelling') return
  const by = batchDetails(batch).cancelledBy ?? batch.requester
  for (const actionId of await actionsInWaiting(database.db, id, page)) {
    if (now().getTime() >= endsAt) return
    await database.transaction((tx, wake) => cancelIfWaiting(tx, wake, actionId, by, now()))
  }
  await settleEnded({ database }, id)
}

/** @returns whether the batch still starts something */
async function pauseAfterFailures({ database, now }: BatchDeps, id: BatchId): Promise<boolean> {
  return database.transaction(async (tx, wake) => {
    const batch = await findBatch(tx, id)
    if (batch?.state !== 'running') return false
    if (batch.stopAfterFailures === null) return true
    const failures = await failedCount(tx, id) - (batchDetails(batch).failuresLetPass ?? 0)
    if (failures < batch.stopAfterFailures) return true
    await changeBatch(tx, wake, batch, { event: 'paused', reason: `${failures} failed, and it stops after ${batch.stopAfterFailures}. What is under way ends.`, nextAction: 'Look at those that failed and mend the cause; then retry or resume it, or cancel it.' }, now())
    return false
  })
}

interface Slice { endsAt: number; starts: number; looks: number }
const isOver = (left: Slice, now: Date) => left.starts <= 0 || left.looks <= 0 || now.getTime() >= left.endsAt

/** What may have room now: what was not looked at yet, and what was held up by a limit that is no longer reached. */
const worthALook = (waitedFor: readonly string[], usage: Usage): string[] =>
  usage.free === 0 ? [] : waitedFor.filter((key) => key === '' || usage.room(key as LimitKey) > 0)

async function startNext(deps: BatchDeps, id: BatchId): Promise<void> {
  const { database: { db }, now } = deps
  const left: Slice = { endsAt: now().getTime() + slice.milliseconds, starts: slice.starts, looks: slice.looks }
  if (!await pauseAfterFailures(deps, id)) return
  while (!isOver(left, now())) {
    const batch = await findBatch(db, id)
    if (batch?.state !== 'running') return
    const usage = usageOf(await runningPlaces(db, id), limitsOf(batch))
    const keys = worthALook(await waitedFor(db, id), usage)
    if (keys.length === 0) return
    for (const key of keys) {
      if (usage.free === 0 || isOver(left, now())) break
      if (!await startFrom(deps, batch, key, usage, left)) return
    }
  }
}

/** Goes through those that wait for one thing. @returns whether the batch still starts something */
async function startFrom(deps: BatchDeps, batch: BatchRow, key: string, usage: Usage, left: Slice): Promise<boolean> {
  const heldUp = new Map<LimitKey, number[]>()
  const outcomes = new Set<StartOutcome>()
  for (const item of await nextWaiting(deps.database.db, batch.id, key, key === '' ? page : Math.min(page, usage.room(key as LimitKey)))) {
    if (usage.free === 0 || isOver(left, deps.now()) || outcomes.has('stopped')) break
    left.looks--
    const places = placesOfItem(item)
    const blockedBy = usage.blockedBy(places)
    if (blockedBy !== null) heldUp.set(blockedBy, [...heldUp.get(blockedBy) ?? [], item.position])
    else outcomes.add(await startCounted(deps, item, usage, left))
  }
  if (heldUp.size > 0) await deps.database.transaction(async (tx) => { for (const [limit, positions] of heldUp) await setWaitsFor(tx, batch.id, positions, limit) })
  if (outcomes.has('stopped')) return false
  return outcomes.has('over') ? pauseAfterFailures(deps, batch.id) : true
}

async function startCounted(deps: BatchDeps, item: BatchItemRow, usage: Usage, left: Slice): Promise<StartOutcome> {
  const outcome = await startItem(deps, item)
  left.starts--
  if (outcome === 'started') usage.add(placesOfItem(item))
  return outcome
}

const ended = (counts: ItemCounts): string => `${Object.entries(counts).filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`).join(', ')}.`

/**
 * In the transaction that ends the look: whoever ends an action after this finds the task free and has it done again,
 * and what ended before is seen here. So nothing is overlooked.
 */
async function conclude(tx: Tx, wake: Wakes, task: Task, now: Date): Promise<void> {
  const batch = await findBatch(tx, task.subject as BatchId)
  if (!batch || !isOpenBatch(batch.state)) return
  announce(wake, 'batch', batch.id)
  const waits = await hasItems(tx, batch.id, 'waiting')
  if (!waits && !await hasItems(tx, batch.id, 'running')) {
    const counts = await countItems(tx, batch.id)
    const nextAction = counts.failed + counts.refused > 0 ? 'Look at those that failed or were refused, mend the cause, and retry them.' : null
    await changeBatch(tx, wake, batch, batch.state === 'cancelling' ? { event: 'stopped', reason: `Cancelled: ${ended(counts)}`, nextAction: null } : { event: 'completed', reason: ended(counts), nextAction }, now)
    return
  }
  if (!await hasMore(tx, batch, waits)) return
  await repeatTask(tx, task.id, now)
  wake(taskTopic('control-plane'))
}

/** Something to settle, to end or to start now. */
async function hasMore(tx: Tx, batch: BatchRow, waits: boolean): Promise<boolean> {
  if ((await itemsToSettle(tx, batch.id, 1)).length > 0) return true
  if (batch.state === 'cancelling') return (await actionsInWaiting(tx, batch.id, 1)).length > 0
  return batch.state === 'running' && waits && await mayStart(tx, batch)
}

async function mayStart(tx: Tx, batch: BatchRow): Promise<boolean> {
  return worthALook(await waitedFor(tx, batch.id), usageOf(await runningPlaces(tx, batch.id), limitsOf(batch))).length > 0
}
