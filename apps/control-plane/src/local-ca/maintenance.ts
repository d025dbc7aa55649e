import type { IssuerId } from '@certloop/contract'
import type { Database, Tx } from '../database/database.ts'
import { addTask, repeatTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { crlBackdateMs } from './crl-schedule.ts'
import { dropEndedList, dropOldBodies, listCrls, replacedLongAgo } from './crl-store.ts'
import { forgetEnded } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { listIssuers } from './issuer-store.ts'
import type { RollOver } from './issuer-changes.ts'

export const maintenanceKind = 'ca-maintenance'

const day = 86_400_000
/** Ended certificates stay for questions that come later. */
const keepEndedDays = 90
const batch = 1000
/** An intermediate is replaced when this part of its life is left. */
const rollOverAt = 1 / 4

export interface MaintenanceDeps {
  database: Database
  now: () => Date
  rollOver(id: IssuerId, wish: RollOver): Promise<Issuer>
  /** Has lists made that nobody makes. */
  ensurePublished(): Promise<void>
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void
}

/** Daily work of the built-in CA: forgets what ended long ago, replaces the intermediate in time, says what grows old. */
export function createMaintenance({ database, now, rollOver, ensurePublished, log }: MaintenanceDeps) {
  const { db } = database

  /** A certificate is forgotten when no list can name it any more: its end lies before every list of its issuer looked. */
  async function forget(): Promise<number> {
    let count = 0
    for (const { id } of await listIssuers(db)) {
      const lists = await listCrls(db, id)
      if (!lists.some(({ scope }) => scope === 'full')) continue
      const oldest = Math.min(...lists.map(({ thisUpdate }) => new Date(thisUpdate).getTime())) - crlBackdateMs
      const before = new Date(Math.min(oldest, now().getTime() - keepEndedDays * day))
      for (let gone = batch; gone === batch; count += gone) gone = await forgetEnded(db, id, before, batch)
    }
    return count
  }

  /** A delta list that is not made any more is no list once it has ended: it would keep everything, and be called old for ever. */
  async function dropEndedDeltas(): Promise<void> {
    for (const { id, settings } of await listIssuers(db)) {
      if (!settings.deltaCrl) await dropEndedList(db, id, 'delta', now())
    }
  }

  const isDue = ({ slot, status, certificate }: Issuer): boolean => {
    if (slot !== 'intermediate' || status !== 'active' || !certificate) return false
    const { notBefore, notAfter } = certificate
    return notAfter.getTime() - now().getTime() < (notAfter.getTime() - notBefore.getTime()) * rollOverAt
  }

  /** Nobody has to think of the intermediate: what it signs would end earlier and earlier, and one day nothing could be signed. */
  async function rollOverInTime(): Promise<void> {
    const issuers = await listIssuers(db)
    for (const issuer of issuers.filter(isDue)) {
      const parent = issuers.find(({ id }) => id === issuer.certificate?.signedBy)
      const endsAt = issuer.certificate?.notAfter.toISOString()
      // One that was given up, or that a crash left half made, is no hindrance: rolling over sees to it.
      const waiting = issuers.find(({ id, status, settings }) => id === issuer.successorId && (status === 'active' || (status === 'pending' && !settings.wanted?.signedBy)))
      if (waiting) {
        log('warn', 'the intermediate in use ends before long, and its successor is not in use: activate that', { issuer: issuer.name, endsAt, successor: waiting.name, status: waiting.status })
        continue
      }
      if (!parent || parent.status !== 'active' || parent.keySource === 'outside') {
        log('warn', 'the intermediate in use ends before long and its parent is not here: have a new one signed', { issuer: issuer.name, endsAt })
        continue
      }
      const successor = await rollOver(issuer.id, {})
      log('info', 'the intermediate was replaced in time; both are valid side by side', { issuer: issuer.name, successor: successor.name, endsAt })
    }
  }

  async function warnOfOldLists(): Promise<void> {
    const ended = new Set((await listIssuers(db)).filter(({ certificate }) => !certificate || certificate.notAfter <= now()).map(({ id }) => id))
    for (const { issuerId, scope, nextUpdate } of await listCrls(db)) {
      if (new Date(nextUpdate) < now() && !ended.has(issuerId)) log('error', 'a revocation list is past its next update: clients may refuse every certificate of this issuer', { issuerId, scope, nextUpdate })
    }
  }

  return {
    async run(): Promise<{ forgotten: number }> {
      await ensurePublished()
      await dropEndedDeltas()
      const forgotten = await forget()
      await dropOldBodies(database, replacedLongAgo(now()))
      await warnOfOldLists()
      await rollOverInTime()
      return { forgotten }
    },
    /** Has it done daily from now on; one task for all replicas. */
    schedule: () => database.transaction((tx, wake) => scheduleMaintenance(tx, wake, now(), now())),
  }
}

async function scheduleMaintenance(tx: Tx, wake: Wakes, now: Date, notBefore: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: maintenanceKind, subject: maintenanceKind, dedupe: maintenanceKind, notBefore }, now)
}

export function maintenanceTaskKind({ run }: Pick<ReturnType<typeof createMaintenance>, 'run'>, now: () => Date): PlaneTaskKind {
  return {
    async run(task) {
      await run()
      return async (tx) => {
        await repeatTask(tx, task.id, new Date(now().getTime() + day))
      }
    },
    /** What failed may hinder one issuer alone; the day after it is done again. */
    failed: (tx, wake) => scheduleMaintenance(tx, wake, now(), new Date(now().getTime() + day)),
  }
}
