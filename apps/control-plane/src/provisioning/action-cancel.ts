import { CertloopError, type ActionId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { lockCertificate } from '../certificate/certificate-store.ts'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { cancelDeployment } from '../deployment/cancel.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { deploymentsOfAction } from '../deployment/deployment-store.ts'
import { addEvent } from '../event/event-store.ts'
import { ordersOfAction, getOrder } from '../order/order-store.ts'
import { cancelOrder, whyNotCancel } from '../order/cancel-order.ts'
import { openRolloutOf } from '../rollout/rollout.ts'
import { stopRollout } from '../rollout/rollout-control.ts'
import { cancelReadyTasks } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { advanceSoon, changeAction, detailsOf, getAction, noteAction, openAction, type ActionRow } from './action-store.ts'

/**
 * Has an action end: what was not begun is cancelled, what a bot works on is stopped and taken back, what was submitted to an
 * authority is waited for and kept. The action ends once all of that has ended; asked again, it does what is left to do.
 * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE
 */
export async function cancelAction(tx: Tx, wake: Wakes, id: ActionId, requester: string, now: Date): Promise<ActionRow> {
  const found = await getAction(tx, id)
  await lockCertificate(tx, found.certificateId)
  const action = await getAction(tx, id)
  if (action.endedAt) throw new CertloopError('ACTION_NOT_POSSIBLE', `The action has ended (${action.state}); there is nothing to be cancelled.`, { actionId: id })
  const marked = await noteAction(tx, wake, action, { details: toJson({ ...detailsOf(action), cancelledBy: requester }), nextAction: 'It is being cancelled: what is under way ends first.' })
  if (!detailsOf(action).cancelledBy) await addEvent(tx, { kind: 'action.cancel-asked', message: `"${action.kind}" is to end.`, requester, certificateId: action.certificateId }, now)
  await endParts(tx, wake, marked, requester, now)
  if (marked.state === 'waiting') await changeAction(tx, wake, marked, { event: 'cancelled', reason: `Cancelled by ${requester} while it waited. What was issued is kept and not deployed.` }, now)
  else await advanceSoon(tx, wake, id, now)
  await refreshCertificate(tx, wake, action.certificateId, now)
  return getAction(tx, id)
}

/** Ends an action that waits for the time of its deployment; one that has begun meanwhile goes on. */
export async function cancelIfWaiting(tx: Tx, wake: Wakes, id: ActionId, requester: string, now: Date): Promise<void> {
  await lockCertificate(tx, (await getAction(tx, id)).certificateId)
  if ((await getAction(tx, id)).state === 'waiting') await cancelAction(tx, wake, id, requester, now)
}

async function endParts(tx: Tx, wake: Wakes, action: ActionRow, requester: string, now: Date): Promise<void> {
  if (action.state === 'ordering') await cancelOrders(tx, wake, action, requester, now)
  if (action.state === 'deploying') await endDeployments(tx, wake, action, requester, now)
  if (action.state === 'checking') await cancelReadyTasks(tx, action.id, ['inspect-target'])
  if (action.state === 'revoking' && await cancelReadyTasks(tx, action.id, ['revoke-version']) === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'The authority is being asked; it ends by itself.', { actionId: action.id })
}

async function cancelOrders(tx: Tx, wake: Wakes, action: ActionRow, requester: string, now: Date): Promise<void> {
  for (const { id } of await ordersOfAction(tx, action.id)) {
    if (await whyNotCancel(tx, await getOrder(tx, id)) === null) await cancelOrder(tx, wake, id, requester, now)
  }
  const child = action.childId ? await openAction(tx, action.childId) : undefined
  if (child) await cancelAction(tx, wake, child.id, requester, now)
}

async function endDeployments(tx: Tx, wake: Wakes, action: ActionRow, requester: string, now: Date): Promise<void> {
  const rollout = await openRolloutOf(tx, action.id)
  if (rollout) await stopRollout(tx, wake, rollout.id, requester, now)
  for (const { id, state } of await deploymentsOfAction(tx, action.id)) {
    if (isOpenDeployment(state)) await cancelDeployment(tx, wake, id, requester, now)
  }
}
