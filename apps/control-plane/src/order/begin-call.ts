import { CertloopError, fromWire, type WireError } from '@certloop/contract'
import type { IssueRequest } from '@certloop/plugin-kit'
import { abilitiesOf } from '../authority/abilities.ts'
import { findAuthority, lockAuthority } from '../authority/authority-store.ts'
import { reserveUse } from '../authority/budget.ts'
import { issuedBefore } from '../authority/issued-before.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { confirmLease, type Task } from '../task/task-store.ts'
import { isOpenValidation } from '../validation/validation-state.ts'
import { validationsOf } from '../validation/validation-store.ts'
import { callsUnderWay, openAttemptOf, updateAttempt, type AttemptRow } from './attempt-store.ts'
import { openAttempt } from './next-authority.ts'
import { csrRequestOf, findOrder, lockOrder, requestOf, wantedNames, type OrderRow } from './order-store.ts'

/** One order at one authority. */
export interface Under { order: OrderRow; /** As it was before the call. */ attempt: AttemptRow; request: IssueRequest }
export type Begun =
  | { do: 'nothing' }
  /** The authority takes no more calls just now, or asked to be left alone until then. */
  | { do: 'later'; at: Date }
  /** couldIssue: the authority could come to issue by this call. */
  | { do: 'call'; under: Under; couldIssue: boolean }
  /** It is not asked: a limit would be passed, or the time of the order is over. */
  | { do: 'stop'; under: Under; error: CertloopError; isOver: boolean }

/** How many calls one authority gets at a time from here, and when to come again above that. */
export interface Places { limit(authorityId: AttemptRow['authorityId'], concurrency: number): number; comeAgain(order: Pick<OrderRow, 'id' | 'authorityId'>, now: Date): Date }

/**
 * All that is written down before an authority is asked, in one transaction: which one, that it may issue from now on, and what
 * that uses of its limits. A crash at any later moment finds it.
 * @throws CertloopError LEASE_LOST
 */
export async function beginCall(tx: Tx, task: Task, places: Places, now: Date): Promise<Begun> {
  await confirmLease(tx, task, now)
  const order = await lockOrder(tx, task.subject as OrderRow['id'])
  if (order?.state !== 'processing' || !order.csrPem) return { do: 'nothing' }
  const attempt = await openAttemptOf(tx, order.id) ?? await openAttempt(tx, order, 'The authority of the configuration.', now)
  if (!attempt) throw new CertloopError('INTERNAL', `Order ${order.id} has no authority left to ask and has not ended.`, { orderId: order.id })
  const under: Under = { order: { ...order, authorityId: attempt.authorityId }, attempt, request: await requestAt(tx, order, attempt, order.csrPem) }
  const isOver = order.deadline !== null && now >= new Date(order.deadline)
  if (isOver && attempt.mayIssue === 0) return { do: 'stop', under, isOver, error: await overdueError(tx, under.order, attempt) }
  if (!isOver && attempt.waitUntil !== null && new Date(attempt.waitUntil) > now) return { do: 'later', at: new Date(attempt.waitUntil) }
  return takePlace(tx, task, under, places, now)
}

async function takePlace(tx: Tx, task: Task, under: Under, places: Places, now: Date): Promise<Begun> {
  const { order, attempt, request } = under
  const { id, authorityId, handle, submissions } = attempt
  // Locked: on PostgreSQL two that begin at once would count neither of them.
  const authority = await findAuthority(tx, authorityId) && await lockAuthority(tx, authorityId)
  if (authority && await callsUnderWay(tx, authorityId, id, now) >= places.limit(authorityId, authority.concurrency)) return { do: 'later', at: places.comeAgain(order, now) }
  if (authority && handle === null && attempt.state !== 'uncertain') {
    const isKnownRenewal = request.replaces !== undefined && abilitiesOf(authority.kind).includes('renewal-window')
    const reserved = await reserveUse(tx, { authorityId, orderId: order.id, names: request.names, isKnownRenewal, submission: submissions }, now)
    if (!reserved.fits) return { do: 'stop', under, isOver: false, error: new CertloopError('AUTHORITY_BUDGET_SPENT', reserved.message, { retryAt: reserved.at.toISOString() }) }
  }
  const couldIssue = await mayLeadToIssue(tx, attempt)
  await updateAttempt(tx, id, { callFence: task.fence, mayIssue: couldIssue ? 1 : 0 })
  return { do: 'call', under, couldIssue }
}

const unplaced = new Set(['planned', 'placing', 'waiting', 'failed', 'cancelled'])
/** As long as a name waits for its proof, and the authority was not told to look at it, nothing can be issued. */
async function mayLeadToIssue(tx: Tx, { id, submissions, handle, mayIssue }: AttemptRow): Promise<boolean> {
  if (handle === null || mayIssue === 1) return true
  return !(await validationsOf(tx, id)).some(({ submission, state }) => submission === submissions && unplaced.has(state))
}

/** What is asked for. A profile belongs to the authority of the configuration; others issue by their own. */
async function requestAt(tx: Tx, order: OrderRow, { authorityId, position }: AttemptRow, csrPem: string): Promise<IssueRequest> {
  const { commonName, keyAlgorithm, validityDays } = order
  const replaces = await replacedHere(tx, order, authorityId)
  return { reference: order.id, csrPem, names: wantedNames(order), commonName, keyAlgorithm, validityDays, request: csrRequestOf(order), profile: position === 0 ? requestOf(order).profile : null, ...(replaces ? { replaces } : {}) }
}

/** For authorities that count or price renewals otherwise (RFC 9773, 5): told only to the one that issued what is replaced. */
async function replacedHere(tx: Tx, { replacesVersionId }: OrderRow, authorityId: AttemptRow['authorityId']): Promise<IssueRequest['replaces']> {
  const version = replacesVersionId ? await findVersion(tx, replacesVersionId) : undefined
  const before = version?.orderId ? await findOrder(tx, version.orderId) : undefined
  return version && before?.authorityId === authorityId ? issuedBefore(version) : undefined
}

/** Its time is over: what it waited for says why. */
export async function overdueError(tx: Tx, order: OrderRow, attempt: AttemptRow): Promise<CertloopError> {
  const by = `by ${order.deadline?.slice(0, 16).replace('T', ' ')} UTC`
  const open = (await validationsOf(tx, attempt.id)).filter(({ state }) => isOpenValidation(state))
  const [first] = open
  if (first) return new CertloopError('VALIDATION_EXPIRED', `Not proven ${by}: ${open.map(({ name, wildcard, reason }) => `${wildcard === 1 ? '*.' : ''}${name} (${reason})`).slice(0, 5).join('; ')}.`, { names: open.map(({ name }) => name) })
  const last = attempt.error === null ? undefined : readError(attempt.error)
  if (last) return new CertloopError(last.code, `${last.message} It stayed so until the order had to be finished, ${by}.`, last.facts)
  return new CertloopError('TASK_DEADLINE_PASSED', `The order was not finished ${by}. ${order.reason}`)
}
const readError = (text: string): CertloopError => fromWire(fromJson<WireError>(text))
