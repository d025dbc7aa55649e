import type { Db } from '../database/database.ts'

export interface IdempotencyTables {
  idempotency: {
    who: string
    key: string
    requestHash: string
    /** JSON; null while the first request is under way, or when its process died. */
    answer: string | null
    createdAt: string
  }
}

/** Claims a key. @returns false when it is taken */
export async function claimKey(db: Db, row: { who: string; key: string; requestHash: string; createdAt: string }): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db.insertInto('idempotency').values({ ...row, answer: null })
    .onConflict((conflict) => conflict.columns(['who', 'key']).doNothing()).executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}
export const findKey = (db: Db, who: string, key: string) => db.selectFrom('idempotency').select(['requestHash', 'answer']).where('who', '=', who).where('key', '=', key).executeTakeFirst()
export const keepAnswer = (db: Db, who: string, key: string, answer: string) => db.updateTable('idempotency').set({ answer }).where('who', '=', who).where('key', '=', key).execute()
export const releaseKey = (db: Db, who: string, key: string) => db.deleteFrom('idempotency').where('who', '=', who).where('key', '=', key).execute()
export const deleteKeysBefore = (db: Db, createdAt: string) => db.deleteFrom('idempotency').where('createdAt', '<', createdAt).execute()
