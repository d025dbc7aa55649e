import { CertloopError, newId, type ApiToken, type Id, type Permission } from '@certloop/contract'
import { fromJson, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Database } from '../database/database.ts'
import type { Who } from '../http/who.ts'
import { deleteApiToken, findApiToken, insertApiToken, listApiTokens, touchApiToken, type ApiTokenRow, type LiveToken } from './api-token-store.ts'
import { endedTopic, hashToken, newToken, permissionsOf } from './sessions.ts'

const touchSeconds = 60
const prefix = 'clt_'

export interface ApiTokens {
  list(): Promise<ApiToken[]>
  /**
   * Makes a token for `who`; the text is given this once.
   * @throws CertloopError PERMISSION_DENIED for more than the maker may, INPUT_INVALID for an end in the past, CONFLICT for a taken name
   */
  create(who: Who, input: { name: string; permissions?: readonly Permission[]; expiresAt?: string }): Promise<{ token: string; apiToken: ApiToken }>
  /** @throws CertloopError NOT_FOUND */
  remove(id: Id<'tok'>): Promise<void>
  find(text: string): Promise<Who | undefined>
  goesOn(who: Who): Promise<boolean>
}

const tokenOf = (row: ApiTokenRow): ApiToken => ({
  id: row.id, name: row.name, permissions: fromJson<Permission[]>(row.permissions), createdAt: row.createdAt, expiresAt: row.expiresAt, lastUsedAt: row.lastUsedAt,
})

/** What the token was given, as far as its maker still has it. */
function whoOf(row: LiveToken): Who {
  const granted = new Set<Permission>(fromJson<Permission[]>(row.permissions))
  return {
    text: `token:${row.name}`, name: row.name, id: row.id, userId: row.userId, role: null, via: 'token', expiresAt: row.expiresAt,
    permissions: new Set(permissionsOf(row.role).filter((permission) => granted.has(permission))), mustChangePassword: row.mustChangePassword === 1,
  }
}

/** A token made with a token ends with it at the latest. */
function endOf(who: Who, wished: string | undefined, at: Date): string | null {
  const end = wished === undefined ? who.expiresAt : new Date(wished).toISOString()
  if (end !== null && end <= at.toISOString()) throw new CertloopError('INPUT_INVALID', 'The token would have expired already.', { fields: ['body.expiresAt: must be in the future'] })
  if (who.expiresAt !== null && end !== null && end > who.expiresAt) throw new CertloopError('PERMISSION_DENIED', `The token would outlive the one that makes it, which ends ${who.expiresAt}.`)
  return end
}

export function createApiTokens({ database: { db, wake }, now }: { database: Database; now: () => Date }): ApiTokens {
  return {
    list: async () => (await listApiTokens(db)).map(tokenOf),
    async create(who, { name, permissions = [...who.permissions], expiresAt }) {
      if (who.userId === null) throw new CertloopError('SIGN_IN_REQUIRED', 'A token belongs to a user.')
      const tooMuch = permissions.filter((permission) => !who.permissions.has(permission))
      if (tooMuch.length > 0) throw new CertloopError('PERMISSION_DENIED', `A token can not have more than its maker, who lacks ${tooMuch.join(', ')}.`)
      const at = now()
      const token = `${prefix}${newToken()}`
      const row: ApiTokenRow = {
        id: newId('tok', at), userId: who.userId, name, tokenHash: hashToken(token), permissions: toJson(permissions),
        createdAt: at.toISOString(), expiresAt: endOf(who, expiresAt, at), lastUsedAt: null,
      }
      try {
        await insertApiToken(db, row)
      } catch (error) {
        if (isUniqueViolation(error)) throw new CertloopError('CONFLICT', `There is a token named "${name}" already.`, { fields: ['body.name: is taken'] }, error)
        throw error
      }
      return { token, apiToken: tokenOf(row) }
    },
    async remove(id) {
      if (!await deleteApiToken(db, id)) throw new CertloopError('NOT_FOUND', `There is no API token ${id}.`)
      wake.send(endedTopic(id))
    },
    async find(text) {
      if (!text.startsWith(prefix)) return undefined
      const at = now()
      const row = await findApiToken(db, { tokenHash: hashToken(text) }, at.toISOString())
      if (!row) return undefined
      const limit = new Date(at.getTime() - touchSeconds * 1000).toISOString()
      if (row.lastUsedAt === null || row.lastUsedAt < limit) await touchApiToken(db, row.id, at.toISOString(), limit)
      return whoOf(row)
    },
    async goesOn(who) {
      return who.via === 'token' && who.id !== null && (await findApiToken(db, { id: who.id as Id<'tok'> }, now().toISOString())) !== undefined
    },
  }
}
