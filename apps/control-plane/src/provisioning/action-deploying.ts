import { takePlaceBack } from '../batch/batch-place.ts'
import type { Tx } from '../database/database.ts'
import { openDeploymentStates } from '../deployment/deployment-state.ts'
import { openRolloutOn } from '../rollout/rollout.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { deployAll, deploymentDeadline } from './action-deployments.ts'
import { changeAction, type ActionRow } from './action-store.ts'
import { tellOverride, timeFor, waitFor, waitingReason } from './action-timing.ts'
import type { ConfigurationRow } from './configuration-store.ts'

export const deployingReason = 'It is being deployed.'
export const deployingNext = 'The bots plan, install and prove it; plans may wait for approval.'
const busyMs = 60_000

/** Deploys what an action has once its time has come, and has it wait until then. Safe to be asked at any time. */
export async function deployWhenDue(tx: Tx, wake: Wakes, action: ActionRow, configuration: ConfigurationRow, secrets: Secrets, now: Date): Promise<void> {
  const time = await timeFor(tx, action, configuration, now)
  if (time.at > now) {
    await waitFor(tx, wake, action, { at: time.at, reason: waitingReason(time) }, now)
    return
  }
  if (await isBusy(tx, action)) {
    await waitFor(tx, wake, action, { at: new Date(now.getTime() + busyMs), reason: 'Another deployment of this certificate has to end first; it is looked at again every minute.' }, now)
    return
  }
  const full = await takePlaceBack(tx, action, now)
  if (full !== null) {
    await waitFor(tx, wake, action, { at: new Date(now.getTime() + busyMs), reason: full }, now)
    return
  }
  await tellOverride(tx, action, time, now)
  const deploying = await changeAction(tx, wake, action, { event: 'deploys', reason: time.why, nextAction: deployingNext, deadline: await deploymentDeadline(tx, action.certificateId, configuration, now) }, now)
  await deployAll(tx, wake, deploying, secrets, now)
}

/** Whichever certificate it is of: targets can have come from another one a moment ago. */
async function isBusy(tx: Tx, { certificateId }: ActionRow): Promise<boolean> {
  const open = await tx.selectFrom('deployment as d').innerJoin('target as t', 't.id', 'd.targetId').select('d.id').where('t.certificateId', '=', certificateId).where('t.removedAt', 'is', null).where('d.state', 'in', openDeploymentStates).limit(1).executeTakeFirst()
  return open !== undefined || await openRolloutOn(tx, certificateId) !== undefined
}
