import { CertloopError, type BotTaskPayload, type DeploymentId, type RolloutId } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { lockCertificate, versionByFingerprint } from '../certificate/certificate-store.ts'
import { revocationsOf } from '../certificate/version-revocation.ts'
import type { Tx } from '../database/database.ts'
import { findTarget, type TargetRow } from '../provisioning/configuration-store.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { orFail, targetBriefing } from './briefing.ts'
import { isOpenDeployment } from './deployment-state.ts'
import { getDeployment, insertDeployment, lastAt, openInPairs, type DeploymentRow } from './deployment-store.ts'
import { deployMinutes, minutesAfter, watchTakeUp } from './watch-deployment.ts'

/**
 * Takes back what a deployment did, as a deployment of its own: the bot puts back what it replaced and proves that it is
 * served. Until somebody deploys again by hand, nothing puts that version there by itself.
 * @throws CertloopError ACTION_NOT_POSSIBLE, saying why, NOT_FOUND
 */
export async function undoDeployment(tx: Tx, wake: Wakes, id: DeploymentId, { requester, rolloutId = null }: { requester: string; rolloutId?: RolloutId | null }, secrets: Secrets, now: Date): Promise<DeploymentRow> {
  const { certificateId } = await getDeployment(tx, id)
  await lockCertificate(tx, certificateId)
  const d = await getDeployment(tx, id)
  const why = await whyNoUndo(tx, d, now)
  if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', why, { deploymentId: id })
  const { versionId, targetId, botId } = d
  const deadline = minutesAfter(now, deployMinutes)
  const row = await insertDeployment(tx, wake, {
    certificateId, actionId: null, versionId, targetId, botId, approval: 'automatic', requester, rollback: true, undoes: id, rolloutId, state: 'pending', deadline,
    reason: 'What this version replaced is to be put back.', nextAction: 'The bot puts it back, and proves it where the target names a port.',
  }, now)
  const target = await orFail(tx, wake, row, () => targetBriefing(tx, secrets, row), now)
  if (!target) return getDeployment(tx, row.id)
  const payload: BotTaskPayload<'undo-deployment'> = { deploymentId: row.id, undoes: id, target }
  await addTask(tx, wake, { executor: botId, kind: 'undo-deployment', subject: row.id, payload, deadline, maxAttempts: 100 }, now)
  await watchTakeUp(tx, wake, row, now)
  await refreshCertificate(tx, wake, certificateId, now)
  return row
}

/** Why what it did can't be taken back now; null when it can. What the bot finds on the host decides in the end. */
async function whyNoUndo(tx: Tx, d: DeploymentRow, now: Date): Promise<string | null> {
  if (d.undoes) return 'This took a deployment back itself. To go forward again, deploy.'
  if (d.state !== 'deployed') return `The deployment is ${d.state}; only one that was deployed can be taken back.`
  const target = await findTarget(tx, d.targetId)
  if (!target || target.removedAt) return 'The target was removed from the configuration.'
  const busy = await whyBusy(tx, d, target)
  if (busy) return busy
  const bot = await findBot(tx, d.botId)
  if (!bot || bot.revokedAt) return 'The bot that did it was revoked, and with it what it had kept.'
  return whyNotPutBack(tx, d, now)
}

/** Other work on the same place or its pair, under way or after this. */
async function whyBusy(tx: Tx, d: DeploymentRow, target: TargetRow): Promise<string | null> {
  const last = await lastAt(tx, target)
  if (last && isOpenDeployment(last.state)) return 'Another deployment is working on this target; wait for its end.'
  if (last?.undoes === d.id) return 'It was taken back already.'
  if (last && last.id !== d.id) return 'A later deployment has changed this target since. Take that one back, or deploy an earlier version.'
  if (target.pair === null || (await openInPairs(tx, [target.pair])).length === 0) return null
  return `Another target of the pair "${target.pair}" is being worked on; wait for its end, as one of the two has to go on serving.`
}

/** What nobody may trust any more is not put back, whoever asks. */
async function whyNotPutBack(tx: Tx, { replaces }: Pick<DeploymentRow, 'replaces'>, now: Date): Promise<string | null> {
  if (replaces === null) return null
  const instead = 'so it is not put back. Deploy another version instead.'
  const revocation = (await revocationsOf(tx, [replaces])).get(replaces)
  if (revocation) return `What was there before was ${revocation.status === 'held' ? 'suspended' : `revoked (${revocation.reason})`}, ${instead}`
  const before = await versionByFingerprint(tx, replaces)
  return before && new Date(before.notAfter) <= now ? `What was there before expired on ${before.notAfter.slice(0, 10)}, ${instead}` : null
}
