import type { IssuerId } from '@certloop/contract'
import type { Database, Tx } from '../database/database.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import { repeatTask, taskTopic } from '../task/task-store.ts'
import type { CaAddresses } from './addresses.ts'
import { createListMaker } from './crl-list.ts'
import { dropOldBodies, findCrl, replacedLongAgo } from './crl-store.ts'
import type { Issuer } from './issuer.ts'
import { openIssuer, type IssuerKeys } from './issuer-open.ts'
import { getIssuer, issuerRow, listIssuers, lockIssuer } from './issuer-store.ts'
import { pauseAfter, schedulePublishing } from './crl-schedule.ts'

export interface CrlDeps { database: Database; keys: IssuerKeys; addresses: () => CaAddresses | undefined; now: () => Date }

const clockSlackMs = 60_000
const afterFailureMs = 900_000

export function createCrlPublisher({ database, keys, addresses, now }: CrlDeps) {
  const { db } = database

  const publishOne = createListMaker({ database, addresses, now })

  /** Half of the newest list's life; null once the issuer's certificate has ended: then nobody can check a list of it. */
  async function nextTime(tx: Tx, id: IssuerId): Promise<Date | null> {
    const { certificate } = await getIssuer(tx, id)
    const list = await findCrl(tx, id, 'full')
    if (!certificate || certificate.notAfter <= now() || !list) return null
    return new Date((new Date(list.thisUpdate).getTime() + new Date(list.nextUpdate).getTime()) / 2)
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
    const { crlShards, shardsEver } = issuer.issuer.settings
    for (let shard = 0; shard < Math.max(crlShards, shardsEver); shard++) await publishOne(issuer, { scope: `shard:${shard}`, shard, number, changeNumber })
    await dropOldBodies(database, replacedLongAgo(now()))
    return { changeNumber }
  }

  /**
   * Whether the lists of an issuer are to be made now: there are none, half of their life is over and nobody made new
   * ones, or a clock that was wrong made them for a time to come, and the next ones for one yet later.
   */
  async function isDue({ id, status, keySource, certificate }: Issuer): Promise<boolean> {
    if (status === 'pending' || keySource === 'outside') return false
    const list = await findCrl(db, id, 'full')
    if (!list) return true
    const [begin, end] = [new Date(list.thisUpdate).getTime(), new Date(list.nextUpdate).getTime()]
    return begin > now().getTime() + clockSlackMs || ((begin + end) / 2 <= now().getTime() && certificate !== null && certificate.notAfter > now())
  }

  /** Has the lists made that are due, whatever became of the task that makes them; at start, daily, and when an issuer was made. */
  async function ensurePublished(): Promise<void> {
    for (const issuer of await listIssuers(db)) {
      if (await isDue(issuer)) await database.transaction((tx, wake) => schedulePublishing(tx, wake, issuer.id, now(), now()))
    }
  }

  /** Publishes, and comes again at half of the lists' life, or at once when something changed meanwhile. */
  const taskKind: PlaneTaskKind = {
    async run(task) {
      const id = task.subject as IssuerId
      const done = await publish(id)
      return async (tx, wake) => {
        // A revocation either committed before, and is seen here, or finds the task ended.
        const { changeNumber } = await lockIssuer(tx, id)
        const notBefore = changeNumber > done.changeNumber ? await pauseAfter(tx, id, now()) : await nextTime(tx, id)
        if (!notBefore) return
        await repeatTask(tx, task.id, notBefore)
        if (notBefore <= now()) wake(taskTopic('control-plane'))
      }
    },
    /** Lists have to be made, whatever it was (a token with another PIN, say); only an issuer without a key here has none. */
    failed: async (tx, wake, { subject }, { code }) => {
      if (code !== 'ISSUER_NOT_READY') await schedulePublishing(tx, wake, subject as IssuerId, now(), new Date(now().getTime() + afterFailureMs))
    },
  }

  return { publish, ensurePublished, taskKind }
}
