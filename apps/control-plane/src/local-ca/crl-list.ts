import { setImmediate } from 'node:timers/promises'
import { buildCrl, type CrlEntry, type CrlTemplate } from '@certloop/pki'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { CaAddresses } from './addresses.ts'
import { caTopic } from './ca-topic.ts'
import { crlBackdateMs } from './crl-schedule.ts'
import { findCrl, replaceCrl, writeBody, type CrlRow, type CrlScopeName } from './crl-store.ts'
import { changesSince, revokedPage, type RevokedEntry, type RevokedQuery } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import type { OpenIssuer } from './issuer-open.ts'
import { wholeSecond } from './whole-second.ts'

const pageSize = 1000
const maxDeltaEntries = 100_000

function entryOf({ serialNumber, revokedAt, revocationReason, invalidityDate }: RevokedEntry, resumedAt: Date): CrlEntry {
  if (revokedAt === null) return { serialNumber, revokedAt: resumedAt, reason: 'removeFromCRL' }
  return { serialNumber, revokedAt: new Date(revokedAt), ...(revocationReason ? { reason: revocationReason } : {}), ...(invalidityDate ? { invalidityDate: new Date(invalidityDate) } : {}) }
}

export interface WantedList { scope: CrlScopeName; shard: number | null; base?: CrlRow | undefined; number: number; changeNumber: number }

function scopeExtensions({ id, settings }: Issuer, { shard, base }: Pick<WantedList, 'shard' | 'base'>, at: CaAddresses | undefined): Partial<CrlTemplate> {
  return {
    ...(base ? { baseNumber: BigInt(base.number) } : {}),
    ...(shard !== null && at ? { distributionPoint: { addresses: [at.crl(id, shard)] } } : {}),
    ...(!base && shard === null && settings.deltaCrl && at ? { freshestCrl: [at.deltaCrl(id)] } : {}),
  }
}

export interface ListMakerDeps { database: Database; addresses: () => CaAddresses | undefined; now: () => Date }

type Listed = Pick<RevokedQuery, 'issuerId' | 'shard' | 'stillListedAt'>

/** Makes one list at a time. */
export function createListMaker({ database, addresses, now }: ListMakerDeps) {
  const { db } = database

  async function* entries({ issuerId, shard, stillListedAt }: Listed, thisUpdate: Date, count: { entries: number }): AsyncGenerator<CrlEntry> {
    for (let after = ''; ;) {
      const page = await revokedPage(db, { issuerId, shard, after, stillListedAt, limit: pageSize })
      for (const row of page) {
        count.entries++
        yield entryOf(row, thisUpdate)
      }
      if (page.length < pageSize) return
      after = page.at(-1)?.serialNumber ?? ''
    }
  }

  /** What changed since the list of that number; undefined when it is so much that the full list is the better news. */
  async function changes(listed: Listed, since: number): Promise<RevokedEntry[] | undefined> {
    const all: RevokedEntry[] = []
    for (let last = since; all.length < maxDeltaEntries;) {
      const page = await changesSince(db, { ...listed, since: last, limit: pageSize })
      all.push(...page)
      if (page.length < pageSize) return all
      last = page.at(-1)?.changeNumber ?? last
      await setImmediate()
    }
    return undefined
  }

  /** Builds, signs and stores one list. What it replaces stays readable for an hour. @returns whether it took the place of the one before */
  async function makeOne(issuer: OpenIssuer, { scope, shard, base, number, changeNumber }: WantedList): Promise<boolean> {
    // Without the address that certificates name it would pass for the full list, and lack what is in the others.
    if (shard !== null && !addresses()) return true
    const begin = performance.now()
    const { id, settings } = issuer.issuer
    const before = await findCrl(db, id, scope)
    const thisUpdate = wholeSecond(now())
    const begins = new Date(thisUpdate.getTime() - crlBackdateMs)
    // Ten days and more are limits of the Baseline Requirements (4.9.7) from beginning to end.
    const life = settings.crlHours * 3_600_000 - (settings.crlHours >= 240 ? crlBackdateMs : 0)
    const nextUpdate = new Date(Math.min(thisUpdate.getTime() + life, Math.max(issuer.notAfter.getTime(), thisUpdate.getTime() + 3_600_000)))
    // One that ended since the last list is named once more (RFC 5280, 3.3); the first list names all there are.
    const stillListedAt = before ? new Date(new Date(before.thisUpdate).getTime() - crlBackdateMs) : new Date(0)
    const count = { entries: 0 }
    const listed = { issuerId: id, shard, stillListedAt }
    const changed = base && await changes(listed, base.changeNumber)
    if (base && !changed) return true
    const body = await buildCrl({
      issuer: issuer.subject, authorityKeyId: issuer.keyId, number: BigInt(number), thisUpdate: begins, nextUpdate,
      entries: changed ? changed.values().map((row) => entryOf(row, thisUpdate)) : entries(listed, thisUpdate, count), ...scopeExtensions(issuer.issuer, { shard, base }, addresses()),
    }, issuer.signer)
    const bodyId = await writeBody(db, body, now())
    return database.transaction(async (tx, wake) => {
      const isNewest = await replaceCrl(tx, { issuerId: id, scope, number, thisUpdate: iso(thisUpdate), nextUpdate: iso(nextUpdate), entries: changed?.length ?? count.entries, bytes: body.length, changeNumber, buildMs: Math.ceil(performance.now() - begin), bodyId }, now())
      wake(caTopic(id))
      return isNewest
    })
  }

  /** Where another replica was first with as high a number and older news, the list is made again under the next number. */
  return async function publishOne(issuer: OpenIssuer, wanted: WantedList): Promise<void> {
    for (let { number } = wanted; !await makeOne(issuer, { ...wanted, number });) {
      const stored = await findCrl(db, issuer.issuer.id, wanted.scope)
      if (!stored || stored.changeNumber >= wanted.changeNumber) return
      number = stored.number + 1
    }
  }
}
