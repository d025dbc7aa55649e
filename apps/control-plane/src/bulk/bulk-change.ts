import { CertloopError, type BulkChangeId, type BulkChangeInput } from '@certloop/contract'
import { resolveSelection } from '../batch/selection.ts'
import type { Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { saysNothing } from './bulk-merge.ts'
import { changeBulk, countBulk, forgetUndoErrors, getBulkChange, insertBulkChange, retryFailed, type Asker } from './bulk-store.ts'

const certificates = (count: number) => (count === 1 ? '1 certificate' : `${count} certificates`)

/**
 * Notes which certificates are meant and what is to be the same with them; what that changes is then worked out.
 * @throws CertloopError INPUT_INVALID naming what does not fit
 */
export async function createBulkChange(tx: Tx, wake: Wakes, { selection, parts }: BulkChangeInput, asker: Asker, now: Date): Promise<BulkChangeId> {
  if (saysNothing(parts)) throw new CertloopError('INPUT_INVALID', 'Say which settings are to be the same on these certificates.', { fields: ['body.parts: names no setting'] })
  return insertBulkChange(tx, wake, { parts, asker, items: await resolveSelection(tx, selection) }, now)
}

/** What a person does with a bulk change. @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE */
export const bulkCommands = {
  async apply(tx: Tx, wake: Wakes, id: BulkChangeId, asker: Asker, now: Date): Promise<void> {
    const bulk = await getBulkChange(tx, id)
    await retryFailed(tx, id)
    const { ready } = await countBulk(tx, id)
    await changeBulk(tx, wake, bulk, { event: 'begun', message: `it is made on ${certificates(ready)}.`, asker, works: true }, now)
    if (ready === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'There is nothing to change: no certificate would take these settings and differ from them.', { bulkChangeId: id })
  },
  async undo(tx: Tx, wake: Wakes, id: BulkChangeId, asker: Asker, now: Date): Promise<void> {
    const bulk = await getBulkChange(tx, id)
    const { applied } = await countBulk(tx, id)
    await changeBulk(tx, wake, bulk, { event: 'takenBack', message: `it is taken back on ${certificates(applied)}.`, asker, works: true }, now)
    if (applied === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'There is nothing to take back: no certificate has the settings of this change any more.', { bulkChangeId: id })
    await forgetUndoErrors(tx, id)
  },
  async discard(tx: Tx, wake: Wakes, id: BulkChangeId, asker: Asker, now: Date): Promise<void> {
    await changeBulk(tx, wake, await getBulkChange(tx, id), { event: 'discarded', message: 'the preview was dropped; nothing was changed.', asker }, now)
  },
}
