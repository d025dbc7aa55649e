import { batchLimitDefaults, CertloopError, revocationReasonsToGive, type BatchId, type BatchInput, type RevocationReasonToGive } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { placesOf, type Places } from './batch-limits.ts'
import { batchDetails, cancelWaiting, changeBatch, configuredPlaces, countItems, getBatch, insertBatch, retryItems, wakeBatch, type BatchRow } from './batch-store.ts'
import { resolveSelection } from './selection.ts'

const nowhere: Places = { authorityId: null, bots: [], hosts: [] }
const certificates = (count: number) => (count === 1 ? '1 certificate' : `${count} certificates`)
const asAReason = (reason: string): reason is RevocationReasonToGive => (revocationReasonsToGive as readonly string[]).includes(reason)

function revocationReason({ action, reason }: BatchInput): RevocationReasonToGive | undefined {
  if (reason === undefined) return undefined
  const invalid = (message: string) => new CertloopError('INPUT_INVALID', message, { fields: [`body.reason: ${message}`] })
  if (action !== 'revoke') throw invalid('A reason can only come with "revoke".')
  if (!asAReason(reason)) throw invalid(`The reason must be one of ${revocationReasonsToGive.join(', ')}.`)
  return reason
}

const runningReason = (action: string, total: number, most: number) => `"${action}" on ${certificates(total)}, at most ${most} at a time.`
const goesOn = 'Nothing: the next begin as others end.'

/**
 * Notes which certificates are meant and has the first ones begun. Nothing is started here.
 * @throws CertloopError INPUT_INVALID naming what does not fit
 */
export async function createBatch(tx: Tx, wake: Wakes, input: BatchInput, requester: string, now: Date): Promise<BatchId> {
  const reason = revocationReason(input)
  const selected = await resolveSelection(tx, input.selection)
  const limits = { ...batchLimitDefaults, ...input.limits }
  const places = await configuredPlaces(tx, selected.map(({ id }) => id))
  const items = selected.map((each) => ({ ...each, places: placesOf(input.action, places.get(each.id) ?? nowhere) }))
  return insertBatch(tx, wake, {
    action: input.action, limits, stopAfterFailures: input.stopAfterFailures ?? null, details: reason === undefined ? {} : { revocationReason: reason }, requester, items,
    reason: runningReason(input.action, items.length, limits.total), nextAction: goesOn,
  }, now)
}

/** Reads it and has it looked at, in this order everywhere: whoever ends a look has the task first and the batch then. */
async function take(tx: Tx, wake: Wakes, id: BatchId, now: Date): Promise<BatchRow> {
  await getBatch(tx, id)
  await wakeBatch(tx, wake, id, now)
  return getBatch(tx, id)
}

const mostAtATime = (batch: BatchRow) => (JSON.parse(batch.limits) as { total: number }).total

/** What a person does with a batch. @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE */
export const batchCommands = {
  async pause(tx: Tx, wake: Wakes, id: BatchId, requester: string, now: Date): Promise<void> {
    const batch = await take(tx, wake, id, now)
    await changeBatch(tx, wake, batch, { event: 'paused', reason: `Paused by ${requester}; what is under way ends, and what waits for the time of its deployment goes on waiting.`, nextAction: 'Resume or cancel it.', requester }, now)
  },
  async resume(tx: Tx, wake: Wakes, id: BatchId, requester: string, now: Date): Promise<void> {
    const batch = await take(tx, wake, id, now)
    const { failed } = await countItems(tx, id)
    // Whoever resumes it has seen the failures there are.
    await changeBatch(tx, wake, batch, { event: 'resumed', reason: runningReason(batch.action, batch.total, mostAtATime(batch)), nextAction: goesOn, details: { ...batchDetails(batch), failuresLetPass: failed }, requester }, now)
  },
  async cancel(tx: Tx, wake: Wakes, id: BatchId, requester: string, now: Date): Promise<void> {
    const batch = await take(tx, wake, id, now)
    await changeBatch(tx, wake, batch, { event: 'cancelled', reason: `Cancelled by ${requester}; what is under way ends, and what waits for the time of its deployment is cancelled.`, nextAction: 'Nothing: it is over once what is under way has ended.', details: { ...batchDetails(batch), cancelledBy: requester }, requester }, now)
    await cancelWaiting(tx, id, 'The batch was cancelled before it began.', now)
  },
  async retry(tx: Tx, wake: Wakes, id: BatchId, requester: string, now: Date): Promise<void> {
    const batch = await take(tx, wake, id, now)
    const again = await retryItems(tx, id)
    if (again === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'Nothing in this batch failed or was refused, so there is nothing to try again.', { batchId: id })
    await changeBatch(tx, wake, batch, { event: 'retried', reason: `${runningReason(batch.action, batch.total, mostAtATime(batch))} ${certificates(again)} tried again.`, nextAction: goesOn, details: { ...batchDetails(batch), failuresLetPass: 0 }, requester }, now)
  },
}
