import { CertloopError, type ActionId, type BotTaskResult, type ErrorCode, type WireError } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { installationsOf, lockCertificate } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { deploymentsOfAction } from '../deployment/deployment-store.ts'
import { isOpenOrder } from '../order/order-state.ts'
import { ordersOfAction } from '../order/order-store.ts'
import { recordAbsence, recordInspection } from '../proof/inspection.ts'
import { provenWords } from '../proof/proof-words.ts'
import { openRolloutOf, rolloutOutcome } from '../rollout/rollout.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask, openTaskCount, type Task } from '../task/task-store.ts'
import type { BotTaskHandler, PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { inspectedTarget } from './action-checks.ts'
import { endQuestion } from './action-revocation.ts'
import { deployWhenDue } from './action-deploying.ts'
import { changeAction, detailsOf, findAction, raiseOverdue, targetIdsOf, type ActionRow } from './action-store.ts'
import { deploysAfterRenewal, followsTiming } from './action-timing.ts'
import { findConfiguration, findTarget, samePlace, targetsOf } from './configuration-store.ts'
import { afterChild } from './re-enrol.ts'
import { earlierStillGood } from './revocable-versions.ts'
import { noteHostKey } from './seen-host-key.ts'
import { openSecrets } from './kept-secrets.ts'

export interface ActionDeps { database: Database; secrets: Secrets; now: () => Date }

const firstError = (rows: readonly { error: string | null }[]): WireError | null => {
  const row = rows.find((r) => r.error !== null)
  return row?.error ? fromJson<WireError>(row.error) : null
}

/** Moves an action on once its orders, deployments or checks have ended, or its time has come. Runs as often as it is asked to. */
export function advanceActionKind({ secrets, now }: ActionDeps): PlaneTaskKind {
  return {
    run: async (task: Task) => async (tx, wake) => {
      const found = await findAction(tx, task.subject as ActionId)
      if (!found || found.endedAt) return
      await lockCertificate(tx, found.certificateId)
      const action = await findAction(tx, found.id)
      if (!action || action.endedAt) return
      await advance(tx, wake, action, secrets, now())
      await raiseOverdue(tx, wake, action.id, now())
      await refreshCertificate(tx, wake, action.certificateId, now())
    },
    async failed(tx, wake, task, error) {
      const action = await findAction(tx, task.subject as ActionId)
      if (!action || action.endedAt) return
      await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error: error.toWire() }, now())
      await refreshCertificate(tx, wake, action.certificateId, now())
    },
  }
}

async function advance(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  if (action.state === 'ordering') await (action.kind === 're-enrol' ? afterChild(tx, wake, action, now) : afterOrders(tx, wake, action, secrets, now))
  else if (action.state === 'waiting') await afterWaiting(tx, wake, action, secrets, now)
  else if (action.state === 'deploying') await afterDeployments(tx, wake, action, now)
  else if (action.state === 'checking') await afterChecks(tx, wake, action, now)
  else await afterQuestion(tx, wake, action, now)
}

const cancelledBy = (action: ActionRow): string | undefined => detailsOf(action).cancelledBy

async function afterOrders(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  const orders = await ordersOfAction(tx, action.id)
  if (orders.some((o) => isOpenOrder(o.state))) return
  const done = orders.filter((o) => o.state === 'complete')
  if (cancelledBy(action)) {
    await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy(action)}. ${done.length > 0 ? 'What had been submitted was issued and is kept; it was not deployed.' : 'Nothing was issued.'}` }, now)
  } else if (done.length === 0) {
    const error = firstError(orders)
    await changeAction(tx, wake, action, error ? { event: 'failed', reason: 'Nothing was issued.', error } : { event: 'cancelled', reason: 'Its order was cancelled; nothing was issued.' }, now)
  } else if (action.kind === 'order') await endBy(tx, wake, action, orders, 'Issued; not deployed, as asked.', now)
  else await goOn(tx, wake, action, orders, secrets, now)
}

/** Issued: deployed now, later, or not at all. */
async function goOn(tx: Tx, wake: Wakes, action: ActionRow, orders: readonly Part[], secrets: Secrets, now: Date): Promise<void> {
  const configuration = await findConfiguration(tx, action.certificateId)
  if (!configuration) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'It was issued, but there is no configuration left that says where it is deployed.')
  if (followsTiming(action) && action.kind !== 'deploy' && !deploysAfterRenewal(configuration)) await endBy(tx, wake, action, orders, 'Renewed; deployment after renewal is off.', now)
  else await deployWhenDue(tx, wake, action, configuration, secrets, now)
}

async function afterWaiting(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  await goOn(tx, wake, action, await ordersOfAction(tx, action.id), secrets, now)
}

interface Part { state: string; error: string | null }

/** Done when all went well, else failed with the first error. */
async function endBy(tx: Tx, wake: Wakes, action: ActionRow, parts: readonly Part[], success: string, now: Date): Promise<void> {
  const error = firstError(parts)
  const bad = parts.filter((r) => !['complete', 'deployed'].includes(r.state))
  if (cancelledBy(action)) await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy(action)}. ${bad.length === 0 ? success : error?.message ?? 'Nothing was left half done.'}` }, now)
  else if (bad.length === 0) await changeAction(tx, wake, action, { event: 'succeeded', reason: success }, now)
  else if (error) await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error }, now)
  else await changeAction(tx, wake, action, { event: 'cancelled', reason: `${bad.length === parts.length ? 'All' : `${bad.length} of ${parts.length}`} of what it had started was cancelled.` }, now)
}

async function afterDeployments(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  const deployments = await deploymentsOfAction(tx, action.id)
  if (deployments.some((d) => isOpenDeployment(d.state)) || await openRolloutOf(tx, action.id)) return
  const rollout = await rolloutOutcome(tx, action.id)
  if (rollout && !rollout.isGood && !cancelledBy(action)) {
    await changeAction(tx, wake, action, { event: 'failed', reason: rollout.reason, error: rollout.error ?? firstError(deployments) ?? new CertloopError('ROLLOUT_STOPPED', rollout.reason).toWire() }, now)
    return
  }
  const orders = await ordersOfAction(tx, action.id)
  const [places, proven] = [deployments.length, deployments.filter((d) => fromJson<unknown[]>(d.served).length > 0).length]
  const earlier = action.kind === 'rekey' ? await earlierStillGood(tx, action.certificateId, now) : ''
  await endBy(tx, wake, action, [...orders, ...deployments], `${proven === places ? `Deployed and proven at ${places} ${places === 1 ? 'place' : 'places'}.` : provenWords('Deployed', { places, proven })}${earlier}`, now)
}

async function afterChecks(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  if (await openTaskCount(tx, action.id, 'inspect-target') > 0) return
  if (cancelledBy(action)) {
    await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy(action)}. Nothing was replaced.` }, now)
    return
  }
  const failed = await tx.selectFrom('task').select('error').where('subject', '=', action.id).where('kind', '=', 'inspect-target').where('state', '=', 'failed').execute()
  const error = firstError(failed)
  if (error) await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error }, now)
  else if (action.kind === 'initiate') await changeAction(tx, wake, action, { event: 'succeeded', reason: 'Prepared: every target can be reached and read. Nothing was replaced.' }, now)
  else await compare(tx, wake, action, now)
}

/** recheck-pinning: is what is served what should be? Of the targets that it was asked about. */
async function compare(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  const wanted = targetIdsOf(action)
  const targets = wanted ? (await targetsOf(tx, action.certificateId)).filter((t) => wanted.includes(t.id)) : undefined
  const installations = (await installationsOf(tx, action.certificateId)).filter((i) => !targets || targets.some((t) => samePlace(t, i)))
  const wrong = installations.filter((i) => i.state !== 'in-sync' && i.state !== 'unexpected')
  const good = installations.filter((i) => i.state === 'in-sync').length
  const mismatch = wrong.length > 0 ? new CertloopError('PROOF_MISMATCH', `${wrong.map((i) => `${i.title} is ${i.state}`).join('; ')}.`).toWire() : null
  if (mismatch) await changeAction(tx, wake, action, { event: 'failed', reason: mismatch.message, error: mismatch }, now)
  else await changeAction(tx, wake, action, { event: 'succeeded', reason: `${good === 1 ? 'The one place serves' : `All ${good} places serve`} the expected certificate.` }, now)
}

/** Only a cancelled question comes here: its task is gone. */
async function afterQuestion(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  if (cancelledBy(action) && await openTaskCount(tx, action.id, 'revoke-version') === 0) await endQuestion(tx, wake, action, now)
}

const notThere: ReadonlySet<ErrorCode> = new Set(['SERVER_NOT_RUNNING', 'SLOT_NOT_FOUND'])

/** Results of the bot's inspect-target. */
export function inspectHandler({ secrets, now }: ActionDeps): BotTaskHandler {
  const advance = (tx: Tx, wake: Wakes, task: Task) => addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: task.subject }, now())
  return {
    async completed(tx, wake, task, data) {
      const action = await findAction(tx, task.subject as ActionId)
      const targetId = inspectedTarget(task)
      if (action && targetId) await recordInspection(tx, { certificateId: action.certificateId, targetId, deploymentId: null, inspection: data as BotTaskResult<'inspect-target'> }, now())
      await advance(tx, wake, task)
    },
    async failed(tx, wake, task, error) {
      const action = await findAction(tx, task.subject as ActionId)
      const targetId = inspectedTarget(task)
      // What was seen before no longer holds; what is there now is not known better than this.
      if (targetId) await noteHostKey(tx, targetId, error, now())
      if (action && targetId && notThere.has(error.code)) await recordAbsence(tx, { certificateId: action.certificateId, targetId }, error.message, now())
      await advance(tx, wake, task)
    },
    async secretsOf(tx, task) {
      const targetId = inspectedTarget(task)
      const target = targetId ? await findTarget(tx, targetId) : undefined
      return target ? openSecrets(secrets, target) : undefined
    },
  }
}
