import { asSentence, CertloopError, fromWire, type BotTaskPayload, type BotTaskResult, type DeployLogEntry, type DeployResult, type DeploymentId, type ErrorCode, type Plan } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { fromBit, fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { recordInspection } from '../proof/inspection.ts'
import { findTarget } from '../provisioning/configuration-store.ts'
import { noteHostKey } from '../provisioning/seen-host-key.ts'
import { openSecrets } from '../provisioning/kept-secrets.ts'
import { briefTarget } from '../provisioning/target-briefing.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask, cancelReadyTasks } from '../task/task-store.ts'
import type { BotTaskHandler, Wakes } from '../task/task-kinds.ts'
import { isOpenDeployment } from './deployment-state.ts'
import { appendLog, changeDeployment, findDeployment, getDeployment, insertDeployment, noteDeployment, type DeploymentRow, type NewDeployment } from './deployment-store.ts'

const planMinutes = 60
const deployMinutes = 60
const after = (now: Date, minutes: number) => new Date(now.getTime() + minutes * 60_000)

/** What the bot needs to know of target and version. @throws CertloopError KEY_NOT_FOUND when the key is not on that host, TARGET_SECRETS_UNREADABLE, SECRET_UNREADABLE */
async function briefing(tx: Tx, secrets: Secrets, d: Pick<DeploymentRow, 'targetId' | 'versionId' | 'botId'>): Promise<Pick<BotTaskPayload<'plan-deployment'>, 'target' | 'material'>> {
  const target = await findTarget(tx, d.targetId)
  const version = await findVersion(tx, d.versionId)
  if (!target || !version) throw new CertloopError('NOT_FOUND', 'The target or the version of this deployment is gone.')
  if (version.keyBotId !== d.botId || !version.keyId) throw new CertloopError('KEY_NOT_FOUND', 'The private key of this version was made on another host.', { versionId: version.id })
  return {
    target: await briefTarget(tx, secrets, target),
    material: { keyId: version.keyId, chainPem: fromJson(version.chainPem), fingerprint: version.fingerprint },
  }
}

const unreadable: ReadonlySet<ErrorCode> = new Set(['TARGET_SECRETS_UNREADABLE', 'SECRET_UNREADABLE'])

/** Secrets that can't be had for one target fail its deployment before anything is sent, and no other. */
async function briefOrFail(tx: Tx, wake: Wakes, secrets: Secrets, d: DeploymentRow, now: Date): Promise<Awaited<ReturnType<typeof briefing>> | undefined> {
  try {
    return await briefing(tx, secrets, d)
  } catch (error) {
    if (!(error instanceof CertloopError && unreadable.has(error.code))) throw error
    await failDeployment(tx, wake, d, error, now)
    return undefined
  }
}

/** Starts a deployment by asking the bot for its plan. */
export async function startDeployment(tx: Tx, wake: Wakes, deployment: Omit<NewDeployment, 'deadline' | 'nextAction'>, secrets: Secrets, now: Date): Promise<DeploymentRow> {
  const deadline = after(now, planMinutes)
  const row = await insertDeployment(tx, wake, { ...deployment, deadline, nextAction: 'The bot makes the plan.' }, now)
  const briefed = await briefOrFail(tx, wake, secrets, row, now)
  if (!briefed) return row
  const payload: BotTaskPayload<'plan-deployment'> = { deploymentId: row.id, ...briefed }
  await addTask(tx, wake, { executor: row.botId, kind: 'plan-deployment', subject: row.id, payload, deadline }, now)
  return row
}

async function settle(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  if (d.actionId) await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: d.actionId }, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

/** Gives the approved plan to the bot. */
async function hand(tx: Tx, wake: Wakes, secrets: Secrets, d: DeploymentRow, { plan, ...approval }: { plan: Plan; message: string; requester?: string }, now: Date): Promise<void> {
  const deadline = after(now, deployMinutes)
  const briefed = await briefOrFail(tx, wake, secrets, d, now)
  if (!briefed) return
  const row = await changeDeployment(tx, wake, d, { event: 'approved', ...approval, plan, nextAction: 'The bot carries out the plan.', deadline }, now)
  const payload: BotTaskPayload<'deploy'> = { deploymentId: d.id, ...briefed, plan, rollback: fromBit(row.rollback) }
  await addTask(tx, wake, { executor: d.botId, kind: 'deploy', subject: d.id, payload, deadline, maxAttempts: 100 }, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

/** @throws CertloopError CONFLICT when the digest is not that of the plan at hand, or nothing waits for approval */
export async function approveDeployment(tx: Tx, wake: Wakes, id: DeploymentId, { digest, requester }: { digest: string; requester: string }, secrets: Secrets, now: Date): Promise<void> {
  const d = await getDeployment(tx, id)
  if (d.state !== 'planned' || !d.plan) throw new CertloopError('ACTION_NOT_POSSIBLE', `The deployment is ${d.state}; only a planned one can be approved.`)
  const plan = fromJson<Plan>(d.plan)
  if (plan.digest !== digest) throw new CertloopError('CONFLICT', 'The plan is another one than the one you saw. Read it again.')
  await hand(tx, wake, secrets, d, { plan, message: 'The plan was approved.', requester }, now)
}

/** Only what the bot has not begun can be cancelled. */
export async function cancelDeployment(tx: Tx, wake: Wakes, id: DeploymentId, requester: string, now: Date): Promise<void> {
  const d = await getDeployment(tx, id)
  if (d.state === 'pending' && await cancelReadyTasks(tx, d.id) === 0) throw new CertloopError('ACTION_NOT_POSSIBLE', 'The bot has begun with it; it ends by itself.')
  if (!isOpenDeployment(d.state) || d.state === 'deploying') throw new CertloopError('ACTION_NOT_POSSIBLE', `The deployment is ${d.state}; it can not be cancelled.`)
  await cancelReadyTasks(tx, d.id)
  const ended = await changeDeployment(tx, wake, d, { event: 'cancelled', message: 'Cancelled by hand. Nothing was touched.', requester }, now)
  await settle(tx, wake, ended, now)
}

async function failDeployment(tx: Tx, wake: Wakes, d: DeploymentRow, error: CertloopError, now: Date): Promise<void> {
  if (!isOpenDeployment(d.state)) return
  const ended = await changeDeployment(tx, wake, d, { event: 'failed', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, now)
  await settle(tx, wake, ended, now)
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

export interface DeploymentDeps { secrets: Secrets; now: () => Date }

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
      await changeDeployment(tx, wake, d, { event: 'planReady', message: `Planned in ${plan.steps.length} steps.`, nextAction: 'A person has to approve the plan.', plan }, now())
      await refreshCertificate(tx, wake, d.certificateId, now())
    },
    failed: failedHandler(now),
    secretsOf: secretsOf(secrets),
  }
}

/** Progress and result of the bot's deploy. */
export function deployHandler({ secrets, now }: DeploymentDeps): BotTaskHandler {
  return {
    async progress(tx, wake, task, log) {
      const d = await getDeployment(tx, task.subject as DeploymentId)
      const row = d.state === 'pending'
        ? await changeDeployment(tx, wake, d, { event: 'begun', message: 'The bot carries out the plan.', nextAction: 'Backup, installation, test, reload, proof.', deadline: d.deadline ? new Date(d.deadline) : null }, now())
        : d
      await appendLog(tx, wake, row, log as DeployLogEntry[], now())
      if (d.state === 'pending') await refreshCertificate(tx, wake, d.certificateId, now())
    },
    async completed(tx, wake, task, data) {
      const result = data as DeployResult
      const d = await getDeployment(tx, task.subject as DeploymentId)
      await noteHostKey(tx, d.targetId, result.error, now())
      if (result.inspection) await recordInspection(tx, { certificateId: d.certificateId, targetId: d.targetId, deploymentId: d.id, inspection: result.inspection }, now())
      const ended = await changeDeployment(tx, wake, d, { ...endingOf(result), log: wholeLog(fromJson<DeployLogEntry[]>(d.log), result.log), differences: result.differences, served: result.inspection?.served ?? [] }, now())
      await settle(tx, wake, ended, now())
    },
    failed: failedHandler(now),
    secretsOf: secretsOf(secrets),
    async waitsWhenOverdue(tx, wake, task) {
      const d = await findDeployment(tx, task.subject as DeploymentId)
      if (!d || !isOpenDeployment(d.state)) return false
      await noteDeployment(tx, wake, d, 'The bot began and has not been heard of since; what is served is unknown until it is back.', 'Look at the host and start the bot.', now())
      await refreshCertificate(tx, wake, d.certificateId, now())
      return true
    },
  }
}

/** A result told after a restart of the bot begins with its recovery; what came before it is kept. */
function wholeLog(known: readonly DeployLogEntry[], told: readonly DeployLogEntry[]): DeployLogEntry[] {
  const [first] = told
  return first ? [...known.filter((entry) => entry.at < first.at), ...told] : [...known]
}

function endingOf(result: DeployResult): Parameters<typeof changeDeployment>[3] {
  const { outcome, error, touched } = result
  if (outcome === 'deployed') return { event: 'proven', message: result.inspection?.served.length === 0 ? 'Installed. The target names no port, so nothing was proven.' : 'Installed and proven to be served.' }
  const known = error ? fromWire(error) : new CertloopError('INTERNAL', 'The bot gave no reason.')
  if (outcome === 'rolled-back') return { event: 'undone', message: `${asSentence(known.message)} The previous certificate is served again.`, error: known.toWire(), nextAction: known.spec.remedy }
  return { event: 'failed', message: touched || known.message.includes('Nothing was touched') ? known.message : `${asSentence(known.message)} Nothing was touched.`, error: known.toWire(), nextAction: known.spec.remedy }
}

