import type { CertificateId, CertloopError, RolloutId, RolloutSettings, TargetId } from '@certloop/contract'
import { lockCertificate } from '../certificate/certificate-store.ts'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { placementOf } from '../provisioning/configuration-store.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenRollout } from './rollout-state.ts'
import { changeRollout, findRollout, noteRollout, rolloutTargetsOf, settingsOf, updateRolloutTarget, type RolloutChange, type RolloutRow, type RolloutTargetRow } from './rollout-store.ts'

export interface WorkTarget extends RolloutTargetRow { title: string; pair: string | null }

/** One rollout in hand, within one transaction: what is changed here is written at once. */
export interface Work {
  readonly tx: Tx
  readonly wake: Wakes
  readonly now: Date
  readonly settings: RolloutSettings
  readonly targets: readonly WorkTarget[]
  rollout: RolloutRow
  /** What it says of its certificate has changed. */
  moved: boolean
}
/** The same, with what it takes to move it on. */
export interface Moving extends Work {
  readonly secrets: Secrets
  /** What HTTP checks made before this transaction have shown; null: as wanted. */
  readonly checks: ReadonlyMap<TargetId, CertloopError | null>
  /** It has to be looked at again by then, besides its deadline. */
  lookAgainAt: Date | null
}

/** Takes a rollout up. Whoever works on the same certificate waits. Undefined: it is gone. */
export async function takeUp(tx: Tx, wake: Wakes, id: RolloutId, now: Date): Promise<Work | undefined> {
  const known = await findRollout(tx, id)
  if (!known) return undefined
  await lockCertificate(tx, known.certificateId)
  const rollout = await findRollout(tx, id)
  if (!rollout) return undefined
  return { tx, wake, now, rollout, settings: settingsOf(rollout), targets: await workTargets(tx, rollout.id, rollout.certificateId), moved: false }
}

async function workTargets(tx: Tx, id: RolloutId, certificateId: CertificateId): Promise<WorkTarget[]> {
  const rows = await tx.selectFrom('target').select(['id', 'title', 'placement']).where('certificateId', '=', certificateId).execute()
  const places = new Map(rows.map((row) => [row.id, row]))
  return (await rolloutTargetsOf(tx, id)).map((target) => {
    const place = places.get(target.targetId)
    return { ...target, title: place?.title ?? target.targetId, pair: place ? placementOf(place).pair : null }
  })
}

export async function setTarget({ tx }: Work, target: WorkTarget, changes: Partial<Pick<RolloutTargetRow, 'state' | 'deploymentId' | 'undoId' | 'gate' | 'reason' | 'error'>>): Promise<void> {
  await updateRolloutTarget(tx, target, changes)
  Object.assign(target, changes)
}

/** One transition. At an end, the action that the rollout belongs to is looked at. */
export async function move(work: Work, change: RolloutChange): Promise<void> {
  const { tx, wake, now } = work
  work.rollout = await changeRollout(tx, wake, work.rollout, change, now)
  work.moved = true
  if (!isOpenRollout(work.rollout.state)) await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: work.rollout.actionId }, now)
}
export async function tell(work: Work, note: Parameters<typeof noteRollout>[3]): Promise<void> {
  const before = work.rollout
  work.rollout = await noteRollout(work.tx, work.wake, before, note, work.now)
  work.moved ||= work.rollout !== before
}

export const inState = (targets: readonly WorkTarget[], ...states: RolloutTargetRow['state'][]): WorkTarget[] => targets.filter(({ state }) => states.includes(state))
export const ofWave = ({ targets, rollout }: Work): WorkTarget[] => targets.filter(({ wave }) => wave === rollout.wave)
/** It holds the new version because of this rollout: deployed, also where that did not get through the gate. */
export const holdsNew = ({ state, gate }: Pick<RolloutTargetRow, 'state' | 'gate'>): boolean => state === 'deployed' || (state === 'failed' && gate === 'failed')

/** A target has failed. The other host of its pair is not touched any more: one of the two has to go on serving. */
export async function failTarget(work: Work, target: WorkTarget, failure: { reason: string; error: CertloopError | null; gate?: 'failed' }): Promise<void> {
  const { reason, error, gate } = failure
  await setTarget(work, target, { state: 'failed', reason, error: error && toJson(error.toWire()), ...(gate ? { gate } : {}) })
  if (target.pair === null) return
  for (const partner of inState(work.targets, 'waiting').filter(({ pair }) => pair === target.pair)) {
    await setTarget(work, partner, { state: 'left-out', reason: `${target.title}, of the same pair "${target.pair}", failed; so this one was left as it is.` })
  }
}

/** What has not had its turn does not get one any more. */
export async function leaveOutWaiting(work: Work, reason: string): Promise<void> {
  for (const target of inState(work.targets, 'waiting')) await setTarget(work, target, { state: 'left-out', reason })
}
