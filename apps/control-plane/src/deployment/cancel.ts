import { CertloopError, type DeploymentId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { iso } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { cancelReadyTasks, endTasksAbout } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { failDeployment, settle } from './deployment-ending.ts'
import { isOpenDeployment } from './deployment-state.ts'
import { changeDeployment, getDeployment, noteDeployment, updateDeployment, type DeploymentRow } from './deployment-store.ts'
import { askForScan } from './rescan.ts'
import { botContact, minutesAfter, watchTakeUp } from './watch-deployment.ts'

/** Who does not want to wait for a bot any longer may give up after so long without a word of it. */
const giveUpSeconds = 15 * 60

/**
 * Cancels what was not begun. What a bot works on is stopped: the bot learns it, takes back what it did and tells how that ended.
 * Asked again of a bot that has long been silent, it ends without knowing what is on the host.
 * @throws CertloopError ACTION_NOT_POSSIBLE, NOT_FOUND
 */
export async function cancelDeployment(tx: Tx, wake: Wakes, id: DeploymentId, requester: string, now: Date): Promise<void> {
  const d = await getDeployment(tx, id)
  if (!isOpenDeployment(d.state)) throw new CertloopError('ACTION_NOT_POSSIBLE', `The deployment is ${d.state}; there is nothing to be cancelled.`, { deploymentId: id })
  // What only watches it is no work that the bot could have begun.
  const takenBack = await cancelReadyTasks(tx, d.id, ['plan-deployment', 'deploy', 'undo-deployment'])
  // A plan changes nothing: whether the bot is at it or not, nothing comes of it.
  if (d.state === 'planning' || d.state === 'planned' || (d.state === 'pending' && takenBack > 0)) {
    await settle(tx, wake, await changeDeployment(tx, wake, d, { event: 'cancelled', message: 'Cancelled by hand. Nothing was touched.', requester }, now), now)
  } else if (d.cancelRequestedAt === null) await askToStop(tx, wake, d, requester, now)
  else if ((await botContact(tx, d, now)).silentSeconds >= giveUpSeconds) await giveUp(tx, wake, d, requester, now)
}

async function askToStop(tx: Tx, wake: Wakes, d: DeploymentRow, requester: string, now: Date): Promise<void> {
  const { isSilent, words } = await botContact(tx, d, now)
  await updateDeployment(tx, d, { cancelRequestedAt: iso(now), cancelledBy: requester, deadline: iso(minutesAfter(now, giveUpSeconds / 60)) }, now)
  const reason = isSilent ? `It is to be stopped, and waits for the bot. ${words}` : 'It is being stopped: the bot ends what runs, and puts back what was there before.'
  const next = isSilent ? 'Start the bot. When it will not come back, cancel once more after it has been silent for 15 minutes.' : 'Nothing: the bot tells how it ended.'
  await noteDeployment(tx, wake, d, reason, next, now)
  await addEvent(tx, { kind: 'deployment.cancel-asked', message: reason, requester, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now)
  await watchTakeUp(tx, wake, d, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

/** The work is taken from the bot: what it tells later is evidence and changes no state. */
async function giveUp(tx: Tx, wake: Wakes, d: DeploymentRow, requester: string, now: Date): Promise<void> {
  const { words, name } = await botContact(tx, d, now)
  const error = new CertloopError('DEPLOYMENT_CANCELLED', `Given up by ${requester} while the bot "${name}" was away. ${words} What is on the host is unknown: the old certificate, the new one, or a server that is down.`, { deploymentId: d.id })
  await endTasksAbout(tx, d.id, error.toWire(), now)
  await failDeployment(tx, wake, d, error, now)
  await askForScan(tx, wake, d, now)
}
