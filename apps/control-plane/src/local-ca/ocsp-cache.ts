import type { IssuerId } from '@certloop/contract'

export interface CachedAnswer { issuerId: IssuerId; serialNumber: string; body: Buffer; producedAt: Date; nextUpdate: Date }

/** Signed answers by the bytes of their request. Bounded: the ones longest in it go first. */
export interface OcspCache {
  /** The issuer a cached answer is about; undefined when there is none. */
  ownerOf(key: string): IssuerId | undefined
  /** Undefined when it is gone, or past half of its life: then a new one is signed. */
  get(key: string, nowMs: number): CachedAnswer | undefined
  put(key: string, answer: CachedAnswer): void
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
    ownerOf: (key) => answers.get(key)?.issuerId,
    get(key, nowMs) {
      const answer = answers.get(key)
      if (!answer) return undefined
      if (nowMs < (answer.producedAt.getTime() + answer.nextUpdate.getTime()) / 2) return answer
      remove(key)
      return undefined
    },
    put(key, answer) {
      remove(key)
      if (answers.size >= most) for (const oldest of answers.keys()) { remove(oldest); break }
      answers.set(key, answer)
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
