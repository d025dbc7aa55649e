import type { Id, Role, UserId } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

export interface UserTables {
  user: UserRow
  session: SessionRow
  signInLimit: { key: string; count: number; windowEndsAt: string }
}
export interface UserRow {
  id: UserId
  /** Lower case; unique. */
  name: string
  role: Role
  passwordHash: string
  mustChangePassword: number
  createdAt: string
  passwordChangedAt: string
}
export interface SessionRow {
  id: Id<'ses'>
  userId: UserId
  /** SHA-256 of the cookie's value, hex. */
  tokenHash: string
  createdAt: string
  lastUsedAt: string
}

export const insertUser = (db: Db | Tx, row: UserRow) => db.insertInto('user').values(row).execute()
export const findUserByName = (db: Db | Tx, name: string) => db.selectFrom('user').selectAll().where('name', '=', name).executeTakeFirst()
export const findUser = (db: Db | Tx, id: UserId) => db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst()
export async function countUsers(db: Db | Tx): Promise<number> {
  const { count } = await db.selectFrom('user').select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  return Number(count)
}

/** Sets a new password unless it was changed since `oldHash` was read. @returns whether it did */
export async function replacePassword(db: Db | Tx, id: UserId, oldHash: string, change: Partial<Pick<UserRow, 'passwordHash' | 'mustChangePassword' | 'passwordChangedAt'>>): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('user').set(change).where('id', '=', id).where('passwordHash', '=', oldHash).executeTakeFirst()
  return numUpdatedRows === 1n
}

export const insertSession = (db: Db | Tx, row: SessionRow) => db.insertInto('session').values(row).execute()

export interface LiveSession { sessionId: Id<'ses'>; createdAt: string; lastUsedAt: string; userId: UserId; name: string; role: Role; mustChangePassword: number }
const sessionsWithUser = (db: Db) => db.selectFrom('session').innerJoin('user', 'user.id', 'session.userId')
  .select(['session.id as sessionId', 'session.createdAt', 'session.lastUsedAt', 'user.id as userId', 'user.name', 'user.role', 'user.mustChangePassword'])

/** Sessions begun after `createdAfter` and used after `usedAfter`. */
export interface SessionLimits { createdAfter: string; usedAfter: string }
export const findSession = (db: Db, key: { tokenHash: string } | { id: Id<'ses'> }, { createdAfter, usedAfter }: SessionLimits): Promise<LiveSession | undefined> =>
  sessionsWithUser(db).where('session.createdAt', '>', createdAfter).where('session.lastUsedAt', '>', usedAfter)
    .$if('tokenHash' in key, (q) => q.where('session.tokenHash', '=', (key as { tokenHash: string }).tokenHash))
    .$if('id' in key, (q) => q.where('session.id', '=', (key as { id: Id<'ses'> }).id))
    .executeTakeFirst()

export const touchSession = (db: Db, id: Id<'ses'>, at: string) => db.updateTable('session').set({ lastUsedAt: at }).where('id', '=', id).where('lastUsedAt', '<', at).execute()
export const deleteSession = (db: Db | Tx, id: Id<'ses'>) => db.deleteFrom('session').where('id', '=', id).execute()
/** @returns the ids that were deleted */
export const deleteSessionsOf = (db: Db | Tx, userId: UserId) => db.deleteFrom('session').where('userId', '=', userId).returning('id').execute()
export const deleteStaleSessions = (db: Db | Tx, { createdAfter, usedAfter }: SessionLimits) =>
  db.deleteFrom('session').where((eb) => eb.or([eb('createdAt', '<=', createdAfter), eb('lastUsedAt', '<=', usedAfter)])).execute()

/** Counts one more try under a key; a window that is over begins anew. @returns the tries so far and when the window ends */
export async function countTry(db: Db, key: string, at: string, windowEndsAt: string): Promise<{ count: number; windowEndsAt: string }> {
  const row = await db.insertInto('signInLimit').values({ key, count: 1, windowEndsAt })
    .onConflict((conflict) => conflict.column('key').doUpdateSet((eb) => {
      const isOver = eb('signInLimit.windowEndsAt', '<=', at)
      return {
        count: eb.case().when(isOver).then(1).else(eb('signInLimit.count', '+', 1)).end(),
        windowEndsAt: eb.case().when(isOver).then(windowEndsAt).else(eb.ref('signInLimit.windowEndsAt')).end(),
      }
    }))
    .returning(['count', 'windowEndsAt']).executeTakeFirstOrThrow()
  return row
}
export const giveBackTry = (db: Db, key: string) => db.updateTable('signInLimit').set((eb) => ({ count: eb('count', '-', 1) })).where('key', '=', key).where('count', '>', 0).execute()
export const forgetTries = (db: Db, key: string) => db.deleteFrom('signInLimit').where('key', '=', key).execute()
export const deleteOldTries = (db: Db, at: string) => db.deleteFrom('signInLimit').where('windowEndsAt', '<=', at).execute()
