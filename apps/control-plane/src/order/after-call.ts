import { CertloopError, fromWire, type WireError } from '@certloop/contract'
import type { Progress, WantedProof } from '@certloop/plugin-kit'
import { noteFailedValidation, releaseUse } from '../authority/budget.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { fromJson, iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { endValidations, syncValidations } from '../validation/sync.ts'
import { validationsOf } from '../validation/validation-store.ts'
import { updateAttempt, type AttemptRow } from './attempt-store.ts'
import type { Under } from './begin-call.ts'
import type { Answer } from './call-authority.ts'
import { decide, verdictOf } from './failure-verdict.ts'
import { checkIssued } from './issued-check.ts'
import { leaveOut, namesIn, whyNotLeaveOut, type BadName } from './leave-out.ts'
import { authorityName, hasNextAuthority, moveOn } from './next-authority.ts'
import { describeOrder, type OrderRow } from './order-store.ts'
import { completeOrder, doubtOrder, failOrder } from './settle.ts'
import { spreadOf } from './spread.ts'

/** When the order is looked at again; null: its end, or somebody else, decides. */
export type Next = Date | null
interface Step { tx: Tx; wake: Wakes; now: Date }

/** Writes down what came of a call. The order is as it was when it was begun: nobody but the holder of its task changes it in between. */
export async function afterCall(tx: Tx, wake: Wakes, under: Under, answer: Answer, now: Date): Promise<Next> {
  const step: Step = { tx, wake, now }
  if (answer.is === 'progress') return onProgress(step, under, answer.progress)
  if (answer.is === 'absent') return submitAfterAll(step, under)
  const { order, attempt } = under
  if (answer.unused && attempt.submissions === 1) await releaseUse(tx, order.id, attempt.authorityId)
  if (answer.error.code === 'ORDER_EXPIRED' && !answer.mayIssue && attempt.handle !== null && attempt.submissions < mostSubmissions) return submitAgain(step, under, answer.error)
  return onFailure(step, under, answer)
}

const mostSubmissions = 3
const pauseMs = (submissions: number) => submissions * 5_000

async function submitAgain({ tx, wake, now }: Step, { order, attempt }: Under, error: CertloopError): Promise<Next> {
  const reason = `Submitted again: what was submitted before ran out there, and nothing was issued. ${error.message}`
  await updateAttempt(tx, attempt.id, { state: 'intended', handle: null, submissions: attempt.submissions + 1, mayIssue: 0, failures: 0, failingSince: null, reason })
  await endValidations(tx, wake, attempt.id, reason, now)
  await addEvent(tx, { kind: 'order.submitted-again', message: reason, error, certificateId: order.certificateId, orderId: order.id }, now)
  return new Date(now.getTime() + pauseMs(attempt.submissions))
}

async function submitAfterAll({ tx, now }: Step, { order, attempt }: Under): Promise<Next> {
  const message = 'The authority was asked and has no such request: it is submitted now.'
  await updateAttempt(tx, attempt.id, { state: 'intended', mayIssue: 0, failures: 0, failingSince: null, reason: message })
  await addEvent(tx, { kind: 'order.looked-up', message, certificateId: order.certificateId, orderId: order.id }, now)
  return now
}

async function onProgress(step: Step, under: Under, progress: Progress): Promise<Next> {
  const { tx, wake, now } = step
  const { order, attempt } = under
  if (progress.state === 'issued') return onIssued(step, order, progress.chainPem)
  // What failed before is over; without a failure it is the time since which bad names are gathered.
  const failingSince = progress.state === 'waiting' || attempt.failures > 0 ? null : attempt.failingSince
  const columns = { state: 'submitted', handle: toJson(progress.handle), mayIssue: progress.state === 'waiting' ? 1 : 0, waitUntil: null, failures: 0, failingSince, error: null } as const
  await updateAttempt(tx, attempt.id, columns)
  if (progress.state === 'proving') return onProving(step, { ...under, attempt: { ...attempt, ...columns } }, progress)
  if (isOver(order, now)) {
    await doubtOrder(tx, wake, order, new CertloopError('ORDER_UNCERTAIN', `The authority took the request and had not issued by ${order.deadline}: ${progress.reason}`), now)
    return null
  }
  await describe(step, order, { reason: `${await authorityName(tx, attempt.authorityId)}: ${progress.reason}`, nextAction: 'It is asked again by itself.' })
  return inSeconds(now, progress.pollSeconds)
}

async function onIssued({ tx, wake, now }: Step, order: OrderRow, chainPem: readonly string[]): Promise<Next> {
  try {
    const chain = checkIssued(order, chainPem)
    await completeOrder(tx, wake, order, chain, now)
  } catch (error) {
    if (!(error instanceof CertloopError) || error.code !== 'ISSUED_CERTIFICATE_WRONG') throw error
    await failOrder(tx, wake, order, error, now)
  }
  return null
}

/** Other names may be found bad as well; every submission without some costs one of the authority's limits. */
const gatherMs = 120_000
/** While nothing was asked, only the validations move, and they have the order looked at. */
const restSeconds = 600
const longestLookSeconds = 300

async function onProving(step: Step, under: Under, { proofs, expires, pollSeconds }: Extract<Progress, { state: 'proving' }>): Promise<Next> {
  const { tx, wake, now } = step
  const { order, attempt } = under
  const { open, failed } = await syncValidations(tx, wake, { order, attempt, proofs, expires }, now)
  if (failed.length > 0) return onBadNames(step, under, { proofs, open, failed })
  await describe(step, order, await provingWords(tx, order, attempt, proofs))
  // Not every authority shows that it looks: Boulder and Pebble leave a challenge pending until they have seen it.
  const rows = await validationsOf(tx, attempt.id)
  const isMoving = open === 0 || proofs.some(({ state }) => state === 'asked') || rows.some(({ state }) => state === 'asked')
  return inSeconds(now, Math.max(pollSeconds, isMoving ? lookSeconds(rows, now) : restSeconds))
}
/** The longer nothing has changed, the more seldom it is asked whether an authority has looked: one that never does is not asked for a day every few seconds. */
function lookSeconds(rows: readonly { since: string }[], now: Date): number {
  const stillSince = Math.max(0, ...rows.map(({ since: at }) => Date.parse(at)))
  return stillSince === 0 ? 0 : Math.min(longestLookSeconds, (now.getTime() - stillSince) / 20_000)
}

async function provingWords(tx: Tx, order: OrderRow, { authorityId }: AttemptRow, proofs: readonly WantedProof[]): Promise<Pick<OrderRow, 'reason' | 'nextAction'>> {
  const left = proofs.filter(({ state }) => state !== 'valid').map(nameOf)
  const [names, more] = [left.slice(0, 5).join(', '), left.length > 5 ? ` and ${left.length - 5} more` : '']
  if (left.length === 0) return { reason: `Every name is proven to "${await authorityName(tx, authorityId)}".`, nextAction: 'The authority issues.' }
  return { reason: `To be proven to "${await authorityName(tx, authorityId)}": ${names}${more}.`, nextAction: order.validation.includes('"manual"') ? 'Place what the validations of the order say; it goes on by itself once that is seen.' : 'It goes on by itself once they are.' }
}
const nameOf = ({ name, wildcard }: WantedProof): string => (wildcard ? `*.${name}` : name)

interface Bad { proofs: readonly WantedProof[]; open: number; failed: readonly BadName[] }
/** One bad name stops all, unless the renewal may go on without it. */
async function onBadNames(step: Step, under: Under, { proofs, open, failed }: Bad): Promise<Next> {
  const { tx, wake, now } = step
  const { order, attempt } = under
  const error = asOneError(failed)
  const elsewhere = failed.every((each) => verdictOf(fromWire(each.error)).elsewhere) && await hasNextAuthority(tx, order)
  const why = whyNotLeaveOut(order, failed.map(({ name }) => name))
  if (!elsewhere && why === null && open > 0 && now.getTime() - since(attempt, now).getTime() < gatherMs) {
    await updateAttempt(tx, attempt.id, { failingSince: iso(since(attempt, now)) })
    return inSeconds(now, 30)
  }
  for (const proof of proofs.filter(({ state }) => state === 'invalid')) await noteFailedValidation(tx, attempt.authorityId, proof.name, now)
  if (elsewhere) return nextAuthority(step, under, error)
  if (why === null) await leaveOut(tx, wake, order, attempt, failed, now)
  else await failOrder(tx, wake, order, error, now)
  return null
}
const since = ({ failingSince }: AttemptRow, now: Date): Date => (failingSince === null ? now : new Date(failingSince))

function asOneError(failed: readonly BadName[]): CertloopError {
  const [first] = failed
  const names = failed.map(({ name }) => name)
  const lines = failed.slice(0, 5).map(({ name, error }) => (error.message.includes(name) ? error.message : `${name}: ${error.message}`))
  return new CertloopError(first?.error.code ?? 'VALIDATION_REFUSED', `${lines.join(' ')}${failed.length > 5 ? ` And ${failed.length - 5} more names.` : ''}`, { ...first?.error.facts, names })
}

async function nextAuthority({ tx, wake, now }: Step, { order, attempt }: Under, error: CertloopError): Promise<Next> {
  const next = await moveOn(tx, wake, order, attempt, error, now)
  if (!next) {
    await failOrder(tx, wake, order, error, now)
    return null
  }
  await describe({ tx, wake, now }, order, { reason: `"${await authorityName(tx, next.authorityId)}" is asked, as the authority before could not do it: ${error.message}`, nextAction: 'The authority issues.' })
  return now
}

export interface Failure { error: CertloopError; mayIssue: boolean }
/** Waits, asks another authority, or ends: as decided. */
export async function onFailure(step: Step, under: Under, { error, mayIssue }: Failure): Promise<Next> {
  const { tx, wake, now } = step
  const { order, attempt } = under
  const [hasNext, failures, failingSince] = [await hasNextAuthority(tx, order), attempt.failures + 1, since(attempt, now)]
  await updateAttempt(tx, attempt.id, { mayIssue: mayIssue ? 1 : 0, failures, failingSince: iso(failingSince), error: toJson(error.toWire()) })
  const deadline = order.deadline === null ? new Date(now.getTime() + 86_400_000) : new Date(order.deadline)
  if (error.code === 'VALIDATION_REFUSED') for (const name of namesIn(error)) await noteFailedValidation(tx, attempt.authorityId, name.replace(/^\*\./, ''), now)
  const decision = looksInVain(attempt, failures) ? { do: 'doubt' as const } : decide(error, { now, deadline, failures, failingSince, hasNext, mayIssue, spread: spreadOf(order.id) })
  if (decision.do === 'wait') return waitFor(step, under, error, decision.until)
  if (decision.do === 'move') return nextAuthority(step, under, error)
  if (decision.do === 'doubt') await doubtOrder(tx, wake, order, error, now)
  else await failBy(step, under, error)
  return null
}

/** Whoever had it looked up is told soon that it can't be. */
const mostLooks = 5
const looksInVain = ({ state }: AttemptRow, failures: number): boolean => state === 'uncertain' && failures >= mostLooks

/** A name that no authority takes may be left out, when there is no other to ask. */
async function failBy({ tx, wake, now }: Step, { order, attempt }: Under, error: CertloopError): Promise<void> {
  const bad = error.code === 'NAME_REFUSED' || error.code === 'VALIDATION_REFUSED' || error.code === 'CAA_FORBIDS' ? namesIn(error) : []
  if (bad.length > 0 && whyNotLeaveOut(order, bad) === null) await leaveOut(tx, wake, order, attempt, bad.map((name) => ({ name, error: error.toWire() })), now)
  else await failOrder(tx, wake, order, error, now)
}

async function waitFor(step: Step, { order, attempt }: Under, error: CertloopError, until: Date): Promise<Next> {
  const { tx, now } = step
  const told = error.facts['retryAt'] !== undefined
  await updateAttempt(tx, attempt.id, { waitUntil: told ? iso(until) : null })
  const reason = `"${await authorityName(tx, attempt.authorityId)}" can not go on: ${error.message}`
  // The time alone is no news: with a limit that is reached it changes each time.
  if (!sameError(attempt.error, error)) await addEvent(tx, { kind: 'order.waits', message: `${reason}${told ? ` It is asked again at ${iso(until)}.` : ' It is asked again by itself.'}`, error, certificateId: order.certificateId, orderId: order.id }, now)
  else if (!told) return until
  await describe(step, order, { reason, nextAction: told ? `It is asked again by itself on ${iso(until).slice(0, 16).replace('T', ' ')} UTC.` : 'It is asked again by itself.' })
  return until
}
const withoutTimes = (message: string): string => message.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '')
function sameError(before: string | null, { code, message }: CertloopError): boolean {
  if (before === null) return false
  const said = fromJson<WireError>(before)
  return said.code === code && withoutTimes(said.message) === withoutTimes(message)
}

const isOver = ({ deadline }: OrderRow, now: Date): boolean => deadline !== null && now >= new Date(deadline)
const longestPollSeconds = 3600
const inSeconds = (now: Date, seconds: number): Date => new Date(now.getTime() + Math.min(longestPollSeconds, Math.max(1, seconds)) * 1000)

async function describe({ tx, wake, now }: Step, order: OrderRow, words: Pick<OrderRow, 'reason' | 'nextAction'>): Promise<void> {
  if (await describeOrder(tx, wake, order, words, now)) await refreshCertificate(tx, wake, order.certificateId, now)
}
