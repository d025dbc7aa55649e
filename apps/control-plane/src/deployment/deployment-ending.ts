import { asSentence, CertloopError, fromWire, type DeployLogEntry, type DeployResult } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { againWords } from '../proof/proof-words.ts'
import { wakeRollout } from '../rollout/rollout-store.ts'
import { addTask, removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isOpenDeployment } from './deployment-state.ts'
import { changeDeployment, type DeploymentChange, type DeploymentRow } from './deployment-store.ts'
import { watchDedupe } from './watch-deployment.ts'

/** What follows from the end of a deployment, however it ended. */
export async function settle(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  await removeTask(tx, watchDedupe(d.id))
  if (d.actionId) await addTask(tx, wake, { executor: 'control-plane', kind: 'advance-action', subject: d.actionId }, now)
  if (d.rolloutId) await wakeRollout(tx, wake, d.rolloutId, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

export async function failDeployment(tx: Tx, wake: Wakes, d: DeploymentRow, error: CertloopError, now: Date): Promise<void> {
  if (!isOpenDeployment(d.state)) return
  const ended = await changeDeployment(tx, wake, d, { event: 'failed', message: error.message, error: error.toWire(), nextAction: error.spec.remedy }, now)
  await settle(tx, wake, ended, now)
}

/** How a result of the bot ends its deployment. */
export function endingOf(d: Pick<DeploymentRow, 'undoes' | 'cancelRequestedAt'>, result: DeployResult): DeploymentChange {
  if (result.outcome === 'deployed') return { event: 'proven', message: `${d.cancelRequestedAt ? 'The request to cancel came too late. ' : ''}${whatIsProven(d, result)}` }
  const error = result.error ? fromWire(result.error) : new CertloopError('INTERNAL', 'The bot gave no reason.')
  const ending = { error: error.toWire(), nextAction: error.spec.remedy }
  if (error.code === 'DEPLOYMENT_CANCELLED' && !result.touched) return { event: 'stopped', message: 'Cancelled by hand. Nothing was touched.', error: null, nextAction: null }
  if (result.outcome === 'rolled-back' && d.undoes) return { event: 'failed', message: `${asSentence(error.message)} Nothing was taken back: what the deployment installed ${againWords(wasProven(result))}.`, ...ending }
  if (result.outcome === 'rolled-back') return { event: 'undone', message: `${asSentence(error.message)} The previous certificate ${againWords(wasProven(result))}.`, ...ending }
  return { event: 'failed', message: result.touched || error.message.includes('Nothing was touched') ? error.message : `${asSentence(error.message)} Nothing was touched.`, ...ending }
}

const wasProven = ({ inspection }: DeployResult): boolean => inspection === null || inspection.served.length > 0

function whatIsProven({ undoes }: Pick<DeploymentRow, 'undoes'>, { inspection }: DeployResult): string {
  const silent = inspection?.served.length === 0
  if (undoes) return silent ? 'Taken back: what was there before is in place again. The target names no port, so nothing was proven.' : 'Taken back: what was there before is in place again, and proven to be served.'
  return silent ? 'Installed. The target names no port, so nothing was proven.' : 'Installed and proven to be served.'
}

/** A result told after a restart of the bot begins with its recovery; what came before it is kept. */
export function wholeLog(known: string, told: readonly DeployLogEntry[]): DeployLogEntry[] {
  const [first] = told
  const before = fromJson<DeployLogEntry[]>(known)
  return first ? [...before.filter((entry) => entry.at < first.at), ...told] : before
}
