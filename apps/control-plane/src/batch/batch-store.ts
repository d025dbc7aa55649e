import { batchItemStates, CertloopError, machineOf, newId, type ActionId, type AuthorityId, type BatchId, type BatchItemState, type BatchLimits, type BatchState, type BotId, type CertificateId, type Reach, type RevocationReasonToGive, type WireError } from '@certloop/contract'
import { sql, type RawBuilder, type Selectable } from 'kysely'
import { fromJson, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { waitsForItsTime, type Places } from './batch-limits.ts'
import { isOpenBatch, nextBatchState, nextItemState, type BatchEvent, type BatchItemEvent } from './batch-state.ts'
import { chunks, type Selected } from './selection.ts'

/** One action on many certificates. */
export interface BatchTable {
  id: BatchId
  action: string
  state: BatchState
  /** JSON of BatchLimits. */
  limits: string
  stopAfterFailures: number | null
  /** JSON of BatchDetails. */
  details: string
  total: number
  requester: string
  reason: string
  nextAction: string | null
  createdAt: string
  updatedAt: string
  endedAt: string | null
}
export interface BatchItemTable {
  batchId: BatchId
  position: number
  certificateId: CertificateId
  /** As it was then: the certificate may be deleted, also by this batch. */
  certificateName: string
  state: BatchItemState
  /** A waiting item: the limit that it was last held up by; empty: not looked at since there may be room. A running one: "time", or empty. */
  waitsFor: string
  actionId: ActionId | null
  attempts: number
  authorityId: AuthorityId | null
  /** JSON of ids, and of bot and machine: what the limits count. */
  bots: string
  hosts: string
  reason: string | null
  error: string | null
  startedAt: string | null
  endedAt: string | null
}
export interface BatchTables { batch: BatchTable; batchItem: BatchItemTable }
export type BatchRow = Selectable<BatchTable>
export type BatchItemRow = Selectable<BatchItemTable>

export interface BatchDetails {
  /** What the action is given. */
  revocationReason?: RevocationReasonToGive
  /** Failures that somebody let pass: so many do not count for the next stop. */
  failuresLetPass?: number
  cancelledBy?: string
}
export const batchDetails = (row: Pick<BatchRow, 'details'>): BatchDetails => fromJson(row.details)
export const limitsOf = (row: Pick<BatchRow, 'limits'>): BatchLimits => fromJson(row.limits)
export const placesOfItem = (row: Pick<BatchItemRow, 'authorityId' | 'bots' | 'hosts'>): Places => ({ authorityId: row.authorityId, bots: fromJson<BotId[]>(row.bots), hosts: fromJson<string[]>(row.hosts) })
export const placeColumns = ({ authorityId, bots, hosts }: Places) => ({ authorityId, bots: toJson(bots), hosts: toJson(hosts) })

/** Has a batch looked at again soon: one of its actions has ended. Many that end together are one look. */
export async function wakeBatch(tx: Tx, wake: Wakes, id: BatchId, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-batch', subject: id, dedupe: `batch:${id}`, maxAttempts: 1_000_000 }, now)
}

export type NewBatch = Pick<BatchTable, 'action' | 'stopAfterFailures' | 'requester' | 'reason' | 'nextAction'> & { limits: BatchLimits; details: BatchDetails; items: readonly (Selected & { places: Places })[] }

export async function insertBatch(tx: Tx, wake: Wakes, { limits, details, items, ...batch }: NewBatch, now: Date): Promise<BatchId> {
  const id = newId('bat', now)
  await tx.insertInto('batch').values({ ...batch, id, state: 'running', limits: toJson(limits), details: toJson(details), total: items.length, createdAt: iso(now), updatedAt: iso(now), endedAt: null }).execute()
  const rows = items.map(({ id: certificateId, name, places }, position) => ({
    batchId: id, position, certificateId, certificateName: name, state: 'waiting' as const, waitsFor: '', actionId: null, attempts: 0, ...placeColumns(places), reason: null, error: null, startedAt: null, endedAt: null,
  }))
  for (const part of chunks(rows)) await tx.insertInto('batchItem').values(part).execute()
  await addEvent(tx, { kind: 'batch.created', message: `Batch ${id}: ${batch.reason}`, requester: batch.requester }, now)
  await wakeBatch(tx, wake, id, now)
  announce(wake, 'batch', id)
  return id
}

export async function findBatch(db: Db | Tx, id: BatchId): Promise<BatchRow | undefined> {
  return db.selectFrom('batch').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getBatch(db: Db | Tx, id: BatchId): Promise<BatchRow> {
  const row = await findBatch(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no batch ${id}.`, { batchId: id })
  return row
}

export interface BatchChange { event: BatchEvent; reason: string; nextAction: string | null; details?: BatchDetails; requester?: string }

/**
 * One transition: new state and event in the caller's transaction.
 * @throws CertloopError ACTION_NOT_POSSIBLE when the batch is not in a state that allows it, CONFLICT when somebody moved it first
 */
export async function changeBatch(tx: Tx, wake: Wakes, batch: BatchRow, { event, reason, nextAction, details, requester }: BatchChange, now: Date): Promise<BatchRow> {
  const state = nextBatchState(batch.state, event)
  if (!state) throw new CertloopError('ACTION_NOT_POSSIBLE', `The batch is ${batch.state}, so it can not be ${event}.`, { batchId: batch.id })
  const columns = { state, reason, nextAction, ...(details ? { details: toJson(details) } : {}), updatedAt: iso(now), endedAt: isOpenBatch(state) ? null : iso(now) }
  const { numUpdatedRows } = await tx.updateTable('batch').set(columns).where('id', '=', batch.id).where('state', '=', batch.state).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new CertloopError('CONFLICT', `Batch ${batch.id} was moved by somebody else.`, { batchId: batch.id })
  await addEvent(tx, { kind: `batch.${event}`, message: `Batch ${batch.id}: ${reason}`, requester: requester ?? batch.requester }, now)
  announce(wake, 'batch', batch.id)
  return { ...batch, ...columns }
}

/** The batch, held until the end of the transaction, if it may start something: starts are made one after the other. */
export async function holdRunning(tx: Tx, id: BatchId, now: Date): Promise<BatchRow | undefined> {
  return tx.updateTable('batch').set({ updatedAt: iso(now) }).where('id', '=', id).where('state', '=', 'running').returningAll().executeTakeFirst()
}

/** The batch, held until the end of the transaction, whatever its state: places in it are taken one after the other. */
export async function holdBatch(tx: Tx, id: BatchId, now: Date): Promise<BatchRow> {
  return tx.updateTable('batch').set({ updatedAt: iso(now) }).where('id', '=', id).returningAll().executeTakeFirstOrThrow()
}

export interface ItemChange {
  event: BatchItemEvent
  reason: string | null
  actionId?: ActionId
  error?: WireError | null
}
const beginning: ReadonlySet<BatchItemEvent> = new Set(['started', 'refused'])

/** One transition of an item. @returns false when another worker moved it first */
export async function changeItem(tx: Tx, item: BatchItemRow, { event, reason, actionId, error = null }: ItemChange, now: Date): Promise<boolean> {
  const state = nextItemState(item.state, event)
  if (!state) throw new CertloopError('CONFLICT', `Item ${item.position} of batch ${item.batchId} is ${item.state}; "${event}" does not apply.`, { batchId: item.batchId })
  const isAttempt = beginning.has(event) || (item.state === 'waiting' && event !== 'cancelled')
  const columns = {
    state, reason, error: error && toJson(error), waitsFor: '', endedAt: state === 'running' ? null : iso(now),
    ...(actionId === undefined ? {} : { actionId }), ...(isAttempt ? { attempts: item.attempts + 1, startedAt: iso(now) } : {}),
  }
  const { numUpdatedRows } = await tx.updateTable('batchItem').set(columns).where('batchId', '=', item.batchId).where('position', '=', item.position).where('state', '=', item.state).executeTakeFirst()
  return numUpdatedRows > 0n
}

/** What everything that waits is told at once: it will not be begun. @returns how many */
export async function cancelWaiting(tx: Tx, id: BatchId, reason: string, now: Date): Promise<number> {
  const { numUpdatedRows } = await tx.updateTable('batchItem').set({ state: 'cancelled', waitsFor: '', reason, endedAt: iso(now) }).where('batchId', '=', id).where('state', '=', 'waiting').executeTakeFirst()
  return Number(numUpdatedRows)
}
/** What failed or was refused waits again. @returns how many */
export async function retryItems(tx: Tx, id: BatchId): Promise<number> {
  const { numUpdatedRows } = await tx.updateTable('batchItem').set({ state: 'waiting', waitsFor: '', reason: null, error: null, actionId: null, startedAt: null, endedAt: null }).where('batchId', '=', id).where('state', 'in', ['failed', 'refused']).executeTakeFirst()
  return Number(numUpdatedRows)
}

/** What the running items take up; those whose action waits for its time are none of them. */
export async function runningPlaces(db: Db | Tx, id: BatchId): Promise<Places[]> {
  const rows = await db.selectFrom('batchItem').select(['authorityId', 'bots', 'hosts']).where('batchId', '=', id).where('state', '=', 'running').where('waitsFor', '=', '').execute()
  return rows.map(placesOfItem)
}

/** Running items whose action has ended, or has begun to wait for its time. */
export async function itemsToSettle(db: Db | Tx, id: BatchId, limit: number): Promise<{ item: BatchItemRow; action: { state: string; reason: string | null; error: string | null; endedAt: string | null } }[]> {
  const rows = await db.selectFrom('batchItem as i').innerJoin('action as a', 'a.id', 'i.actionId').selectAll('i').select(['a.state as actionState', 'a.reason as actionReason', 'a.error as actionError', 'a.endedAt as actionEndedAt'])
    .where('i.batchId', '=', id).where('i.state', '=', 'running')
    .where((eb) => eb.or([eb('a.endedAt', 'is not', null), eb.and([eb('a.state', '=', 'waiting'), eb('i.waitsFor', '=', '')])]))
    .limit(limit).execute()
  return rows.map(({ actionState, actionReason, actionError, actionEndedAt, ...item }) => ({ item, action: { state: actionState, reason: actionReason, error: actionError, endedAt: actionEndedAt } }))
}
export async function giveUpPlace(tx: Tx, item: BatchItemRow): Promise<void> {
  await tx.updateTable('batchItem').set({ waitsFor: waitsForItsTime }).where('batchId', '=', item.batchId).where('position', '=', item.position).where('state', '=', 'running').where('actionId', '=', item.actionId).execute()
}

/** The running item whose action this is. */
export async function waitingItem(tx: Tx, id: BatchId, actionId: ActionId): Promise<BatchItemRow | undefined> {
  return tx.selectFrom('batchItem').selectAll().where('actionId', '=', actionId).where('batchId', '=', id).where('state', '=', 'running').executeTakeFirst()
}
export async function takePlace(tx: Tx, item: BatchItemRow): Promise<void> {
  await tx.updateTable('batchItem').set({ waitsFor: '' }).where('batchId', '=', item.batchId).where('position', '=', item.position).where('state', '=', 'running').execute()
}
/** Actions of a batch that wait for the time of their deployment. */
export async function actionsInWaiting(db: Db | Tx, id: BatchId, limit: number): Promise<ActionId[]> {
  const rows = await db.selectFrom('batchItem as i').innerJoin('action as a', 'a.id', 'i.actionId').select('a.id').where('i.batchId', '=', id).where('i.state', '=', 'running').where('a.state', '=', 'waiting').orderBy('i.position').limit(limit).execute()
  return rows.map((row) => row.id)
}

/** What items wait for, each once. Steps from one to the next in the index, so that ten thousand that wait for the same are one step. */
export async function waitedFor(db: Db | Tx, id: BatchId): Promise<string[]> {
  const next = (after: RawBuilder<unknown>) => sql`(select min("waitsFor") from "batchItem" where "batchId" = ${id} and "state" = 'waiting' and ${after})`
  const { rows } = await sql<{ key: string }>`with recursive "keys" ("key") as (
    select ${next(sql`"waitsFor" >= ''`)} union all select ${next(sql`"waitsFor" > "keys"."key"`)} from "keys" where "keys"."key" is not null
  ) select "key" from "keys" where "key" is not null`.execute(db)
  return rows.map(({ key }) => key)
}
export async function hasItems(db: Db | Tx, id: BatchId, state: BatchItemState): Promise<boolean> {
  return await db.selectFrom('batchItem').select('position').where('batchId', '=', id).where('state', '=', state).limit(1).executeTakeFirst() !== undefined
}
export async function failedCount(db: Db | Tx, id: BatchId): Promise<number> {
  const { count } = await db.selectFrom('batchItem').select((eb) => eb.fn.countAll<number>().as('count')).where('batchId', '=', id).where('state', '=', 'failed').executeTakeFirstOrThrow()
  return Number(count)
}
/** The next ones of those that wait for this, in their order. */
export async function nextWaiting(db: Db | Tx, id: BatchId, waitsFor: string, limit: number): Promise<BatchItemRow[]> {
  return db.selectFrom('batchItem').selectAll().where('batchId', '=', id).where('state', '=', 'waiting').where('waitsFor', '=', waitsFor).orderBy('position').limit(limit).execute()
}
export async function findItem(tx: Tx, id: BatchId, position: number): Promise<BatchItemRow | undefined> {
  return tx.selectFrom('batchItem').selectAll().where('batchId', '=', id).where('position', '=', position).executeTakeFirst()
}
/** They were looked at, and this limit holds them up. */
export async function setWaitsFor(tx: Tx, id: BatchId, positions: readonly number[], waitsFor: string): Promise<void> {
  await tx.updateTable('batchItem').set({ waitsFor }).where('batchId', '=', id).where('state', '=', 'waiting').where('position', 'in', positions).execute()
}
export async function setPlaces(tx: Tx, item: BatchItemRow, places: Places, waitsFor: string): Promise<void> {
  await tx.updateTable('batchItem').set({ ...placeColumns(places), waitsFor }).where('batchId', '=', item.batchId).where('position', '=', item.position).where('state', '=', 'waiting').execute()
}

export type ItemCounts = Record<BatchItemState, number>
const noCounts = (): ItemCounts => Object.fromEntries(batchItemStates.map((state) => [state, 0])) as ItemCounts
/** How many items of each batch are in each state; every state is there. */
export async function itemCounts(db: Db | Tx, ids: readonly BatchId[]): Promise<Map<BatchId, ItemCounts>> {
  const counts = new Map(ids.map((id) => [id, noCounts()]))
  if (ids.length === 0) return counts
  const rows = await db.selectFrom('batchItem').select((eb) => ['batchId', 'state', eb.fn.countAll<number>().as('count')]).where('batchId', 'in', ids).groupBy(['batchId', 'state']).execute()
  for (const { batchId, state, count } of rows) {
    const of = counts.get(batchId)
    if (of) of[state] = Number(count)
  }
  return counts
}
export async function countItems(db: Db | Tx, id: BatchId): Promise<ItemCounts> {
  return (await itemCounts(db, [id])).get(id) ?? noCounts()
}

/** Authority, bots and hosts of each certificate's configuration. */
export async function configuredPlaces(db: Db | Tx, ids: readonly CertificateId[]): Promise<Map<CertificateId, Places>> {
  const found = new Map<CertificateId, { authorityId: AuthorityId | null; bots: Set<BotId>; hosts: Set<string> }>()
  const of = (id: CertificateId) => {
    const places = found.get(id) ?? { authorityId: null, bots: new Set<BotId>(), hosts: new Set<string>() }
    found.set(id, places)
    return places
  }
  for (const part of chunks(ids)) {
    for (const row of await db.selectFrom('configuration').select(['certificateId', 'authorityId']).where('certificateId', 'in', part).execute()) of(row.certificateId).authorityId = row.authorityId
    for (const row of await db.selectFrom('target').select(['certificateId', 'botId', 'reach']).where('certificateId', 'in', part).where('removedAt', 'is', null).execute()) {
      const places = of(row.certificateId)
      places.bots.add(row.botId)
      places.hosts.add(`${row.botId} ${machineOf({ reach: fromJson<Reach>(row.reach) })}`)
    }
  }
  return new Map([...found].map(([id, { authorityId, bots, hosts }]) => [id, { authorityId, bots: [...bots].toSorted(), hosts: [...hosts].toSorted() }]))
}
