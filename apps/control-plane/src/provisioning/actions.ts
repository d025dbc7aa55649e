import { CertloopError, type ActionKind, type BatchId, type BotId, type BotTaskPayload, type CertificateId, type KeyAlgorithm, type KeyId, type RevocationReasonToGive, type TargetId, type VersionId } from '@certloop/contract'
import { checkNames, readCsr } from '@certloop/pki'
import { findBot } from '../bot/bot-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, getCertificate, lockCertificate, newestVersions, ownNames, updateCertificate, type VersionFacts } from '../certificate/certificate-store.ts'
import { fromBit } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { openDeploymentsOf } from '../deployment/deployment-store.ts'
import { startDeployment } from '../deployment/deployment-worker.ts'
import { addEvent } from '../event/event-store.ts'
import { ordersOfAction, type NewOrder } from '../order/order-store.ts'
import { startOrder } from '../order/order-worker.ts'
import { renewalTime } from '../renewal/renewal-time.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { whyNot, type ActionFacts } from './action-rules.ts'
import { insertAction, openAction, type ActionRow } from './action-store.ts'
import { csrOf, findConfiguration, renewalOf, targetsOf, type ConfigurationRow, type TargetRow } from './configuration-store.ts'
import { briefTarget } from './target-briefing.ts'

const orderHours = 24
const checkMinutes = 15

export async function actionFacts(tx: Db | Tx, id: CertificateId): Promise<ActionFacts> {
  const [configuration, targets, versions, deployments, running] = [await findConfiguration(tx, id), await targetsOf(tx, id), await newestVersions(tx, id), await openDeploymentsOf(tx, id), await openAction(tx, id)]
  return {
    openAction: running?.kind ?? null,
    openDeployment: deployments.length > 0,
    configuration: !configuration ? 'none' : fromBit(configuration.complete) ? 'complete' : 'draft',
    targetCount: targets.length,
    deployableCount: targets.filter((t) => deployableVersion(versions, t)).length,
  }
}

/** The newest version that can go onto this target: its key is on the same host. */
export function deployableVersion(versions: readonly VersionFacts[], target: Pick<TargetRow, 'botId'>): VersionFacts | undefined {
  return versions.find((v) => v.keyBotId === target.botId && v.keyId !== null)
}

export interface StartAction {
  certificateId: CertificateId
  kind: ActionKind
  requester: string
  /** Only with "order": a request made elsewhere. */
  csrPem?: string | undefined
  /** With "deploy", "revoke", "suspend" and "resume"; the newest that fits when it is left out. */
  versionId?: VersionId | undefined
  /** With "deploy" and "recheck-pinning": these targets of the configuration and no others. */
  targetIds?: readonly TargetId[] | undefined
  /** Only with "revoke": the reason of RFC 5280. */
  reason?: RevocationReasonToGive | undefined
  batchId?: BatchId | undefined
  /** One sentence for the timeline: why it is started now. */
  why?: string | undefined
}

/**
 * Starts a lifecycle action: the action, its first orders, deployments or checks and their tasks, in one transaction.
 * @throws CertloopError ACTION_NOT_POSSIBLE with the reason, CONFIGURATION_INCOMPLETE, CSR_INVALID, NAME_INVALID, TOO_MANY_NAMES
 */
export async function startAction(tx: Tx, wake: Wakes, start: StartAction, secrets: Secrets, now: Date): Promise<ActionRow> {
  const { certificateId, kind, requester, csrPem, versionId } = start
  await getCertificate(tx, certificateId)
  await lockCertificate(tx, certificateId)
  const why = whyNot(kind, await actionFacts(tx, certificateId))
  if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${kind}" is not possible now. ${why}`, { certificateId })
  if (csrPem !== undefined && kind !== 'order') throw new CertloopError('INPUT_INVALID', 'A CSR can only come with "order".', { fields: ['body.csrPem: only with the action "order"'] })
  const configuration = await findConfiguration(tx, certificateId)
  if (!configuration) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'There is no provisioning configuration yet.')
  const orders = kind === 'order' || kind === 'rotate' || kind === 'rekey'
  const action = await insertAction(tx, wake, { certificateId, kind, requester, state: orders ? 'ordering' : kind === 'deploy' ? 'deploying' : 'checking', versionId: versionId ?? null }, now)
  if (orders) await orderAll(tx, wake, action, configuration, csrPem, now)
  else if (kind === 'deploy') await deployAll(tx, wake, action, secrets, now)
  else await checkAll(tx, wake, action, secrets, now)
  await refreshCertificate(tx, wake, certificateId, now)
  return action
}

type Common = Pick<NewOrder, 'certificateId' | 'actionId' | 'authorityId' | 'validityDays' | 'requester' | 'deadline'>

/** One order for each host, so that no key leaves its host; or one with the uploaded CSR. */
async function orderAll(tx: Tx, wake: Wakes, action: ActionRow, configuration: ConfigurationRow, csrPem: string | undefined, now: Date): Promise<void> {
  const { certificateId, requester } = action
  const csr = csrOf(configuration)
  if (!configuration.authorityId) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no authority.')
  const common = { certificateId, actionId: action.id, authorityId: configuration.authorityId, validityDays: csr.validityDays, requester, deadline: new Date(now.getTime() + orderHours * 3_600_000) }
  if (csrPem === undefined) await orderPerHost(tx, wake, action, configuration, common, now)
  else await orderUploaded(tx, wake, csrPem, common, now)
}

async function orderUploaded(tx: Tx, wake: Wakes, csrPem: string, common: Common, now: Date): Promise<void> {
  const { names, commonName, keyAlgorithm } = readCsr(csrPem)
  await startOrder(tx, wake, { ...common, names: checkNames(names), commonName, keyAlgorithm: keyAlgorithm as KeyAlgorithm, custody: 'external', botId: null, reuseKeyId: null, csrPem, reason: 'Ordered with an uploaded request.', nextAction: null }, now)
}

async function orderPerHost(tx: Tx, wake: Wakes, action: ActionRow, configuration: ConfigurationRow, common: Common, now: Date): Promise<void> {
  const csr = csrOf(configuration)
  const names = checkNames(csr.names.length > 0 ? csr.names : await ownNames(tx, action.certificateId))
  const versions = await newestVersions(tx, action.certificateId)
  const bots = [...new Set((await usableTargets(tx, action, now)).map((t) => t.botId))]
  if (bots.length === 0) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no target whose bot could make the key. Add one, or upload a CSR.')
  const due = action.requester === 'schedule' ? bots.filter((botId) => isDue(versions, botId, configuration, now)) : bots
  for (const botId of due.length > 0 ? due : bots) {
    const reuseKeyId = csr.keyReuse && action.kind !== 'rekey' ? reusableKey(versions, botId, csr.keyAlgorithm) : null
    await startOrder(tx, wake, { ...common, names, commonName: csr.commonName, keyAlgorithm: csr.keyAlgorithm, custody: 'endpoint', botId, reuseKeyId, csrPem: null, reason: 'Ordered.', nextAction: 'The bot makes the key and the request on its host.' }, now)
  }
}

/** A host that was renewed already is left alone when the schedule comes again for one that failed. */
function isDue(versions: readonly VersionFacts[], botId: BotId, configuration: ConfigurationRow, now: Date): boolean {
  const own = versions.find((v) => v.source === 'order' && v.keyBotId === botId)
  return !own || renewalTime({ createdAt: new Date(own.createdAt), notAfter: new Date(own.notAfter) }, renewalOf(configuration)) <= now
}

const revokedBot = (name: string) => new CertloopError('CONFIGURATION_INCOMPLETE', `The bot "${name}" of a target was revoked. Choose another in the configuration.`)

/** Targets whose bot may still work. One revoked bot does not stop the others; the timeline says that it was left out. @throws when none is left */
async function usableTargets(tx: Tx, action: ActionRow, now: Date): Promise<TargetRow[]> {
  const usable: TargetRow[] = []
  const refused: CertloopError[] = []
  for (const target of await targetsOf(tx, action.certificateId)) {
    const bot = await findBot(tx, target.botId)
    if (bot && !bot.revokedAt) usable.push(target)
    else refused.push(revokedBot(bot?.name ?? target.botId))
  }
  const [error] = refused
  if (usable.length === 0 && error) throw error
  for (const each of refused) await addEvent(tx, { kind: 'action.target-left-out', message: each.message, error: each, requester: action.requester, certificateId: action.certificateId }, now)
  return usable
}

function reusableKey(versions: readonly VersionFacts[], botId: BotId, algorithm: string): KeyId | null {
  return versions.find((v) => v.keyBotId === botId && v.keyAlgorithm === algorithm && v.keyId)?.keyId ?? null
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

/** Starts a deployment for each target that a version can go onto. @returns how many */
export async function deployAll(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<number> {
  const { certificateId, requester } = action
  const configuration = await findConfiguration(tx, certificateId)
  const versions = await versionsToDeploy(tx, action)
  let count = 0
  for (const target of configuration ? await usableTargets(tx, action, now) : []) {
    const version = deployableVersion(versions, target)
    if (!version || !configuration) continue
    await startDeployment(tx, wake, {
      certificateId, actionId: action.id, versionId: version.id, targetId: target.id, botId: target.botId, rollback: fromBit(configuration.rollback), approval: configuration.approval, requester, reason: `To be deployed to ${target.title}.`,
    }, secrets, now)
    count++
  }
  if (count === 0 && action.kind === 'deploy') throw new CertloopError('ACTION_NOT_POSSIBLE', 'No target can take this version: its key is not on the host of a target.')
  return count
}

const inspectDedupe = (action: ActionRow['id'], target: TargetId) => `inspect:${action}:${target}`
/** The target that an inspect-target is about. */
export const inspectedTarget = ({ dedupe }: { dedupe: string | null }): TargetId | undefined => dedupe?.split(':')[2] as TargetId | undefined

/** initiate and recheck-pinning: the bots look at each target; nothing is replaced. */
async function checkAll(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  if (action.kind === 'initiate') await updateCertificate(tx, action.certificateId, { management: 'managed' })
  for (const target of await usableTargets(tx, action, now)) {
    const payload: BotTaskPayload<'inspect-target'> = { target: await briefTarget(tx, secrets, target) }
    await addTask(tx, wake, { executor: target.botId, kind: 'inspect-target', subject: action.id, payload, deadline: new Date(now.getTime() + checkMinutes * 60_000), dedupe: inspectDedupe(action.id, target.id) }, now)
  }
}
