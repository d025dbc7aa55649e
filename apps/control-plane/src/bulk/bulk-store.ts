import { bulkItemStates, CertloopError, newId, type BulkChangeId, type BulkItemState, type BulkParts, type BulkState, type CertificateId, type CertloopError as Failure, type Management } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { chunks, type Selected } from '../batch/selection.ts'
import { iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import type { Settings } from './bulk-merge.ts'
import { isOver, nextBulkState, type BulkEvent } from './bulk-state.ts'

/** One set of settings for many configurations. */
export interface BulkChangeTable {
  id: BulkChangeId
  state: BulkState
  /** JSON of BulkParts. */
  parts: string
  total: number
  requester: string
  createdAt: string
  updatedAt: string
  endedAt: string | null
}
export interface BulkItemTable {
  bulkId: BulkChangeId
  position: number
  certificateId: CertificateId
  /** As it was then: the certificate may be deleted later. */
  certificateName: string
  state: BulkItemState
  /** JSON: field, before, after. */
  changes: string
  /** JSON of Before, for the undo. */
  before: string | null
  /** updatedAt of the configuration that the preview or the change left; another one means that somebody changed it since. */
  configurationAt: string | null
  /** JSON. With "applied": why it could not be taken back. */
  error: string | null
}
export interface BulkTables { bulkChange: BulkChangeTable; bulkItem: BulkItemTable }
export type BulkChangeRow = Selectable<BulkChangeTable>
export type BulkItemRow = Selectable<BulkItemTable>

/** What an undo gives back. null: there was no configuration. */
export interface Before { settings: Settings | null; management: Management }

/** Who asked for the work, and whether they may do away with approvals. */
export interface Asker { requester: string; mayApprove: boolean }

/** Has the work on it begun or continued. */
async function wakeBulk(tx: Tx, wake: Wakes, id: BulkChangeId, { requester, mayApprove }: Asker, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-bulk-change', subject: id, payload: { requester, mayApprove }, dedupe: `bulk:${id}`, maxAttempts: 1_000_000 }, now)
}

export async function insertBulkChange(tx: Tx, wake: Wakes, { parts, asker, items }: { parts: BulkParts; asker: Asker; items: readonly Selected[] }, now: Date): Promise<BulkChangeId> {
  const id = newId('blk', now)
  await tx.insertInto('bulkChange').values({ id, state: 'previewing', parts: toJson(parts), total: items.length, requester: asker.requester, createdAt: iso(now), updatedAt: iso(now), endedAt: null }).execute()
  const rows = items.map(({ id: certificateId, name }, position) => ({ bulkId: id, position, certificateId, certificateName: name, state: 'waiting' as const, changes: '[]', before: null, configurationAt: null, error: null }))
  for (const part of chunks(rows)) await tx.insertInto('bulkItem').values(part).execute()
  await wakeBulk(tx, wake, id, asker, now)
  announce(wake, 'bulk-change', id)
  return id
}

export async function findBulkChange(db: Db | Tx, id: BulkChangeId): Promise<BulkChangeRow | undefined> {
  return db.selectFrom('bulkChange').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getBulkChange(db: Db | Tx, id: BulkChangeId): Promise<BulkChangeRow> {
  const row = await findBulkChange(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no bulk change ${id}.`, { bulkChangeId: id })
  return row
}

/**
 * One transition: new state and event in the caller's transaction, and the task where there is work to do.
 * @throws CertloopError ACTION_NOT_POSSIBLE when its state does not allow it, CONFLICT when somebody moved it first
 */
export async function changeBulk(tx: Tx, wake: Wakes, bulk: BulkChangeRow, { event, message, asker, works = false }: { event: BulkEvent; message: string; asker: Asker; works?: boolean }, now: Date): Promise<void> {
  const state = nextBulkState(bulk.state, event)
  if (!state) throw new CertloopError('ACTION_NOT_POSSIBLE', `The bulk change is ${bulk.state}, so this is not possible now.`, { bulkChangeId: bulk.id })
  if (works) await wakeBulk(tx, wake, bulk.id, asker, now)
  const { numUpdatedRows } = await tx.updateTable('bulkChange').set({ state, updatedAt: iso(now), endedAt: isOver(state) ? iso(now) : null }).where('id', '=', bulk.id).where('state', '=', bulk.state).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new CertloopError('CONFLICT', `Bulk change ${bulk.id} was moved by somebody else.`, { bulkChangeId: bulk.id })
  await addEvent(tx, { kind: `bulk-change.${event}`, message: `Bulk change ${bulk.id}: ${message}`, requester: asker.requester }, now)
  announce(wake, 'bulk-change', bulk.id)
}

/** The next items in this state, in their order. Those whose undo has failed are none of them. */
export async function nextItems(db: Db | Tx, id: BulkChangeId, state: BulkItemState, limit: number): Promise<BulkItemRow[]> {
  return db.selectFrom('bulkItem').selectAll().where('bulkId', '=', id).where('state', '=', state).where('error', 'is', null).orderBy('position').limit(limit).execute()
}

/** One transition of an item. @returns false when another worker moved it first */
export async function changeItem(tx: Tx, item: BulkItemRow, to: { state: BulkItemState; error?: Failure | null } & Partial<Pick<BulkItemTable, 'changes' | 'before' | 'configurationAt'>>): Promise<boolean> {
  const { error = null, ...columns } = to
  const { numUpdatedRows } = await tx.updateTable('bulkItem').set({ ...columns, error: error && toJson(error.toWire()) }).where('bulkId', '=', item.bulkId).where('position', '=', item.position).where('state', '=', item.state).where('error', 'is', null).executeTakeFirst()
  return numUpdatedRows > 0n
}
/** All that wait for this phase are told why it ended early. */
export async function failItems(tx: Tx, id: BulkChangeId, state: BulkItemState, error: Failure): Promise<void> {
  await tx.updateTable('bulkItem').set({ state: 'failed', error: toJson(error.toWire()) }).where('bulkId', '=', id).where('state', '=', state).execute()
}
/** What could not be changed is tried again; what broke before it was previewed is not. @returns how many */
export async function retryFailed(tx: Tx, id: BulkChangeId): Promise<number> {
  const { numUpdatedRows } = await tx.updateTable('bulkItem').set({ state: 'ready', error: null }).where('bulkId', '=', id).where('state', '=', 'failed').where('before', 'is not', null).executeTakeFirst()
  return Number(numUpdatedRows)
}
/** What could not be taken back is tried again. */
export async function forgetUndoErrors(tx: Tx, id: BulkChangeId): Promise<void> {
  await tx.updateTable('bulkItem').set({ error: null }).where('bulkId', '=', id).where('state', '=', 'applied').where('error', 'is not', null).execute()
}

export type BulkCounts = Record<BulkItemState, number>
const noCounts = (): BulkCounts => Object.fromEntries(bulkItemStates.map((state) => [state, 0])) as BulkCounts
/** How many items of each bulk change are in each state; every state is there. */
export async function bulkCounts(db: Db | Tx, ids: readonly BulkChangeId[]): Promise<Map<BulkChangeId, BulkCounts>> {
  const counts = new Map(ids.map((id) => [id, noCounts()]))
  if (ids.length === 0) return counts
  const rows = await db.selectFrom('bulkItem').select((eb) => ['bulkId', 'state', eb.fn.countAll<number>().as('count')]).where('bulkId', 'in', ids).groupBy(['bulkId', 'state']).execute()
  for (const { bulkId, state, count } of rows) {
    const of = counts.get(bulkId)
    if (of) of[state] = Number(count)
  }
  return counts
}
export async function countBulk(db: Db | Tx, id: BulkChangeId): Promise<BulkCounts> {
  return (await bulkCounts(db, [id])).get(id) ?? noCounts()
}
