import { CertloopError, type DeploymentId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { ActionRow } from '../provisioning/action-store.ts'
import { startAction } from '../provisioning/actions.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { getDeployment, lastOn } from './deployment-store.ts'

const retryable: readonly string[] = ['failed', 'rolled-back', 'cancelled']

/**
 * Deploys the same version to the same target again, and to no other.
 * @throws CertloopError ACTION_NOT_POSSIBLE, saying why, NOT_FOUND
 */
export async function retryDeployment(tx: Tx, wake: Wakes, id: DeploymentId, requester: string, secrets: Secrets, now: Date): Promise<ActionRow> {
  const d = await getDeployment(tx, id)
  const refuse = (why: string) => { throw new CertloopError('ACTION_NOT_POSSIBLE', why, { deploymentId: id }) }
  if (d.undoes) refuse('This was to take a deployment back. Ask for the undo of that one again.')
  if (!retryable.includes(d.state)) refuse(`The deployment is ${d.state}; only one that failed, was rolled back or cancelled can be tried again.`)
  const last = await lastOn(tx, d.targetId)
  if (last && last.id > d.id) refuse('A later deployment has changed this target, or works on it. Start "deploy" for what is wanted now.')
  return startAction(tx, wake, { certificateId: d.certificateId, kind: 'deploy', versionId: d.versionId, targetIds: [d.targetId], requester }, secrets, now)
}
