import { CertloopError, type BotTaskPayload } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { changeOrder, csrRequestOf, insertOrder, wantedNames, type NewOrder, type OrderRow } from './order-store.ts'
import { pokeOrder } from './order-task.ts'

/** Starts an order: the bot makes the key, or a CSR came along and it goes to the authority at once. */
export async function startOrder(tx: Tx, wake: Wakes, order: NewOrder, now: Date): Promise<OrderRow> {
  const row = await insertOrder(tx, wake, order, now)
  if (!row.csrPem) {
    await askForCsr(tx, wake, row, now)
    return row
  }
  const ready = await changeOrder(tx, wake, row, { event: 'csrReady', message: 'The uploaded request is submitted.', nextAction: 'The authority issues.' }, now)
  await pokeOrder(tx, wake, row.id, now)
  return ready
}

/** The bot makes the key, or takes the one that this order has already. */
export async function askForCsr(tx: Tx, wake: Wakes, order: OrderRow, now: Date): Promise<void> {
  if (!order.botId) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'There is no bot to make the key, and no CSR was uploaded.')
  const request = csrRequestOf(order)
  // Bots of an earlier version take no field that they don't know.
  const payload: BotTaskPayload<'make-csr'> = { orderId: order.id, commonName: order.commonName, names: wantedNames(order), keyAlgorithm: order.keyAlgorithm, reuseKeyId: order.keyId ?? order.reuseKeyId, ...(Object.keys(request).length > 0 ? { request } : {}) }
  await addTask(tx, wake, { executor: order.botId, kind: 'make-csr', subject: order.id, payload, ...(order.deadline ? { deadline: new Date(order.deadline) } : {}) }, now)
}
