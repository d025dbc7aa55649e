import { CertloopError, fromWire, type AttemptId, type BotId, type ValidationSettings, type WireError } from '@certloop/contract'
import type { WantedProof } from '@certloop/plugin-kit'
import { toBit, toJson, iso, fromJsonOrNull } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { getAttempt, type AttemptRow } from '../order/attempt-store.ts'
import { findOrder, type OrderRow } from '../order/order-store.ts'
import { targetsOf } from '../provisioning/configuration-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenValidation } from './validation-state.ts'
import { fullName, insertValidation, noteValidation, validationsOf, type NewValidation, type ValidationRow } from './validation-store.ts'
import { endValidation, wakeValidation } from './validation-tasks.ts'
import { methodWord } from './validation-words.ts'
import { chooseWay, placeOf, settingsOf } from './ways.ts'

/** For an order that has no end of its own. */
const longestDays = 7
/** An authority that still wants what it was told to look at is told again after so long. */
const askAgainMs = 600_000

export interface Wanted {
  order: OrderRow
  attempt: Pick<AttemptRow, 'id' | 'submissions' | 'authorityId'>
  proofs: readonly WantedProof[]
  /** When the request runs out at the authority. */
  expires?: Date | null
}
export interface Synced { /** So many are still to be proven. */ open: number; failed: { name: string; error: WireError }[] }

/**
 * Brings the validations of an attempt up to what the authority says of its proofs: new ones begin, valid and invalid ones end.
 * Any number of times; of one submission each proof has one validation. Those of an earlier submission end.
 */
export async function syncValidations(tx: Tx, wake: Wakes, { order, attempt, proofs, expires = null }: Wanted, now: Date): Promise<Synced> {
  const rows = await validationsOf(tx, attempt.id)
  for (const row of rows.filter(({ submission, state }) => submission !== attempt.submissions && isOpenValidation(state))) {
    await endValidation(tx, wake, row, { event: 'cancelled', reason: `The request ran out at the authority and was submitted again; ${fullName(row)} is proven anew.` }, now)
  }
  const own = new Map(rows.filter(({ submission }) => submission === attempt.submissions).map((row) => [row.proofId, row]))
  const synced: Synced = { open: 0, failed: [] }
  const count = (row: ValidationRow) => {
    if (isOpenValidation(row.state)) synced.open++
    if (row.state === 'failed') synced.failed.push({ name: fullName(row), error: fromJsonOrNull<WireError>(row.error) ?? new CertloopError('VALIDATION_REFUSED', row.reason).toWire() })
  }
  const fresh = proofs.filter(({ id, state }) => !own.has(id) && state !== 'valid')
  for (const proof of proofs) {
    const row = own.get(proof.id)
    if (row) count(await follow(tx, wake, row, proof, now))
  }
  if (fresh.length > 0) for (const row of await begin(tx, wake, { order, attempt, proofs: fresh, expires }, now)) count(row)
  return synced
}

/** What the authority says of a proof that has its validation. */
async function follow(tx: Tx, wake: Wakes, row: ValidationRow, proof: WantedProof, now: Date): Promise<ValidationRow> {
  if (!isOpenValidation(row.state)) return row
  if (proof.state === 'valid') return endValidation(tx, wake, row, { event: 'valid', reason: `The authority took ${fullName(row)} as proven.` }, now)
  if (proof.state === 'invalid') return refused(tx, wake, row, proof, now)
  if (row.state === 'asked' && proof.state === 'wanted' && now.getTime() - new Date(row.updatedAt).getTime() > askAgainMs) {
    await noteValidation(tx, wake, row, {}, now)
    await wakeValidation(tx, wake, row.id, now)
  }
  return row
}
function refused(tx: Tx, wake: Wakes, row: ValidationRow, { error: said }: WantedProof, now: Date): Promise<ValidationRow> {
  const error = said ? fromWire(said) : new CertloopError('VALIDATION_REFUSED', `The authority did not take ${fullName(row)} as proven, and did not say why.`)
  return endValidation(tx, wake, row, { event: 'failed', reason: error.message, nextAction: error.spec.remedy, error: error.toWire() }, now)
}

async function begin(tx: Tx, wake: Wakes, { order, attempt, proofs, expires = null }: Wanted, now: Date): Promise<ValidationRow[]> {
  const settings = settingsOf(order)
  const firstBot = order.botId ?? (await targetsOf(tx, order.certificateId))[0]?.botId ?? null
  const ends = [order.deadline ? new Date(order.deadline) : null, expires, timeToLeaveOut(order, settings, now)].filter((end) => end !== null)
  const deadline = ends.length > 0 ? new Date(Math.min(...ends.map((end) => end.getTime()))) : new Date(now.getTime() + longestDays * 86_400_000)
  const rows: ValidationRow[] = []
  for (const proof of proofs) rows.push(await beginOne(tx, wake, { order, attempt, proof, settings, firstBot, deadline }, now))
  const open = rows.filter(({ state }) => isOpenValidation(state))
  if (open.length > 0) await addEvent(tx, { kind: 'validation.planned', message: `To be proven by ${methodWord(settings.method)}: ${open.map(fullName).join(', ')}.`, certificateId: order.certificateId, orderId: order.id }, now)
  return rows
}

/** A renewal that may go on without a name needs time for that before its own end. */
function timeToLeaveOut({ deadline, replacesVersionId }: OrderRow, { leaveOut, method }: ValidationSettings, now: Date): Date | null {
  if (!leaveOut || replacesVersionId === null || deadline === null) return null
  return new Date(now.getTime() + (new Date(deadline).getTime() - now.getTime()) / (method === 'manual' ? 2 : 4))
}

interface OneProof { order: OrderRow; attempt: Wanted['attempt']; proof: WantedProof; settings: ValidationSettings; firstBot: BotId | null; deadline: Date }
async function beginOne(tx: Tx, wake: Wakes, { order, attempt, proof, settings, firstBot, deadline }: OneProof, now: Date): Promise<ValidationRow> {
  const plan: NewValidation = {
    orderId: order.id, attemptId: attempt.id, submission: attempt.submissions, certificateId: order.certificateId, authorityId: attempt.authorityId, proofId: proof.id, wayId: null, name: proof.name, nameType: proof.type, wildcard: toBit(proof.wildcard),
    method: settings.method, way: null, botId: null, dnsProviderId: settings.method === 'dns' || settings.method === 'dns-persist' ? settings.dnsProviderId : null, recordName: null, zone: null,
    reason: `${proof.wildcard ? '*.' : ''}${proof.name} is to be proven.`, nextAction: 'It is looked at from outside before anything is placed.', deadline: iso(deadline),
  }
  if (proof.state === 'invalid') return refused(tx, wake, await insertValidation(tx, wake, plan, now), proof, now)
  try {
    const way = chooseWay(proof, settings)
    const place = placeOf(way, settings, firstBot)
    if ((settings.method === 'file' || settings.method === 'tls-alpn') && !place.botId) throw new CertloopError('CONFIGURATION_INCOMPLETE', `${proof.name} is to be proven by a bot, and the configuration names none.`, { name: proof.name })
    const row = await insertValidation(tx, wake, { ...plan, ...place, wayId: way.id, way: toJson(way) }, now)
    await wakeValidation(tx, wake, row.id, now)
    return row
  } catch (error) {
    if (!(error instanceof CertloopError) || error.code === 'CONFLICT') throw error
    return endValidation(tx, wake, await insertValidation(tx, wake, plan, now), { event: 'failed', reason: error.message, nextAction: error.spec.remedy, error: error.toWire() }, now)
  }
}

/**
 * Nothing more is to be proven for this attempt: what is open ends, and what was placed is removed. Called in the transaction
 * that ends the attempt or its order, after their new states are written: what was asked of one that was issued ends valid.
 */
export async function endValidations(tx: Tx, wake: Wakes, attemptId: AttemptId, why: string, now: Date): Promise<void> {
  const open = (await validationsOf(tx, attemptId)).filter(({ state }) => isOpenValidation(state))
  if (open.length === 0) return
  const attempt = await getAttempt(tx, attemptId)
  const order = await findOrder(tx, attempt.orderId)
  const issued = attempt.state === 'issued' || order?.state === 'complete'
  for (const row of open) await endNeedless(tx, wake, row, { issued, why }, now)
}
/** One whose request has ended. */
export async function endNeedless(tx: Tx, wake: Wakes, row: ValidationRow, { issued, why }: { issued: boolean; why: string }, now: Date): Promise<void> {
  if (issued && row.state === 'asked') await endValidation(tx, wake, row, { event: 'valid', reason: `The authority took ${fullName(row)} as proven, and issued.` }, now)
  else await endValidation(tx, wake, row, { event: 'cancelled', reason: issued ? `The authority issued without asking for this: ${fullName(row)} was proven to it before.` : why }, now)
}
