import type { ActionId, AuthorityId, BatchId, BatchItemState, BatchState, CertificateId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import type { Tx } from '../database/database.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'

/** One action on many certificates. */
export interface BatchTable {
  id: BatchId
  action: string
  state: BatchState
  /** JSON of BatchLimits. */
  limits: string
  stopAfterFailures: number | null
  /** JSON of what the action is given. */
  details: string
  total: number
  requester: string
  reason: string
  nextAction: string | null
  createdAt: string
  updatedAt: string
  endedAt: string | null
}
export interface BatchItemTable {
  batchId: BatchId
  position: number
  certificateId: CertificateId
  state: BatchItemState
  actionId: ActionId | null
  attempts: number
  authorityId: AuthorityId | null
  /** JSON of ids, and of bot and machine: what the limits count. */
  bots: string
  hosts: string
  reason: string | null
  error: string | null
  startedAt: string | null
  endedAt: string | null
}
export interface BatchTables { batch: BatchTable; batchItem: BatchItemTable }
export type BatchRow = Selectable<BatchTable>
export type BatchItemRow = Selectable<BatchItemTable>

/** Has a batch looked at again soon: one of its actions has ended. Many that end together are one look. */
export async function wakeBatch(tx: Tx, wake: Wakes, id: BatchId, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-batch', subject: id, dedupe: `batch:${id}`, maxAttempts: 1_000_000 }, now)
}
