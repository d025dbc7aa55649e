import type { IssuerId } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { listCrls } from './crl-store.ts'

export const publishCrlKind = 'publish-crl'

/** So much earlier than it is made a list says it begins: a client whose clock is a little behind must not find it "not yet valid". */
export const crlBackdateMs = 300_000

/** A list that takes long to make is not made for every single revocation: this much longer is waited than it took. */
const pauseFactor = 50
const shortMs = 100
const longestPauseMs = 300_000

/** When the lists of an issuer are to be made next after a change: now, unless they are large and have just been made. */
export async function pauseAfter(db: Db | Tx, id: IssuerId, now: Date): Promise<Date> {
  const lists = await listCrls(db, id)
  const took = lists.reduce((sum, { buildMs }) => sum + buildMs, 0)
  if (took <= shortMs) return now
  const last = Math.max(...lists.map(({ thisUpdate }) => new Date(thisUpdate).getTime()))
  return new Date(Math.max(now.getTime(), last + Math.min(took * pauseFactor, longestPauseMs)))
}

/** Has the lists of an issuer made anew; many calls in a short time make one. @param notBefore default: soon, by pauseAfter */
export async function schedulePublishing(tx: Tx, wake: Wakes, id: IssuerId, now: Date, notBefore?: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: publishCrlKind, subject: id, dedupe: `${publishCrlKind}:${id}`, notBefore: notBefore ?? await pauseAfter(tx, id, now), maxAttempts: 1000 }, now)
}
