import { CertloopError, type AttemptState } from '@certloop/contract'
import type { CertificateFacts } from '@certloop/pki'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { insertVersion } from '../certificate/certificate-store.ts'
import { iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { endValidations } from '../validation/sync.ts'
import { abandonLater } from './abandon.ts'
import { openAttemptOf, updateAttempt, type AttemptRow } from './attempt-store.ts'
import { versionColumns } from './issued-check.ts'
import { isOpenOrder } from './order-state.ts'
import { changeOrder, type OrderChange, type OrderRow } from './order-store.ts'

interface AttemptEnd { state: Extract<AttemptState, 'issued' | 'failed' | 'cancelled'>; reason: string; error?: CertloopError }

/** Ends an attempt: what was placed for it is removed, and what waits for it at the authority is given up. */
export async function endAttempt(tx: Tx, wake: Wakes, attempt: AttemptRow, { state, reason, error }: AttemptEnd, now: Date): Promise<void> {
  await updateAttempt(tx, attempt.id, { state, reason, error: error ? toJson(error.toWire()) : null, mayIssue: 0, waitUntil: null, endedAt: iso(now) })
  await endValidations(tx, wake, attempt.id, reason, now)
  if (state !== 'issued') await abandonLater(tx, wake, attempt, now)
}

/** Ends an order with its attempt; the status of its certificate follows, and its action goes on. */
async function endOrder(tx: Tx, wake: Wakes, order: OrderRow, change: OrderChange, attempt: AttemptEnd, now: Date): Promise<OrderRow> {
  const open = await openAttemptOf(tx, order.id)
  const ended = await changeOrder(tx, wake, order, change, now)
  if (open) await endAttempt(tx, wake, open, attempt, now)
  if (order.actionId) await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: order.actionId }, now)
  await refreshCertificate(tx, wake, order.certificateId, now)
  return ended
}

export async function failOrder(tx: Tx, wake: Wakes, order: OrderRow, error: CertloopError, now: Date): Promise<void> {
  if (!isOpenOrder(order.state)) return
  await endOrder(tx, wake, order, { event: 'failed', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, { state: 'failed', reason: error.message, error }, now)
}
export async function endCancelled(tx: Tx, wake: Wakes, order: OrderRow, requester: string, now: Date): Promise<OrderRow> {
  return endOrder(tx, wake, order, { event: 'cancelled', message: 'Cancelled by hand.', requester }, { state: 'cancelled', reason: 'The order was cancelled.' }, now)
}

/** Keeps what was issued. */
export async function completeOrder(tx: Tx, wake: Wakes, order: OrderRow, chain: readonly CertificateFacts[], now: Date): Promise<void> {
  const [leaf] = chain
  if (!leaf) throw new CertloopError('ISSUED_CERTIFICATE_WRONG', 'The authority sent no certificate.')
  const versionId = await insertVersion(tx, {
    ...versionColumns(leaf), certificateId: order.certificateId, custody: order.custody, keyBotId: order.botId, keyId: order.keyId, orderId: order.id, source: 'order', chainPem: chain.map((c) => c.pem),
  }, now)
  const message = `Issued until ${leaf.notAfter.toISOString().slice(0, 10)} (${leaf.fingerprint.slice(0, 16)}…).`
  await endOrder(tx, wake, order, { event: 'issued', message, ...(versionId ? { versionId } : {}) }, { state: 'issued', reason: message }, now)
}

/** A person has to look at the authority: ordering again by itself could issue, and cost, twice. */
export async function doubtOrder(tx: Tx, wake: Wakes, order: OrderRow, cause: CertloopError, now: Date): Promise<void> {
  const why = cause.code === 'ORDER_UNCERTAIN' ? cause.message : `It is unknown whether the authority issued: ${cause.message}`
  const error = new CertloopError('ORDER_UNCERTAIN', why, { orderId: order.id }, cause)
  const attempt = await openAttemptOf(tx, order.id)
  await changeOrder(tx, wake, order, { event: 'outcomeUnknown', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, now)
  if (attempt) await updateAttempt(tx, attempt.id, { state: 'uncertain', reason: error.message, error: toJson(cause.toWire()), mayIssue: 1, waitUntil: null })
  await refreshCertificate(tx, wake, order.certificateId, now)
}
