import { CertloopError, type CertificateId } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { findCertificate, findVersion, newestVersions, type VersionFacts } from '../certificate/certificate-store.ts'
import { revocationsOf } from '../certificate/version-revocation.ts'
import { fromBit } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { takenBackFrom, whyTakenBack } from '../deployment/taken-back.ts'
import { startDeployment } from '../deployment/deployment-worker.ts'
import { addEvent } from '../event/event-store.ts'
import { ordersOfAction } from '../order/order-store.ts'
import { deployableVersion } from '../proof/inspection.ts'
import { needsRollout, startRollout, type RolloutEntry } from '../rollout/rollout.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { targetIdsOf, type ActionRow } from './action-store.ts'
import { findConfiguration, rolloutOf, targetsOf, type ConfigurationRow, type TargetRow } from './configuration-store.ts'

const revokedBot = (name: string) => new CertloopError('CONFIGURATION_INCOMPLETE', `The bot "${name}" of a target was revoked. Choose another in the configuration.`)

/**
 * The targets that an action is about and whose bot may still work. One revoked bot does not stop the others; the timeline says
 * that it was left out.
 * @param of whose targets; a re-enrolment orders for those of the parent
 * @throws when none is left
 */
export async function usableTargets(tx: Tx, action: ActionRow, now: Date, of: CertificateId = action.certificateId): Promise<TargetRow[]> {
  const wanted = targetIdsOf(action)
  const usable: TargetRow[] = []
  const refused: CertloopError[] = []
  for (const target of await targetsOf(tx, of)) {
    if (wanted && !wanted.includes(target.id)) continue
    const bot = await findBot(tx, target.botId)
    if (bot && !bot.revokedAt) usable.push(target)
    else refused.push(revokedBot(bot?.name ?? target.botId))
  }
  const [error] = refused
  if (usable.length === 0 && error) throw error
  for (const each of refused) await addEvent(tx, { kind: 'action.target-left-out', message: each.message, error: each, requester: action.requester, certificateId: action.certificateId }, now)
  return usable
}

/** What goes where: the version asked for; what this action ordered; or, to deploy again, the newest that fits. */
async function versionsToDeploy(tx: Tx, { certificateId, id, kind, versionId }: ActionRow): Promise<VersionFacts[]> {
  const asked = versionId ? await findVersion(tx, versionId) : undefined
  if (asked) return asked.certificateId === certificateId ? [asked] : []
  const versions = await newestVersions(tx, certificateId)
  if (kind === 'deploy') return versions
  const ordered = new Set((await ordersOfAction(tx, id)).map((o) => o.id))
  return versions.filter((v) => v.orderId !== null && ordered.has(v.orderId))
}

/** Which version goes onto which target. What was revoked or suspended goes nowhere, and nothing older in its place. */
async function entriesOf(tx: Tx, action: ActionRow, now: Date): Promise<RolloutEntry[]> {
  const versions = await versionsToDeploy(tx, action)
  const revoked = await revocationsOf(tx, versions.map((v) => v.fingerprint))
  const targets = await usableTargets(tx, action, now)
  // The schedule does not know why somebody took something back; a person who asks does.
  const taken = action.requester === 'schedule' ? await takenBackFrom(tx, action.certificateId, versions, targets) : []
  return targets.map((target) => {
    const version = deployableVersion(versions, target)
    if (!version) return { target, versionId: null, reason: 'There is no version with its key on the host of this target.' }
    const back = taken.find((one) => one.target.id === target.id)
    if (back) return { target, versionId: null, reason: `${whyTakenBack(back)}: only a person deploys it here again.` }
    const revocation = revoked.get(version.fingerprint)
    return revocation ? { target, versionId: null, reason: `The version for this target was ${revocation.status === 'held' ? 'suspended' : 'revoked'}.` } : { target, versionId: version.id }
  })
}

const nowhere = (entries: readonly RolloutEntry[]): CertloopError => {
  const [first] = entries.filter((entry) => entry.reason?.includes('was revoked') || entry.reason?.includes('was suspended'))
  if (first) return new CertloopError('ACTION_NOT_POSSIBLE', `${first.reason ?? ''} Rekey it.`)
  return new CertloopError('ACTION_NOT_POSSIBLE', entries.length === 0 ? 'There is no target left to deploy to.' : 'No target can take this version: its key is not on the host of a target.')
}

/**
 * Starts the deployments of an action: each by itself, or put in order by a rollout where the configuration wants that.
 * @throws CertloopError ACTION_NOT_POSSIBLE when nothing can be deployed anywhere, CONFIGURATION_INCOMPLETE when every bot was revoked
 */
export async function deployAll(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  const configuration = await findConfiguration(tx, action.certificateId)
  const entries = configuration ? await entriesOf(tx, action, now) : []
  const able = entries.filter((entry) => entry.versionId !== null)
  if (!configuration || able.length === 0) throw nowhere(entries)
  const [settings, rollback] = [rolloutOf(configuration), fromBit(configuration.rollback)]
  if (needsRollout(settings, able.map((entry) => entry.target))) {
    await startRollout(tx, wake, { action, settings, entries, approval: configuration.approval, rollback }, secrets, now)
    return
  }
  const { certificateId, requester } = action
  for (const { target, versionId } of able) {
    if (versionId) await startDeployment(tx, wake, { certificateId, actionId: action.id, versionId, targetId: target.id, botId: target.botId, rollback, approval: configuration.approval, requester, reason: `To be deployed to ${target.title}.` }, secrets, now)
  }
}

const hourMs = 3_600_000
/** By when a deployment should have ended: bots have their time; where people decide or waves are watched, the end of what is served counts. */
export async function deploymentDeadline(tx: Tx, certificateId: CertificateId, configuration: ConfigurationRow, now: Date): Promise<Date> {
  const bots = new Date(now.getTime() + 2 * hourMs)
  if (configuration.approval === 'automatic' && !needsRollout(rolloutOf(configuration), await targetsOf(tx, certificateId))) return bots
  const end = (await findCertificate(tx, certificateId))?.notAfter
  return end && new Date(end) > bots ? new Date(end) : new Date(now.getTime() + 30 * 24 * hourMs)
}
