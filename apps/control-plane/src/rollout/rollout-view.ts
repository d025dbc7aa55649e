import type { CertificateId, Rollout, RolloutId, RolloutState, RolloutTarget } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { placementOf } from '../provisioning/configuration-store.ts'
import { cameLaterThan } from './rollout-control.ts'
import { possibleCommands } from './rollout-rules.ts'
import { isOpenRollout } from './rollout-state.ts'
import { getRollout, type RolloutRow, type RolloutTargetRow } from './rollout-store.ts'

export interface RolloutQuery { state?: RolloutState | undefined; certificateId?: CertificateId | undefined; limit: number; cursor?: string | undefined }
/** Newest first; the cursor is the id of the last row. */
export async function listRollouts(db: Db | Tx, q: RolloutQuery): Promise<{ items: Rollout[]; nextCursor: string | null }> {
  let query = db.selectFrom('rollout').selectAll().orderBy('id', 'desc').limit(q.limit + 1)
  if (q.state) query = query.where('state', '=', q.state)
  if (q.certificateId) query = query.where('certificateId', '=', q.certificateId)
  if (q.cursor) query = query.where('id', '<', q.cursor as RolloutId)
  const rows = await query.execute()
  const page = rows.slice(0, q.limit)
  return { items: await toRollouts(db, page), nextCursor: rows.length > q.limit ? page.at(-1)?.id ?? null : null }
}

/** @throws CertloopError NOT_FOUND */
export async function readRollout(db: Db | Tx, id: RolloutId): Promise<Rollout> {
  const row = await getRollout(db, id)
  const [rollout] = await toRollouts(db, [row])
  if (!rollout) throw new Error('a rollout that is there was not read')
  return rollout
}

async function toRollouts(db: Db | Tx, rows: readonly RolloutRow[]): Promise<Rollout[]> {
  if (rows.length === 0) return []
  const names = await db.selectFrom('certificate').select(['id', 'name']).where('id', 'in', [...new Set(rows.map((row) => row.certificateId))]).execute()
  const nameOf = new Map(names.map(({ id, name }) => [id, name]))
  const targets = Map.groupBy(await joinedTargets(db, rows.map(({ id }) => id)), ({ rolloutId }) => rolloutId)
  const laterThan = await cameLaterThan(db, rows.filter((row) => !isOpenRollout(row.state)))
  return rows.map((row) => {
    const { id, certificateId, actionId, state, wave, waveCount, failures, requester, reason, nextAction, deadline, createdAt, updatedAt, endedAt } = row
    const own = targets.get(id) ?? []
    const later = isOpenRollout(state) ? null : laterThan(row)
    return {
      id, certificateId, certificateName: nameOf.get(certificateId) ?? certificateId, actionId, state, wave, waveCount, failures, targets: own.map(toRolloutTarget), requester, reason, nextAction, deadline,
      can: possibleCommands({ ...row, targets: own, later }), createdAt, updatedAt, endedAt,
    }
  })
}

type Joined = RolloutTargetRow & { title: string | null; placement: string | null; botName: string | null }
async function joinedTargets(db: Db | Tx, ids: readonly RolloutId[]): Promise<Joined[]> {
  return db.selectFrom('rolloutTarget as r').leftJoin('target as t', 't.id', 'r.targetId').leftJoin('bot as b', 'b.id', 't.botId')
    .selectAll('r').select(['t.title as title', 't.placement as placement', 'b.name as botName']).where('r.rolloutId', 'in', ids).orderBy('r.rolloutId').orderBy('r.position').execute()
}

function toRolloutTarget({ targetId, title, botName, placement, wave, state, deploymentId, undoId, reason, error }: Joined): RolloutTarget {
  return { targetId, title: title ?? targetId, botName: botName ?? '', labels: placement === null ? [] : placementOf({ placement }).labels, wave, state, deploymentId, undoId, reason, error: fromJsonOrNull(error) }
}
