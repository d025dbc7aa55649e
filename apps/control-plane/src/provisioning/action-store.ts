import { CertloopError, newId, type Action, type ActionId, type BatchId, type ActionKind, type ActionState, type CertificateId, type VersionId, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { wakeBatch } from '../batch/batch-store.ts'
import { fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'

/** One lifecycle command on one certificate: what ties its orders and deployments together. */
export interface ActionTable {
  id: ActionId
  certificateId: CertificateId
  kind: ActionKind
  state: ActionState
  requester: string
  reason: string | null
  error: string | null
  versionId: VersionId | null
  /** JSON of target ids; null: all of the configuration. */
  targetIds: string | null
  /** JSON: what else the command was given. */
  details: string
  batchId: BatchId | null
  /** The certificate that a re-enrolment made. */
  childId: CertificateId | null
  nextAction: string | null
  /** When a waiting action goes on by itself. */
  waitsUntil: string | null
  deadline: string | null
  createdAt: string
  endedAt: string | null
}
export interface ActionTables { action: ActionTable }
export type ActionRow = Selectable<ActionTable>

export type NewAction = Pick<ActionTable, 'certificateId' | 'kind' | 'state' | 'requester' | 'versionId'> & Partial<Pick<ActionTable, 'targetIds' | 'details' | 'batchId' | 'nextAction' | 'waitsUntil' | 'deadline'>>

/** @throws CertloopError ACTION_NOT_POSSIBLE when another action runs on this certificate. */
export async function insertAction(tx: Tx, wake: Wakes, a: NewAction, now: Date): Promise<ActionRow> {
  const row: ActionRow = { targetIds: null, details: '{}', batchId: null, childId: null, nextAction: null, waitsUntil: null, deadline: null, ...a, id: newId('act', now), reason: null, error: null, createdAt: iso(now), endedAt: null }
  try {
    await tx.insertInto('action').values(row).execute()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('ACTION_NOT_POSSIBLE', 'Another action is running on this certificate; wait for its end.', { certificateId: a.certificateId }, error)
    throw error
  }
  await addEvent(tx, { kind: `action.${a.kind}`, message: `"${a.kind}" was started.`, requester: a.requester, certificateId: a.certificateId }, now)
  announce(wake, 'action', row.id, row.certificateId)
  return row
}

/** @throws CertloopError CONFLICT when somebody moved it first. */
export async function changeAction(tx: Tx, wake: Wakes, action: ActionRow, to: ActionState, end: { reason: string; error: WireError | null } | null, now: Date): Promise<void> {
  const columns = { state: to, ...(end ? { reason: end.reason, error: end.error ? toJson(end.error) : null, endedAt: iso(now) } : {}) }
  const { numUpdatedRows } = await tx.updateTable('action').set(columns).where('id', '=', action.id).where('state', '=', action.state).where('endedAt', 'is', null).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new CertloopError('CONFLICT', `Action ${action.id} was moved by another worker.`)
  if (end && action.batchId) await wakeBatch(tx, wake, action.batchId, now)
  if (end) await addEvent(tx, { kind: `action.${to}`, message: end.reason, error: end.error, requester: action.requester, certificateId: action.certificateId }, now)
  announce(wake, 'action', action.id, action.certificateId)
}

/** An action that could not be started, as evidence of the attempt. */
export async function insertFailedAction(tx: Tx, wake: Wakes, a: Pick<ActionTable, 'certificateId' | 'kind' | 'requester' | 'versionId'>, error: CertloopError, now: Date): Promise<void> {
  const action = await insertAction(tx, wake, { ...a, state: 'ordering' }, now)
  await changeAction(tx, wake, action, 'failed', { reason: error.message, error: error.toWire() }, now)
}

export async function findAction(db: Db | Tx, id: ActionId): Promise<ActionRow | undefined> {
  return db.selectFrom('action').selectAll().where('id', '=', id).executeTakeFirst()
}
export async function latestActions(db: Db | Tx, certificateId: CertificateId, limit: number): Promise<ActionRow[]> {
  return db.selectFrom('action').selectAll().where('certificateId', '=', certificateId).orderBy('id', 'desc').limit(limit).execute()
}
export async function openAction(db: Db | Tx, certificateId: CertificateId): Promise<ActionRow | undefined> {
  return db.selectFrom('action').selectAll().where('certificateId', '=', certificateId).where('endedAt', 'is', null).executeTakeFirst()
}

export async function toAction(db: Db | Tx, row: ActionRow): Promise<Action> {
  const orders = await db.selectFrom('certificateOrder').select('id').where('actionId', '=', row.id).orderBy('id').execute()
  const deployments = await db.selectFrom('deployment').select('id').where('actionId', '=', row.id).orderBy('id').execute()
  const rollout = await db.selectFrom('rollout').select('id').where('actionId', '=', row.id).executeTakeFirst()
  const { id, certificateId, kind, state, requester, reason, batchId, childId, nextAction, waitsUntil, deadline, createdAt, endedAt } = row
  return { id, certificateId, kind, state, requester, reason, batchId, childId, nextAction, waitsUntil, deadline, createdAt, endedAt, rolloutId: rollout?.id ?? null, error: fromJsonOrNull(row.error), orderIds: orders.map((o) => o.id), deploymentIds: deployments.map((d) => d.id) }
}
