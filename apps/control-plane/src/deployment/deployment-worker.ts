import { CertloopError, type BotTaskPayload, type BotTaskResult, type DeployLogEntry, type DeployResult, type DeploymentId, type Plan } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { revocationsOf } from '../certificate/version-revocation.ts'
import { fromBit, fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { recordInspection } from '../proof/inspection.ts'
import { findTarget } from '../provisioning/configuration-store.ts'
import { noteHostKey } from '../provisioning/seen-host-key.ts'
import { openSecrets } from '../provisioning/kept-secrets.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { BotTaskHandler, Wakes } from '../task/task-kinds.ts'
import { orFail, wholeBriefing } from './briefing.ts'
import { endingOf, failDeployment, settle, wholeLog } from './deployment-ending.ts'
import { isOpenDeployment } from './deployment-state.ts'
import { appendLog, changeDeployment, findDeployment, getDeployment, insertDeployment, noteDeployment, type DeploymentRow, type NewDeployment } from './deployment-store.ts'
import { askForScan } from './rescan.ts'
import type { SlowLimits } from './usual-time.ts'
import { approvalMinutes, botContact, deployMinutes, minutesAfter, planMinutes, watchApproval, watchDuration, watchTakeUp } from './watch-deployment.ts'

/** Starts a deployment by asking the bot for its plan. */
export async function startDeployment(tx: Tx, wake: Wakes, deployment: Omit<NewDeployment, 'deadline' | 'nextAction'>, secrets: Secrets, now: Date): Promise<DeploymentRow> {
  const deadline = minutesAfter(now, planMinutes)
  const row = await insertDeployment(tx, wake, { ...deployment, deadline, nextAction: 'The bot makes the plan.' }, now)
  const briefed = await orFail(tx, wake, row, () => wholeBriefing(tx, secrets, row), now)
  if (!briefed) return row
  const payload: BotTaskPayload<'plan-deployment'> = { deploymentId: row.id, ...briefed }
  await addTask(tx, wake, { executor: row.botId, kind: 'plan-deployment', subject: row.id, payload, deadline }, now)
  await watchTakeUp(tx, wake, row, now)
  return row
}

/** Gives the approved plan to the bot. */
async function hand(tx: Tx, wake: Wakes, secrets: Secrets, d: DeploymentRow, { plan, ...approval }: { plan: Plan; message: string; requester?: string }, now: Date): Promise<void> {
  const deadline = minutesAfter(now, deployMinutes)
  const briefed = await orFail(tx, wake, d, () => wholeBriefing(tx, secrets, d), now)
  if (!briefed) return
  const row = await changeDeployment(tx, wake, d, { event: 'approved', ...approval, plan, nextAction: 'The bot carries out the plan.', deadline }, now)
  const payload: BotTaskPayload<'deploy'> = { deploymentId: d.id, ...briefed, plan, rollback: fromBit(row.rollback) }
  await addTask(tx, wake, { executor: d.botId, kind: 'deploy', subject: d.id, payload, deadline, maxAttempts: 100 }, now)
  await watchTakeUp(tx, wake, row, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

/** @throws CertloopError CONFLICT when the digest is not that of the plan at hand, or nothing waits for approval */
export async function approveDeployment(tx: Tx, wake: Wakes, id: DeploymentId, { digest, requester }: { digest: string; requester: string }, secrets: Secrets, now: Date): Promise<void> {
  const d = await getDeployment(tx, id)
  if (d.state !== 'planned' || !d.plan) throw new CertloopError('ACTION_NOT_POSSIBLE', `The deployment is ${d.state}; only a planned one can be approved.`)
  const plan = fromJson<Plan>(d.plan)
  if (plan.digest !== digest) throw new CertloopError('CONFLICT', 'The plan is another one than the one you saw. Read it again.')
  const why = await whyNotNow(tx, d)
  if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', why, { deploymentId: id })
  await hand(tx, wake, secrets, d, { plan, message: 'The plan was approved.', requester }, now)
}

/** A plan may wait for days; what was revoked meanwhile must not go out. */
async function whyNotNow(tx: Tx, d: DeploymentRow): Promise<string | undefined> {
  const version = d.undoes === null ? await findVersion(tx, d.versionId) : undefined
  const revocation = version && (await revocationsOf(tx, [version.fingerprint])).get(version.fingerprint)
  return revocation && `Its version was ${revocation.status === 'revoked' ? `revoked (${revocation.reason})` : 'suspended'} since it was planned. Cancel the deployment and rekey the certificate.`
}

const failedHandler = (now: () => Date): BotTaskHandler['failed'] => async (tx, wake, task, error) => {
  const d = await findDeployment(tx, task.subject as DeploymentId)
  if (!d) return
  await noteHostKey(tx, d.targetId, error, now())
  await failDeployment(tx, wake, d, error, now())
}
const secretsOf = (secrets: Secrets): NonNullable<BotTaskHandler['secretsOf']> => async (tx, task) => {
  const d = await findDeployment(tx, task.subject as DeploymentId)
  const target = d ? await findTarget(tx, d.targetId) : undefined
  return target && openSecrets(secrets, target)
}

export interface DeploymentDeps { secrets: Secrets; now: () => Date; slow?: SlowLimits }

/** Results of the bot's plan-deployment. */
export function planHandler({ secrets, now }: DeploymentDeps): BotTaskHandler {
  return {
    async completed(tx, wake, task, data) {
      const plan = data as BotTaskResult<'plan-deployment'>
      const d = await getDeployment(tx, task.subject as DeploymentId)
      if (d.state !== 'planning') return // cancelled meanwhile
      if (d.approval === 'automatic') {
        await hand(tx, wake, secrets, d, { plan, message: `Planned in ${plan.steps.length} steps and approved by the configuration.` }, now())
        return
      }
      const planned = await changeDeployment(tx, wake, d, { event: 'planReady', message: `Planned in ${plan.steps.length} steps.`, nextAction: 'A person has to approve the plan.', plan, deadline: minutesAfter(now(), approvalMinutes) }, now())
      await watchApproval(tx, wake, planned, now())
      await refreshCertificate(tx, wake, d.certificateId, now())
    },
    failed: failedHandler(now),
    secretsOf: secretsOf(secrets),
  }
}

/** Progress and result of the bot's deploy and undo-deployment. */
export function deployHandler({ secrets, now, slow }: DeploymentDeps): BotTaskHandler {
  return {
    async progress(tx, wake, task, log, waiting) {
      const d = await getDeployment(tx, task.subject as DeploymentId)
      if (waiting) return { cancel: d.cancelRequestedAt !== null }
      const row = d.state === 'pending' ? await begin(tx, wake, d, slow, now()) : d
      await appendLog(tx, wake, row, log as DeployLogEntry[], now())
      if (d.state === 'pending') await refreshCertificate(tx, wake, d.certificateId, now())
      return { cancel: d.cancelRequestedAt !== null }
    },
    async completed(tx, wake, task, data) {
      const result = data as DeployResult
      const d = await getDeployment(tx, task.subject as DeploymentId)
      await recordSeen(tx, wake, d, result, now())
      const ended = await changeDeployment(tx, wake, d, { ...endingOf(d, result), log: wholeLog(d.log, result.log), differences: result.differences, served: result.inspection?.served ?? [] }, now())
      await settle(tx, wake, ended, now())
    },
    /** Somebody gave up waiting for it: what was seen counts, the state stays. */
    async late(tx, wake, task, data) {
      const result = data as DeployResult
      const d = await findDeployment(tx, task.subject as DeploymentId)
      if (!d) return
      await recordSeen(tx, wake, d, result, now())
      await addEvent(tx, { kind: 'deployment.told-late', message: `The bot told at last how it ended, after it had been given up: ${result.outcome}.`, error: result.error, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now())
      await refreshCertificate(tx, wake, d.certificateId, now())
    },
    failed: failedHandler(now),
    secretsOf: secretsOf(secrets),
    async waitsWhenOverdue(tx, wake, task) {
      const d = await findDeployment(tx, task.subject as DeploymentId)
      if (!d || !isOpenDeployment(d.state)) return false
      const { words } = await botContact(tx, d, now())
      await noteDeployment(tx, wake, d, `The bot began and has not told how it ended; what is served is unknown until it does. ${words}`, d.cancelRequestedAt ? 'Look at the host and start the bot. When it will not come back, cancel once more.' : 'Look at the host and start the bot.', now())
      await refreshCertificate(tx, wake, d.certificateId, now())
      return true
    },
  }
}

async function begin(tx: Tx, wake: Wakes, d: DeploymentRow, slow: SlowLimits | undefined, now: Date): Promise<DeploymentRow> {
  const [message, nextAction] = d.undoes ? ['The bot puts back what was there before.', 'Putting back, test, reload, proof.'] : ['The bot carries out the plan.', 'Backup, installation, test, reload, proof.']
  const words = d.cancelRequestedAt ? { message: d.reason, nextAction: d.nextAction } : { message, nextAction }
  const row = await changeDeployment(tx, wake, d, { event: 'begun', ...words, deadline: d.deadline ? new Date(d.deadline) : null }, now)
  await watchDuration(tx, wake, row, now, slow)
  return row
}

/** What the bot saw at the target, and a look at the whole host where something was touched. */
async function recordSeen(tx: Tx, wake: Wakes, d: DeploymentRow, { error, inspection, touched }: DeployResult, now: Date): Promise<void> {
  await noteHostKey(tx, d.targetId, error, now)
  if (inspection) await recordInspection(tx, { certificateId: d.certificateId, targetId: d.targetId, deploymentId: d.id, inspection }, now)
  if (touched) await askForScan(tx, wake, d, now)
}
