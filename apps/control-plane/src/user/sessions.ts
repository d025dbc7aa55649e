import { createHash, randomBytes } from 'node:crypto'
import { newId, roles, type Permission, type Role, type UserId } from '@certloop/contract'
import type { Database, Db, Tx } from '../database/database.ts'
import type { Who } from '../http/who.ts'
import { deleteSession, deleteSessionsOf, deleteStaleSessions, findSession, insertSession, touchSession, type LiveSession, type SessionLimits } from './user-store.ts'

const idleSeconds = 12 * 3600
const touchSeconds = 60
/** The longest life of a session, and of its cookie. */
export const sessionSeconds = 7 * 24 * 3600

export const hashToken = (text: string): string => createHash('sha256').update(text).digest('hex')
/** 256 random bits, base64url. */
export const newToken = (): string => randomBytes(32).toString('base64url')

export interface Sessions {
  /** A new session; the text is for the cookie and stored only as hash. */
  begin(db: Db | Tx, userId: UserId): Promise<string>
  find(cookie: string): Promise<Who | undefined>
  /** Whether the session of `who` still goes on; does not count as use. */
  goesOn(who: Who): Promise<boolean>
  end(who: Who): Promise<void>
  /** Ends all sessions of a user. @returns the topics that tell open streams */
  endAll(tx: Tx, userId: UserId): Promise<string[]>
}

/** Wake topic that ends the event streams of a session or token. */
export const endedTopic = (id: string): string => `ended:${id}`

/** A role that this release does not know gives nothing. */
export const permissionsOf = (role: Role): readonly Permission[] => (Object.hasOwn(roles, role) ? roles[role] : [])

const whoOf = (row: LiveSession): Who => ({
  text: `user:${row.name}`, name: row.name, id: row.sessionId, userId: row.userId, role: row.role, via: 'session',
  permissions: new Set(permissionsOf(row.role)), mustChangePassword: row.mustChangePassword === 1, expiresAt: null,
})

export function createSessions({ database: { db, wake }, now }: { database: Database; now: () => Date }): Sessions {
  const ago = (seconds: number) => new Date(now().getTime() - seconds * 1000).toISOString()
  const limits = (): SessionLimits => ({ createdAfter: ago(sessionSeconds), usedAfter: ago(idleSeconds) })
  return {
    async begin(tx, userId) {
      await deleteStaleSessions(tx, limits())
      const token = newToken()
      const at = now()
      await insertSession(tx, { id: newId('ses', at), userId, tokenHash: hashToken(token), createdAt: at.toISOString(), lastUsedAt: at.toISOString() })
      return token
    },
    async find(cookie) {
      const row = await findSession(db, { tokenHash: hashToken(cookie) }, limits())
      if (!row) return undefined
      if (row.lastUsedAt < ago(touchSeconds)) await touchSession(db, row.sessionId, now().toISOString())
      return whoOf(row)
    },
    async goesOn(who) {
      return who.via === 'session' && who.id !== null && (await findSession(db, { id: who.id as `ses_${string}` }, limits())) !== undefined
    },
    async end(who) {
      if (who.via !== 'session' || who.id === null) return
      await deleteSession(db, who.id as `ses_${string}`)
      wake.send(endedTopic(who.id))
    },
    async endAll(tx, userId) {
      return (await deleteSessionsOf(tx, userId)).map(({ id }) => endedTopic(id))
    },
  }
}
