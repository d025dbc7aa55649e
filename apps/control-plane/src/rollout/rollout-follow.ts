import { fromWire, type CertloopError, type DeploymentState, type WireError } from '@certloop/contract'
import { fromJsonOrNull } from '../database/columns.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { failTarget, inState, setTarget, tell, type Work, type WorkTarget } from './rollout-work.ts'

interface Ended { state: DeploymentState; reason: string; error: CertloopError | null }

/** Takes over how deployments of this rollout ended, and what was seen of the targets that are watched. */
export async function follow(work: Work): Promise<void> {
  const ended = await endedDeployments(work)
  for (const target of inState(work.targets, 'deploying')) {
    const end = ended(target)
    if (end) await afterDeployment(work, target, end)
  }
  for (const target of inState(work.targets, 'undoing')) {
    const end = ended(target)
    if (end?.state === 'deployed') await setTarget(work, target, { state: 'undone', reason: 'Taken back: what was there before is in place again.' })
    else if (end) await setTarget(work, target, { state: 'undo-failed', reason: end.reason })
  }
  for (const target of inState(work.targets, 'deployed').filter(({ gate }) => gate === 'failed')) {
    const error = fromJsonOrNull<WireError>(target.error)
    await failTarget(work, target, { reason: target.reason ?? 'It did not get through the gate.', error: error && fromWire(error), gate: 'failed' })
  }
  const failures = inState(work.targets, 'failed').length
  // What is taken back again did fail all the same.
  if (failures > work.rollout.failures) await tell(work, { failures })
}

async function afterDeployment(work: Work, target: WorkTarget, { state, reason, error }: Ended): Promise<void> {
  if (state === 'deployed') await setTarget(work, target, { state: 'deployed', reason })
  else await failTarget(work, target, { reason: state === 'cancelled' ? 'Its deployment was cancelled.' : reason, error })
}

async function endedDeployments({ tx, targets }: Work): Promise<(target: WorkTarget) => Ended | undefined> {
  const idOf = (target: WorkTarget) => (target.state === 'undoing' ? target.undoId : target.deploymentId)
  const ids = inState(targets, 'deploying', 'undoing').map(idOf).filter((id) => id !== null)
  const rows = ids.length === 0 ? [] : await tx.selectFrom('deployment').select(['id', 'state', 'reason', 'error']).where('id', 'in', ids).execute()
  const ended = new Map(rows.filter(({ state }) => !isOpenDeployment(state)).map(({ id, state, reason, error }): [string, Ended] => {
    const wire = fromJsonOrNull<WireError>(error)
    return [id, { state, reason, error: wire && fromWire(wire) }]
  }))
  return (target) => ended.get(idOf(target) ?? '')
}
