import type { CertificateId, DeploymentTiming, RenewalMethod, RenewalSettings, VersionId } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { ActionRow } from '../provisioning/action-store.ts'
import { deploymentTime, type ZonedFreeze } from '../schedule/deployment-time.ts'
import { nextAsk, renewalTime, retryTime, type RenewalTime } from './renewal-time.ts'
import type { KnownWindow } from './renewal-window-store.ts'

/** What the schedule starts: a renewal as the method says (what was only found is rotated), or the deployment of what was renewed and could not be deployed. */
type ScheduledKind = RenewalMethod | 'rotate' | 'deploy'
/** What the schedule will do next, when, and why then. */
export interface RenewalDue { at: Date; kind: ScheduledKind; why: string }

/** All that decides about it. */
export interface RenewalFacts {
  certificateId: CertificateId
  /** What the schedule goes by; null when nothing can be renewed by itself. */
  renewal: RenewalSettings | null
  /** What belongs onto the targets: each host may have a version of its own. */
  versions: readonly VersionFacts[]
  windows: ReadonlyMap<VersionId, KnownWindow>
  timing: DeploymentTiming
  freezes: readonly ZonedFreeze[]
  /** What was issued may be deployed without anybody asking. */
  deploysItself: boolean
  /** Something was issued that is not served everywhere. */
  needsDeployment: boolean
  /** When the first thing that is served ends; null: nothing is. */
  servedUntil: Date | null
  /** Newest first. */
  actions: readonly ActionRow[]
}

/** When this version is to be renewed. */
export function versionDue(version: Pick<VersionFacts, 'id' | 'certificateId' | 'createdAt' | 'notAfter'>, settings: RenewalSettings, windows: ReadonlyMap<VersionId, KnownWindow>, lastFailedAt?: Date): RenewalTime {
  const known = windows.get(version.id)
  return renewalTime({ createdAt: new Date(version.createdAt), notAfter: new Date(version.notAfter) }, settings, { spreadKey: version.certificateId, window: known && (known.window ?? null), lastFailedAt })
}

/** So many whole days before its end a version is to be renewed, if all goes well: fewer than set, where checks or a set day come later. At least 1. */
export function plannedDaysBefore(versions: readonly VersionFacts[], settings: RenewalSettings, windows: ReadonlyMap<VersionId, KnownWindow>): number {
  const planned = versions.map((version) => Math.floor((Date.parse(version.notAfter) - versionDue(version, settings, windows).at.getTime()) / 86_400_000))
  return Math.max(1, Math.min(settings.daysBefore, ...planned))
}

const ended = ['failed', 'cancelled']

function lastFailed(newest: ActionRow | undefined, since: Date, now: Date): Date | undefined {
  if (!newest || !ended.includes(newest.state) || !newest.endedAt) return undefined
  const endedAt = new Date(newest.endedAt)
  return endedAt >= since && endedAt <= now ? endedAt : undefined
}

/**
 * When an automatic renewal of what came at `since` last ended badly or was cancelled; undefined when the newest one did not. What
 * a clock once ahead wrote does not count. One that waits to be deployed and left a version as it was did not succeed with it.
 */
function lastFailedRenewal(actions: readonly ActionRow[], since: Date, now: Date): Date | undefined {
  const newest = actions.find((a) => a.requester === 'schedule')
  if (newest?.state === 'waiting' && newest.createdAt > since.toISOString()) return new Date(newest.createdAt)
  return lastFailed(newest, since, now)
}

const byHand: readonly string[] = ['deploy', 'rotate', 'rekey', 'renew', 'regenerate'] satisfies ActionRow['kind'][]

/**
 * A renewal by itself that could not be deployed is tried at each check; otherwise the end of what is served decides. Windows
 * and freeze periods hold for it as for the first attempt.
 */
function redeployAt(facts: RenewalFacts, renewal: RenewalSettings, { createdAt, notAfter }: { createdAt: Date; notAfter: Date }, now: Date): RenewalTime {
  const { actions, certificateId: spreadKey, servedUntil, timing, freezes } = facts
  const lifetime = { createdAt, notAfter: servedUntil && servedUntil < notAfter ? servedUntil : notAfter }
  const failedAt = lastFailedRenewal(actions, createdAt, now)
  const wanted = failedAt ? retryTime(lifetime, renewal, spreadKey, failedAt)
    : renewalTime(lifetime, { ...renewal, trigger: 'days-before' }, { spreadKey, lastFailedAt: lastFailed(actions.find((a) => byHand.includes(a.kind)), createdAt, now) })
  const from = new Date(Math.max(wanted.at.getTime(), now.getTime()))
  const { at, why } = deploymentTime(timing, freezes, { issuedAt: createdAt, servedUntil, spreadKey }, from)
  return at > from ? { at, why } : wanted
}

type Named = RenewalTime & { version: VersionFacts }

/** Whichever version is due first decides, or a host whose order failed would be forgotten. */
function firstDue({ versions, windows, actions }: RenewalFacts, renewal: RenewalSettings, now: Date): Named | undefined {
  const due = versions.map((version) => ({ version, ...versionDue(version, renewal, windows, lastFailedRenewal(actions, new Date(version.createdAt), now)) }))
  return due.toSorted((a, b) => a.at.getTime() - b.at.getTime())[0]
}

/** What the schedule does next; null: nothing. */
export function renewalDue(facts: RenewalFacts, now: Date): (RenewalDue & { version: VersionFacts }) | null {
  const { renewal, deploysItself, needsDeployment } = facts
  const renewed = renewal ? firstDue(facts, renewal, now) : undefined
  if (!renewal || !renewed) return null
  const { version } = renewed
  const deployed = deploysItself && needsDeployment ? redeployAt(facts, renewal, { createdAt: new Date(version.createdAt), notAfter: new Date(version.notAfter) }, now) : undefined
  // A host that can not be deployed to must not keep the others from being renewed.
  return deployed && deployed.at < renewed.at ? { ...deployed, version, kind: 'deploy' } : { ...renewed, kind: startedBy(renewal.method, version) }
}

/** When the authority is asked for its windows: at once for what it was never asked about, then at each check; undefined: never. */
export function windowDue({ renewal, versions, windows, certificateId }: RenewalFacts, now: Date): Date | undefined {
  if (renewal?.trigger !== 'authority') return undefined
  const asks = versions.map((version) => {
    const known = windows.get(version.id)
    return known ? nextAsk({ createdAt: new Date(version.createdAt), notAfter: new Date(version.notAfter) }, renewal, certificateId, known.askedAt) : now
  })
  return asks.toSorted((a, b) => a.getTime() - b.getTime())[0]
}

/** The action that a method starts. What was found and never ordered here has nothing that could be renewed. */
const startedBy = (method: RenewalMethod, { source }: VersionFacts): ScheduledKind => (source === 'order' || method === 're-enrol' ? method : 'rotate')

/** An action under way that a renewal takes the place of: it has waited for its deployment until a newer version was due. */
export const isOutlived = (open: Pick<ActionRow, 'state' | 'kind' | 'createdAt'>, due: RenewalDue): boolean =>
  open.state === 'waiting' && open.kind !== 're-enrol' && due.kind !== 'deploy' && due.at.toISOString() > open.createdAt
