import type { ActionId, BatchId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import { usageOf, waitsForItsTime } from './batch-limits.ts'
import { holdBatch, limitsOf, placesOfItem, runningPlaces, takePlace, waitingItem } from './batch-store.ts'

/**
 * The time of an action's deployment has come: it takes its place in its batch again, if there is room.
 * @returns why it has to wait; null: it may go on
 */
export async function takePlaceBack(tx: Tx, { id, batchId }: { id: ActionId; batchId: BatchId | null }, now: Date): Promise<string | null> {
  const item = batchId ? await waitingItem(tx, batchId, id) : undefined
  if (!batchId || item?.waitsFor !== waitsForItsTime) return null
  const batch = await holdBatch(tx, batchId, now)
  if (batch.state === 'paused') return 'Its batch is paused.'
  const usage = usageOf(await runningPlaces(tx, batchId), limitsOf(batch))
  if (usage.free === 0 || usage.blockedBy(placesOfItem(item)) !== null) return 'As many of its batch are being deployed as its limits allow.'
  await takePlace(tx, item)
  return null
}
