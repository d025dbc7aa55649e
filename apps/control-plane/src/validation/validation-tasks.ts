import { CertloopError, type ValidationId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { addTask, cancelReadyTasks, endTasksAbout, openTaskCount, removeTask, repeatTask, taskTopic, type Task } from '../task/task-store.ts'
import { botProofOf } from './validation-words.ts'
import { changeValidation, type ValidationChange, type ValidationRow } from './validation-store.ts'
import { isOpenValidation } from './validation-state.ts'

/** The proof outlives the deadline by so much: the authority may be looking just then. */
const proofGraceMs = 3_600_000
const removeHours = 24

/** Has a validation looked at: one step at a time, and many that are asked for together are one. */
export async function wakeValidation(tx: Tx, wake: Wakes, id: ValidationId, now: Date, at: Date = now): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-validation', subject: id, dedupe: `validation:${id}`, notBefore: at, maxAttempts: 20 }, now)
}
/** In the commit of its own task. */
export async function comeAgain(tx: Tx, wake: Wakes, task: Task, at: Date): Promise<void> {
  await repeatTask(tx, task.id, at)
  wake(taskTopic('control-plane'))
}

/** The bot is asked once; asked again only after a crash lost the first. */
export async function askToPlace(tx: Tx, wake: Wakes, row: ValidationRow, now: Date): Promise<void> {
  if (!row.botId || await openTaskCount(tx, row.id, 'place-proof') > 0) return
  const deadline = row.deadline ? new Date(row.deadline) : new Date(now.getTime() + removeHours * 3_600_000)
  const expires = new Date(deadline.getTime() + proofGraceMs).toISOString()
  await addTask(tx, wake, { executor: row.botId, kind: 'place-proof', subject: row.id, payload: { validationId: row.id, expires, proof: botProofOf(row) }, deadline }, now)
}
/** @returns false: it was asked before and has not answered yet */
export async function askToRemove(tx: Tx, wake: Wakes, row: ValidationRow, now: Date): Promise<boolean> {
  if (!row.botId || await openTaskCount(tx, row.id, 'remove-proof') > 0) return false
  await addTask(tx, wake, { executor: row.botId, kind: 'remove-proof', subject: row.id, payload: { validationId: row.id, proof: botProofOf(row) }, deadline: new Date(now.getTime() + removeHours * 3_600_000) }, now)
  return true
}

export async function cleanSoon(tx: Tx, wake: Wakes, id: ValidationId, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'clean-validation', subject: id, dedupe: `clean:${id}`, maxAttempts: 20 }, now)
}

/**
 * Ends a validation; what was placed, or may have been, is removed from now on.
 * @param change neverPlaced: it is known that nobody had begun to place it
 * @throws CertloopError CONFLICT
 */
export async function endValidation(tx: Tx, wake: Wakes, row: ValidationRow, change: ValidationChange & { event: 'valid' | 'failed' | 'cancelled'; neverPlaced?: boolean }, now: Date): Promise<ValidationRow> {
  const { neverPlaced = false } = change
  const ended = await changeValidation(tx, wake, row, change, now)
  await removeTask(tx, `validation:${row.id}`)
  if (ended.cleanup !== 'removing') return ended
  const neverBegun = neverPlaced || (row.state === 'placing' && await cancelReadyTasks(tx, row.id, ['place-proof']) > 0)
  if (neverBegun) return changeValidation(tx, wake, ended, { event: 'untouched', told: `Nothing was placed for ${row.name}; nothing has to be removed.` }, now)
  // A bot that is placing it just now tells so later, and then it is removed again.
  await endTasksAbout(tx, row.id, new CertloopError('LEASE_LOST', 'The validation has ended.').toWire(), now)
  await cleanSoon(tx, wake, row.id, now)
  return ended
}

/** It was placed by work that had been given up: back to removing it. */
export async function removeAgain(tx: Tx, wake: Wakes, row: ValidationRow, now: Date): Promise<void> {
  if (isOpenValidation(row.state)) return
  if (row.cleanup !== 'removing') await changeValidation(tx, wake, row, { event: 'late', told: `The proof of ${row.name} was placed after the validation had ended; it is removed again.` }, now)
  await cleanSoon(tx, wake, row.id, now)
}
