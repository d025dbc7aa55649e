import type { CertificateId, TargetId } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { deployableVersion, wantedVersion } from '../proof/inspection.ts'
import type { TargetRow } from '../provisioning/configuration-store.ts'
import { lastOn, type DeploymentRow } from './deployment-store.ts'

/**
 * A target that somebody keeps the version away from that belongs there. undone: it was taken back. earlier: another version was
 * deployed there by hand since. stopped: its rollout ended before it was through; `by` is null where it stopped by itself.
 */
export interface TakenBack { target: TargetRow; how: 'undone' | 'earlier' | 'stopped'; by: string | null }

type Found = Map<TargetId, Pick<TakenBack, 'how' | 'by'>>

/**
 * Where a person, or a rollout that stopped, keeps away what belongs there by its age. Nothing puts it there again by itself:
 * there was a reason, and the schedule does not know it. A newer version, or a person, ends that.
 */
export async function takenBackFrom(db: Db | Tx, certificateId: CertificateId, versions: readonly VersionFacts[], targets: readonly TargetRow[]): Promise<TakenBack[]> {
  const found: Found = new Map([...await stoppedOn(db, certificateId, versions, targets), ...await replacedOn(db, certificateId, versions, targets)])
  return targets.flatMap((target) => {
    const one = found.get(target.id)
    return one ? [{ target, ...one }] : []
  })
}

/** Where the last change was made by hand and put something else there than what belongs there. */
async function replacedOn(db: Db | Tx, certificateId: CertificateId, versions: readonly VersionFacts[], targets: readonly TargetRow[]): Promise<Found> {
  const wanted = new Map(targets.map((target) => [target.id, wantedVersion(versions, target)]))
  const [since] = [...wanted.values()].flatMap((version) => version?.createdAt ?? []).toSorted()
  if (since === undefined) return new Map()
  const rows = await db.selectFrom('deployment').select(['id', 'targetId', 'versionId', 'requester', 'undoes', 'createdAt']).where('certificateId', '=', certificateId).where('state', '=', 'deployed')
    .where((eb) => eb.or([eb('undoes', 'is not', null), eb.and([eb('requester', '!=', 'schedule'), eb('createdAt', '>=', since)])])).orderBy('id').execute()
  const last = new Map(rows.map((row) => [row.targetId, row]))
  const found: Found = new Map()
  for (const target of targets) {
    const [row, version] = [last.get(target.id), wanted.get(target.id)]
    const how = row && version && howKeptAway(row, version, deployableVersion(versions, target))
    if (how && (await lastOn(db, target.id))?.id === row.id) found.set(target.id, { how, by: row.requester })
  }
  return found
}

/** What a change by hand did to the version that belongs there; undefined: it did not keep it away. */
function howKeptAway(row: Pick<DeploymentRow, 'versionId' | 'undoes' | 'createdAt'>, wanted: VersionFacts, deployable: VersionFacts | undefined): 'undone' | 'earlier' | undefined {
  const isOther = row.versionId !== wanted.id
  if (row.undoes !== null) return isOther ? undefined : 'undone'
  return isOther && deployable?.id === wanted.id && row.createdAt >= wanted.createdAt ? 'earlier' : undefined
}

const brokenOff: readonly string[] = ['stopped', 'undone', 'undo-failed']
/** Rollouts that are looked through: one version has few. */
const looksThrough = 20

/** What a rollout that was broken off did not bring, and nobody has tried by hand since. */
async function stoppedOn(db: Db | Tx, certificateId: CertificateId, versions: readonly VersionFacts[], targets: readonly TargetRow[]): Promise<Found> {
  const rollouts = await db.selectFrom('rollout').select(['id', 'state', 'stoppedBy', 'undoneBy', 'endedAt']).where('certificateId', '=', certificateId).orderBy('id', 'desc').limit(looksThrough).execute()
  const ends = rollouts.flatMap((r) => (brokenOff.includes(r.state) && r.endedAt !== null ? [r.endedAt] : [])).toSorted()
  if (ends[0] === undefined) return new Map()
  const parts = await db.selectFrom('rolloutTarget').select(['rolloutId', 'targetId', 'versionId', 'state']).where('rolloutId', 'in', rollouts.map((r) => r.id)).where('versionId', 'is not', null).orderBy('rolloutId').execute()
  const byHand = await db.selectFrom('deployment').select(['targetId', 'createdAt', 'rolloutId']).where('certificateId', '=', certificateId).where('requester', '!=', 'schedule').where('undoes', 'is', null).where('createdAt', '>=', ends[0]).execute()
  const last = new Map(parts.map((part) => [part.targetId, part]))
  const found: Found = new Map()
  for (const target of targets) {
    const part = last.get(target.id)
    const rollout = rollouts.find((r) => r.id === part?.rolloutId)
    if (!part || !rollout?.endedAt || !brokenOff.includes(rollout.state) || part.state === 'deployed' || part.versionId !== wantedVersion(versions, target)?.id) continue
    const end = rollout.endedAt
    if (!byHand.some((d) => d.targetId === target.id && d.createdAt >= end && d.rolloutId !== part.rolloutId)) found.set(target.id, { how: 'stopped', by: rollout.stoppedBy ?? rollout.undoneBy })
  }
  return found
}

/** Without a full stop. */
export function whyTakenBack({ how, by }: Pick<TakenBack, 'how' | 'by'>): string {
  if (how === 'undone') return `It was taken back here by ${by ?? 'its rollout'}`
  if (how === 'earlier') return `Another version was deployed here by hand by ${by ?? 'somebody'}`
  return by ? `Its rollout was stopped by ${by} before it was through` : 'Its rollout stopped by itself before it was through'
}
