import { CertloopError, newId, type ActionId, type CertificateId, type DeploymentId, type RolloutId, type RolloutSettings, type RolloutState, type RolloutTargetState, type TargetId, type VersionId, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, iso, toBit, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenRollout, nextRolloutPosition, type RolloutEvent } from './rollout-state.ts'

/** The deployments of one action, put in order. */
export interface RolloutTable {
  id: RolloutId
  certificateId: CertificateId
  actionId: ActionId
  state: RolloutState
  /** JSON of the RolloutSettings as they were at its start. */
  settings: string
  /** Of its deployments, as the configuration was at its start. */
  approval: 'automatic' | 'manual'
  rollback: number
  /** From 0: the one under way, or the next. */
  wave: number
  waveCount: number
  failures: number
  requester: string
  reason: string
  nextAction: string | null
  deadline: string | null
  /** The end of the watching of the present wave. */
  watchUntil: string | null
  /** The state that a paused one goes back to; "stopped": it stops once nothing is under way. */
  pausedFrom: RolloutState | null
  createdAt: string
  updatedAt: string
  endedAt: string | null
  /** Who asked to take it back; null: nobody, or its settings. */
  undoneBy: string | null
  /** Who asked to stop it; null: nobody, or it stopped by itself. */
  stoppedBy: string | null
}
/** How far a deployed target is through the gate of its wave. asked: it is being looked at again. seen: it is still served as wanted. passed, failed: the HTTP check as well. */
export type GateState = 'asked' | 'seen' | 'passed' | 'failed'
export interface RolloutTargetTable {
  rolloutId: RolloutId
  targetId: TargetId
  position: number
  /** -1: in none, left out from the start. */
  wave: number
  state: RolloutTargetState
  versionId: VersionId | null
  deploymentId: DeploymentId | null
  undoId: DeploymentId | null
  gate: GateState | null
  reason: string | null
  error: string | null
}
export interface RolloutTables { rollout: RolloutTable; rolloutTarget: RolloutTargetTable }
export type RolloutRow = Selectable<RolloutTable>
export type RolloutTargetRow = Selectable<RolloutTargetTable>

export const settingsOf = (row: Pick<RolloutRow, 'settings'>): RolloutSettings => fromJson(row.settings)

/** Has a rollout looked at, soon or at that time: one look at a time, and many that are asked for together are one. */
export async function wakeRollout(tx: Tx, wake: Wakes, id: RolloutId, now: Date, at: Date = now): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-rollout', subject: id, dedupe: `rollout:${id}`, notBefore: at, maxAttempts: 30 }, now)
}

export type NewRollout = Pick<RolloutTable, 'certificateId' | 'actionId' | 'approval' | 'waveCount' | 'requester' | 'reason' | 'nextAction'> & { settings: RolloutSettings; rollback: boolean; deadline: Date }
export type NewRolloutTarget = Pick<RolloutTargetTable, 'targetId' | 'wave' | 'state' | 'versionId' | 'reason'>

export async function insertRollout(tx: Tx, wake: Wakes, r: NewRollout, targets: readonly NewRolloutTarget[], now: Date): Promise<RolloutRow> {
  const row: RolloutRow = { ...r, id: newId('rol', now), state: 'running', settings: toJson(r.settings), rollback: toBit(r.rollback), deadline: iso(r.deadline), wave: 0, failures: 0, watchUntil: null, pausedFrom: null, createdAt: iso(now), updatedAt: iso(now), endedAt: null, undoneBy: null, stoppedBy: null }
  await tx.insertInto('rollout').values(row).execute()
  await tx.insertInto('rolloutTarget').values(targets.map((target, position) => ({ ...target, rolloutId: row.id, position, deploymentId: null, undoId: null, gate: null, error: null }))).execute()
  await addEvent(tx, { kind: 'rollout.started', message: r.reason, requester: r.requester, certificateId: r.certificateId }, now)
  announce(wake, 'rollout', row.id, r.certificateId)
  return row
}

export interface RolloutChange {
  event: RolloutEvent
  reason: string
  nextAction: string | null
  deadline: Date | null
  watchUntil?: Date | null
  wave?: number
  requester?: string
  error?: WireError | null
}

const whoStops: ReadonlySet<RolloutEvent> = new Set(['stop', 'halt'])

/** Only what is named changes, besides what belongs to the state. */
function columnsOf({ event, reason, nextAction, deadline, watchUntil, wave, requester }: RolloutChange): Partial<RolloutRow> {
  return {
    reason, nextAction, deadline: deadline && iso(deadline),
    ...(watchUntil === undefined ? {} : { watchUntil: watchUntil && iso(watchUntil) }),
    ...(event === 'undo' && requester ? { undoneBy: requester } : {}),
    ...(whoStops.has(event) && requester ? { stoppedBy: requester } : {}),
    ...(wave === undefined ? {} : { wave }),
  }
}

/** One transition with its timeline event. @throws CertloopError CONFLICT when the state does not allow it, or somebody was faster */
export async function changeRollout(tx: Tx, wake: Wakes, r: RolloutRow, change: RolloutChange, now: Date): Promise<RolloutRow> {
  const next = nextRolloutPosition(r, change.event)
  const conflict = () => new CertloopError('CONFLICT', `Rollout ${r.id} is ${r.state}; "${change.event}" does not apply.`, { rolloutId: r.id })
  if (!next) throw conflict()
  const columns: Partial<RolloutRow> = { ...next, ...columnsOf(change), updatedAt: iso(now), endedAt: isOpenRollout(next.state) ? null : iso(now) }
  const { numUpdatedRows } = await tx.updateTable('rollout').set(columns).where('id', '=', r.id).where('state', '=', r.state).where('wave', '=', r.wave).executeTakeFirst()
  if (numUpdatedRows === 0n) throw conflict()
  await addEvent(tx, { kind: `rollout.${change.event}`, message: change.reason, error: change.error ?? null, requester: change.requester ?? null, certificateId: r.certificateId }, now)
  announce(wake, 'rollout', r.id, r.certificateId)
  return { ...r, ...columns }
}

/** What is told of a rollout whose state stays. */
export async function noteRollout(tx: Tx, wake: Wakes, r: RolloutRow, note: Partial<Pick<RolloutRow, 'reason' | 'nextAction' | 'deadline' | 'failures'>>, now: Date): Promise<RolloutRow> {
  const isKnown = (Object.keys(note) as (keyof typeof note)[]).every((key) => note[key] === r[key])
  if (isKnown) return r
  await tx.updateTable('rollout').set({ ...note, updatedAt: iso(now) }).where('id', '=', r.id).execute()
  announce(wake, 'rollout', r.id, r.certificateId)
  return { ...r, ...note }
}

export async function updateRolloutTarget(tx: Tx, { rolloutId, targetId }: Pick<RolloutTargetRow, 'rolloutId' | 'targetId'>, changes: Partial<Omit<RolloutTargetTable, 'rolloutId' | 'targetId'>>): Promise<void> {
  await tx.updateTable('rolloutTarget').set(changes).where('rolloutId', '=', rolloutId).where('targetId', '=', targetId).execute()
}

export async function findRollout(db: Db | Tx, id: RolloutId): Promise<RolloutRow | undefined> {
  return db.selectFrom('rollout').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getRollout(db: Db | Tx, id: RolloutId): Promise<RolloutRow> {
  const row = await findRollout(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no rollout ${id}.`, { rolloutId: id })
  return row
}
/** What a rollout under way says of its certificate, besides its deployments: between them, nothing else would tell that they go on. */
export async function rolloutWorkOn(db: Db | Tx, certificateId: CertificateId): Promise<{ state: 'planned' | 'deploying'; reason: string; nextAction: string | null }[]> {
  const rows = await db.selectFrom('rollout').select(['state', 'reason', 'nextAction']).where('certificateId', '=', certificateId).where('endedAt', 'is', null).execute()
  return rows.map(({ state, reason, nextAction }) => ({ state: state === 'watching' || state === 'undoing' ? 'deploying' : 'planned', reason, nextAction }))
}
/** In their order. */
export async function rolloutTargetsOf(db: Db | Tx, id: RolloutId): Promise<RolloutTargetRow[]> {
  return db.selectFrom('rolloutTarget').selectAll().where('rolloutId', '=', id).orderBy('position').execute()
}
