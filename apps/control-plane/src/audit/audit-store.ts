import type { Id } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

export interface AuditTables {
  auditEntry: AuditRow
  /** One row: the newest link of the chain. Its lock puts the entries of all replicas in one order. */
  auditHead: { id: number; sequence: number; hash: string }
}
export interface AuditRow {
  sequence: number
  id: Id<'aud'>
  at: string
  who: string
  what: string
  subject: string | null
  outcome: string
  /** Covers this entry and the hash of the one before; lower-case hex. */
  hash: string
}

/** Moves the head on by one and holds its row until the transaction ends. @returns the new number and the hash before it */
export async function takeHead(tx: Tx): Promise<{ sequence: number; hash: string }> {
  return tx.updateTable('auditHead').set((eb) => ({ sequence: eb('sequence', '+', 1) })).where('id', '=', 1)
    .returning(['sequence', 'hash']).executeTakeFirstOrThrow()
}

export async function appendEntry(tx: Tx, row: AuditRow): Promise<void> {
  await tx.insertInto('auditEntry').values(row).execute()
  await tx.updateTable('auditHead').set({ hash: row.hash }).where('id', '=', 1).execute()
}

export const readHead = (db: Db | Tx) => db.selectFrom('auditHead').select(['sequence', 'hash']).where('id', '=', 1).executeTakeFirst()

/** Newest first, those before `before` (a sequence). */
export async function listEntries(db: Db, before: number | undefined, limit: number): Promise<AuditRow[]> {
  let query = db.selectFrom('auditEntry').selectAll().orderBy('sequence', 'desc').limit(limit)
  if (before !== undefined) query = query.where('sequence', '<', before)
  return query.execute()
}

/** Oldest first, those after `after`. */
export async function entriesAfter(db: Db | Tx, after: number, limit: number): Promise<AuditRow[]> {
  return db.selectFrom('auditEntry').selectAll().where('sequence', '>', after).orderBy('sequence').limit(limit).execute()
}
