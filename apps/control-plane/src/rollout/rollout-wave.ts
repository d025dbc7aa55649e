import { CertloopError, type WireError } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import { findVersion } from '../certificate/certificate-store.ts'
import { revocationsOf } from '../certificate/version-revocation.ts'
import { fromBit, fromJsonOrNull, iso } from '../database/columns.ts'
import { openDeploymentStates } from '../deployment/deployment-state.ts'
import { openInPairs } from '../deployment/deployment-store.ts'
import { startDeployment } from '../deployment/deployment-worker.ts'
import { addEvent } from '../event/event-store.ts'
import { findAction } from '../provisioning/action-store.ts'
import { tellOverride, timeFor, waitingReason } from '../provisioning/action-timing.ts'
import { findConfiguration, findTarget, type TargetRow } from '../provisioning/configuration-store.ts'
import { follow } from './rollout-follow.ts'
import { mayBegin } from './rollout-plan.ts'
import { failTarget, holdsNew, inState, leaveOutWaiting, move, ofWave, setTarget, tell, type Moving, type Work, type WorkTarget } from './rollout-work.ts'
import { capital, counted, personDeadline, progressOf, watchDeadline, waveDeadline, waveName } from './rollout-words.ts'

/** Somebody else's deployment is looked at again so long after. */
const busySeconds = 30
/** What a freeze period or a window holds is looked at again so long after, as they may have been changed. */
const timeLookMinutes = 10
const heldNext = 'It goes on by itself then. To deploy the rest now: stop this rollout, then start "deploy".'

/** So many failures that it stops; or one that no number of others outweighs. */
export const hasFailedEnough = ({ targets, settings }: Work): boolean => {
  const failed = inState(targets, 'failed')
  return failed.length >= settings.stopAfterFailures || failed.some(({ error }) => fromJsonOrNull<WireError>(error)?.code === 'ROLLOUT_STOPPED')
}

/** Begins what may begin of the present wave; once all of it has ended, on to its gate. @returns whether to look again */
export async function runWave(work: Moving): Promise<boolean> {
  await refuseRevoked(work)
  const waiting = inState(ofWave(work), 'waiting')
  if (!hasFailedEnough(work)) {
    if (waiting.length > 0 && await waitsForTime(work)) return false
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

/** Nothing that was revoked or suspended since it was planned is deployed: of the wave that is to begin, such targets fail, and the rollout stops. */
async function refuseRevoked(work: Moving): Promise<void> {
  const waiting = inState(ofWave(work), 'waiting')
  const versions = new Map<string, string>()
  for (const versionId of new Set(waiting.map((target) => target.versionId))) {
    const version = versionId ? await findVersion(work.tx, versionId) : undefined
    if (version) versions.set(version.id, version.fingerprint)
  }
  const revoked = await revocationsOf(work.tx, [...versions.values()])
  for (const target of waiting) {
    const revocation = revoked.get(versions.get(target.versionId ?? '') ?? '')
    if (!revocation || target.state !== 'waiting') continue
    const error = new CertloopError('ROLLOUT_STOPPED', `The version for ${target.title} was ${revocation.status === 'held' ? 'suspended' : `revoked (${revocation.reason})`} meanwhile, so it is not deployed any more.`, { targetId: target.targetId })
    await failTarget(work, target, { reason: error.message, error })
  }
}

/** What follows the timing of the configuration does so wave by wave. @returns whether the time has not come, which is told then */
async function waitsForTime(work: Moving): Promise<boolean> {
  const { tx, now, rollout } = work
  const [action, configuration] = [await findAction(tx, rollout.actionId), await findConfiguration(tx, rollout.certificateId)]
  if (!action || !configuration) return false
  const time = await timeFor(tx, action, configuration, now)
  if (time.at <= now) {
    if (rollout.nextAction !== heldNext) return false
    await tellOverride(tx, action, time, now)
    await tell(work, { reason: time.why, nextAction: 'It goes on by itself.', deadline: iso(waveDeadline(now)) })
    return false
  }
  const reason = `${progressOf(work.targets)}. ${waitingReason(time)}`
  if (reason !== rollout.reason) await addEvent(tx, { kind: 'rollout.waiting', message: reason, certificateId: rollout.certificateId }, now)
  // A freeze period that is made shorter, or deleted, is found out about by looking again.
  work.lookAgainAt = new Date(Math.min(time.at.getTime(), now.getTime() + timeLookMinutes * 60_000))
  await tell(work, { reason, nextAction: heldNext, deadline: iso(waveDeadline(time.at)) })
  return true
}

/** Begins with those that may: one of each pair, and none that somebody else works on. @returns whether there was one */
export async function beginSome(work: Moving, waiting: readonly WorkTarget[], beginOne: (work: Moving, target: WorkTarget) => Promise<void>): Promise<boolean> {
  const pairs = await pairsElsewhere(work, waiting)
  const able = waiting.filter(({ pair }) => pair === null || !pairs.has(pair))
  const targets = mayBegin(able, inState(work.targets, 'deploying', 'undoing'), work.settings.mode === 'in-order')
  const busy = await busyTargets(work, targets)
  const free = targets.filter(({ targetId }) => !busy.has(targetId))
  if (busy.size > 0 || able.length < waiting.length) work.lookAgainAt = new Date(work.now.getTime() + busySeconds * 1000)
  for (const target of free) await beginOne(work, target)
  return free.length > 0
}

async function busyTargets({ tx }: Work, targets: readonly WorkTarget[]): Promise<ReadonlySet<string>> {
  if (targets.length === 0) return new Set()
  const rows = await tx.selectFrom('deployment').select('targetId').where('targetId', 'in', targets.map(({ targetId }) => targetId)).where('state', 'in', openDeploymentStates).execute()
  return new Set(rows.map(({ targetId }) => targetId))
}

/** Pairs of which a target is in work outside of this rollout, also of another certificate. */
async function pairsElsewhere({ tx, rollout }: Work, targets: readonly WorkTarget[]): Promise<ReadonlySet<string>> {
  const pairs = new Set(targets.map(({ pair }) => pair).filter((pair) => pair !== null))
  return new Set((await openInPairs(tx, [...pairs])).flatMap(({ pair, rolloutId }) => (pair !== null && rolloutId !== rollout.id ? [pair] : [])))
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
  const nextAction = open > 0 ? 'What is under way ends by itself. If plans are approved by hand: approve those that wait.' : 'Something else is being deployed to the same targets, or to others of their pairs; their turn comes once that has ended.'
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
    event: 'watch', reason: gate.soakSeconds > 0 ? `${capital(name)} is deployed; it is watched until ${until.toISOString()}.` : `${capital(name)} is deployed; now the HTTP check.`,
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
  await move(work, { event: 'stop', reason: why, nextAction: `Mend what failed, then deploy again: the schedule does not deploy this version any further. ${rest}`, deadline: null })
}
