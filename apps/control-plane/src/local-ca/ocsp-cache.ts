import { createHash } from 'node:crypto'
import type { IssuerId } from '@certloop/contract'

/** What tells caches about a body; texts as they stand in headers (RFC 9110, 5.6.7 and 8.8). */
export interface Validators { etag: string; lastModified: string; expires?: string }

export interface SignedAnswer { issuerId: IssuerId; serialNumber: string; body: Buffer; producedAt: Date; nextUpdate: Date }
export interface CachedAnswer extends SignedAnswer { validators: Validators; /** From when on a new one is signed; ms since 1970. */ staleAt: number }

/** The entity tag of a body: its digest. */
export const etagOf = (body: Buffer): string => `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`

/** Signed answers by what asks for them: the bytes of a request, or its address. Bounded: the ones longest in it go first. */
export interface OcspCache {
  /** The answer kept, however old. */
  find(key: string): CachedAnswer | undefined
  /** Undefined when it is gone, or past half of its life: then a new one is signed. */
  get(key: string, nowMs: number): CachedAnswer | undefined
  put(key: string, answer: SignedAnswer): void
  drop(issuerId: IssuerId, serialNumber: string): void
  clear(issuerId: IssuerId): void
}

export function createOcspCache(most = 20_000): OcspCache {
  const answers = new Map<string, CachedAnswer>()
  const keysOf = new Map<string, Set<string>>()
  const subject = (issuerId: string, serialNumber: string) => `${issuerId} ${serialNumber}`

  function remove(key: string): void {
    const answer = answers.get(key)
    if (!answer) return
    answers.delete(key)
    const name = subject(answer.issuerId, answer.serialNumber)
    const keys = keysOf.get(name)
    keys?.delete(key)
    if (keys?.size === 0) keysOf.delete(name)
  }

  return {
    find: (key) => answers.get(key),
    get(key, nowMs) {
      const answer = answers.get(key)
      if (!answer) return undefined
      if (nowMs < answer.staleAt) return answer
      remove(key)
      return undefined
    },
    put(key, answer) {
      remove(key)
      if (answers.size >= most) for (const oldest of answers.keys()) { remove(oldest); break }
      const { body, producedAt, nextUpdate } = answer
      const validators = { etag: etagOf(body), lastModified: producedAt.toUTCString(), expires: nextUpdate.toUTCString() }
      answers.set(key, { ...answer, validators, staleAt: (producedAt.getTime() + nextUpdate.getTime()) / 2 })
      const name = subject(answer.issuerId, answer.serialNumber)
      const keys = keysOf.get(name) ?? new Set()
      keysOf.set(name, keys.add(key))
    },
    drop(issuerId, serialNumber) {
      for (const key of Array.from(keysOf.get(subject(issuerId, serialNumber)) ?? [])) remove(key)
    },
    clear(issuerId) {
      for (const [key, answer] of answers) if (answer.issuerId === issuerId) remove(key)
    },
  }
}
