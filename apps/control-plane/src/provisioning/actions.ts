import { CertloopError, type ActionKind, type BotId, type BotTaskPayload, type CertificateId, type KeyId, type VersionId } from '@certloop/contract'
import { checkNames, readCsr } from '@certloop/pki'
import { findBot } from '../bot/bot-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, updateCertificate, versionsOf, type VersionRow } from '../certificate/certificate-store.ts'
import { fromBit, fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { deploymentsOf } from '../deployment/deployment-store.ts'
import { startDeployment } from '../deployment/deployment-worker.ts'
import { startOrder } from '../order/order-worker.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { whyNot, type ActionFacts } from './action-rules.ts'
import { insertAction, openAction, type ActionRow } from './action-store.ts'
import { csrOf, findConfiguration, targetsOf, type ConfigurationRow, type TargetRow } from './configuration-store.ts'

const orderHours = 24
const checkMinutes = 15

export async function actionFacts(tx: Db | Tx, id: CertificateId): Promise<ActionFacts> {
  const [configuration, targets, versions, deployments, running] = [await findConfiguration(tx, id), await targetsOf(tx, id), await versionsOf(tx, id), await deploymentsOf(tx, id), await openAction(tx, id)]
  return {
    openAction: running?.kind ?? null,
    openDeployment: deployments.some((d) => isOpenDeployment(d.state)),
    configuration: !configuration ? 'none' : fromBit(configuration.complete) ? 'complete' : 'draft',
    targetCount: targets.length,
    deployableCount: targets.filter((t) => deployableVersion(versions, t)).length,
  }
}

/** The newest version that can go onto this target: its key is on the same host. */
export function deployableVersion(versions: readonly VersionRow[], target: Pick<TargetRow, 'botId'>, wanted?: VersionId): VersionRow | undefined {
  return versions.find((v) => v.keyBotId === target.botId && v.keyId !== null && (wanted === undefined || v.id === wanted))
}

export interface StartAction { certificateId: CertificateId; kind: ActionKind; requester: string; csrPem?: string | undefined; versionId?: VersionId | undefined }

/**
 * Starts a lifecycle action: the action, its first orders, deployments or checks and their tasks, in one transaction.
 * @throws CertloopError ACTION_NOT_POSSIBLE with the reason, CONFIGURATION_INCOMPLETE, CSR_INVALID, NAME_INVALID, TOO_MANY_NAMES
 */
export async function startAction(tx: Tx, wake: Wakes, start: StartAction, now: Date): Promise<ActionRow> {
  const { certificateId, kind, requester, csrPem, versionId } = start
  await getCertificate(tx, certificateId)
  const why = whyNot(kind, await actionFacts(tx, certificateId))
  if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${kind}" is not possible now. ${why}`, { certificateId })
  if (csrPem !== undefined && kind !== 'order') throw new CertloopError('INPUT_INVALID', 'A CSR can only come with "order".', { fields: ['body.csrPem: only with the action "order"'] })
  const configuration = await findConfiguration(tx, certificateId)
  if (!configuration) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'There is no provisioning configuration yet.')
  const orders = kind === 'order' || kind === 'rotate' || kind === 'rekey'
  const action = await insertAction(tx, wake, { certificateId, kind, requester, state: orders ? 'ordering' : kind === 'deploy' ? 'deploying' : 'checking', versionId: versionId ?? null }, now)
  if (orders) await orderAll(tx, wake, action, configuration, csrPem, now)
  else if (kind === 'deploy') await deployAll(tx, wake, action, now)
  else await checkAll(tx, wake, action, now)
  await refreshCertificate(tx, wake, certificateId, now)
  return action
}

/** Names to order: those of the configuration, else those of the version at hand, else those of the identity. */
async function namesToOrder(tx: Tx, certificateId: CertificateId, configured: readonly string[]): Promise<string[]> {
  if (configured.length > 0) return checkNames(configured)
  const [newest] = await versionsOf(tx, certificateId)
  return checkNames(fromJson<string[]>(newest?.names ?? (await getCertificate(tx, certificateId)).names))
}

/** One order for each host, so that no key leaves its host; or one with the uploaded CSR. */
async function orderAll(tx: Tx, wake: Wakes, action: ActionRow, configuration: ConfigurationRow, csrPem: string | undefined, now: Date): Promise<void> {
  const { certificateId, requester, kind } = action
  const csr = csrOf(configuration)
  if (!configuration.authorityId) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no authority.')
  const common = { certificateId, actionId: action.id, authorityId: configuration.authorityId, validityDays: csr.validityDays, requester, deadline: new Date(now.getTime() + orderHours * 3_600_000) }
  if (csrPem !== undefined) {
    const facts = readCsr(csrPem)
    const names = checkNames(facts.names)
    await startOrder(tx, wake, { ...common, names, commonName: facts.commonName, keyAlgorithm: facts.keyAlgorithm as typeof csr.keyAlgorithm, custody: 'external', botId: null, reuseKeyId: null, csrPem, reason: 'Ordered with an uploaded request.', nextAction: null }, now)
    return
  }
  const names = await namesToOrder(tx, certificateId, csr.names)
  const versions = await versionsOf(tx, certificateId)
  const bots = [...new Set((await targetsOf(tx, certificateId)).map((t) => t.botId))]
  if (bots.length === 0) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no target whose bot could make the key. Add one, or upload a CSR.')
  for (const botId of bots) {
    await refuseRevoked(tx, botId)
    const reuseKeyId = csr.keyReuse && kind !== 'rekey' ? reusableKey(versions, botId, csr.keyAlgorithm) : null
    await startOrder(tx, wake, { ...common, names, commonName: csr.commonName, keyAlgorithm: csr.keyAlgorithm, custody: 'endpoint', botId, reuseKeyId, csrPem: null, reason: 'Ordered.', nextAction: 'The bot makes the key and the request on its host.' }, now)
  }
}

async function refuseRevoked(tx: Tx, botId: BotId): Promise<void> {
  const bot = await findBot(tx, botId)
  if (!bot || bot.revokedAt) throw new CertloopError('CONFIGURATION_INCOMPLETE', `The bot "${bot?.name ?? botId}" of a target was revoked. Choose another in the configuration.`)
}

function reusableKey(versions: readonly VersionRow[], botId: BotId, algorithm: string): KeyId | null {
  return versions.find((v) => v.keyBotId === botId && v.keyAlgorithm === algorithm && v.keyId)?.keyId ?? null
}

/** Starts a deployment for each target that a version can go onto. @returns how many */
export async function deployAll(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<number> {
  const { certificateId, requester } = action
  const configuration = await findConfiguration(tx, certificateId)
  const versions = await versionsOf(tx, certificateId)
  let count = 0
  for (const target of await targetsOf(tx, certificateId)) {
    const version = deployableVersion(versions, target, action.versionId ?? undefined)
    if (!version || !configuration) continue
    await refuseRevoked(tx, target.botId)
    await startDeployment(tx, wake, {
      certificateId, actionId: action.id, versionId: version.id, targetId: target.id, botId: target.botId, rollback: fromBit(configuration.rollback), approval: configuration.approval, requester, reason: `To be deployed to ${target.title}.`,
    }, now)
    count++
  }
  if (count === 0 && action.kind === 'deploy') throw new CertloopError('ACTION_NOT_POSSIBLE', 'No target can take this version: its key is not on the host of a target.')
  return count
}

/** initiate and recheck-pinning: the bots look at each target; nothing is replaced. */
async function checkAll(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  if (action.kind === 'initiate') await updateCertificate(tx, action.certificateId, { management: 'managed' })
  for (const target of await targetsOf(tx, action.certificateId)) {
    await refuseRevoked(tx, target.botId)
    const payload: BotTaskPayload<'inspect-target'> & { targetId?: never } = { target: { serverType: target.serverType, reach: target.reach, fields: fromJson(target.fields) } }
    await addTask(tx, wake, { executor: target.botId, kind: 'inspect-target', subject: action.id, payload, deadline: new Date(now.getTime() + checkMinutes * 60_000), dedupe: `inspect:${action.id}:${target.id}` }, now)
  }
}
