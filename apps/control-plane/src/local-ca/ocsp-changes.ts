import type { IssuerId } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { caTopic } from './ca-topic.ts'
import { changesSince } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { getIssuer, issuerRow } from './issuer-store.ts'
import type { OcspCache } from './ocsp-cache.ts'

/** How long another replica's change may go unnoticed when its hint was lost. */
const lookAgainMs = 400
const manyChanges = 1000

/** hints: how many came. */
interface Seen { changeNumber: number; at: number; hints: number; issuer?: Issuer; looking?: Promise<Issuer> | undefined }

/** Keeps the cache of answers true: what was revoked, suspended or resumed, here or on another replica, is dropped from it. */
export function createChangeWatch(database: Database, cache: OcspCache) {
  const { db } = database
  const seen = new Map<IssuerId, Seen>()
  const isCurrent = (id: IssuerId): boolean => performance.now() - (seen.get(id)?.at ?? Number.NEGATIVE_INFINITY) < lookAgainMs

  async function look(id: IssuerId, state: Seen): Promise<Issuer> {
    const [begun, { hints }] = [performance.now(), state]
    const { changeNumber } = await issuerRow(db, id)
    if (state.changeNumber >= 0 && changeNumber > state.changeNumber) {
      const changes = await changesSince(db, { issuerId: id, shard: null, since: state.changeNumber, limit: manyChanges, stillListedAt: new Date(0) })
      if (changes.length === manyChanges) cache.clear(id)
      else for (const { serialNumber } of changes) cache.drop(id, serialNumber)
    }
    const issuer = await getIssuer(db, id)
    // A hint that came meanwhile may be of a change that was not seen yet.
    Object.assign(state, { changeNumber, at: hints === state.hints ? begun : Number.NEGATIVE_INFINITY, issuer })
    return issuer
  }

  /** Drops from the cache what changed since it was last looked at; every 400 ms at most, and when a hint comes. @returns the issuer as it was then */
  async function lookForChanges(id: IssuerId): Promise<Issuer> {
    const state: Seen = seen.get(id) ?? { changeNumber: -1, at: Number.NEGATIVE_INFINITY, hints: 0 }
    seen.set(id, state)
    if (state.issuer && isCurrent(id)) return state.issuer
    state.looking ??= look(id, state).finally(() => { state.looking = undefined })
    return state.looking
  }
  // A hint makes the next request look at once.
  database.wake.listen((topic) => {
    for (const [id, state] of seen) {
      if (topic !== caTopic(id)) continue
      state.at = Number.NEGATIVE_INFINITY
      state.hints++
    }
  })

  return { isCurrent, lookForChanges, /** The change number up to which the cache is true; undefined before the first look. */ changeNumberOf: (id: IssuerId) => seen.get(id)?.changeNumber }
}
