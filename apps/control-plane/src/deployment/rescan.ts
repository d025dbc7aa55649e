import { findBot } from '../bot/bot-store.ts'
import type { Tx } from '../database/database.ts'
import { machineOf } from '@certloop/contract'
import { findTarget, reachOf } from '../provisioning/configuration-store.ts'
import { addTask, hasReadyTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import type { DeploymentRow } from './deployment-store.ts'

/** Several deployments to one host end in one look at it. */
const afterSeconds = 20

/**
 * Lets the bot look at its own host again, soon, so that the inventory follows what is there and not what was meant. One look
 * that waits already is for all; it is not pushed away. Of other machines the result of the deployment tells what was seen.
 */
export async function askForScan(tx: Tx, wake: Wakes, { botId, targetId }: Pick<DeploymentRow, 'botId' | 'targetId'>, now: Date): Promise<void> {
  const [bot, target] = [await findBot(tx, botId), await findTarget(tx, targetId)]
  if (!bot || bot.revokedAt || (target && machineOf({ reach: reachOf(target) }) !== 'local')) return
  if (await hasReadyTask(tx, botId, 'scan-host')) return
  await addTask(tx, wake, { executor: botId, kind: 'scan-host', subject: botId, notBefore: new Date(now.getTime() + afterSeconds * 1000) }, now)
}
