import type { BotId, Id, Permission, Role, UserId } from '@certloop/contract'

/** Who sends a request, as every handler sees it. `text` is what the audit log and requesters show. */
export interface Who {
  /** "user:admin", "token:laptop" or "anonymous" */
  readonly text: string
  readonly name: string
  /** Session or token; null for public operations without either. */
  readonly id: Id<'ses'> | Id<'tok'> | null
  readonly userId: UserId | null
  readonly role: Role | null
  readonly permissions: ReadonlySet<Permission>
  readonly via: 'session' | 'token' | 'none'
  /** Until the one-time password is replaced, only session operations work. */
  readonly mustChangePassword: boolean
  /** End of an API token; null for sessions and tokens without one. */
  readonly expiresAt: string | null
}

export const anonymous: Who = {
  text: 'anonymous', name: '', id: null, userId: null, role: null, permissions: new Set(), via: 'none', mustChangePassword: false, expiresAt: null,
}

/** Finds out who holds a credential; undefined when it is unknown, expired or ended. */
export interface Authenticator {
  bySession(cookie: string): Promise<Who | undefined>
  byToken(token: string): Promise<Who | undefined>
  /** Whether the credential of `who` still holds; does not count as use. */
  goesOn(who: Who): Promise<boolean>
}

export interface BotIdentity { readonly botId: BotId; readonly name: string }
/** The head of a request of a bot as it came in. Its body is compared with the signed digest once it was read. */
export interface BotRequest {
  method: string
  /** Without the query. */
  path: string
  headers: Record<string, string | string[] | undefined>
}
/** Checks signature, nonce and standing of a bot. @throws CertloopError BOT_SIGNATURE_INVALID, BOT_UNKNOWN, BOT_REVOKED */
export type BotAuth = (request: BotRequest) => Promise<BotIdentity>
