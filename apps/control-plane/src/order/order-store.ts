import { CertloopError, newId, orderStates, type ActionId, type AttemptId, type AttemptState, type AuthorityId, type BotId, type CertificateId, type CsrRequest, type KeyAlgorithm, type KeyCustody, type KeyId, type Order, type OrderId, type OrderState, type VersionId, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { nextOrderState, openOrderStates, type OrderEvent } from './order-state.ts'

export interface OrderTable {
  id: OrderId
  certificateId: CertificateId
  /** The lifecycle action that asked for it. */
  actionId: ActionId | null
  authorityId: AuthorityId
  state: OrderState
  names: string
  commonName: string | null
  keyAlgorithm: KeyAlgorithm
  validityDays: number | null
  custody: KeyCustody
  /** The bot that makes and keeps the key, for custody endpoint. */
  botId: BotId | null
  reuseKeyId: KeyId | null
  keyId: KeyId | null
  csrPem: string | null
  /** What a renewal takes the place of, for authorities that ask. */
  replacesVersionId: VersionId | null
  /** JSON of what the request holds besides names and key: subject, usages, digest, template. */
  request: string
  /** JSON of the ids of the authorities to be asked after the first, in their order. */
  fallbacks: string
  /** JSON of the ValidationSettings as they were when it was ordered. */
  validation: string
  /** JSON of LeftOut[]: the names that a renewal went on without, and why. */
  leftOut: string
  requester: string
  reason: string
  nextAction: string | null
  deadline: string | null
  versionId: VersionId | null
  error: string | null
  createdAt: string
  updatedAt: string
}
/** One authority that was asked, once per order. */
export interface OrderAttemptTable {
  id: AttemptId
  orderId: OrderId
  authorityId: AuthorityId
  position: number
  state: AttemptState
  /** JSON of the Handle by which the request is found again there. */
  handle: string | null
  /** The how-manieth submission this is: another only after the one before ran out there for certain, or with fewer names. */
  submissions: number
  /** Of the lease of the order's task in which the authority is being asked, or was last. */
  callFence: number | null
  /** 1 while it may issue, or may have issued, without our knowing. */
  mayIssue: number
  /** It is not asked before: its own wish, or a limit. */
  waitUntil: string | null
  /** How often in a row it could not be asked, and since when. */
  failures: number
  failingSince: string | null
  reason: string
  error: string | null
  startedAt: string
  endedAt: string | null
}
export interface OrderTables { certificateOrder: OrderTable; orderAttempt: OrderAttemptTable }
export type OrderRow = Selectable<OrderTable>

export type LeftOut = Order['leftOut'][number]
export const leftOutOf = ({ leftOut }: Pick<OrderRow, 'leftOut'>): LeftOut[] => fromJson(leftOut)
/** All that it is about, less what a renewal went on without. */
export function wantedNames({ names, leftOut }: Pick<OrderRow, 'names' | 'leftOut'>): string[] {
  const without = new Set(leftOutOf({ leftOut }).map(({ name }) => name))
  return fromJson<string[]>(names).filter((name) => !without.has(name))
}

/** What an order asks for besides names and key. */
export type OrderedRequest = Order['request']
const nothingMore: OrderedRequest = { certificateType: 'existing', profile: null, template: null }
export const requestOf = ({ request }: Pick<OrderRow, 'request'>): OrderedRequest => ({ ...nothingMore, ...fromJson<Partial<OrderedRequest>>(request) })
/** The part of it that the CSR says. */
export function csrRequestOf(row: Pick<OrderRow, 'request'>): CsrRequest {
  const { certificateType: _type, profile: _profile, template: _template, ...request } = requestOf(row)
  return request
}

export type NewOrder = Pick<OrderTable, 'certificateId' | 'actionId' | 'authorityId' | 'commonName' | 'keyAlgorithm' | 'validityDays' | 'custody' | 'botId' | 'reuseKeyId' | 'csrPem' | 'requester' | 'reason' | 'nextAction'> & Partial<Pick<OrderTable, 'replacesVersionId' | 'request' | 'fallbacks' | 'validation'>> & { names: readonly string[]; deadline: Date }

export async function insertOrder(tx: Tx, wake: Wakes, order: NewOrder, now: Date): Promise<OrderRow> {
  const id = newId('ord', now)
  const row: OrderRow = { replacesVersionId: null, request: '{}', fallbacks: '[]', validation: '{}', leftOut: '[]', ...order, id, state: 'pending', names: toJson(order.names), keyId: null, deadline: iso(order.deadline), versionId: null, error: null, createdAt: iso(now), updatedAt: iso(now) }
  await tx.insertInto('certificateOrder').values(row).execute()
  await addEvent(tx, { kind: 'order.created', message: order.reason, requester: order.requester, certificateId: order.certificateId, orderId: id, botId: order.botId }, now)
  announce(wake, 'order', id, order.certificateId)
  return row
}

export interface OrderChange {
  event: OrderEvent
  message: string
  nextAction?: string | null
  deadline?: Date | null
  error?: WireError | null
  requester?: string
  keyId?: KeyId
  csrPem?: string
  versionId?: VersionId
  leftOut?: LeftOut[]
}

/** What is not named stays, but reason, next action and error belong to the state and change with it. What nobody works on has no deadline. */
function columnsOf(order: OrderRow, state: OrderState, { message, error, deadline, nextAction, keyId, csrPem, versionId, leftOut }: OrderChange, now: Date): Partial<OrderRow> {
  const given = Object.fromEntries(Object.entries({ keyId, csrPem, versionId, leftOut: leftOut && toJson(leftOut) }).filter(([, value]) => value !== undefined)) as Partial<OrderRow>
  const until = state === 'pending' || state === 'processing' ? (deadline ? iso(deadline) : order.deadline) : null
  return { ...given, state, reason: message, nextAction: nextAction ?? null, deadline: until, error: error ? toJson(error) : null, updatedAt: iso(now) }
}

/** What it waits for, while its state stays. @returns whether that is news */
export async function describeOrder(tx: Tx, wake: Wakes, order: OrderRow, { reason, nextAction }: Pick<OrderRow, 'reason' | 'nextAction'>, now: Date): Promise<boolean> {
  if (order.reason === reason && order.nextAction === nextAction) return false
  await tx.updateTable('certificateOrder').set({ reason, nextAction, updatedAt: iso(now) }).where('id', '=', order.id).where('state', '=', order.state).execute()
  announce(wake, 'order', order.id, order.certificateId)
  return true
}
/** From now on it is this one that is asked. */
export async function setOrderAuthority(tx: Tx, id: OrderId, authorityId: AuthorityId): Promise<void> {
  await tx.updateTable('certificateOrder').set({ authorityId }).where('id', '=', id).execute()
}

/**
 * One transition: new state and timeline event in the caller's transaction.
 * @throws CertloopError CONFLICT when the order is no longer in a state that allows it.
 */
export async function changeOrder(tx: Tx, wake: Wakes, order: OrderRow, change: OrderChange, now: Date): Promise<OrderRow> {
  const state = nextOrderState(order.state, change.event)
  const conflict = () => new CertloopError('CONFLICT', `Order ${order.id} is ${order.state}; "${change.event}" does not apply.`, { orderId: order.id })
  if (!state) throw conflict()
  const columns = columnsOf(order, state, change, now)
  const { numUpdatedRows } = await tx.updateTable('certificateOrder').set(columns).where('id', '=', order.id).where('state', '=', order.state).executeTakeFirst()
  if (numUpdatedRows === 0n) throw conflict()
  const { event, message, error = null, requester = null } = change
  await addEvent(tx, { kind: `order.${event}`, message, error, certificateId: order.certificateId, orderId: order.id, requester, botId: order.botId }, now)
  announce(wake, 'order', order.id, order.certificateId)
  return { ...order, ...columns }
}

export async function findOrder(db: Db | Tx, id: OrderId): Promise<OrderRow | undefined> {
  return db.selectFrom('certificateOrder').selectAll().where('id', '=', id).executeTakeFirst()
}
/** Nobody else changes it, nor begins a call for it, until the transaction ends. */
export async function lockOrder(tx: Tx, id: OrderId): Promise<OrderRow | undefined> {
  return tx.updateTable('certificateOrder').set((eb) => ({ updatedAt: eb.ref('updatedAt') })).where('id', '=', id).returningAll().executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getOrder(db: Db | Tx, id: OrderId): Promise<OrderRow> {
  const row = await findOrder(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no order ${id}.`, { orderId: id })
  return row
}
export async function ordersOfAction(db: Db | Tx, actionId: ActionId): Promise<Pick<OrderRow, 'id' | 'state' | 'error'>[]> {
  return db.selectFrom('certificateOrder').select(['id', 'state', 'error']).where('actionId', '=', actionId).orderBy('id').execute()
}
/** The newest order under way. */
export async function openOrderOf(db: Db | Tx, certificateId: CertificateId): Promise<Pick<OrderRow, 'id' | 'state' | 'reason' | 'nextAction' | 'leftOut'> | undefined> {
  return db.selectFrom('certificateOrder').select(['id', 'state', 'reason', 'nextAction', 'leftOut']).where('certificateId', '=', certificateId).where('state', 'in', openOrderStates).orderBy('id', 'desc').limit(1).executeTakeFirst()
}

export interface OrderQuery { search?: string | undefined; state?: OrderState | undefined; certificateId?: CertificateId | undefined; limit: number; cursor?: string | undefined }
/** Newest first; the cursor is the id of the last row. */
export async function listOrders(db: Db, q: OrderQuery): Promise<{ items: Order[]; nextCursor: string | null }> {
  let query = db.selectFrom('certificateOrder as o').innerJoin('certificate as c', 'c.id', 'o.certificateId').innerJoin('authority as a', 'a.id', 'o.authorityId')
    .selectAll('o').select(['c.name as certificateName', 'a.name as authorityName']).orderBy('o.id', 'desc').limit(q.limit + 1)
  if (q.state) query = query.where('o.state', '=', q.state)
  if (q.certificateId) query = query.where('o.certificateId', '=', q.certificateId)
  if (q.search) query = query.where('c.searchText', 'like', `%${q.search.toLowerCase().replaceAll(/[%_\\]/g, '')}%`)
  if (q.cursor) query = query.where('o.id', '<', q.cursor as OrderId)
  const rows = await query.execute()
  const items = rows.slice(0, q.limit).map(({ certificateName, authorityName, ...row }) => toOrder(row, certificateName, authorityName))
  return { items, nextCursor: rows.length > q.limit ? items.at(-1)?.id ?? null : null }
}

/** How many orders there are in each state, under the same filter but that of the state. */
export async function countOrders(db: Db, q: Pick<OrderQuery, 'search' | 'certificateId'>): Promise<Record<OrderState, number>> {
  let query = db.selectFrom('certificateOrder as o').select((eb) => ['o.state', eb.fn.countAll<number>().as('count')]).groupBy('o.state')
  if (q.certificateId) query = query.where('o.certificateId', '=', q.certificateId)
  if (q.search) query = query.innerJoin('certificate as c', 'c.id', 'o.certificateId').where('c.searchText', 'like', `%${q.search.toLowerCase().replaceAll(/[%_\\]/g, '')}%`)
  const counts = new Map((await query.execute()).map((row) => [row.state, Number(row.count)]))
  return Object.fromEntries(orderStates.map((state) => [state, counts.get(state) ?? 0])) as Record<OrderState, number>
}
export async function readOrder(db: Db | Tx, id: OrderId): Promise<Order> {
  const row = await getOrder(db, id)
  const names = await db.selectFrom('certificate as c').innerJoin('authority as a', (j) => j.onTrue()).where('c.id', '=', row.certificateId).where('a.id', '=', row.authorityId).select(['c.name as certificate', 'a.name as authority']).executeTakeFirst()
  return toOrder(row, names?.certificate ?? row.certificateId, names?.authority ?? row.authorityId)
}

function toOrder(row: OrderRow, certificateName: string, authorityName: string): Order {
  const { id, certificateId, authorityId, state, keyAlgorithm, custody, botId, requester, reason, nextAction, deadline, versionId, createdAt, updatedAt } = row
  const { commonName, validityDays } = row
  return { id, certificateId, certificateName, authorityId, authorityName, state, names: fromJson(row.names), commonName, keyAlgorithm, validityDays, request: requestOf(row), custody, botId, requester, reason, nextAction, deadline, versionId, leftOut: leftOutOf(row), error: fromJsonOrNull(row.error), createdAt, updatedAt }
}
