import type { IssuerId } from '@certloop/contract'
import type { Database } from '../database/database.ts'
import { caTopic } from './ca-topic.ts'
import { changesSince } from './issued-store.ts'
import { issuerRow } from './issuer-store.ts'
import type { OcspCache } from './ocsp-cache.ts'

/** How long another replica's change may go unnoticed when its hint was lost. */
const lookAgainMs = 400
const manyChanges = 5000

/** Keeps the cache of answers true: what was revoked, suspended or resumed, here or on another replica, is dropped from it. */
export function createChangeWatch(database: Database, cache: OcspCache) {
  const { db } = database
  const seen = new Map<IssuerId, { changeNumber: number; at: number; looking: Promise<void> | undefined }>()

  /** Drops from the cache what changed since it was last looked at; every 400 ms at most, and when a hint comes. */
  async function lookForChanges(id: IssuerId): Promise<void> {
    const state = seen.get(id) ?? { changeNumber: -1, at: Number.NEGATIVE_INFINITY, looking: undefined }
    seen.set(id, state)
    if (performance.now() - state.at < lookAgainMs) return
    state.looking ??= (async () => {
      const begun = performance.now()
      const { changeNumber } = await issuerRow(db, id)
      if (state.changeNumber >= 0 && changeNumber > state.changeNumber) {
        const changes = await changesSince(db, { issuerId: id, shard: null, since: state.changeNumber, limit: manyChanges, stillListedAt: new Date(0) })
        if (changes.length === manyChanges) cache.clear(id)
        else for (const { serialNumber } of changes) cache.drop(id, serialNumber)
      }
      Object.assign(state, { changeNumber, at: begun })
    })().finally(() => { state.looking = undefined })
    await state.looking
  }
  // A hint makes the next request look at once.
  database.wake.listen((topic) => {
    for (const [id, state] of seen) if (topic === caTopic(id)) state.at = Number.NEGATIVE_INFINITY
  })

  return { lookForChanges, /** The change number up to which the cache is true; undefined before the first look. */ changeNumberOf: (id: IssuerId) => seen.get(id)?.changeNumber }
}
