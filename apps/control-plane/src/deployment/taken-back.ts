import type { CertificateId, TargetId } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { wantedVersion } from '../proof/inspection.ts'
import type { TargetRow } from '../provisioning/configuration-store.ts'
import { lastOn } from './deployment-store.ts'

/** A target from which the version that belongs there was taken back. */
export interface TakenBack { target: TargetRow; by: string; at: string }

/**
 * Where a person, or a rollout that somebody stopped, took back what belongs there by its age. Nothing puts it there again by itself:
 * there was a reason, and the schedule does not know it. A newer version, or a person, ends that.
 */
export async function takenBackFrom(db: Db | Tx, certificateId: CertificateId, versions: readonly VersionFacts[], targets: readonly TargetRow[]): Promise<TakenBack[]> {
  const undos = await db.selectFrom('deployment').select(['id', 'targetId', 'versionId', 'requester', 'endedAt']).where('certificateId', '=', certificateId).where('undoes', 'is not', null).where('state', '=', 'deployed').orderBy('id').execute()
  const last = new Map<TargetId, (typeof undos)[number]>(undos.map((undo) => [undo.targetId, undo]))
  const taken: TakenBack[] = []
  for (const target of targets) {
    const undo = last.get(target.id)
    if (!undo || undo.versionId !== wantedVersion(versions, target)?.id || (await lastOn(db, target.id))?.id !== undo.id) continue
    taken.push({ target, by: undo.requester, at: undo.endedAt ?? '' })
  }
  return taken
}

/** What the schedule may look after: the targets, and what is seen at them, without those that something was taken back from. */
export function withoutTakenBack<I extends { botId: string; serverType: string; placeKey: string }>(targets: readonly TargetRow[], installations: readonly I[], taken: readonly TakenBack[]): { targetCount: number; installations: I[] } {
  const isTaken = (i: I) => taken.some(({ target }) => target.botId === i.botId && target.serverType === i.serverType && target.placeKey === i.placeKey)
  return { targetCount: targets.length - taken.length, installations: installations.filter((i) => !isTaken(i)) }
}
