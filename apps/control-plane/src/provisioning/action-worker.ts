import { CertloopError, type ActionId, type BotTaskResult, type ErrorCode, type WireError } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { installationsOf } from '../certificate/certificate-store.ts'
import { fromBit, fromJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { deploymentsOfAction } from '../deployment/deployment-store.ts'
import { isOpenOrder } from '../order/order-state.ts'
import { ordersOfAction } from '../order/order-store.ts'
import { recordAbsence, recordInspection } from '../proof/inspection.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask, openTaskCount, type Task } from '../task/task-store.ts'
import type { BotTaskHandler, PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { changeAction, findAction, type ActionRow } from './action-store.ts'
import { deployAll, inspectedTarget } from './actions.ts'
import { findConfiguration, findTarget } from './configuration-store.ts'
import { noteHostKey } from './seen-host-key.ts'
import { openSecrets } from './kept-secrets.ts'

export interface ActionDeps { database: Database; secrets: Secrets; now: () => Date }

const firstError = (rows: readonly { error: string | null }[]): WireError | null => {
  const row = rows.find((r) => r.error !== null)
  return row?.error ? fromJson<WireError>(row.error) : null
}

/** Moves an action on once its orders, deployments or checks have ended. Runs as often as it is asked to. */
export function advanceActionKind({ secrets, now }: ActionDeps): PlaneTaskKind {
  return {
    run: async (task: Task) => async (tx, wake) => {
      const action = await findAction(tx, task.subject as ActionId)
      if (!action || action.endedAt) return
      if (action.state === 'ordering') await afterOrders(tx, wake, action, secrets, now())
      else if (action.state === 'deploying') await afterDeployments(tx, wake, action, now())
      else await afterChecks(tx, wake, action, now())
      await refreshCertificate(tx, wake, action.certificateId, now())
    },
    async failed(tx, wake, task, error) {
      const action = await findAction(tx, task.subject as ActionId)
      if (!action || action.endedAt) return
      await changeAction(tx, wake, action, 'failed', { reason: error.message, error: error.toWire() }, now())
      await refreshCertificate(tx, wake, action.certificateId, now())
    },
  }
}

async function afterOrders(tx: Tx, wake: Wakes, action: ActionRow, secrets: Secrets, now: Date): Promise<void> {
  const orders = await ordersOfAction(tx, action.id)
  if (orders.some((o) => isOpenOrder(o.state))) return
  const done = orders.filter((o) => o.state === 'complete')
  if (done.length === 0) {
    const error = firstError(orders)
    await changeAction(tx, wake, action, 'failed', { reason: error ? 'Nothing was issued.' : 'The order was cancelled.', error }, now)
    return
  }
  const configuration = await findConfiguration(tx, action.certificateId)
  const wantsDeployment = action.kind !== 'order' && (action.requester !== 'schedule' || (configuration !== undefined && fromBit(configuration.deployAfterRenewal)))
  if (!wantsDeployment) {
    await endBy(tx, wake, action, orders, action.kind === 'order' ? 'Issued; not deployed, as asked.' : 'Renewed; deployment after renewal is off.', now)
    return
  }
  await changeAction(tx, wake, action, 'deploying', null, now)
  if (await deployAll(tx, wake, action, secrets, now) > 0) return
  const error = new CertloopError('CONFIGURATION_INCOMPLETE', 'It was issued, but there is no target left to deploy to.').toWire()
  await changeAction(tx, wake, { ...action, state: 'deploying' }, 'failed', { reason: error.message, error }, now)
}

/** Done when all went well, else failed with the first error. */
async function endBy(tx: Tx, wake: Wakes, action: ActionRow, rows: readonly { state: string; error: string | null }[], success: string, now: Date): Promise<void> {
  const error = firstError(rows)
  const bad = rows.filter((r) => !['complete', 'deployed'].includes(r.state))
  if (bad.length === 0) await changeAction(tx, wake, action, 'done', { reason: success, error: null }, now)
  else await changeAction(tx, wake, action, 'failed', { reason: error?.message ?? 'It was cancelled.', error }, now)
}

async function afterDeployments(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  const deployments = await deploymentsOfAction(tx, action.id)
  if (deployments.some((d) => isOpenDeployment(d.state))) return
  const orders = await ordersOfAction(tx, action.id)
  const places = deployments.length === 1 ? '1 place' : `${deployments.length} places`
  const proven = deployments.every((d) => fromJson<unknown[]>(d.served).length > 0)
  await endBy(tx, wake, action, [...orders, ...deployments], proven ? `Deployed and proven at ${places}.` : `Deployed at ${places}. Where the target names no port, nothing could be proven.`, now)
}

async function afterChecks(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  if (await openTaskCount(tx, action.id, 'inspect-target') > 0) return
  const failed = await tx.selectFrom('task').select('error').where('subject', '=', action.id).where('kind', '=', 'inspect-target').where('state', '=', 'failed').execute()
  const error = firstError(failed)
  if (error) {
    await changeAction(tx, wake, action, 'failed', { reason: error.message, error }, now)
    return
  }
  if (action.kind === 'initiate') {
    await changeAction(tx, wake, action, 'done', { reason: 'Prepared: every target can be reached and read. Nothing was replaced.', error: null }, now)
    return
  }
  const installations = await installationsOf(tx, action.certificateId)
  const wrong = installations.filter((i) => i.state !== 'in-sync' && i.state !== 'unexpected')
  const good = installations.filter((i) => i.state === 'in-sync').length
  const mismatch = wrong.length > 0 ? new CertloopError('PROOF_MISMATCH', `${wrong.map((i) => `${i.title} is ${i.state}`).join('; ')}.`).toWire() : null
  const reason = mismatch ? mismatch.message : `${good === 1 ? 'The one place serves' : `All ${good} places serve`} the expected certificate.`
  await changeAction(tx, wake, action, mismatch ? 'failed' : 'done', { reason, error: mismatch }, now)
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
