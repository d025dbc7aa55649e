import type { IssuerId } from '@certloop/contract'
import { buildCrl, type CrlEntry, type CrlTemplate } from '@certloop/pki'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import type { CaAddresses } from './addresses.ts'
import { dropOldBodies, findCrl, replaceCrl, writeBody, type CrlRow, type CrlScopeName } from './crl-store.ts'
import { changesSince, revokedPage, type RevokedEntry } from './issued-store.ts'
import { openIssuer, type IssuerKeys, type OpenIssuer } from './issuer-open.ts'
import { getIssuer, issuerRow, listIssuers } from './issuer-store.ts'
import { caTopic } from './ca-topic.ts'
import { pauseAfter, schedulePublishing } from './crl-schedule.ts'

export interface CrlDeps { database: Database; keys: IssuerKeys; addresses: () => CaAddresses | undefined; now: () => Date }

const pageSize = 1000
const maxDeltaEntries = 100_000
const keepReplacedMs = 3_600_000
const wholeSecond = (date: Date) => new Date(Math.floor(date.getTime() / 1000) * 1000)

function entryOf({ serialNumber, revokedAt, revocationReason, invalidityDate }: RevokedEntry, now: Date): CrlEntry {
  if (revokedAt === null) return { serialNumber, revokedAt: now, reason: 'removeFromCRL' }
  return { serialNumber, revokedAt: new Date(revokedAt), ...(revocationReason ? { reason: revocationReason } : {}), ...(invalidityDate ? { invalidityDate: new Date(invalidityDate) } : {}) }
}

export function createCrlPublisher({ database, keys, addresses, now }: CrlDeps) {
  const { db } = database

  async function* entries(issuerId: IssuerId, shard: number | null, stillListedAt: Date, count: { entries: number }): AsyncGenerator<CrlEntry> {
    for (let after = ''; ;) {
      const page = await revokedPage(db, { issuerId, shard, after, stillListedAt, limit: pageSize })
      for (const row of page) {
        count.entries++
        yield entryOf(row, now())
      }
      if (page.length < pageSize) return
      after = page.at(-1)?.serialNumber ?? ''
    }
  }

  interface Wanted { scope: CrlScopeName; shard: number | null; base?: CrlRow; number: number; changeNumber: number }

  /** Builds, signs and stores one list. What it replaces stays readable for an hour. */
  async function publishOne(issuer: OpenIssuer, { scope, shard, base, number, changeNumber }: Wanted): Promise<void> {
    const begin = performance.now()
    const { id, settings } = issuer.issuer
    const before = await findCrl(db, id, scope)
    const thisUpdate = wholeSecond(now())
    const nextUpdate = new Date(Math.min(thisUpdate.getTime() + settings.crlHours * 3_600_000, Math.max(issuer.notAfter.getTime(), thisUpdate.getTime() + 3_600_000)))
    // One that ended since the last list is named once more (RFC 5280, 3.3).
    const stillListedAt = before ? new Date(before.thisUpdate) : thisUpdate
    const count = { entries: 0 }
    const changes = base && await changesSince(db, { issuerId: id, shard, since: base.changeNumber, limit: maxDeltaEntries, stillListedAt })
    if (changes?.length === maxDeltaEntries) return // so much changed that the full list is the better news
    const at = addresses()
    const template: CrlTemplate = {
      issuer: issuer.subject, authorityKeyId: issuer.keyId, number: BigInt(number), thisUpdate, nextUpdate,
      entries: changes ? changes.map((row) => entryOf(row, thisUpdate)) : entries(id, shard, stillListedAt, count),
      ...(base ? { baseNumber: BigInt(base.number) } : {}),
      ...(shard !== null && at ? { distributionPoint: { addresses: [at.crl(id, shard)] } } : {}),
      ...(!base && shard === null && settings.deltaCrl && at ? { freshestCrl: [at.deltaCrl(id)] } : {}),
    }
    const body = await buildCrl(template, issuer.signer)
    const bodyId = await writeBody(db, body, now())
    await database.transaction(async (tx, wake) => {
      await replaceCrl(tx, { issuerId: id, scope, number, thisUpdate: iso(thisUpdate), nextUpdate: iso(nextUpdate), entries: changes?.length ?? count.entries, bytes: body.length, changeNumber, buildMs: Math.ceil(performance.now() - begin), bodyId })
      wake(caTopic(id))
    })
  }

  /** Makes all lists of an issuer: the full one, its shards, and a delta against the full one that was published before. */
  async function publish(id: IssuerId): Promise<{ changeNumber: number }> {
    const issuer = await openIssuer(db, keys, await getIssuer(db, id))
    // Changes up to this number are in the lists; the pages are read after it.
    const { changeNumber } = await issuerRow(db, id)
    const previous = await findCrl(db, id, 'full')
    const previousDelta = await findCrl(db, id, 'delta')
    // Never goes back, not even when the database was put back from a backup: it follows the clock.
    const number = Math.max(Math.floor(now().getTime() / 1000), (previous?.number ?? 0) + 1, (previousDelta?.number ?? 0) + 1)
    if (issuer.issuer.settings.deltaCrl && previous) await publishOne(issuer, { scope: 'delta', shard: null, base: previous, number, changeNumber })
    await publishOne(issuer, { scope: 'full', shard: null, number, changeNumber })
    for (let shard = 0; shard < issuer.issuer.settings.crlShards; shard++) await publishOne(issuer, { scope: `shard:${shard}`, shard, number, changeNumber })
    await dropOldBodies(database, new Date(now().getTime() - keepReplacedMs))
    return { changeNumber }
  }

  /** The first lists of issuers that have none; at start and when an issuer was made. */
  async function ensurePublished(): Promise<void> {
    for (const { id, status, keySource } of await listIssuers(db)) {
      if (status === 'pending' || keySource === 'outside' || await findCrl(db, id, 'full')) continue
      await database.transaction((tx, wake) => schedulePublishing(tx, wake, id, now(), now()))
    }
  }

  /** Publishes, and comes again at half of the lists' life, or at once when something changed meanwhile. */
  const taskKind: PlaneTaskKind = {
    async run(task) {
      const id = task.subject as IssuerId
      const done = await publish(id)
      return async (tx, wake) => {
        // Locks the issuer's row: a revocation either committed before, and is seen here, or finds the task ended.
        const { changeNumber } = await tx.updateTable('ca_issuer').set((eb) => ({ changeNumber: eb.ref('changeNumber') })).where('id', '=', id).returning('changeNumber').executeTakeFirstOrThrow()
        const { settings } = await getIssuer(tx, id)
        const notBefore = changeNumber > done.changeNumber ? await pauseAfter(tx, id, now()) : new Date(now().getTime() + settings.crlHours * 1_800_000)
        await tx.updateTable('task').set({ state: 'ready', attempts: 0, notBefore: iso(notBefore) }).where('id', '=', task.id).execute()
        if (notBefore <= now()) wake('task:control-plane')
      }
    },
    /** The next revocation and the next start try again; that lists grow old is raised by their age. */
    failed: async () => {},
  }

  return { publish, ensurePublished, taskKind }
}
