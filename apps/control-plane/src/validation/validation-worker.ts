import { CertloopError, fromWire, toCertloopError, type ErrorCode, type OutsideLook, type ValidationId, type WireError } from '@certloop/contract'
import { fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import { addEvent } from '../event/event-store.ts'
import { getAttempt, isOpenAttempt } from '../order/attempt-store.ts'
import { createNotes, writeNotes } from '../order/order-notes.ts'
import { pokeOrder } from '../order/order-task.ts'
import type { Tx } from '../database/database.ts'
import type { Commit, PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import type { Task } from '../task/task-store.ts'
import { beginValidation } from './begin-validation.ts'
import { endNeedless } from './sync.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { isOpenValidation, type ValidationEvent } from './validation-state.ts'
import { changeValidation, findValidation, fullName, getValidation, keepReceipt, lookOf, noteValidation, wayOf, type ValidationRow } from './validation-store.ts'
import { askToPlace, comeAgain, endValidation, removeAgain } from './validation-tasks.ts'
import { expectedOf, seenWords, worstFinding } from './validation-words.ts'

const second = 1000
const callMs = 120_000
const mostSlow = 4
const slowAfterMs = 2 * second
const busyPauseMs = 3 * second
/** What a person places is looked for each minute in the first hour, then every ten. */
const handPauses = { early: 60 * second, late: 600 * second, earlyFor: 3_600 * second }
const nothing: Commit = async () => {}

/** The longer it has been looked for, the longer until the next look. */
function pauseMs(row: ValidationRow, now: Date): number {
  const age = now.getTime() - new Date(row.since).getTime()
  if (row.state === 'waiting') return age < handPauses.earlyFor ? handPauses.early : handPauses.late
  return Math.min(300 * second, Math.max(2 * second, age / 4))
}
/** Not beyond the deadline: then it ends. */
function nextLook(row: ValidationRow, now: Date, wanted = 0): Date {
  const at = now.getTime() + Math.max(wanted, pauseMs(row, now))
  return new Date(row.deadline ? Math.max(now.getTime(), Math.min(at, new Date(row.deadline).getTime())) : at)
}

/** Steps that wait for a network which does not answer are not to take all the places of a process that there are for work. */
function createPatience(now: () => Date) {
  const begun = new Set<{ at: number }>()
  let turn = 0
  const slow = () => [...begun].filter(({ at }) => now().getTime() - at > slowAfterMs).length
  return {
    /** When to come again instead; undefined: there is a place. */
    later: () => (slow() < mostSlow ? undefined : new Date(now().getTime() + busyPauseMs + (turn++ % 10) * second)),
    async hold<T>(work: () => Promise<T>): Promise<T> {
      const one = { at: now().getTime() }
      begun.add(one)
      return work().finally(() => begun.delete(one))
    },
  }
}

/** Takes one validation one step further. What it does is read from the row alone: it may run twice, late, or after a crash in its middle. */
export function advanceValidationKind(deps: ValidationDeps): PlaneTaskKind {
  const { database, now } = deps
  const patience = createPatience(now)
  return {
    async run(task, signal) {
      const later = patience.later()
      if (later) return (tx, wake) => comeAgain(tx, wake, task, later)
      const row = await findValidation(database.db, task.subject as ValidationId)
      if (!row || !isOpenValidation(row.state)) return nothing
      const attempt = await getAttempt(database.db, row.attemptId)
      if (!isOpenAttempt(attempt.state)) return (tx, wake) => endNeedless(tx, wake, row, { issued: attempt.state === 'issued', why: `The request to the authority has ended; ${fullName(row)} has not to be proven to it any more.` }, now())
      // What was asked is for the authority to answer.
      if (row.state !== 'asked' && row.deadline && new Date(row.deadline) <= now()) return expire(deps, row)
      try {
        return await patience.hold(() => step(deps, row, task, signal))
      } catch (error) {
        return hindered(deps, row, task, toCertloopError(error))
      }
    },
    async failed(tx, wake, task, error) {
      const row = await findValidation(tx, task.subject as ValidationId)
      if (!row || !isOpenValidation(row.state)) return
      await fail(deps, row, error)(tx, wake)
    },
  }
}

function step(deps: ValidationDeps, row: ValidationRow, task: Task, signal: AbortSignal): Promise<Commit> {
  switch (row.state) {
    case 'planned': return beginValidation(deps, row, task)
    case 'placing': return place(deps, row, task)
    case 'waiting': return lookForIt(deps, row, task)
    case 'checking': return checkAndAsk(deps, row, task, signal)
    case 'asked': return ask(deps, row, lookOf(row), signal)
    default: return Promise.resolve(nothing)
  }
}

/** The order hears of it at once. */
export function fail({ now }: Pick<ValidationDeps, 'now'>, row: ValidationRow, error: CertloopError, look?: OutsideLook): Commit {
  return async (tx, wake) => {
    await endValidation(tx, wake, row, { event: 'failed', reason: error.message, nextAction: error.spec.remedy, error: error.toWire(), ...(look ? { columns: { lastLook: toJson(look) } } : {}) }, now())
    await pokeOrder(tx, wake, row.orderId, now())
  }
}

function expire(deps: ValidationDeps, row: ValidationRow): Commit {
  const look = lookOf(row)
  const finding = look ? worstFinding(look) : undefined
  const hindrance = fromJsonOrNull<{ code: ErrorCode; message: string; facts: Record<string, string> }>(row.error)
  const seen = finding ? ` Seen last: ${seenWords(finding)}` : hindrance ? ` ${fromWire(hindrance).message}` : ''
  const cause = finding?.error?.code ?? hindrance?.code
  return fail(deps, row, new CertloopError('VALIDATION_EXPIRED', `The proof of ${fullName(row)} was not to be seen by ${row.deadline}.${seen}`, { name: fullName(row), ...(cause ? { cause } : {}) }))
}

const waitWords: Partial<Record<ValidationRow['state'], string>> = { planned: 'It could not be begun yet', placing: 'It could not be placed yet', checking: 'The authority could not be told yet', asked: 'The authority could not be told again yet' }
const mistakes: ReadonlySet<ErrorCode> = new Set(['INTERNAL', 'CONFLICT', 'LEASE_LOST'])
/** What may pass is tried again until the deadline; what somebody has to mend ends the validation. */
function hindered(deps: ValidationDeps, row: ValidationRow, task: Task, error: CertloopError): Commit {
  const { now } = deps
  if (mistakes.has(error.code)) throw error
  if (error.spec.retry !== 'later') return fail(deps, row, error)
  const retryAt = typeof error.facts['retryAt'] === 'string' ? new Date(error.facts['retryAt']).getTime() - now().getTime() : 0
  return async (tx, wake) => {
    const at = nextLook(row, now(), Number.isFinite(retryAt) ? retryAt : 0)
    if (row.error === null) await addEvent(tx, { kind: 'validation.hindered', message: `${fullName(row)}: ${error.message} It is tried again.`, error, certificateId: row.certificateId, orderId: row.orderId }, now())
    await noteValidation(tx, wake, row, { reason: `${waitWords[row.state] ?? 'It has to wait'}: ${error.message}`, nextAction: `It is tried again by itself, next at ${iso(at)}.`, error: toJson(error.toWire()) }, now())
    await comeAgain(tx, wake, task, at)
  }
}

async function place(deps: ValidationDeps, row: ValidationRow, task: Task): Promise<Commit> {
  const { records, now } = deps
  if (row.botId) return async (tx, wake) => askToPlace(tx, wake, row, now())
  const way = wayOf(row)
  if (way?.kind !== 'dns' || !row.dnsProviderId || row.zone === null || row.recordName === null) throw new CertloopError('INTERNAL', `Validation ${row.id} does not say where its record goes.`)
  const { zone, recordName } = row
  const receipt = toJson(await records.add(row.dnsProviderId, { zone, name: recordName, value: way.value }))
  return async (tx, wake) => {
    const present = await getValidation(tx, row.id)
    if (present.state === 'placing') {
      await changeValidation(tx, wake, present, { event: 'placed', reason: `The record ${recordName} was written in the zone ${zone}.`, nextAction: 'It is looked for at the authoritative servers before the authority is told.', columns: { receipt } }, now())
      await comeAgain(tx, wake, task, now())
      return
    }
    // It ended while the provider was asked.
    await keepReceipt(tx, row.id, receipt)
    if (!isOpenValidation(present.state)) await removeAgain(tx, wake, { ...present, receipt }, now())
  }
}

async function look({ outside }: ValidationDeps, row: ValidationRow): Promise<OutsideLook> {
  const expected = expectedOf(row)
  if (!expected) throw new CertloopError('INTERNAL', `Validation ${row.id} does not say what is expected.`)
  return outside.look(expected)
}
/** It is not to be seen: what was seen instead is kept, and it is looked for again. */
function notYet({ now }: ValidationDeps, row: ValidationRow, task: Task, seen: OutsideLook): Commit {
  return async (tx, wake) => {
    const present = await getValidation(tx, row.id)
    const seenMeanwhile = present.lastLook !== row.lastLook && lookOf(present)?.visible === true
    // One that has moved on meanwhile keeps its own words.
    if (!seenMeanwhile && present.state === row.state && present.cleanup === row.cleanup) await keepLook(tx, wake, present, seen, now())
    if (isOpenValidation(present.state)) await comeAgain(tx, wake, task, seenMeanwhile ? now() : nextLook(row, now()))
  }
}
/** The timeline has one line for each cause, not for each look. */
async function keepLook(tx: Tx, wake: Wakes, row: ValidationRow, seen: OutsideLook, now: Date): Promise<void> {
  const finding = worstFinding(seen)
  const error = finding?.error ?? null
  const reason = `The proof of ${fullName(row)} is not to be seen from outside yet${finding ? `: ${seenWords(finding)}` : '.'}`
  if (error && isOpenValidation(row.state) && error.code !== fromJsonOrNull<WireError>(row.error)?.code) await addEvent(tx, { kind: 'validation.not-visible', message: reason, error, certificateId: row.certificateId, orderId: row.orderId }, now)
  await noteValidation(tx, wake, row, { lastLook: toJson(seen), reason, nextAction: row.state === 'waiting' ? 'Follow the instructions; it is looked for again by itself.' : 'It is looked for again by itself.', error: error && toJson(error) }, now)
}
/** Seen from outside: what a person placed is then treated as any other. */
export const appeared = (row: ValidationRow, seen: OutsideLook) => ({ event: 'appeared' as const satisfies ValidationEvent, reason: `The proof of ${fullName(row)} is visible from outside.`, nextAction: 'The authority is told to look.', columns: { lastLook: toJson(seen) } })

async function lookForIt(deps: ValidationDeps, row: ValidationRow, task: Task): Promise<Commit> {
  const seen = await look(deps, row)
  if (!seen.visible) return notYet(deps, row, task, seen)
  return async (tx, wake) => {
    await changeValidation(tx, wake, row, appeared(row, seen), deps.now())
    await comeAgain(tx, wake, task, deps.now())
  }
}
async function checkAndAsk(deps: ValidationDeps, row: ValidationRow, task: Task, signal: AbortSignal): Promise<Commit> {
  const seen = await look(deps, row)
  return seen.visible ? ask(deps, row, seen, signal) : notYet(deps, row, task, seen)
}

/** Tells the authority to look. Repeating is harmless. */
async function ask({ database, authorityOf, now }: ValidationDeps, row: ValidationRow, seen: OutsideLook | null, signal: AbortSignal): Promise<Commit> {
  const attempt = await getAttempt(database.db, row.attemptId)
  const handle = fromJsonOrNull<Record<string, unknown>>(attempt.handle)
  const notes = createNotes()
  const connector = await authorityOf(database.db, row.authorityId)
  if (!handle) throw new CertloopError('INTERNAL', `Attempt ${attempt.id} wants proofs and has no handle.`)
  await connector.prove?.(handle, { id: row.proofId, wayId: row.wayId ?? '' }, {
    signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
    note: (message) => { notes.add(message) },
    keep: async () => { throw new CertloopError('INTERNAL', 'Telling an authority to look leaves nothing to be kept.') },
  })
  return async (tx, wake) => {
    const present = await getValidation(tx, row.id)
    await writeNotes(tx, { id: row.orderId, certificateId: row.certificateId }, notes.take(), now())
    if (present.state === 'checking') await changeValidation(tx, wake, present, { event: 'asked', reason: `${fullName(row)} is visible from outside; the authority was told to look.`, nextAction: 'The authority looks, and says whether it took it.', columns: seen ? { lastLook: toJson(seen) } : {} }, now())
    await pokeOrder(tx, wake, row.orderId, now())
  }
}
