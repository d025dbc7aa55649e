import { CertloopError } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { fromBit } from '../database/columns.ts'
import { openDeploymentStates } from '../deployment/deployment-state.ts'
import { startDeployment } from '../deployment/deployment-worker.ts'
import { findTarget, type TargetRow } from '../provisioning/configuration-store.ts'
import { follow } from './rollout-follow.ts'
import { mayBegin } from './rollout-plan.ts'
import { failTarget, holdsNew, inState, leaveOutWaiting, move, ofWave, setTarget, tell, type Moving, type Work, type WorkTarget } from './rollout-work.ts'
import { capital, counted, personDeadline, progressOf, watchDeadline, waveDeadline, waveName } from './rollout-words.ts'

/** Somebody else's deployment is looked at again so long after. */
const busySeconds = 30

export const hasFailedEnough = ({ targets, settings }: Work): boolean => inState(targets, 'failed').length >= settings.stopAfterFailures

/** Begins what may begin of the present wave; once all of it has ended, on to its gate. @returns whether to look again */
export async function runWave(work: Moving): Promise<boolean> {
  const waiting = inState(ofWave(work), 'waiting')
  if (!hasFailedEnough(work)) {
    const begun = await beginSome(work, waiting, begin)
    if (begun) {
      await follow(work)
      return true
    }
  }
  const open = inState(work.targets, 'deploying').length
  if (open > 0 || (waiting.length > 0 && !hasFailedEnough(work))) {
    await tellWave(work, open)
    return false
  }
  if (hasFailedEnough(work)) await halt(work)
  else await toGate(work)
  return true
}

/** Begins with those that may: one of each pair, and none that somebody else works on. @returns whether there was one */
export async function beginSome(work: Moving, waiting: readonly WorkTarget[], beginOne: (work: Moving, target: WorkTarget) => Promise<void>): Promise<boolean> {
  const targets = mayBegin(waiting, inState(work.targets, 'deploying', 'undoing'), work.settings.mode === 'in-order')
  const busy = await busyTargets(work, targets)
  const free = targets.filter(({ targetId }) => !busy.has(targetId))
  if (busy.size > 0) work.lookAgainAt = new Date(work.now.getTime() + busySeconds * 1000)
  for (const target of free) await beginOne(work, target)
  return free.length > 0
}

async function busyTargets({ tx }: Work, targets: readonly WorkTarget[]): Promise<ReadonlySet<string>> {
  if (targets.length === 0) return new Set()
  const rows = await tx.selectFrom('deployment').select('targetId').where('targetId', 'in', targets.map(({ targetId }) => targetId)).where('state', 'in', openDeploymentStates).execute()
  return new Set(rows.map(({ targetId }) => targetId))
}

async function begin(work: Moving, target: WorkTarget): Promise<void> {
  const { tx, wake, secrets, now, rollout } = work
  const row = await findTarget(tx, target.targetId)
  const obstacle = await obstacleOf(work, target, row)
  if (obstacle || !row || !target.versionId) {
    await failTarget(work, target, { reason: obstacle?.message ?? 'The target is gone.', error: obstacle ?? null })
    return
  }
  const { id } = await startDeployment(tx, wake, {
    certificateId: rollout.certificateId, actionId: rollout.actionId, rolloutId: rollout.id, versionId: target.versionId, targetId: target.targetId, botId: row.botId, rollback: fromBit(rollout.rollback), approval: rollout.approval, requester: rollout.requester,
    reason: `To be deployed to ${target.title}, in ${waveName(rollout, work.settings)}.`,
  }, secrets, now)
  await setTarget(work, target, { state: 'deploying', deploymentId: id, reason: null })
}

/** What has changed since the rollout was planned. */
async function obstacleOf({ tx }: Work, { versionId, title }: WorkTarget, row: TargetRow | undefined): Promise<CertloopError | undefined> {
  if (!row || row.removedAt) return new CertloopError('NOT_FOUND', `The target ${title} is no longer part of the configuration.`)
  const bot = await findBot(tx, row.botId)
  if (!bot || bot.revokedAt) return new CertloopError('BOT_REVOKED', `The bot "${bot?.name ?? row.botId}" of ${title} was revoked.`, { botId: row.botId })
  const version = versionId ? await findVersion(tx, versionId) : undefined
  if (!version?.keyId || version.keyBotId !== row.botId) return new CertloopError('KEY_NOT_FOUND', `The key of the version is not on the host of ${title}.`)
  return undefined
}

async function tellWave(work: Work, open: number): Promise<void> {
  const nextAction = open > 0 ? 'What is under way ends by itself. If plans are approved by hand: approve those that wait.' : 'Something else is being deployed to the same targets; their turn comes once that has ended.'
  await tell(work, { reason: `${capital(waveName(work.rollout, work.settings))}: ${progressOf(ofWave(work))}.`, nextAction })
}

async function toGate(work: Work): Promise<void> {
  const { settings: { gate }, now } = work
  const isWatched = gate.soakSeconds > 0 || gate.httpCheck !== null
  if (!isWatched || inState(ofWave(work), 'deployed').length === 0) {
    await pastGate(work)
    return
  }
  const until = new Date(now.getTime() + gate.soakSeconds * 1000)
  const name = waveName(work.rollout, work.settings)
  await move(work, {
    event: 'watch', reason: gate.soakSeconds > 0 ? `${capital(name)} is deployed and proven; it is watched until ${until.toISOString()}.` : `${capital(name)} is deployed and proven; now the HTTP check.`,
    nextAction: gate.soakSeconds > 0 ? 'Then every target of it is looked at again. It goes on by itself.' : 'It goes on by itself.', watchUntil: until, deadline: watchDeadline(until),
  })
}

/** A wave is through its gate: to the next one, to the person who approves, or to the end. */
export async function pastGate(work: Work): Promise<void> {
  const { rollout, settings, now } = work
  const name = capital(waveName(rollout, settings))
  if (rollout.wave + 1 >= rollout.waveCount) {
    await move(work, { event: 'finish', reason: `${capital(progressOf(work.targets))}.`, nextAction: null, deadline: null })
  } else if (rollout.wave === 0 && settings.gate.approval) {
    await move(work, { event: 'ask', reason: `${name} is through: ${progressOf(ofWave(work))}. The rest waits for approval.`, nextAction: 'Look at the targets of it. Then resume the rollout, or stop it or take it back.', deadline: personDeadline(now) })
  } else {
    await move(work, { event: 'nextWave', wave: rollout.wave + 1, reason: `${name} is through: ${progressOf(ofWave(work))}.`, nextAction: 'The next wave begins by itself.', deadline: waveDeadline(now), watchUntil: null })
  }
}

/** After too many failures: an end here, or what was deployed is taken back. */
export async function halt(work: Work): Promise<void> {
  const { rollout, settings, targets, now } = work
  const failed = inState(targets, 'failed')
  const [first] = failed
  const why = `Stopped after ${counted(failed.length, 'failure')} in ${waveName(rollout, settings)}. ${first ? `${first.title}: ${first.reason ?? ''}` : ''}`.trimEnd()
  await leaveOutWaiting(work, 'The rollout was stopped before its turn.')
  const holders = targets.filter(holdsNew)
  if (settings.onStop === 'undo' && holders.length > 0) {
    await move(work, { event: 'undo', reason: `${why} What was deployed is being taken back, as configured.`, nextAction: 'It is taken back by itself, the last wave first.', deadline: waveDeadline(now) })
    return
  }
  const rest = holders.length > 0 ? `${counted(holders.length, 'target')} kept the new version: to go back to what was there before, undo the rollout.` : 'No target holds the new version.'
  await move(work, { event: 'stop', reason: why, nextAction: `Mend what failed, then deploy again. ${rest}`, deadline: null })
}
