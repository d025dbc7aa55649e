import { CertloopError, type OrderId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import { cancelReadyTasks } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { openAttemptOf } from './attempt-store.ts'
import { nextOrderState } from './order-state.ts'
import { getOrder, lockOrder, type OrderRow } from './order-store.ts'
import { endCancelled } from './settle.ts'

/** Why it can't be cancelled now; null when it can. What the authority may be issuing is waited for: it would be paid for, and valid. */
export async function whyNotCancel(tx: Tx, order: OrderRow): Promise<string | null> {
  if (!nextOrderState(order.state, 'cancelled')) return `The order has ended (${order.state}); there is nothing to be cancelled.`
  const isIssuing = order.state === 'processing' && (await openAttemptOf(tx, order.id))?.mayIssue === 1
  return isIssuing ? 'The authority is being asked, or is issuing, and that can not be called back. Wait for its answer; while names are to be proven, the order can be cancelled.' : null
}

/** @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE */
export async function cancelOrder(tx: Tx, wake: Wakes, id: OrderId, requester: string, now: Date): Promise<OrderRow> {
  const order = await lockOrder(tx, id) ?? await getOrder(tx, id)
  const why = await whyNotCancel(tx, order)
  if (why !== null) throw new CertloopError('ACTION_NOT_POSSIBLE', why, { orderId: id })
  await cancelReadyTasks(tx, id, ['make-csr'])
  return endCancelled(tx, wake, order, requester, now)
}
