import { CertloopError, type ActionId, type CertificateId, type RolloutSettings, type VersionId, type WireError } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { ActionRow } from '../provisioning/action-store.ts'
import { placementOf, type TargetRow } from '../provisioning/configuration-store.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { advanceRollout } from './rollout-advance.ts'
import { planWaves } from './rollout-plan.ts'
import { getRollout, insertRollout, rolloutTargetsOf, type NewRolloutTarget, type RolloutRow } from './rollout-store.ts'
import { waveDeadline } from './rollout-words.ts'

/** Whether the deployments of these targets have to be put in order; false: they can all be started at once, by themselves. */
export function needsRollout({ mode, canary, waves, gate, onStop }: RolloutSettings, targets: readonly Pick<TargetRow, 'placement'>[]): boolean {
  // Whatever else is worked on of a pair, also of other certificates, counts; so even one target of it waits for its turn.
  if (targets.some((target) => placementOf(target).pair !== null)) return true
  if (gate.soakSeconds > 0 || gate.httpCheck !== null || gate.approval) return targets.length > 0
  if (targets.length < 2) return false
  return mode === 'in-order' || canary > 0 || (mode === 'waves' && waves.length > 0) || onStop === 'undo'
}

/** `versionId` null: it takes no part, and `reason` says why. */
export interface RolloutEntry { target: TargetRow; versionId: VersionId | null; reason?: string }
export interface StartRollout { action: Pick<ActionRow, 'id' | 'certificateId' | 'requester'>; settings: RolloutSettings; entries: readonly RolloutEntry[]; approval: 'automatic' | 'manual'; rollback: boolean }

/**
 * Starts a rollout and the deployments of its first wave. When it has ended, an "advance-action" is added.
 * @throws CertloopError ACTION_NOT_POSSIBLE when no target can take part
 */
export async function startRollout(tx: Tx, wake: Wakes, { action, settings, entries, approval, rollback }: StartRollout, secrets: Secrets, now: Date): Promise<RolloutRow> {
  const able = entries.filter((entry) => entry.versionId !== null).map((entry) => ({ entry, labels: placementOf(entry.target).labels }))
  if (able.length === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'No target can take this version: its key is not on the host of a target.')
  const waves = planWaves(settings, able)
  const waveOf = new Map(waves.flatMap((wave, index) => wave.map(({ entry }) => [entry, index] as const)))
  const targets = entries.map((entry): NewRolloutTarget => {
    const wave = waveOf.get(entry)
    const common = { targetId: entry.target.id, versionId: entry.versionId }
    return wave === undefined
      ? { ...common, wave: -1, state: 'left-out', reason: entry.reason ?? 'There is no version with its key on the host of this target.' }
      : { ...common, wave, state: 'waiting', reason: null }
  })
  const leftOut = entries.length - able.length
  const rollout = await insertRollout(tx, wake, {
    certificateId: action.certificateId, actionId: action.id, settings, approval, rollback, waveCount: waves.length, requester: action.requester, deadline: waveDeadline(now),
    reason: `To be deployed to ${able.length} ${able.length === 1 ? 'target' : 'targets'} in ${waves.length} ${waves.length === 1 ? 'wave' : 'waves'}${leftOut > 0 ? `; ${leftOut} left out` : ''}.`, nextAction: 'The first wave begins by itself.',
  }, targets, now)
  await advanceRollout(tx, wake, rollout.id, { secrets, now })
  return getRollout(tx, rollout.id)
}

/** The rollout of an action that has not ended; undefined: it has none, or it has ended. */
export async function openRolloutOf(db: Db | Tx, actionId: ActionId): Promise<RolloutRow | undefined> {
  return db.selectFrom('rollout').selectAll().where('actionId', '=', actionId).where('endedAt', 'is', null).executeTakeFirst()
}
/** The rollout under way on a certificate, whichever action it is of: one may be taken back after its action has ended. */
export async function openRolloutOn(db: Db | Tx, certificateId: CertificateId): Promise<RolloutRow | undefined> {
  return db.selectFrom('rollout').selectAll().where('certificateId', '=', certificateId).where('endedAt', 'is', null).executeTakeFirst()
}

export interface RolloutOutcome { rolloutId: RolloutRow['id']; isGood: boolean; reason: string; error: WireError | null }
/** How the rollout of an action ended; undefined while it is open, or when there is none. Good: every target that took part was deployed. */
export async function rolloutOutcome(db: Db | Tx, actionId: ActionId): Promise<RolloutOutcome | undefined> {
  const row = await db.selectFrom('rollout').selectAll().where('actionId', '=', actionId).executeTakeFirst()
  if (!row?.endedAt) return undefined
  const targets = await rolloutTargetsOf(db, row.id)
  const first = targets.find((target) => target.error !== null)
  return { rolloutId: row.id, isGood: row.state === 'done' && row.failures === 0, reason: row.reason, error: first?.error ? fromJson<WireError>(first.error) : null }
}
