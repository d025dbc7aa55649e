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
import { askedAgain, stopsOf } from './stops.ts'
import { botContact, giveUpSeconds, minutesAfter, stopWords, watchTakeUp } from './watch-deployment.ts'

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
  else await askAgain(tx, wake, d, requester, now)
}

async function askToStop(tx: Tx, wake: Wakes, d: DeploymentRow, requester: string, now: Date): Promise<void> {
  const { reason, next } = await stopWords(tx, d, now)
  await updateDeployment(tx, d, { cancelRequestedAt: iso(now), cancelledBy: requester, deadline: iso(minutesAfter(now, giveUpSeconds / 60)) }, now)
  await noteDeployment(tx, wake, d, reason, next, now)
  await addEvent(tx, { kind: 'deployment.cancel-asked', message: reason, requester, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now)
  await watchTakeUp(tx, wake, d, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

/** A bot that talks to us is told so; one that is silent is waited for, or given up. */
async function askAgain(tx: Tx, wake: Wakes, d: DeploymentRow, requester: string, now: Date): Promise<void> {
  const { isSilent, silentSeconds } = await botContact(tx, d, now)
  if (silentSeconds >= giveUpSeconds) return giveUp(tx, wake, d, requester, now)
  if (isSilent) {
    const { reason, next } = await stopWords(tx, d, now)
    return noteDeployment(tx, wake, d, reason, next, now)
  }
  if ((await stopsOf(tx, d.botId, [d.id])).again.length > 0) return
  const reason = 'It is to be stopped at once: the bot puts the files back and does not wait for what tells the service.'
  await noteDeployment(tx, wake, d, reason, 'Nothing: the bot tells how it ended, and what is left to be done by hand.', now)
  await addEvent(tx, { kind: askedAgain, message: reason, requester, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now)
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
