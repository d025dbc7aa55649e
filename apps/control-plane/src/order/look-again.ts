import { CertloopError, type OrderId } from '@certloop/contract'
import { lockCertificate } from '../certificate/certificate-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import type { Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { openAttemptOf, updateAttempt } from './attempt-store.ts'
import { openAttempt } from './next-authority.ts'
import { changeOrder, getOrder, lockOrder, type OrderRow } from './order-store.ts'
import { pokeOrder } from './order-task.ts'

const lookHours = 24

/**
 * Has the authority asked again what became of an order that nobody knows of. It is only looked up: submitted again it is when
 * the authority says for certain that it has no such request.
 * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE
 */
export async function lookAgain(tx: Tx, wake: Wakes, id: OrderId, requester: string, now: Date): Promise<void> {
  await lockCertificate(tx, (await getOrder(tx, id)).certificateId)
  const order: OrderRow = await lockOrder(tx, id) ?? await getOrder(tx, id)
  if (order.state !== 'uncertain') throw new CertloopError('ACTION_NOT_POSSIBLE', `The order is ${order.state}; only one whose outcome is unknown is looked up again.`, { orderId: id })
  // One from before attempts were written down has none.
  const attempt = await openAttemptOf(tx, id) ?? await openAttempt(tx, order, 'The authority of the configuration.', now)
  if (attempt) await updateAttempt(tx, attempt.id, { state: 'uncertain', mayIssue: 1, failures: 0, failingSince: null, waitUntil: null })
  await changeOrder(tx, wake, order, { event: 'lookAgain', message: 'The authority is asked what became of the request.', nextAction: 'Nothing is submitted unless it says that it has none.', deadline: new Date(now.getTime() + lookHours * 3_600_000), requester }, now)
  await pokeOrder(tx, wake, id, now)
  await refreshCertificate(tx, wake, order.certificateId, now)
}
