import type { CertloopError, ValidationSettings, WireError } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { endValidations } from '../validation/sync.ts'
import { abandonLater } from './abandon.ts'
import { updateAttempt, type AttemptRow } from './attempt-store.ts'
import { changeOrder, leftOutOf, wantedNames, type LeftOut, type OrderRow } from './order-store.ts'
import { askForCsr } from './start-order.ts'

/** A name of the request that the authority does not issue for, or that could not be proven. */
export interface BadName { name: string; error: WireError }

/**
 * Why a renewal can't go on without these names; null when it can. The common name is never left out: to many readers it is
 * what the certificate is called.
 */
export function whyNotLeaveOut(order: Pick<OrderRow, 'names' | 'leftOut' | 'commonName' | 'validation' | 'replacesVersionId' | 'custody'>, bad: readonly string[]): string | null {
  const { leaveOut = false } = fromJson<Partial<ValidationSettings>>(order.validation)
  if (!leaveOut || order.replacesVersionId === null) return 'Only renewals whose configuration says so go on without a name.'
  if (order.custody !== 'endpoint') return 'The request was uploaded, and another can not be made here.'
  const names = wantedNames(order)
  if (!bad.some((name) => names.includes(name))) return 'It is not known which of the names it is.'
  if (order.commonName !== null && bad.includes(order.commonName)) return `${order.commonName} is the common name; nothing is issued without it.`
  return names.every((name) => bad.includes(name)) ? 'No name would be left.' : null
}

/** The names that an error of the authority is about. */
export function namesIn({ facts: { names } }: CertloopError): string[] {
  const list = typeof names === 'string' ? names.split(',') : Array.isArray(names) ? (names as readonly string[]) : []
  return list.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')
}

/**
 * Goes on without these names: the request is submitted once more to the same authority, with a CSR that has the others. They
 * are told of at once.
 */
export async function leaveOut(tx: Tx, wake: Wakes, order: OrderRow, attempt: AttemptRow, bad: readonly BadName[], now: Date): Promise<void> {
  const names = wantedNames(order)
  const gone: LeftOut[] = bad.filter(({ name }) => names.includes(name))
  const leftOut = [...leftOutOf(order), ...gone]
  for (const { name, error } of gone) {
    await addEvent(tx, { kind: 'order.name-left-out', message: `Goes on without ${name}: ${error.message}`, error, certificateId: order.certificateId, orderId: order.id }, now)
  }
  const reason = `The request is made again without ${gone.map(({ name }) => name).join(', ')}.`
  await updateAttempt(tx, attempt.id, { state: 'intended', handle: null, submissions: attempt.submissions + 1, mayIssue: 0, waitUntil: null, failures: 0, failingSince: null, reason })
  await endValidations(tx, wake, attempt.id, reason, now)
  await abandonLater(tx, wake, attempt, now)
  const waiting = await changeOrder(tx, wake, order, { event: 'csrAgain', message: reason, nextAction: 'The bot makes the request with the other names.', leftOut }, now)
  await askForCsr(tx, wake, waiting, now)
  await refreshCertificate(tx, wake, order.certificateId, now)
}
