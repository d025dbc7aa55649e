import { CertloopError, describeStep, newId, type ActionId, type BotId, type CertificateId, type DeployLogEntry, type DeploymentDetail, type DeploymentId, type DeploymentState, type DeploymentSummary, type Plan, type RolloutId, type ServedCertificate, type TargetId, type VersionId, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromBit, fromJson, fromJsonOrNull, iso, toBit, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import type { TargetRow } from '../provisioning/configuration-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenDeployment, nextDeploymentState, openDeploymentStates, type DeploymentEvent } from './deployment-state.ts'

export interface DeploymentTable {
  id: DeploymentId
  certificateId: CertificateId
  actionId: ActionId | null
  versionId: VersionId
  targetId: TargetId
  botId: BotId
  state: DeploymentState
  rollback: number
  approval: 'automatic' | 'manual'
  plan: string | null
  differences: string
  log: string
  served: string
  requester: string
  reason: string
  nextAction: string | null
  deadline: string | null
  error: string | null
  /** The deployment that this one takes back. */
  undoes: DeploymentId | null
  /** Fingerprint of what was last seen in its place when it was begun: what an undo puts back. */
  replaces: string | null
  rolloutId: RolloutId | null
  cancelRequestedAt: string | null
  cancelledBy: string | null
  /** When the bot began, and when it was over. */
  begunAt: string | null
  endedAt: string | null
  /** JSON of { since, usualSeconds }. */
  slow: string | null
  createdAt: string
  updatedAt: string
}
export interface DeploymentTables { deployment: DeploymentTable }
export type DeploymentRow = Selectable<DeploymentTable>

export type NewDeployment = Pick<DeploymentTable, 'certificateId' | 'actionId' | 'versionId' | 'targetId' | 'botId' | 'approval' | 'requester' | 'reason' | 'nextAction'> & Partial<Pick<DeploymentTable, 'undoes' | 'rolloutId' | 'state'>> & { rollback: boolean; deadline: Date }

/** @throws CertloopError ACTION_NOT_POSSIBLE when another deployment works on this target. */
export async function insertDeployment(tx: Tx, wake: Wakes, d: NewDeployment, now: Date): Promise<DeploymentRow> {
  const id = newId('dep', now)
  const row: DeploymentRow = { undoes: null, rolloutId: null, cancelRequestedAt: null, cancelledBy: null, begunAt: null, endedAt: null, slow: null, state: 'planning', ...d, id, replaces: await seenAt(tx, d.targetId), rollback: toBit(d.rollback), plan: null, differences: '[]', log: '[]', served: '[]', deadline: iso(d.deadline), error: null, createdAt: iso(now), updatedAt: iso(now) }
  try {
    await tx.insertInto('deployment').values(row).execute()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('ACTION_NOT_POSSIBLE', 'Another deployment is working on this target.', { targetId: d.targetId }, error)
    throw error
  }
  await addEvent(tx, { kind: 'deployment.created', message: d.reason, requester: d.requester, certificateId: d.certificateId, deploymentId: id, botId: d.botId }, now)
  announce(wake, 'deployment', id, d.certificateId)
  return row
}

async function seenAt(tx: Tx, targetId: TargetId): Promise<string | null> {
  const row = await tx.selectFrom('target as t').innerJoin('installation as i', (j) => j.onRef('i.botId', '=', 't.botId').onRef('i.serverType', '=', 't.serverType').onRef('i.placeKey', '=', 't.placeKey')).select('i.fingerprint').where('t.id', '=', targetId).executeTakeFirst()
  return row?.fingerprint ?? null
}

export interface DeploymentChange {
  event: DeploymentEvent
  message: string
  nextAction?: string | null
  deadline?: Date | null
  error?: WireError | null
  requester?: string
  plan?: Plan
  differences?: readonly string[]
  log?: readonly DeployLogEntry[]
  served?: readonly ServedCertificate[]
}

const timesOf = (event: DeploymentEvent, state: DeploymentState, now: Date): Partial<DeploymentRow> => (event === 'begun' ? { begunAt: iso(now) } : isOpenDeployment(state) ? {} : { endedAt: iso(now) })

/** One transition with its timeline event. @throws CertloopError CONFLICT when the state no longer allows it. */
export async function changeDeployment(tx: Tx, wake: Wakes, d: DeploymentRow, change: DeploymentChange, now: Date): Promise<DeploymentRow> {
  const state = nextDeploymentState(d.state, change.event)
  const conflict = () => new CertloopError('CONFLICT', `Deployment ${d.id} is ${d.state}; "${change.event}" does not apply.`, { deploymentId: d.id })
  if (!state) throw conflict()
  const columns: Partial<DeploymentRow> = {
    ...timesOf(change.event, state, now), state, reason: change.message, nextAction: change.nextAction ?? null, deadline: change.deadline ? iso(change.deadline) : null, error: change.error ? toJson(change.error) : null, updatedAt: iso(now),
    ...(change.plan ? { plan: toJson(change.plan) } : {}),
    ...(change.differences ? { differences: toJson(change.differences) } : {}),
    ...(change.log ? { log: toJson(change.log) } : {}),
    ...(change.served ? { served: toJson(change.served) } : {}),
  }
  const { numUpdatedRows } = await tx.updateTable('deployment').set(columns).where('id', '=', d.id).where('state', '=', d.state).executeTakeFirst()
  if (numUpdatedRows === 0n) throw conflict()
  await addEvent(tx, { kind: `deployment.${change.event}`, message: change.message, error: change.error ?? null, certificateId: d.certificateId, deploymentId: d.id, requester: change.requester ?? null, botId: d.botId }, now)
  announce(wake, 'deployment', d.id, d.certificateId)
  return { ...d, ...columns }
}

/** Adds to the log while the bot works; the final result replaces it whole. */
export async function appendLog(tx: Tx, wake: Wakes, d: DeploymentRow, entries: readonly DeployLogEntry[], now: Date): Promise<void> {
  if (entries.length === 0) return
  const log = [...fromJson<DeployLogEntry[]>(d.log), ...entries].slice(-1000)
  await tx.updateTable('deployment').set({ log: toJson(log), updatedAt: iso(now) }).where('id', '=', d.id).execute()
  announce(wake, 'deployment', d.id, d.certificateId)
}

export async function noteDeployment(tx: Tx, wake: Wakes, d: DeploymentRow, reason: string, nextAction: string, now: Date): Promise<void> {
  await tx.updateTable('deployment').set({ reason, nextAction, updatedAt: iso(now) }).where('id', '=', d.id).execute()
  announce(wake, 'deployment', d.id, d.certificateId)
}

/** Facts beside the state. */
export async function updateDeployment(tx: Tx, { id }: Pick<DeploymentRow, 'id'>, changes: Partial<Pick<DeploymentRow, 'slow' | 'cancelRequestedAt' | 'cancelledBy' | 'deadline'>>, now: Date): Promise<void> {
  await tx.updateTable('deployment').set({ ...changes, updatedAt: iso(now) }).where('id', '=', id).execute()
}

/** Those that say what is on the target now, or change it. */
const tellingStates = [...openDeploymentStates, 'deployed'] as const
/** The last one that changed a target, or works on it now. */
export async function lastOn(db: Db | Tx, targetId: TargetId): Promise<Pick<DeploymentRow, 'id' | 'state' | 'undoes'> | undefined> {
  return db.selectFrom('deployment').select(['id', 'state', 'undoes']).where('targetId', '=', targetId).where('state', 'in', tellingStates).orderBy('id', 'desc').limit(1).executeTakeFirst()
}

/** The same of a place, whichever target it was or is of. */
export async function lastAt(tx: Tx, { botId, serverType, placeKey }: Pick<TargetRow, 'botId' | 'serverType' | 'placeKey'>): Promise<Pick<DeploymentRow, 'id' | 'state' | 'undoes'> | undefined> {
  return tx.selectFrom('deployment as d').innerJoin('target as t', 't.id', 'd.targetId').select(['d.id', 'd.state', 'd.undoes']).where('t.botId', '=', botId).where('t.serverType', '=', serverType).where('t.placeKey', '=', placeKey)
    .where('d.state', 'in', tellingStates).orderBy('d.id', 'desc').limit(1).executeTakeFirst()
}

/** What works on targets of these pairs, whichever certificate they are of. Whoever asks about the same pair waits until the transaction has ended. */
export async function openInPairs(tx: Tx, pairs: readonly string[]): Promise<{ pair: string | null; rolloutId: RolloutId | null }[]> {
  if (pairs.length === 0) return []
  const first = tx.selectFrom('target').select((eb) => eb.fn.min('id').as('id')).where('pair', 'in', pairs).groupBy('pair')
  await tx.updateTable('target').set((eb) => ({ pair: eb.ref('pair') })).where('id', 'in', first).execute()
  return tx.selectFrom('target as t').innerJoin('deployment as d', 'd.targetId', 't.id').select(['t.pair', 'd.rolloutId']).where('t.pair', 'in', pairs).where('d.state', 'in', openDeploymentStates).execute()
}

const mostCompared = 20
/** So many of the newest deployments are looked through for those of one server type. */
const looksThrough = 500
/** How long its like took, in seconds: the last that went well, on the same target and on the same type of server. */
export async function pastDurations(db: Db | Tx, { id, targetId, undoes }: Pick<DeploymentRow, 'id' | 'targetId' | 'undoes'>): Promise<{ target: number[]; serverType: number[] }> {
  const like = db.selectFrom('deployment as d').select(['d.begunAt', 'd.endedAt']).where('d.state', '=', 'deployed').where('d.begunAt', 'is not', null).where('d.endedAt', 'is not', null)
    .where('d.id', '!=', id).where('d.undoes', undoes === null ? 'is' : 'is not', null).orderBy('d.id', 'desc').limit(mostCompared)
  const newest = db.selectFrom('deployment as n').select('n.id').orderBy('n.id', 'desc').limit(looksThrough)
  const ofType = like.innerJoin('target as t', 't.id', 'd.targetId').where('t.serverType', '=', (eb) => eb.selectFrom('target as own').select('own.serverType').where('own.id', '=', targetId)).where('d.id', 'in', db.selectFrom(newest.as('newest')).select('newest.id'))
  return { target: (await like.where('d.targetId', '=', targetId).execute()).map(seconds), serverType: (await ofType.execute()).map(seconds) }
}
const seconds = ({ begunAt, endedAt }: Pick<DeploymentRow, 'begunAt' | 'endedAt'>) => Math.max(0, (new Date(endedAt ?? 0).getTime() - new Date(begunAt ?? 0).getTime()) / 1000)

export async function findDeployment(db: Db | Tx, id: DeploymentId): Promise<DeploymentRow | undefined> {
  return db.selectFrom('deployment').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getDeployment(db: Db | Tx, id: DeploymentId): Promise<DeploymentRow> {
  const row = await findDeployment(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no deployment ${id}.`, { deploymentId: id })
  return row
}
/** Without plans and logs, which are long. */
export async function deploymentsOfAction(db: Db | Tx, actionId: ActionId): Promise<Pick<DeploymentRow, 'id' | 'state' | 'error' | 'served'>[]> {
  return db.selectFrom('deployment').select(['id', 'state', 'error', 'served']).where('actionId', '=', actionId).orderBy('id').execute()
}
/** Newest first. */
export async function openDeploymentsOf(db: Db | Tx, certificateId: CertificateId): Promise<Pick<DeploymentRow, 'state' | 'reason' | 'nextAction'>[]> {
  return db.selectFrom('deployment').select(['state', 'reason', 'nextAction']).where('certificateId', '=', certificateId).where('state', 'in', openDeploymentStates).orderBy('id', 'desc').execute()
}

const joined = (db: Db | Tx) => db.selectFrom('deployment as d')
  .leftJoin('certificate as c', 'c.id', 'd.certificateId').leftJoin('certificateVersion as v', 'v.id', 'd.versionId').leftJoin('target as t', 't.id', 'd.targetId').leftJoin('bot as b', 'b.id', 'd.botId')
  .selectAll('d').select((eb) => [
    // What says what can be done, by an index each.
    eb.selectFrom('deployment as l').select('l.id').whereRef('l.targetId', '=', 'd.targetId').where('l.state', 'in', tellingStates).orderBy('l.id', 'desc').limit(1).as('lastId'),
    eb.selectFrom('deployment as o').select('o.id').whereRef('o.certificateId', '=', 'd.certificateId').where('o.state', 'in', openDeploymentStates).limit(1).as('openId'),
    eb.selectFrom('action as a').select('a.id').whereRef('a.certificateId', '=', 'd.certificateId').where('a.endedAt', 'is', null).limit(1).as('openActionId'),
    'b.revokedAt as botRevokedAt',
  ]).select(['c.name as certificateName', 'v.fingerprint as fingerprint', 't.title as targetTitle', 't.serverType as serverType', 'b.name as botName'])
type Joined = Awaited<ReturnType<ReturnType<typeof joined>['executeTakeFirstOrThrow']>>

export interface DeploymentQuery { search?: string | undefined; state?: DeploymentState | undefined; certificateId?: CertificateId | undefined; botId?: BotId | undefined; limit: number; cursor?: string | undefined }
/** Newest first; the cursor is the id of the last row. */
export async function listDeployments(db: Db | Tx, q: DeploymentQuery): Promise<{ items: DeploymentSummary[]; nextCursor: string | null }> {
  let query = joined(db).orderBy('d.id', 'desc').limit(q.limit + 1)
  if (q.state) query = query.where('d.state', '=', q.state)
  if (q.certificateId) query = query.where('d.certificateId', '=', q.certificateId)
  if (q.botId) query = query.where('d.botId', '=', q.botId)
  if (q.search) query = query.where('c.searchText', 'like', `%${q.search.toLowerCase().replaceAll(/[%_\\]/g, '')}%`)
  if (q.cursor) query = query.where('d.id', '<', q.cursor as DeploymentId)
  const rows = await query.execute()
  const items = rows.slice(0, q.limit).map(toSummary)
  return { items, nextCursor: rows.length > q.limit ? items.at(-1)?.id ?? null : null }
}

/** @throws CertloopError NOT_FOUND */
export async function readDeployment(db: Db | Tx, id: DeploymentId): Promise<DeploymentDetail> {
  const row = await joined(db).where('d.id', '=', id).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `There is no deployment ${id}.`, { deploymentId: id })
  const plan = fromJsonOrNull<Plan>(row.plan)
  return { ...toSummary(row), plan, planSteps: plan ? plan.steps.map(describeStep) : [], differences: fromJson(row.differences), log: fromJson(row.log), served: fromJson(row.served), rollback: fromBit(row.rollback) }
}

/** Nobody could do anything more for it. */
const isGone = (d: Joined): boolean => d.targetTitle === null || d.botName === null || d.botRevokedAt !== null

/** What a person can do with a deployment now. */
function whatCanBeDone(d: Joined): DeploymentSummary['can'] {
  if (d.state === 'planned') return ['approve', 'cancel']
  if (isOpenDeployment(d.state)) return ['cancel']
  if (d.undoes || isGone(d)) return []
  if (d.state === 'deployed') return d.lastId === d.id ? ['undo'] : []
  const isFree = d.openId === null && d.openActionId === null && (d.lastId === null || d.lastId < d.id)
  return isFree ? ['retry'] : []
}

function toSummary(row: Joined): DeploymentSummary {
  const { id, certificateId, versionId, targetId, botId, state, requester, reason, nextAction, deadline, undoes, cancelRequestedAt, createdAt, updatedAt } = row
  return {
    id, certificateId, certificateName: row.certificateName ?? certificateId, versionId, fingerprint: row.fingerprint ?? '', targetId, targetTitle: row.targetTitle ?? targetId, serverType: row.serverType ?? '', botId, botName: row.botName ?? botId,
    state, requester, reason, nextAction, deadline, error: fromJsonOrNull(row.error), undoes, cancelRequestedAt, slow: fromJsonOrNull(row.slow), can: whatCanBeDone(row), createdAt, updatedAt,
  }
}
