import type { BotId, CertificateId, InstallationState, TargetId, VersionId } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { takenBackFrom, type TakenBack } from '../deployment/taken-back.ts'
import { deployableVersion, wantedVersion } from '../proof/inspection.ts'
import { samePlace, targetsOf, type TargetRow } from '../provisioning/configuration-store.ts'
import type { DueVersion } from './renewal-due.ts'

/** A target as it is, or as it would be. */
type Place = Pick<TargetRow, 'botId' | 'serverType' | 'placeKey' | 'title'>
type Seen = Omit<Place, 'title'> & { state: InstallationState; versionId: VersionId | null }

/** A target as the schedule sees it. */
export interface CaredTarget extends Place {
  /** null: it is not saved yet. */
  id: TargetId | null
  /** What belongs there. */
  wanted: VersionFacts | undefined
  /** A version with its key on its host is there. */
  isDeployable: boolean
  isInSync: boolean
  takenBack: TakenBack | undefined
  /** When what is served there ends; null: nothing is. */
  servedUntil: Date | null
}
export interface Care {
  /** Those that something can be done for: their bot was not revoked. */
  usable: readonly CaredTarget[]
  /** What is to be renewed. Where every bot was revoked, that of all: the attempt fails and says so. */
  versions: readonly DueVersion[]
  /** Those whose bot was revoked, with its name. */
  leftOut: readonly { title: string; bot: string }[]
}

async function revokedAmong(db: Db | Tx, ids: readonly BotId[]): Promise<Map<BotId, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('bot').select(['id', 'name']).where('id', 'in', ids).where('revokedAt', 'is not', null).execute()
  return new Map(rows.map((row) => [row.id, row.name]))
}

/** What the schedule has to look after. `ends`: when the versions that are installed end. */
export async function careOf(db: Db | Tx, id: CertificateId, { versions, targets, installations, ends }: { versions: readonly VersionFacts[]; targets: readonly Place[]; installations: readonly Seen[]; ends: ReadonlyMap<VersionId, Pick<VersionFacts, 'notAfter'>> }): Promise<Care> {
  const saved = await targetsOf(db, id)
  const taken = await takenBackFrom(db, id, versions, saved)
  const revoked = await revokedAmong(db, [...new Set(targets.map((t) => t.botId))])
  const all = targets.map((target): CaredTarget => {
    const { botId, serverType, placeKey, title } = target
    const seen = installations.find((i) => samePlace(i, target))
    const end = seen?.versionId ? ends.get(seen.versionId)?.notAfter : undefined
    const isInSync = seen?.state === 'in-sync'
    return {
      botId, serverType, placeKey, title, id: saved.find((s) => samePlace(s, target))?.id ?? null, wanted: wantedVersion(versions, target), isDeployable: deployableVersion(versions, target) !== undefined, isInSync,
      takenBack: isInSync ? undefined : taken.find((one) => samePlace(one.target, target)), servedUntil: end === undefined ? null : new Date(end),
    }
  })
  const usable = all.filter((target) => !revoked.has(target.botId))
  return { usable, versions: dueVersions(usable.length > 0 ? usable : all), leftOut: all.flatMap(({ botId, title }) => (revoked.has(botId) ? [{ title, bot: revoked.get(botId) ?? botId }] : [])) }
}

/** Each version once for how it is due. */
function dueVersions(targets: readonly CaredTarget[]): DueVersion[] {
  const due = new Map<string, DueVersion>()
  for (const target of targets) {
    const version = dueVersion(target)
    if (version) due.set([version.id, version.served?.notAfter, version.served?.isTakenBack].join(' '), version)
  }
  return [...due.values()]
}

/** What belongs onto a target. Where it can't be deployed or was taken back, the end of what is served counts too, if that is earlier. */
export function dueVersion({ wanted, isDeployable, takenBack, servedUntil }: CaredTarget): DueVersion | undefined {
  if (!wanted || (isDeployable && !takenBack) || servedUntil === null || servedUntil >= new Date(wanted.notAfter)) return wanted
  return { ...wanted, served: { notAfter: servedUntil.toISOString(), isTakenBack: takenBack !== undefined } }
}

const takes = ({ isDeployable, takenBack }: CaredTarget): boolean => isDeployable && takenBack === undefined
/** Where something was issued that the schedule can deploy, and it is not served. */
export const toDeploy = ({ usable }: Care): TargetId[] => usable.flatMap((target) => (takes(target) && !target.isInSync && target.id !== null ? [target.id] : []))
/** When the first of what the schedule could replace by deploying ends; null: nothing is served. */
export const replaceableUntil = ({ usable }: Care): Date | null =>
  usable.filter(takes).map((target) => target.servedUntil).filter((d) => d !== null).toSorted((a, b) => a.getTime() - b.getTime())[0] ?? null
