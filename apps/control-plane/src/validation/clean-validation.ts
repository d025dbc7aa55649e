import { CertloopError, toCertloopError, type ValidationId } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import { findBot } from '../bot/bot-store.ts'
import type { Tx } from '../database/database.ts'
import type { Commit, PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { openTaskCount, type Task } from '../task/task-store.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { changeValidation, findValidation, noteValidation, othersAt, wayOf, type ValidationRow } from './validation-store.ts'
import { askToRemove, comeAgain } from './validation-tasks.ts'
import { expectedOf, isGone, removalByHand } from './validation-words.ts'

/** A provider that has no time is asked again for so long before somebody is told. */
const patienceMs = 1_800_000
const longestPauseMs = 300_000
/** Until a step under way, or one whose process died, has ended. */
const stepPauseMs = 15_000

const isToBeRemoved = ({ cleanup }: ValidationRow) => cleanup === 'removing' || cleanup === 'stuck'

export async function removed(tx: Tx, wake: Wakes, row: ValidationRow, told: string, now: Date): Promise<void> {
  await changeValidation(tx, wake, row, { event: 'removed', told }, now)
}
/** It is said once, with what is to be removed by hand; tried again at each sweep. */
export async function stuck(tx: Tx, wake: Wakes, row: ValidationRow, error: CertloopError, now: Date): Promise<void> {
  const bot = row.botId ? await findBot(tx, row.botId) : undefined
  const byHand = removalByHand(row, bot?.name)
  const nextAction = `What was placed for the validation could not be removed: ${error.message} It is tried again each hour. ${byHand}`
  if (row.cleanup === 'stuck') await noteValidation(tx, wake, row, { nextAction }, now)
  else await changeValidation(tx, wake, row, { event: 'stuck', nextAction, error: error.toWire(), told: `What was placed for the validation of ${row.name} could not be removed: ${error.message} ${byHand}` }, now)
}

/** Removes what was placed for one validation that has ended. Runs as often as it takes. */
export function cleanValidationKind(deps: ValidationDeps): PlaneTaskKind {
  const { database, now } = deps
  return {
    async run(task) {
      const row = await findValidation(database.db, task.subject as ValidationId)
      if (!row || !isToBeRemoved(row)) return async () => {}
      // A step that is placing it just now has to end first, or it would be placed after it was removed.
      const isUnderWay = await database.transaction((tx) => openTaskCount(tx, row.id, 'advance-validation')) > 0
      if (isUnderWay) return (tx, wake) => comeAgain(tx, wake, task, new Date(now().getTime() + stepPauseMs))
      if (await isUsedByAnother(deps, row)) return (tx, wake) => removed(tx, wake, row, `What was placed for ${row.name} serves another validation and is removed with that.`, now())
      return row.botId ? removeByBot(deps, row) : removeRecord(deps, row, task)
    },
    async failed(tx, wake, task, error) {
      const row = await findValidation(tx, task.subject as ValidationId)
      if (row && isToBeRemoved(row)) await stuck(tx, wake, row, error, now())
    },
  }
}

/** An authority may hand out the same proof twice. */
async function isUsedByAnother({ database }: ValidationDeps, row: ValidationRow): Promise<boolean> {
  const same = (other: ValidationRow) => JSON.stringify(expectedOf(other)) === JSON.stringify(expectedOf(row)) && other.botId === row.botId && other.dnsProviderId === row.dnsProviderId
  return (await othersAt(database.db, row)).some(same)
}

async function removeByBot({ database, outside, now }: ValidationDeps, row: ValidationRow): Promise<Commit> {
  const bot = row.botId ? await findBot(database.db, row.botId) : undefined
  if (bot && !bot.revokedAt) return async (tx, wake) => { await askToRemove(tx, wake, row, now()) }
  const expected = expectedOf(row)
  const isAway = row.cleanup === 'stuck' && expected !== null && isGone(await outside.look(expected))
  return async (tx, wake) => {
    if (isAway) await removed(tx, wake, row, `What was placed for ${row.name} is no longer to be seen from outside.`, now())
    else await stuck(tx, wake, row, new CertloopError('BOT_REVOKED', `The bot "${bot?.name ?? row.botId}" that placed it was revoked.`), now())
  }
}

async function removeRecord(deps: ValidationDeps, row: ValidationRow, task: Task): Promise<Commit> {
  const { records, now } = deps
  const way = wayOf(row)
  if (way?.kind !== 'dns' || !row.dnsProviderId || row.zone === null || row.recordName === null) throw new CertloopError('INTERNAL', `Validation ${row.id} does not say where its record is.`)
  try {
    await records.remove(row.dnsProviderId, { zone: row.zone, name: row.recordName, value: way.value }, fromJsonOrNull(row.receipt))
    return (tx, wake) => removed(tx, wake, row, `The record ${row.recordName} was removed from the zone ${row.zone}.`, now())
  } catch (thrown) {
    return recordStays(deps, row, task, toCertloopError(thrown))
  }
}
async function recordStays({ outside, now }: ValidationDeps, row: ValidationRow, task: Task, error: CertloopError): Promise<Commit> {
  if (error.code === 'INTERNAL') throw error
  const age = now().getTime() - new Date(row.cleanupSince ?? row.updatedAt).getTime()
  if (row.cleanup === 'removing' && error.spec.retry === 'later' && age < patienceMs) {
    return async (tx, wake) => {
      await noteValidation(tx, wake, row, { nextAction: `What was placed is removed as soon as that is possible: ${error.message}` }, now())
      await comeAgain(tx, wake, task, new Date(now().getTime() + Math.min(longestPauseMs, Math.max(2000, age / 2))))
    }
  }
  // Once nobody can ask the provider any more, the record itself says whether somebody has removed it.
  const expected = expectedOf(row)
  const isAway = row.cleanup === 'stuck' && error.code === 'NOT_FOUND' && expected !== null && isGone(await outside.look(expected))
  return async (tx, wake) => {
    if (isAway) await removed(tx, wake, row, `The record ${row.recordName} is no longer to be seen.`, now())
    else await stuck(tx, wake, row, error, now())
  }
}
