import { CertloopError, newId, type Action, type ActionId, type BatchId, type ActionKind, type ActionState, type CertificateId, type RevocationReasonToGive, type TargetId, type VersionId, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { wakeBatch } from '../batch/batch-store.ts'
import { fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask, removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenAction, nextActionState, type ActionEvent } from './action-state.ts'

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

/** What a command was given beyond what has a column, and what is known of its way so far. */
export interface ActionDetails {
  revocationReason?: RevocationReasonToGive
  /** The versions that the authority is asked about, what it has said of each (null: done), and which were left alone and why. */
  versionIds?: readonly VersionId[]
  answers?: Record<string, WireError | null>
  left?: readonly string[]
  /** Who wants it to end. */
  cancelledBy?: string
  /** The deadline that has passed was told. */
  overdue?: boolean
}
export const detailsOf = (row: Pick<ActionRow, 'details'>): ActionDetails => fromJson(row.details)
export const targetIdsOf = (row: Pick<ActionRow, 'targetIds'>): TargetId[] | null => fromJsonOrNull(row.targetIds)

export type NewAction = Pick<ActionTable, 'certificateId' | 'kind' | 'state' | 'requester' | 'versionId'> & { reason: string } & Partial<Pick<ActionTable, 'targetIds' | 'batchId' | 'childId' | 'nextAction' | 'waitsUntil' | 'deadline'>> & { details?: ActionDetails; /** For the timeline. */ why?: string | undefined }

/** @throws CertloopError ACTION_NOT_POSSIBLE when another action runs on this certificate. */
export async function insertAction(tx: Tx, wake: Wakes, a: NewAction, now: Date): Promise<ActionRow> {
  const { details, why, ...rest } = a
  const row: ActionRow = { targetIds: null, batchId: null, childId: null, nextAction: null, waitsUntil: null, deadline: null, ...rest, details: toJson(details ?? {}), id: newId('act', now), error: null, createdAt: iso(now), endedAt: null }
  try {
    await tx.insertInto('action').values(row).execute()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('ACTION_NOT_POSSIBLE', 'Another action is running on this certificate; wait for its end.', { certificateId: a.certificateId }, error)
    throw error
  }
  await addEvent(tx, { kind: `action.${a.kind}`, message: [`"${a.kind}" was started.`, why].filter(Boolean).join(' '), requester: a.requester, certificateId: a.certificateId }, now)
  await watchDeadline(tx, wake, row, now)
  announce(wake, 'action', row.id, row.certificateId)
  return row
}

export interface ActionChange {
  event: ActionEvent
  reason: string
  nextAction?: string
  waitsUntil?: Date
  deadline?: Date
  error?: WireError | null
}

/**
 * One transition: new state and timeline event in the caller's transaction. At its end, whoever waits for the action is woken.
 * @throws CertloopError CONFLICT when the action is no longer in a state that allows it.
 */
export async function changeAction(tx: Tx, wake: Wakes, action: ActionRow, change: ActionChange, now: Date): Promise<ActionRow> {
  const { event, reason, nextAction = null, waitsUntil, deadline, error = null } = change
  const state = nextActionState(action.state, event)
  const conflict = () => new CertloopError('CONFLICT', `Action ${action.id} is ${action.state}; "${event}" does not apply.`, { actionId: action.id })
  if (!state) throw conflict()
  const ended = !isOpenAction(state)
  const columns = { state, reason, nextAction, waitsUntil: waitsUntil ? iso(waitsUntil) : null, deadline: deadline ? iso(deadline) : null, error: error ? toJson(error) : null, endedAt: ended ? iso(now) : null }
  const { numUpdatedRows } = await tx.updateTable('action').set(columns).where('id', '=', action.id).where('state', '=', action.state).where('endedAt', 'is', null).executeTakeFirst()
  if (numUpdatedRows === 0n) throw conflict()
  await addEvent(tx, { kind: `action.${state}`, message: reason, error, requester: action.requester, certificateId: action.certificateId }, now)
  if (ended) await wakeThoseWhoWait(tx, wake, action, now)
  // It takes up no place in its batch any more.
  else if (state === 'waiting' && action.batchId) await wakeBatch(tx, wake, action.batchId, now)
  await watchDeadline(tx, wake, { ...action, ...columns }, now)
  announce(wake, 'action', action.id, action.certificateId)
  return { ...action, ...columns }
}

/** The batch that it belongs to, and the re-enrolment that made the certificate. */
async function wakeThoseWhoWait(tx: Tx, wake: Wakes, { batchId, certificateId }: ActionRow, now: Date): Promise<void> {
  if (batchId) await wakeBatch(tx, wake, batchId, now)
  const certificate = await tx.selectFrom('certificate').select('parentId').where('id', '=', certificateId).executeTakeFirst()
  const parents = certificate?.parentId ? await openAction(tx, certificate.parentId) : undefined
  if (parents?.childId === certificateId) await advanceSoon(tx, wake, parents.id, now)
}

/** What is told of an action changes, and its state does not. */
export async function noteAction(tx: Tx, wake: Wakes, action: ActionRow, changes: Partial<Pick<ActionRow, 'reason' | 'nextAction' | 'waitsUntil' | 'deadline' | 'details' | 'childId'>>): Promise<ActionRow> {
  await tx.updateTable('action').set(changes).where('id', '=', action.id).where('endedAt', 'is', null).execute()
  announce(wake, 'action', action.id, action.certificateId)
  return { ...action, ...changes }
}

/** Has an action looked at when its deadline has passed: nothing is to be overdue without a word. */
async function watchDeadline(tx: Tx, wake: Wakes, { id, deadline, endedAt }: ActionRow, now: Date): Promise<void> {
  const dedupe = `overdue:${id}`
  if (deadline === null || endedAt !== null) await removeTask(tx, dedupe)
  else await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: id, notBefore: new Date(deadline), dedupe }, now)
}

/** Tells once that the deadline of an action has passed; it goes on. */
export async function raiseOverdue(tx: Tx, wake: Wakes, id: ActionId, now: Date): Promise<void> {
  const action = await findAction(tx, id)
  if (!action || action.endedAt || action.deadline === null || new Date(action.deadline) > now || detailsOf(action).overdue) return
  const message = `"${action.kind}" was to be over by ${action.deadline.slice(0, 16).replace('T', ' ')} UTC and is not. Look at what it waits for, or cancel it.`
  await noteAction(tx, wake, action, { nextAction: [message, action.nextAction].filter(Boolean).join(' '), details: toJson({ ...detailsOf(action), overdue: true }) })
  await addEvent(tx, { kind: 'action.overdue', message, requester: action.requester, certificateId: action.certificateId }, now)
}

/** Has an action looked at. */
export async function advanceSoon(tx: Tx, wake: Wakes, id: ActionId, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: id }, now)
}
/** Has a waiting action looked at when its time has come; looked at again, it may have to wait longer. */
export async function advanceAt(tx: Tx, wake: Wakes, id: ActionId, at: Date, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: id, notBefore: at, dedupe: `wait:${id}`, maxAttempts: 1_000_000 }, now)
}
/** What waits looks at once whether it still has to: the configuration has changed. */
export async function wakeWaiting(tx: Tx, wake: Wakes, certificateId: CertificateId, now: Date): Promise<void> {
  const open = await openAction(tx, certificateId)
  if (open?.state === 'waiting') await advanceAt(tx, wake, open.id, now, now)
}

/** An action that could not be started, as evidence of the attempt. */
export async function insertFailedAction(tx: Tx, wake: Wakes, a: Pick<ActionTable, 'certificateId' | 'kind' | 'requester' | 'versionId'>, error: CertloopError, now: Date): Promise<void> {
  const action = await insertAction(tx, wake, { ...a, state: 'ordering', reason: 'It is started.' }, now)
  await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error: error.toWire() }, now)
}

export async function findAction(db: Db | Tx, id: ActionId): Promise<ActionRow | undefined> {
  return db.selectFrom('action').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getAction(db: Db | Tx, id: ActionId): Promise<ActionRow> {
  const row = await findAction(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no action ${id}.`, { actionId: id })
  return row
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
