import { CertloopError, type ActionKind, type ActionState, type BatchId, type CertificateId, type RevocationReasonToGive, type TargetId, type VersionId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, getCertificate, lockCertificate, newestVersions, type VersionFacts } from '../certificate/certificate-store.ts'
import { fromBit, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { openDeploymentsOf } from '../deployment/deployment-store.ts'
import { deployableVersion } from '../proof/inspection.ts'
import { openRolloutOn } from '../rollout/rollout.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { checkAll, checkMinutes } from './action-checks.ts'
import { deployWhenDue, deployingNext, deployingReason } from './action-deploying.ts'
import { deployAll, deploymentDeadline, usableTargets } from './action-deployments.ts'
import { orderAll, orderDeadline } from './action-orders.ts'
import { askAuthority, revocationHours } from './action-revocation.ts'
import { endsWaiting, isRevocationKind, whyNot, whyNotRevocable, type ActionFacts } from './action-rules.ts'
import { changeAction, findAction, insertAction, openAction, type ActionDetails, type ActionRow } from './action-store.ts'
import { followsTiming } from './action-timing.ts'
import { findConfiguration, targetsOf, type ConfigurationRow } from './configuration-store.ts'
import { beginReEnrolment } from './re-enrol.ts'
import { currentVersions, revocableVersion, versionNames } from './revocable-versions.ts'

export async function actionFacts(tx: Db | Tx, id: CertificateId, now: Date): Promise<ActionFacts> {
  const [configuration, targets, versions, deployments, running, rollout] = [await findConfiguration(tx, id), await targetsOf(tx, id), await newestVersions(tx, id), await openDeploymentsOf(tx, id), await openAction(tx, id), await openRolloutOn(tx, id)]
  const current = await currentVersions(tx, id)
  return {
    openAction: running?.kind ?? null,
    isWaiting: running?.state === 'waiting',
    openDeployment: deployments.length > 0 || rollout !== undefined,
    configuration: !configuration ? 'none' : fromBit(configuration.complete) ? 'complete' : 'draft',
    targetCount: targets.length,
    deployableCount: targets.filter((t) => deployableVersion(versions, t)).length,
    current: await Promise.all(current.map((version) => revocableVersion(tx, version, now))),
  }
}

export interface StartAction {
  certificateId: CertificateId
  kind: ActionKind
  requester: string
  /** Only with "order": a request made elsewhere. */
  csrPem?: string | undefined
  /** The CSR may be for other names than the certificate. */
  mayBringNames?: boolean | undefined
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

/** What only some kinds take. */
const takers: Record<'csrPem' | 'versionId' | 'targetIds' | 'reason', readonly ActionKind[]> = {
  csrPem: ['order'], versionId: ['deploy', 'revoke', 'suspend', 'resume'], targetIds: ['deploy', 'recheck-pinning'], reason: ['revoke'],
}

/** @throws CertloopError INPUT_INVALID naming every field that does not go with this action */
async function checkInput(tx: Tx, start: StartAction): Promise<void> {
  const { kind, certificateId, targetIds } = start
  const problems = (['csrPem', 'versionId', 'targetIds', 'reason'] as const).filter((field) => start[field] !== undefined && !takers[field].includes(kind))
    .map((field) => `body.${field}: only with ${takers[field].map((each) => `"${each}"`).join(', ')}`)
  if (targetIds && problems.length === 0) {
    const known = new Set((await targetsOf(tx, certificateId)).map((t) => t.id))
    problems.push(...targetIds.flatMap((id, i) => (known.has(id) ? [] : [`body.targetIds/${i}: is no target of this certificate's configuration`])))
  }
  if (problems.length > 0) throw new CertloopError('INPUT_INVALID', `This does not go with "${kind}": ${problems.join('; ')}.`, { fields: problems })
}

const notPossible = ({ kind, certificateId }: StartAction, why: string) => new CertloopError('ACTION_NOT_POSSIBLE', `"${kind}" is not possible now. ${why}`, { certificateId })

/**
 * Starts a lifecycle action: the action, its first orders, deployments, checks or question to the authority and their tasks, in
 * one transaction. By hand, deploy, rotate, rekey, revoke and suspend end an action that waits for its time.
 * @throws CertloopError ACTION_NOT_POSSIBLE with the reason, INPUT_INVALID, CONFIGURATION_INCOMPLETE, CSR_INVALID, NAME_INVALID, TOO_MANY_NAMES
 */
export async function startAction(tx: Tx, wake: Wakes, start: StartAction, secrets: Secrets, now: Date): Promise<ActionRow> {
  const { certificateId, kind, requester } = start
  await getCertificate(tx, certificateId)
  await lockCertificate(tx, certificateId)
  await checkInput(tx, start)
  const facts = await actionFacts(tx, certificateId, now)
  const why = requester === 'schedule' && facts.isWaiting ? whyNot(kind, { ...facts, isWaiting: false }) : whyNot(kind, facts)
  // Of a version that was named, only that one counts.
  if (why && !(isRevocationKind(kind) && start.versionId !== undefined && (!facts.openAction || endsWaiting(kind, facts)))) throw notPossible(start, why)
  if (endsWaiting(kind, facts)) await endWaiting(tx, wake, start, now)
  const action = await begin(tx, wake, start, secrets, now)
  await refreshCertificate(tx, wake, certificateId, now)
  return await findAction(tx, action.id) ?? action
}

async function endWaiting(tx: Tx, wake: Wakes, { certificateId, kind, requester }: StartAction, now: Date): Promise<void> {
  const waiting = await openAction(tx, certificateId)
  const next = isRevocationKind(kind) ? 'What was issued is kept: deploy it now, unless that is what nobody may trust any more.' : ''
  if (waiting) await changeAction(tx, wake, waiting, { event: 'cancelled', reason: `It waited for its time; "${kind}" was started by ${requester} instead. ${next}`.trimEnd() }, now)
}

async function begin(tx: Tx, wake: Wakes, start: StartAction, secrets: Secrets, now: Date): Promise<ActionRow> {
  if (isRevocationKind(start.kind)) return beginRevocation(tx, wake, start, start.kind, now)
  const configuration = await findConfiguration(tx, start.certificateId)
  if (!configuration) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'There is no provisioning configuration yet.')
  if (start.kind === 'deploy') return beginDeployment(tx, wake, start, configuration, secrets, now)
  if (start.kind === 'initiate' || start.kind === 'recheck-pinning') {
    const action = await insert(tx, wake, start, { state: 'checking', reason: 'The bots look at each target.', nextAction: 'Nothing is replaced.', deadline: hours(now, checkMinutes / 60) }, now)
    await checkAll(tx, wake, action, secrets, now)
    return action
  }
  const action = await insert(tx, wake, start, { state: 'ordering', reason: 'Ordered; the authority has not issued yet.', nextAction: afterIssue[start.kind], deadline: orderDeadline(configuration, now).toISOString() }, now)
  if (start.kind === 're-enrol') return beginReEnrolment(tx, wake, action, configuration, now)
  const targets = start.csrPem === undefined ? await usableTargets(tx, action, now) : []
  await orderAll(tx, wake, action, { configuration, targets, like: start.certificateId }, start.csrPem === undefined ? undefined : { csrPem: start.csrPem, mayBringNames: start.mayBringNames ?? false }, now)
  return action
}

const afterIssue: Record<'order' | 'rotate' | 'rekey' | 'renew' | 'regenerate' | 're-enrol', string> = {
  order: 'Once it is issued, this ends; nothing is deployed.', rotate: 'Once it is issued, it is deployed at once.', rekey: 'Once it is issued with its new key, it is deployed at once.',
  renew: 'Once it is issued, it is deployed when the configuration says so.', regenerate: 'Once it is issued with its new key, it is deployed when the configuration says so.',
  're-enrol': 'Once it is issued as a certificate of its own, that one takes the targets over.',
}

interface Beginning { state: ActionState; reason: string; nextAction: string; deadline?: string; waitsUntil?: string; details?: ActionDetails }
const hours = (now: Date, count: number): string => new Date(now.getTime() + count * 3_600_000).toISOString()

async function insert(tx: Tx, wake: Wakes, { certificateId, kind, requester, versionId, targetIds, reason, batchId, why }: StartAction, { details, ...beginning }: Beginning, now: Date): Promise<ActionRow> {
  return insertAction(tx, wake, {
    certificateId, kind, requester, versionId: versionId ?? null, targetIds: targetIds ? toJson(targetIds) : null, batchId: batchId ?? null, details: { ...details, ...(reason ? { revocationReason: reason } : {}) }, why, ...beginning,
  }, now)
}

/** By hand at once; by the schedule when windows and freeze periods allow it. */
async function beginDeployment(tx: Tx, wake: Wakes, start: StartAction, configuration: ConfigurationRow, secrets: Secrets, now: Date): Promise<ActionRow> {
  if (followsTiming(start)) {
    const action = await insert(tx, wake, start, { state: 'waiting', reason: 'When it is deployed is being looked up.', nextAction: deployingNext, waitsUntil: now.toISOString() }, now)
    await deployWhenDue(tx, wake, action, configuration, secrets, now)
    return action
  }
  const deadline = await deploymentDeadline(tx, start.certificateId, configuration, now)
  const action = await insert(tx, wake, start, { state: 'deploying', reason: deployingReason, nextAction: deployingNext, deadline: deadline.toISOString() }, now)
  await deployAll(tx, wake, action, secrets, now)
  return action
}

/** Of the version that was named; else of all that are current, as each host has a key of its own. What is as asked already is left alone. */
async function beginRevocation(tx: Tx, wake: Wakes, start: StartAction, kind: 'revoke' | 'suspend' | 'resume', now: Date): Promise<ActionRow> {
  const named = start.versionId ? await findVersion(tx, start.versionId) : undefined
  if (start.versionId && named?.certificateId !== start.certificateId) throw notPossible(start, 'This version is none of this certificate.')
  const [able, left]: [VersionFacts[], { version: VersionFacts; why: string }[]] = [[], []]
  for (const version of named ? [named] : await currentVersions(tx, start.certificateId)) {
    const why = whyNotRevocable(kind, await revocableVersion(tx, version, now))
    if (why === null) able.push(version)
    else left.push({ version, why })
  }
  const [first] = able
  if (!first) throw notPossible(start, left[0]?.why ?? whyNotRevocable(kind, null) ?? '')
  const names = await versionNames(tx, left.map(({ version }) => version))
  const details = { versionIds: able.map(({ id }) => id), left: left.map(({ why }, i) => `${names[i]}: ${why}`) }
  const action = await insert(tx, wake, { ...start, versionId: first.id }, { state: 'revoking', reason: 'The authority is asked.', nextAction: 'It is asked again until it answers.', deadline: hours(now, revocationHours), details }, now)
  return askAuthority(tx, wake, action, now)
}
