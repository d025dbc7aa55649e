import { CertloopError, type AuthorityId } from '@certloop/contract'
import { iso, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask, repeatTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { findAuthority, listAuthorities, lockAuthority, saveHealth, type AuthorityRow } from './authority-store.ts'
import { pruneUses } from './budget.ts'
import { lookAtAuthority } from './connection-test.ts'
import type { AuthorityOf } from './authority.ts'
import { healthOf, nextHealth, type KeptHealth, type Seen } from '../plugin/health.ts'

export const checkTask = 'check-authority'
const taskOf = (id: AuthorityId, notBefore: Date) => ({ executor: 'control-plane' as const, kind: checkTask, subject: id, dedupe: `${checkTask}:${id}`, notBefore })

export interface HealthDeps { database: Database; authorityOf: AuthorityOf; now: () => Date; random: () => number }

async function tell(tx: Tx, wake: Wakes, { id, name }: AuthorityRow, before: KeptHealth, seen: Seen, { now, random }: Pick<HealthDeps, 'now' | 'random'>): Promise<KeptHealth> {
  const { health, news } = nextHealth(before, seen, now(), random())
  await saveHealth(tx, id, toJson(health))
  if (news === 'failing') await addEvent(tx, { kind: 'authority.failing', message: `The authority "${name}" does not work at the moment; it is looked at again by itself.`, error: 'work' in seen ? seen.work : seen.report.error }, now())
  if (news === 'recovered') await addEvent(tx, { kind: 'authority.recovered', message: `The authority "${name}" works again.` }, now())
  if (news !== null || 'report' in seen) announce(wake, 'authority', id)
  return health
}

/** What was seen of an authority, with the next look at it. Nothing when it was removed meanwhile. */
export async function noteSeen(tx: Tx, wake: Wakes, id: AuthorityId, seen: Seen, deps: Pick<HealthDeps, 'now' | 'random'>): Promise<void> {
  if (!await findAuthority(tx, id)) return
  const row = await lockAuthority(tx, id)
  const before = healthOf(row)
  const { nextCheckAt } = await tell(tx, wake, row, before, seen, deps)
  if (nextCheckAt !== null && nextCheckAt !== before.nextCheckAt) await addTask(tx, wake, taskOf(id, new Date(nextCheckAt)), deps.now())
}

/** Has every authority looked at from now on; a start does not put off what is due. */
export async function scheduleChecks({ database, now, random }: Pick<HealthDeps, 'database' | 'now' | 'random'>): Promise<void> {
  await database.transaction(async (tx, wake) => {
    for (const row of await listAuthorities(tx)) {
      const { nextCheckAt } = healthOf(row)
      await addTask(tx, wake, taskOf(row.id, nextCheckAt === null ? new Date(now().getTime() + random() * 3_600_000) : new Date(nextCheckAt)), now())
    }
  })
}

/** Looks whether an authority works, again and again as long as it is there. */
export function checkAuthorityKind(deps: HealthDeps): PlaneTaskKind {
  const { database, authorityOf, now, random } = deps
  return {
    async run(task) {
      const id = task.subject as AuthorityId
      const row = await findAuthority(database.db, id)
      if (!row) return async () => {}
      const paused = row.pausedUntil !== null && new Date(row.pausedUntil) > now() ? new Date(row.pausedUntil) : undefined
      const seen = paused ? undefined : await lookAtAuthority(() => authorityOf(database.db, id), now)
      return async (tx, wake) => {
        if (!await findAuthority(tx, id)) return
        await pruneUses(tx, now())
        const present = await lockAuthority(tx, id)
        const next = seen ? (await tell(tx, wake, present, healthOf(present), seen, { now, random })).nextCheckAt : null
        await repeatTask(tx, task.id, paused ?? new Date(next ?? now().getTime() + 3_600_000))
      }
    },
    async failed(tx, wake, task, error) {
      await noteSeen(tx, wake, task.subject as AuthorityId, { report: { at: iso(now()), ok: false, steps: [], error: new CertloopError(error.code, error.message, error.facts).toWire() } }, deps)
    },
  }
}
