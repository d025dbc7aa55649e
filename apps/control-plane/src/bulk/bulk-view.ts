import type { BulkChange, BulkChangeId, BulkItem, BulkItemState } from '@certloop/contract'
import { positionOf } from '../batch/batch-view.ts'
import { fromJson, fromJsonOrNull } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import { bulkCounts, countBulk, getBulkChange, type BulkChangeRow, type BulkCounts } from './bulk-store.ts'

function toBulkChange(row: BulkChangeRow, counts: BulkCounts): BulkChange {
  const { id, state, total, requester, createdAt, updatedAt, endedAt } = row
  return { id, state, parts: fromJson(row.parts), total, counts, requester, createdAt, updatedAt, endedAt }
}

/** @throws CertloopError NOT_FOUND */
export async function readBulkChange(db: Db, id: BulkChangeId): Promise<BulkChange> {
  return toBulkChange(await getBulkChange(db, id), await countBulk(db, id))
}

/** Newest first; the cursor is the id of the last row. */
export async function listBulkChanges(db: Db, { limit, cursor }: { limit: number; cursor?: string | undefined }): Promise<{ items: BulkChange[]; nextCursor: string | null }> {
  let query = db.selectFrom('bulkChange').selectAll().orderBy('id', 'desc').limit(limit + 1)
  if (cursor) query = query.where('id', '<', cursor as BulkChangeId)
  const rows = await query.execute()
  const counts = await bulkCounts(db, rows.map(({ id }) => id))
  const items = rows.slice(0, limit).flatMap((row) => {
    const of = counts.get(row.id)
    return of ? [toBulkChange(row, of)] : []
  })
  return { items, nextCursor: rows.length > limit ? items.at(-1)?.id ?? null : null }
}

/** In the order they were selected in; the cursor is the position of the last one. */
export async function listBulkItems(db: Db, id: BulkChangeId, { state, limit, cursor }: { state?: BulkItemState | undefined; limit: number; cursor?: string | undefined }): Promise<{ items: BulkItem[]; nextCursor: string | null }> {
  await getBulkChange(db, id)
  let query = db.selectFrom('bulkItem').selectAll().where('bulkId', '=', id).where('position', '>', positionOf(cursor)).orderBy('position').limit(limit + 1)
  if (state) query = query.where('state', '=', state)
  const rows = await query.execute()
  const page = rows.slice(0, limit)
  const items = page.map((row) => ({ certificateId: row.certificateId, certificateName: row.certificateName, state: row.state, changes: fromJson<BulkItem['changes']>(row.changes), error: fromJsonOrNull<NonNullable<BulkItem['error']>>(row.error) }))
  return { items, nextCursor: rows.length > limit ? String(page.at(-1)?.position ?? '') : null }
}
