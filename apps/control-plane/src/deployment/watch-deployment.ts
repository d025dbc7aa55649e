import type { DeploymentId } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { iso, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { findDeployment, noteDeployment, pastDurations, updateDeployment, type DeploymentRow } from './deployment-store.ts'
import { stopsOf } from './stops.ts'
import { expectation, usualLimits, type SlowLimits } from './usual-time.ts'

export const planMinutes = 60
export const deployMinutes = 60
/** A plan that waits longer for its approval was overlooked. */
export const approvalMinutes = 7 * 24 * 60
export const minutesAfter = (now: Date, minutes: number): Date => new Date(now.getTime() + minutes * 60_000)
const secondsAfter = (now: Date, seconds: number): Date => new Date(now.getTime() + seconds * 1000)

/** A bot that polls takes up work at once; one that is busy or away does not. */
const takeUpSeconds = 120
/** From then on it is looked at again so often. */
const againMinutes = 10
/** Silent for longer than this a bot counts as away. */
const silentSeconds = 90

export const watchDedupe = (id: DeploymentId): string => `watch-deployment:${id}`
const watchAt = (tx: Tx, wake: Wakes, { id }: Pick<DeploymentRow, 'id'>, at: Date, now: Date) =>
  addTask(tx, wake, { executor: 'control-plane', kind: 'watch-deployment', subject: id, notBefore: at, dedupe: watchDedupe(id), maxAttempts: 1000 }, now)

/** Looks whether the bot took it up. */
export async function watchTakeUp(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  await watchAt(tx, wake, d, secondsAfter(now, takeUpSeconds), now)
}

/** Looks whether it still waits for its approval. */
export async function watchApproval(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  await watchAt(tx, wake, d, d.deadline ? new Date(d.deadline) : minutesAfter(now, approvalMinutes), now)
}

/** Looks at it again when its like would be over by far. */
export async function watchDuration(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date, limits: SlowLimits = usualLimits): Promise<void> {
  const { afterSeconds } = expectation(await pastDurations(tx, d), limits)
  await watchAt(tx, wake, d, secondsAfter(d.begunAt ? new Date(d.begunAt) : now, afterSeconds), now)
}

/** Whether the bot talks to us, in words. */
export async function botContact(tx: Tx, { botId }: Pick<DeploymentRow, 'botId'>, now: Date): Promise<{ name: string; silentSeconds: number; isSilent: boolean; words: string }> {
  const bot = await findBot(tx, botId)
  const name = bot?.name ?? botId
  const last = bot?.lastContactAt
  const silent = last ? Math.max(0, Math.round((now.getTime() - new Date(last).getTime()) / 1000)) : Number.POSITIVE_INFINITY
  return { name, silentSeconds: silent, isSilent: silent > silentSeconds, words: last ? `The bot "${name}" was last heard of at ${last.slice(0, 19)}Z.` : `The bot "${name}" has never been heard of.` }
}

/** Who does not want to wait for a bot any longer may give up after so long without a word of it. */
export const giveUpSeconds = 15 * 60

/** What is going on with one that is to be stopped, as it is now. */
export async function stopWords(tx: Tx, d: DeploymentRow, now: Date): Promise<{ reason: string; next: string }> {
  const { isSilent, silentSeconds, words } = await botContact(tx, d, now)
  if (!isSilent) return { reason: 'It is being stopped: the bot ends what runs, and puts back what was there before.', next: 'Nothing: the bot tells how it ended. Cancel once more to have it not wait for a reload that hangs.' }
  const givesUp = Number.isFinite(silentSeconds) && silentSeconds < giveUpSeconds ? `From ${iso(secondsAfter(now, giveUpSeconds - silentSeconds)).slice(0, 16)}Z on, when it has been silent for 15 minutes, cancelling once more gives up waiting` : 'Cancelling once more gives up waiting'
  return { reason: `It is to be stopped, and waits for the bot. ${words}`, next: `Start the bot. ${givesUp}: what is on the host is unknown then.` }
}

export interface WatchDeps { database: Database; now: () => Date; slow?: SlowLimits }

/** Says of a deployment that waits or takes long why, and what to do. Comes when it is due, so that nobody has to look through all of them. */
export function watchDeploymentKind({ now, slow }: WatchDeps): PlaneTaskKind {
  return {
    run: async (task) => async (tx, wake) => {
      const d = await findDeployment(tx, task.subject as DeploymentId)
      if (!d) return
      if (d.state === 'planning' || d.state === 'pending') await sayWaiting(tx, wake, d, now())
      else if (d.state === 'planned') await sayUnapproved(tx, wake, d, now())
      else if (d.state === 'deploying') await sayDeploying(tx, wake, d, now(), slow)
    },
    // What it says is of use to people alone: the deployment goes on without it.
    failed: async () => undefined,
  }
}

async function sayWaiting(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  const { isSilent, words } = await botContact(tx, d, now)
  const what = d.state === 'planning' ? 'The plan is not there yet.' : 'The bot has not begun with it yet.'
  const next = isSilent ? 'Start the bot, or see why it can not reach the control plane; or cancel it.' : 'The bot is busy with something else, or with a host that does not answer. Wait, or cancel it.'
  await noteDeployment(tx, wake, d, `${what} ${words}`, next, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
  await watchAt(tx, wake, d, minutesAfter(now, againMinutes), now)
}

const unapproved = 'The plan has waited for its approval for more than 7 days.'

/** Told once; it goes on waiting. */
async function sayUnapproved(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  if (d.reason === unapproved) return
  if (d.deadline && new Date(d.deadline) > now) return watchApproval(tx, wake, d, now)
  await noteDeployment(tx, wake, d, unapproved, 'Approve the plan, or cancel the deployment.', now)
  await addEvent(tx, { kind: 'deployment.overdue', message: `${unapproved} Approve it, or cancel the deployment.`, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

async function sayDeploying(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date, limits: SlowLimits = usualLimits): Promise<void> {
  const begun = new Date(d.begunAt ?? d.updatedAt)
  const { usualSeconds, afterSeconds, known } = expectation(await pastDurations(tx, d), limits)
  const since = secondsAfter(begun, afterSeconds)
  if (d.cancelRequestedAt) return sayStopping(tx, wake, d, now)
  if (since > now) {
    await watchAt(tx, wake, d, since, now)
    return
  }
  if (d.slow) return
  await flagSlow(tx, wake, d, { since: iso(since), usualSeconds }, { known, begun }, now)
  await watchAt(tx, wake, d, minutesAfter(now, againMinutes), now)
}

/** Anew at each look: the bot may have gone away or come back since. */
async function sayStopping(tx: Tx, wake: Wakes, d: DeploymentRow, now: Date): Promise<void> {
  const { isSilent } = await botContact(tx, d, now)
  const atOnce = (await stopsOf(tx, d.botId, [d.id])).again.length > 0
  if (isSilent || !atOnce) {
    const { reason, next } = await stopWords(tx, d, now)
    if (reason !== d.reason || next !== d.nextAction) await noteDeployment(tx, wake, d, reason, next, now)
  }
  await refreshCertificate(tx, wake, d.certificateId, now)
  await watchAt(tx, wake, d, secondsAfter(now, takeUpSeconds), now)
}

async function flagSlow(tx: Tx, wake: Wakes, d: DeploymentRow, slow: { since: string; usualSeconds: number }, { known, begun }: { known: boolean; begun: Date }, now: Date): Promise<void> {
  const took = Math.round((now.getTime() - begun.getTime()) / 1000)
  const usual = known ? `its like usually take ${inWords(slow.usualSeconds)}` : `it is not known yet how long its like take, and ${inWords(slow.usualSeconds)} are enough for most`
  const reason = `It has been going on for ${inWords(took)}, and ${usual}.`
  await updateDeployment(tx, d, { slow: toJson(slow) }, now)
  await noteDeployment(tx, wake, d, d.cancelRequestedAt ? `It is being stopped. ${reason}` : reason, 'Look at the host, or cancel it.', now)
  await addEvent(tx, { kind: 'deployment.slow', message: `${reason} Look at the host, or cancel it.`, certificateId: d.certificateId, deploymentId: d.id, botId: d.botId }, now)
  await refreshCertificate(tx, wake, d.certificateId, now)
}

const inWords = (seconds: number): string => (seconds < 120 ? `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`)
