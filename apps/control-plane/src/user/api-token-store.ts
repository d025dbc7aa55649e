import type { Id, Role, UserId } from '@certloop/contract'
import type { Db } from '../database/database.ts'

export interface ApiTokenTables { apiToken: ApiTokenRow }
export interface ApiTokenRow {
  id: Id<'tok'>
  userId: UserId
  name: string
  /** SHA-256 of the token's text, hex. */
  tokenHash: string
  /** JSON list */
  permissions: string
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

export const insertApiToken = (db: Db, row: ApiTokenRow) => db.insertInto('apiToken').values(row).execute()
export const listApiTokens = (db: Db) => db.selectFrom('apiToken').selectAll().orderBy('id').execute()
/** @returns whether there was one */
export async function deleteApiToken(db: Db, id: Id<'tok'>): Promise<boolean> {
  return (await db.deleteFrom('apiToken').where('id', '=', id).executeTakeFirst()).numDeletedRows === 1n
}

export interface LiveToken extends ApiTokenRow { userName: string; role: Role; mustChangePassword: number }
/** The token with its maker, unless it has expired by `at`. */
export const findApiToken = (db: Db, key: { tokenHash: string } | { id: Id<'tok'> }, at: string): Promise<LiveToken | undefined> =>
  db.selectFrom('apiToken').innerJoin('user', 'user.id', 'apiToken.userId').selectAll('apiToken')
    .select(['user.name as userName', 'user.role', 'user.mustChangePassword'])
    .where((eb) => eb.or([eb('expiresAt', 'is', null), eb('expiresAt', '>', at)]))
    .$if('tokenHash' in key, (q) => q.where('apiToken.tokenHash', '=', (key as { tokenHash: string }).tokenHash))
    .$if('id' in key, (q) => q.where('apiToken.id', '=', (key as { id: Id<'tok'> }).id))
    .executeTakeFirst()
/** Notes the use, unless one was noted after `notAfter`. */
export const touchApiToken = (db: Db, id: Id<'tok'>, at: string, notAfter: string) =>
  db.updateTable('apiToken').set({ lastUsedAt: at }).where('id', '=', id).where((eb) => eb.or([eb('lastUsedAt', 'is', null), eb('lastUsedAt', '<', notAfter)])).execute()
