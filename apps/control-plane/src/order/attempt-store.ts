import { CertloopError, newId, type AttemptId, type AttemptState, type AuthorityId, type OrderAttempt, type OrderId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJsonOrNull, iso } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { OrderAttemptTable } from './order-store.ts'

export type AttemptRow = Selectable<OrderAttemptTable>
const openAttemptStates = ['intended', 'submitted', 'uncertain'] as const satisfies readonly AttemptState[]
export const isOpenAttempt = (state: AttemptState): boolean => (openAttemptStates as readonly AttemptState[]).includes(state)

/** @throws CertloopError NOT_FOUND */
export async function getAttempt(db: Db | Tx, id: AttemptId): Promise<AttemptRow> {
  const row = await db.selectFrom('orderAttempt').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `There is no attempt ${id}.`, { attemptId: id })
  return row
}
/** The one under way; an order has at most one. */
export async function openAttemptOf(db: Db | Tx, orderId: OrderId): Promise<AttemptRow | undefined> {
  return db.selectFrom('orderAttempt').selectAll().where('orderId', '=', orderId).where('state', 'in', openAttemptStates).executeTakeFirst()
}
/** In the order in which the authorities were asked. */
export async function attemptsOf(db: Db | Tx, orderId: OrderId): Promise<AttemptRow[]> {
  return db.selectFrom('orderAttempt').selectAll().where('orderId', '=', orderId).orderBy('position').execute()
}

/** Fails when the order has asked this authority before: never twice. */
export async function insertAttempt(tx: Tx, attempt: Pick<AttemptRow, 'orderId' | 'authorityId' | 'position' | 'reason'>, now: Date): Promise<AttemptRow> {
  const row: AttemptRow = { id: newId('att', now), state: 'intended', handle: null, submissions: 1, callFence: null, mayIssue: 0, waitUntil: null, failures: 0, failingSince: null, error: null, startedAt: iso(now), endedAt: null, ...attempt }
  await tx.insertInto('orderAttempt').values(row).execute()
  return row
}
export async function updateAttempt(tx: Tx, id: AttemptId, changes: Partial<Omit<AttemptRow, 'id' | 'orderId' | 'authorityId'>>): Promise<void> {
  await tx.updateTable('orderAttempt').set(changes).where('id', '=', id).execute()
}

/** @returns false: it has ended */
export async function keepHandle(tx: Tx, id: AttemptId, handle: string, mayIssue: boolean): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('orderAttempt').set({ handle, state: 'submitted', mayIssue: mayIssue ? 1 : 0 }).where('id', '=', id).where('state', 'in', openAttemptStates).executeTakeFirst()
  return numUpdatedRows > 0n
}

/** How many orders are in a call to this authority, on whatever replica: those whose task is leased and began one. */
export async function callsUnderWay(tx: Tx, authorityId: AuthorityId, but: AttemptId, now: Date): Promise<number> {
  const { count } = await tx.selectFrom('task as t').innerJoin('orderAttempt as a', (j) => j.onRef('a.orderId', '=', 't.subject' as never).onRef('a.callFence', '=', 't.fence'))
    .select((eb) => eb.fn.countAll<number>().as('count')).where('t.executor', '=', 'control-plane').where('t.state', '=', 'leased').where('t.leaseUntil', '>=', iso(now)).where('t.kind', '=', 'submit-order')
    .where('a.authorityId', '=', authorityId).where('a.id', '!=', but).executeTakeFirstOrThrow()
  return Number(count)
}

export async function listOrderAttempts(db: Db, orderId: OrderId): Promise<OrderAttempt[]> {
  const rows = await db.selectFrom('orderAttempt as t').leftJoin('authority as a', 'a.id', 't.authorityId').selectAll('t').select('a.name as authorityName').where('t.orderId', '=', orderId).orderBy('t.position').execute()
  return rows.map(({ id, authorityId, authorityName, state, reason, error, startedAt, endedAt }) => ({ id, orderId, authorityId, authorityName: authorityName ?? authorityId, state, reason, error: fromJsonOrNull(error), startedAt, endedAt }))
}
