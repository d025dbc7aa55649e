import type { Batch, BatchId, BatchItem, BatchItemState, BatchLimits, BatchState } from '@certloop/contract'
import { CertloopError } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { idInKey, waitText } from './batch-limits.ts'
import { getBatch, itemCounts, limitsOf, type BatchItemRow, type BatchRow, type ItemCounts } from './batch-store.ts'

function toBatch(row: BatchRow, counts: ItemCounts): Batch {
  const { id, action, state, stopAfterFailures, total, requester, reason, nextAction, createdAt, updatedAt, endedAt } = row
  return { id, action: action as Batch['action'], state, limits: limitsOf(row), stopAfterFailures, total, counts, requester, reason, nextAction, createdAt, updatedAt, endedAt }
}
async function toBatches(db: Db, rows: readonly BatchRow[]): Promise<Batch[]> {
  const counts = await itemCounts(db, rows.map(({ id }) => id))
  return rows.flatMap((row) => {
    const of = counts.get(row.id)
    return of ? [toBatch(row, of)] : []
  })
}

/** @throws CertloopError NOT_FOUND */
export async function readBatch(db: Db, id: BatchId): Promise<Batch> {
  const [batch] = await toBatches(db, [await getBatch(db, id)])
  if (!batch) throw new CertloopError('NOT_FOUND', `There is no batch ${id}.`)
  return batch
}

export interface BatchQuery { state?: BatchState | undefined; limit: number; cursor?: string | undefined }
/** Newest first; the cursor is the id of the last row. */
export async function listBatches(db: Db, { state, limit, cursor }: BatchQuery): Promise<{ items: Batch[]; nextCursor: string | null }> {
  let query = db.selectFrom('batch').selectAll().orderBy('id', 'desc').limit(limit + 1)
  if (state) query = query.where('state', '=', state)
  if (cursor) query = query.where('id', '<', cursor as BatchId)
  const rows = await query.execute()
  const items = await toBatches(db, rows.slice(0, limit))
  return { items, nextCursor: rows.length > limit ? items.at(-1)?.id ?? null : null }
}

/** Reads the cursor of a list that is in order of position. @throws CertloopError INPUT_INVALID */
export function positionOf(cursor: string | undefined): number {
  if (cursor === undefined) return -1
  if (!/^\d{1,9}$/.test(cursor)) throw new CertloopError('INPUT_INVALID', 'The cursor is not one that this list gave.', { fields: ['query.cursor: not a cursor of this list'] })
  return Number(cursor)
}

type ListedItem = BatchItemRow & { actionReason: string | null; actionNextAction: string | null }
export interface ItemQuery { state?: BatchItemState | undefined; limit: number; cursor?: string | undefined }
/** In the order they were selected in; the cursor is the position of the last one. */
export async function listBatchItems(db: Db, id: BatchId, { state, limit, cursor }: ItemQuery): Promise<{ items: BatchItem[]; nextCursor: string | null }> {
  const batch = await getBatch(db, id)
  let query = db.selectFrom('batchItem as i').leftJoin('action as a', 'a.id', 'i.actionId').selectAll('i').select(['a.reason as actionReason', 'a.nextAction as actionNextAction'])
    .where('i.batchId', '=', id).where('i.position', '>', positionOf(cursor)).orderBy('i.position').limit(limit + 1)
  if (state) query = query.where('i.state', '=', state)
  const rows = await query.execute()
  const page = rows.slice(0, limit)
  const names = await namesIn(db, page)
  const items = page.map((row) => toItem(row, reasonOf(row, batch, limitsOf(batch), (of) => names.get(of) ?? of)))
  return { items, nextCursor: rows.length > limit ? String(page.at(-1)?.position ?? '') : null }
}

function reasonOf(row: ListedItem, batch: BatchRow, limits: BatchLimits, nameOf: (id: string) => string): string | null {
  if (row.state === 'waiting') return batch.state === 'paused' ? 'Waits until the batch is resumed.' : waitText(row.waitsFor, limits, nameOf)
  if (row.state === 'running') return [row.actionReason, row.actionNextAction].filter(Boolean).join(' ') || 'Under way.'
  return row.reason
}

function toItem(row: ListedItem, reason: string | null): BatchItem {
  const { certificateId, certificateName, state, actionId, attempts, startedAt, endedAt } = row
  return { certificateId, certificateName, state, actionId, attempts, reason, error: fromJsonOrNull(row.error), startedAt, endedAt }
}

/** Names of the bots and authorities that items wait for. */
async function namesIn(db: Db, rows: readonly ListedItem[]): Promise<Map<string, string>> {
  const ids = [...new Set(rows.filter((row) => row.state === 'waiting').map((row) => idInKey(row.waitsFor)).filter((id) => id !== undefined))]
  const names = new Map<string, string>()
  if (ids.length === 0) return names
  for (const table of ['bot', 'authority'] as const) {
    for (const { id, name } of await db.selectFrom(table).select(['id', 'name']).where('id', 'in', ids as never).execute()) names.set(id, name)
  }
  return names
}
