import type { OrderId } from '@certloop/contract'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addTask, replacePayload, type Task } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'

const dedupeOf = (orderId: OrderId) => `order:${orderId}`
const asked = toJson({ askedMeanwhile: true })
/** The order looks a last time at its deadline by itself; only when nobody works off its task for so long is it ended by the watchdog. */
const graceMs = 15 * 60_000

/**
 * Has the order looked at: now, or at `notBefore`. There is one task for each order in processing; one that runs just now looks
 * again as soon as it has ended. What an authority said about when to come again is kept all the same. Any number of times.
 */
export async function pokeOrder(tx: Tx, wake: Wakes, orderId: OrderId, now: Date, notBefore: Date = now): Promise<void> {
  const order = await tx.selectFrom('certificateOrder').select(['state', 'deadline']).where('id', '=', orderId).executeTakeFirst()
  if (order?.state !== 'processing') return
  const dedupe = dedupeOf(orderId)
  await addTask(tx, wake, { executor: 'control-plane', kind: 'submit-order', subject: orderId, notBefore, maxAttempts: 50, dedupe, ...(order.deadline ? { deadline: new Date(Date.parse(order.deadline) + graceMs) } : {}) }, now)
  // The one that runs may have read already what this is about.
  await tx.updateTable('task').set({ payload: asked }).where('dedupe', '=', dedupe).where('state', '=', 'leased').execute()
}

/** In the commit of the order's task: whether somebody asked for a look while it ran. */
export async function wasAskedMeanwhile(tx: Tx, { id }: Pick<Task, 'id'>): Promise<boolean> {
  return await tx.selectFrom('task').select('id').where('id', '=', id).where('payload', '=', asked).executeTakeFirst() !== undefined
}
export const forgetAsked = (tx: Tx, { id }: Pick<Task, 'id'>): Promise<void> => replacePayload(tx, id, toJson({}))
