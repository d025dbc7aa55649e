import type { CertificateId, DeploymentTiming, RenewalMethod, RenewalSettings, TargetId, VersionId } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { ActionRow } from '../provisioning/action-store.ts'
import { deploymentTime, type ZonedFreeze } from '../schedule/deployment-time.ts'
import { nextAsk, renewalTime, retryTime, type Lifetime, type RenewalTime } from './renewal-time.ts'
import type { KnownWindow } from './renewal-window-store.ts'

/** What the schedule starts: a renewal as the method says (what was only found is rotated), or the deployment of what was renewed and could not be deployed. */
type ScheduledKind = RenewalMethod | 'rotate' | 'deploy'
/** What the schedule will do next, when, and why then. */
export interface RenewalDue { at: Date; kind: ScheduledKind; why: string; /** Of a deployment: where it is needed. */ targetIds?: readonly TargetId[] }

/** A version in care. `served`: where it is to be replaced something else is served, which ends before it, and only a newer version can go there. */
export interface DueVersion extends VersionFacts { served?: { notAfter: string; isTakenBack: boolean } }

/** All that decides about it. */
export interface RenewalFacts {
  certificateId: CertificateId
  /** What the schedule goes by; null when nothing can be renewed by itself. */
  renewal: RenewalSettings | null
  /** What belongs onto the targets: each host may have a version of its own. */
  versions: readonly DueVersion[]
  windows: ReadonlyMap<VersionId, KnownWindow>
  timing: DeploymentTiming
  freezes: readonly ZonedFreeze[]
  /** What was issued may be deployed without anybody asking. */
  deploysItself: boolean
  /** Where something was issued that can be deployed there and is not served. */
  toDeploy: readonly TargetId[]
  /** When the first thing that is served ends where it can be deployed; null: nothing is. */
  servedUntil: Date | null
  /** Newest first. */
  actions: readonly ActionRow[]
}

type Due = Pick<DueVersion, 'id' | 'certificateId' | 'createdAt' | 'notAfter' | 'served'>

/** When this version is to be renewed. What is served in its place and ends before it counts as well. */
export function versionDue(version: Due, settings: RenewalSettings, windows: ReadonlyMap<VersionId, KnownWindow>, lastFailedAt?: Date): RenewalTime {
  const known = windows.get(version.id)
  const of = { spreadKey: version.certificateId, lastFailedAt }
  const createdAt = new Date(version.createdAt)
  const own = renewalTime({ createdAt, notAfter: new Date(version.notAfter) }, settings, { ...of, ...(known?.answered ? { window: known.window ?? null, askedAt: known.askedAt } : {}) })
  if (!version.served) return own
  const served = { createdAt, notAfter: new Date(version.served.notAfter) }
  const early = renewalTime(served, { ...settings, trigger: 'days-before', daysBefore: version.served.isTakenBack ? inHand(served, settings) : settings.daysBefore }, of)
  return early.at < own.at ? early : own
}

/** Where a version was taken back, people have their time to see to it: only what stays in hand is used. */
const inHand = ({ createdAt, notAfter }: Lifetime, { daysBefore }: RenewalSettings): number =>
  Math.max(1, Math.floor(Math.min(daysBefore, (notAfter.getTime() - createdAt.getTime()) / 86_400_000) / 3))

/** So many whole days before its end a version is to be renewed, if all goes well: fewer than set, where checks or a set day come later. At least 1. */
export function plannedDaysBefore(versions: readonly DueVersion[], settings: RenewalSettings, windows: ReadonlyMap<VersionId, KnownWindow>): number {
  const planned = versions.map((version) => Math.floor((Date.parse(version.notAfter) - versionDue(version, settings, windows).at.getTime()) / 86_400_000))
  return Math.max(1, Math.min(settings.daysBefore, ...planned))
}

const failed = ['failed', 'cancelled']
const ended = [...failed, 'done']

/** What a clock once ahead wrote does not count. */
function endOf(newest: ActionRow | undefined, states: readonly string[], since: Date, now: Date): Date | undefined {
  if (!newest || !states.includes(newest.state) || !newest.endedAt) return undefined
  const endedAt = new Date(newest.endedAt)
  return endedAt >= since && endedAt <= now ? endedAt : undefined
}
const bySchedule = (actions: readonly ActionRow[]): ActionRow | undefined => actions.find((a) => a.requester === 'schedule')

/**
 * When the last attempt of the schedule to renew what came at `since` was over, however it ended: one that is done and left a
 * version due is not repeated at once either. One that waits to be deployed and left a version as it was did not succeed with it.
 */
function lastAttempt(actions: readonly ActionRow[], since: Date, now: Date): Date | undefined {
  const newest = bySchedule(actions)
  if (newest?.state === 'waiting' && newest.createdAt > since.toISOString()) return new Date(newest.createdAt)
  return endOf(newest, ended, since, now)
}

const byHand: readonly string[] = ['deploy', 'rotate', 'rekey', 'renew', 'regenerate'] satisfies ActionRow['kind'][]

/**
 * A renewal by itself that could not be deployed is tried at each check; otherwise the end of what is served decides. Windows
 * and freeze periods hold for it as for the first attempt.
 */
function redeployAt(facts: RenewalFacts, renewal: RenewalSettings, { createdAt, notAfter }: { createdAt: Date; notAfter: Date }, now: Date): RenewalTime {
  const { actions, certificateId: spreadKey, servedUntil, timing, freezes } = facts
  const lifetime = { createdAt, notAfter: servedUntil && servedUntil < notAfter ? servedUntil : notAfter }
  const newest = bySchedule(actions)
  const failedAt = newest?.state === 'waiting' ? lastAttempt(actions, createdAt, now) : endOf(newest, failed, createdAt, now)
  const others = [endOf(newest, ended, createdAt, now), endOf(actions.find((a) => byHand.includes(a.kind)), failed, createdAt, now)].filter((d) => d !== undefined)
  const wanted = failedAt ? retryTime(lifetime, renewal, spreadKey, failedAt)
    : renewalTime(lifetime, { ...renewal, trigger: 'days-before' }, { spreadKey, lastFailedAt: others.toSorted((a, b) => b.getTime() - a.getTime())[0] })
  const from = new Date(Math.max(wanted.at.getTime(), now.getTime()))
  const { at, why } = deploymentTime(timing, freezes, { issuedAt: createdAt, servedUntil, spreadKey }, from)
  return at > from ? { at, why } : wanted
}

type Named = RenewalTime & { version: DueVersion }

/** Whichever version is due first decides, or a host whose order failed would be forgotten. */
function firstDue({ versions, windows, actions }: RenewalFacts, renewal: RenewalSettings, now: Date): Named | undefined {
  const due = versions.map((version) => ({ version, ...versionDue(version, renewal, windows, lastAttempt(actions, new Date(version.createdAt), now)) }))
  return due.toSorted((a, b) => a.at.getTime() - b.at.getTime())[0]
}

/** What the schedule does next; null: nothing. */
export function renewalDue(facts: RenewalFacts, now: Date): (RenewalDue & { version: DueVersion }) | null {
  const { renewal, deploysItself, toDeploy } = facts
  const renewed = renewal ? firstDue(facts, renewal, now) : undefined
  if (!renewal || !renewed) return null
  const { version } = renewed
  const deployed = deploysItself && toDeploy.length > 0 ? redeployAt(facts, renewal, { createdAt: new Date(version.createdAt), notAfter: new Date(version.notAfter) }, now) : undefined
  // A host that can not be deployed to must not keep the others from being renewed.
  return deployed && deployed.at < renewed.at ? { ...deployed, version, kind: 'deploy', targetIds: toDeploy } : { ...renewed, kind: startedBy(renewal.method, version) }
}

/** When the authority is asked for its windows: at once for what it was never asked about, then when it said, or at each check; undefined: never. */
export function windowDue({ renewal, versions, windows, certificateId }: RenewalFacts, now: Date): Date | undefined {
  if (renewal?.trigger !== 'authority') return undefined
  const asks = versions.map((version) => {
    const known = windows.get(version.id)
    return known ? known.askAgainAt ?? nextAsk({ createdAt: new Date(version.createdAt), notAfter: new Date(version.notAfter) }, renewal, certificateId, known.askedAt) : now
  })
  return asks.toSorted((a, b) => a.getTime() - b.getTime())[0]
}

/** The action that a method starts. What was found and never ordered here has nothing that could be renewed. */
const startedBy = (method: RenewalMethod, { source }: VersionFacts): ScheduledKind => (source === 'order' || method === 're-enrol' ? method : 'rotate')

/** An action under way that a renewal takes the place of: it has waited for its deployment until a newer version was due. */
export const isOutlived = (open: Pick<ActionRow, 'state' | 'kind' | 'createdAt'>, due: RenewalDue): boolean =>
  open.state === 'waiting' && open.kind !== 're-enrol' && due.kind !== 'deploy' && due.at.toISOString() > open.createdAt
