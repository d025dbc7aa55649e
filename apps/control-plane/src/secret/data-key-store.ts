import type { Id } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

/** A key that seals secrets, wrapped by the master key that `masterKeyId` recognises. The highest position seals; all open. */
export interface DataKeyTable { position: number; id: Id<'sec'>; masterKeyId: string; wrapped: string; createdAt: string }
export interface SecretTables { data_key: DataKeyTable }

export async function listDataKeys(db: Db | Tx): Promise<DataKeyTable[]> {
  return db.selectFrom('data_key').selectAll().orderBy('position').execute()
}

/** Does nothing when the position is taken, as when two replicas start at once. */
export async function insertDataKey(db: Db | Tx, row: DataKeyTable): Promise<void> {
  await db.insertInto('data_key').values(row).onConflict((c) => c.column('position').doNothing()).execute()
}

/** @returns false when the row is no longer wrapped by the master key it was read with */
export async function rewrapDataKey(tx: Tx, row: DataKeyTable, masterKeyId: string, wrapped: string): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('data_key').set({ masterKeyId, wrapped })
    .where('id', '=', row.id).where('masterKeyId', '=', row.masterKeyId).executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
