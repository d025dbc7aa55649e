import { createHash } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { countTry, deleteOldTries, forgetTries, giveBackTry } from './user-store.ts'

const windowSeconds = 15 * 60
/** Failures per window. The name alone is generous, or anybody could keep the administrator out from far away. */
const limits = { pair: 10, address: 50, name: 300 } as const

/** Slows guessing of passwords, over all replicas. Nobody is locked out for longer than one window. */
export interface SignInLimit {
  /** Counts a try. @throws CertloopError TOO_MANY_REQUESTS. @returns what to call when the password was right */
  take(name: string, address: string): Promise<() => Promise<void>>
}

export function createSignInLimit({ database: { db }, now }: { database: Database; now: () => Date }): SignInLimit {
  return {
    async take(name, address) {
      const at = now()
      await deleteOldTries(db, at.toISOString())
      // Hashed: people type passwords into the wrong box.
      const key = (kind: keyof typeof limits, text: string) => createHash('sha256').update(`${kind}\0${text}`).digest('hex')
      const keys = { pair: key('pair', `${name}\0${address}`), address: key('address', address), name: key('name', name) }
      const end = new Date(at.getTime() + windowSeconds * 1000).toISOString()
      for (const kind of ['pair', 'address', 'name'] as const) {
        const { count, windowEndsAt } = await countTry(db, keys[kind], at.toISOString(), end)
        if (count <= limits[kind]) continue
        const retryAfterSeconds = Math.max(1, Math.ceil((Date.parse(windowEndsAt) - at.getTime()) / 1000))
        throw new CertloopError('TOO_MANY_REQUESTS', `Too many failed sign-ins. Try again in ${Math.ceil(retryAfterSeconds / 60)} minutes.`, { retryAfterSeconds })
      }
      return async () => {
        await forgetTries(db, keys.pair)
        await giveBackTry(db, keys.address)
        await giveBackTry(db, keys.name)
      }
    },
  }
}
