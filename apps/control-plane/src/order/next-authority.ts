import type { AuthorityId, CertloopError } from '@certloop/contract'
import { findAuthority } from '../authority/authority-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { attemptsOf, insertAttempt, type AttemptRow } from './attempt-store.ts'
import { setOrderAuthority, type OrderRow } from './order-store.ts'
import { endAttempt } from './settle.ts'

/** Those that the order has not asked yet, in the order in which it is to ask them. */
async function authoritiesLeft(tx: Tx, order: OrderRow): Promise<AuthorityId[]> {
  const asked = new Set((await attemptsOf(tx, order.id)).map(({ authorityId }) => authorityId))
  return [...new Set([order.authorityId, ...fromJson<AuthorityId[]>(order.fallbacks)])].filter((id) => !asked.has(id))
}
export const hasNextAuthority = async (tx: Tx, order: OrderRow): Promise<boolean> => (await authoritiesLeft(tx, order)).length > 0

export const authorityName = async (tx: Tx, id: AuthorityId): Promise<string> => (await findAuthority(tx, id))?.name ?? id

/** Writes down which authority is asked, before it is. undefined: there is none left. */
export async function openAttempt(tx: Tx, order: OrderRow, why: string, now: Date): Promise<AttemptRow | undefined> {
  const [authorityId] = await authoritiesLeft(tx, order)
  if (authorityId === undefined) return undefined
  const position = (await attemptsOf(tx, order.id)).length
  await setOrderAuthority(tx, order.id, authorityId)
  return insertAttempt(tx, { orderId: order.id, authorityId, position, reason: why }, now)
}

/** This authority is done with; the next one is asked. */
export async function moveOn(tx: Tx, wake: Wakes, order: OrderRow, attempt: AttemptRow, error: CertloopError, now: Date): Promise<AttemptRow | undefined> {
  await endAttempt(tx, wake, attempt, { state: 'failed', reason: error.message, error }, now)
  const next = await openAttempt(tx, order, `Asked because the one before could not do it: ${error.message}`, now)
  if (!next) return undefined
  const [from, to] = [await authorityName(tx, attempt.authorityId), await authorityName(tx, next.authorityId)]
  await addEvent(tx, { kind: 'order.moved-on', message: `"${from}" could not issue; "${to}" is asked instead. ${error.message}`, error, certificateId: order.certificateId, orderId: order.id }, now)
  return next
}
