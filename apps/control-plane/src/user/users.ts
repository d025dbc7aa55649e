import { CertloopError, newId, type Session } from '@certloop/contract'
import { isUniqueViolation, type Database } from '../database/database.ts'
import type { Authenticator, Who } from '../http/who.ts'
import { createApiTokens, type ApiTokens } from './api-tokens.ts'
import { checkNewPassword, generatePassword, hashPassword, unknownUserHash, verifyPassword } from './password.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createSignInLimit } from './sign-in-limit.ts'
import { countUsers, findUser, findUserByName, insertUser, replacePassword } from './user-store.ts'

export interface Users extends Authenticator {
  sessions: Sessions
  tokens: ApiTokens
  /** Makes "admin" when there is no user at all. The password is told this once and has to be replaced at the first sign-in. */
  ensureFirstAdministrator(): Promise<{ name: string; password: string } | undefined>
  /** Another one-time password for the first administrator who never chose one of their own: the one that was told may be lost. */
  renewOneTimePassword(): Promise<{ name: string; password: string } | undefined>
  /**
   * @param replaced the session the caller came with, which ends
   * @throws CertloopError SIGN_IN_FAILED, TOO_MANY_REQUESTS. Takes as long for unknown names.
   */
  signIn(input: { name: string; password: string; address: string; replaced: Who }): Promise<SignedIn>
  /** "user:admin", or "unknown user": what people type into the name box is not kept, it may be their password. */
  subjectOf(name: string): Promise<string>
  /** Ends all sessions of the user and begins a new one. @throws CertloopError SIGN_IN_FAILED, PASSWORD_TOO_WEAK, ACTION_NOT_POSSIBLE, TOO_MANY_REQUESTS */
  changePassword(who: Who, input: { currentPassword: string; newPassword: string; address: string }): Promise<SignedIn>
}
/** `cookie` is the text of the new session. */
export interface SignedIn { cookie: string; who: Who }

const nameKey = (name: string) => name.trim().toLowerCase()

export const sessionOf = (who: Who): Session => ({
  who: who.text, name: who.name, role: who.role, permissions: [...who.permissions], mustChangePassword: who.mustChangePassword,
})

export function createUsers(deps: { database: Database; now: () => Date }): Users {
  const { database, now } = deps
  const sessions = createSessions(deps)
  const tokens = createApiTokens(deps)
  const limit = createSignInLimit(deps)

  const renewOneTimePassword = async () => {
    const admin = await findUserByName(database.db, 'admin')
    if (!admin || admin.mustChangePassword === 0) return undefined
    const password = generatePassword()
    await replacePassword(database.db, admin.id, admin.passwordHash, { passwordHash: await hashPassword(password) })
    return { name: admin.name, password }
  }

  const signedIn = async (cookie: string): Promise<SignedIn> => {
    const who = await sessions.find(cookie)
    if (!who) throw new CertloopError('SIGN_IN_FAILED', 'The session ended as soon as it began. Sign in again.')
    return { cookie, who }
  }

  return {
    sessions,
    tokens,
    renewOneTimePassword,
    bySession: sessions.find,
    byToken: tokens.find,
    goesOn: (who) => (who.via === 'token' ? tokens.goesOn(who) : sessions.goesOn(who)),

    async ensureFirstAdministrator() {
      if (await countUsers(database.db) > 0) return undefined
      const [name, password] = ['admin', generatePassword()]
      const at = now().toISOString()
      try {
        await insertUser(database.db, { id: newId('usr', now()), name, role: 'administrator', passwordHash: await hashPassword(password), mustChangePassword: 1, createdAt: at, passwordChangedAt: at })
      } catch (error) {
        if (isUniqueViolation(error)) return undefined // another replica was first, and told its password
        throw error
      }
      return { name, password }
    },

    async subjectOf(name) {
      const user = await findUserByName(database.db, nameKey(name))
      return user ? `user:${user.name}` : 'unknown user'
    },

    async signIn({ name, password, address, replaced }) {
      const known = nameKey(name)
      const succeeded = await limit.take(known, address)
      const user = await findUserByName(database.db, known)
      const fits = await verifyPassword(password, user?.passwordHash ?? unknownUserHash)
      if (!user || !fits) throw new CertloopError('SIGN_IN_FAILED', 'User name or password is wrong.')
      await succeeded()
      await sessions.end(replaced)
      return signedIn(await sessions.begin(database.db, user.id))
    },

    async changePassword(who, { currentPassword, newPassword, address }) {
      const user = who.via === 'session' && who.userId !== null ? await findUser(database.db, who.userId) : undefined
      if (!user) throw new CertloopError('ACTION_NOT_POSSIBLE', 'An API token can not change a password. Sign in with name and password.')
      const succeeded = await limit.take(user.name, address)
      if (!await verifyPassword(currentPassword, user.passwordHash)) throw new CertloopError('SIGN_IN_FAILED', 'The current password is wrong.')
      await succeeded()
      checkNewPassword(newPassword, { current: currentPassword, name: user.name })
      const passwordHash = await hashPassword(newPassword)
      const cookie = await database.transaction(async (tx, wake) => {
        const changed = await replacePassword(tx, user.id, user.passwordHash, { passwordHash, mustChangePassword: 0, passwordChangedAt: now().toISOString() })
        if (!changed) throw new CertloopError('CONFLICT', 'The password was changed by another request in the meantime.')
        for (const topic of await sessions.endAll(tx, user.id)) wake(topic)
        return sessions.begin(tx, user.id)
      })
      return signedIn(cookie)
    },
  }
}
