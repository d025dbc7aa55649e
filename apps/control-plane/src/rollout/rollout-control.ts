import { CertloopError, type CertificateId, type RolloutId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import type { Db, Tx } from '../database/database.ts'
import { getDeployment } from '../deployment/deployment-store.ts'
import { cancelDeployment } from '../deployment/cancel.ts'
import { openAction } from '../provisioning/action-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { isHalting } from './rollout-state.ts'
import { whyNotCommand, type RolloutCommand } from './rollout-rules.ts'
import { getRollout, wakeRollout, type RolloutRow } from './rollout-store.ts'
import { inState, leaveOutWaiting, move, takeUp, type Work } from './rollout-work.ts'
import { counted, personDeadline, progressOf, stoppedNext, watchDeadline, waveDeadline } from './rollout-words.ts'

type Command = (tx: Tx, wake: Wakes, id: RolloutId, requester: string, now: Date) => Promise<void>

/** @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE with the reason */
function command(name: RolloutCommand, carryOut: (work: Work, requester: string) => Promise<void>): Command {
  return async (tx, wake, id, requester, now) => {
    await getRollout(tx, id)
    // Whoever moves the rollout on has its task before its certificate; the other way round they would wait for each other.
    await wakeRollout(tx, wake, id, now)
    const work = await takeUp(tx, wake, id, now)
    if (!work) throw new CertloopError('NOT_FOUND', `There is no rollout ${id}.`, { rolloutId: id })
    if (name === 'stop' && isHalting(work.rollout)) return
    const why = whyNotCommand(name, { ...work.rollout, targets: work.targets, later: await cameLater(tx, work.rollout) })
    if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${name}" is not possible now. ${why}`, { rolloutId: id })
    await carryOut(work, requester)
    await refreshCertificate(tx, wake, work.rollout.certificateId, now)
  }
}

/** What keeps ended rollouts of a certificate from being taken back, as it is newer than they are. */
async function cameLater(db: Db | Tx, { id, certificateId, actionId }: { id: RolloutId; certificateId: CertificateId; actionId: RolloutRow['actionId'] }): Promise<string | null> {
  const action = await openAction(db, certificateId)
  if (action && action.id !== actionId) return isRunning(action.kind)
  const newer = await db.selectFrom('rollout').select('id').where('certificateId', '=', certificateId).where('id', '>', id).executeTakeFirst()
  return newer ? newerCame : null
}

/** The same for a page of them, in two queries. */
export async function cameLaterThan(db: Db | Tx, ended: readonly Pick<RolloutRow, 'id' | 'certificateId' | 'actionId'>[]): Promise<(rollout: Pick<RolloutRow, 'id' | 'certificateId' | 'actionId'>) => string | null> {
  const ids = [...new Set(ended.map((rollout) => rollout.certificateId))]
  if (ids.length === 0) return () => null
  const open = await db.selectFrom('action').select(['id', 'kind', 'certificateId']).where('certificateId', 'in', ids).where('endedAt', 'is', null).execute()
  const newest = await db.selectFrom('rollout').select((eb) => ['certificateId', eb.fn.max('id').as('newest')]).where('certificateId', 'in', ids).groupBy('certificateId').execute()
  const [actions, rollouts] = [new Map(open.map((action) => [action.certificateId, action])), new Map(newest.map((row) => [row.certificateId, row.newest]))]
  return ({ id, certificateId, actionId }) => {
    const action = actions.get(certificateId)
    if (action && action.id !== actionId) return isRunning(action.kind)
    return (rollouts.get(certificateId) ?? id) > id ? newerCame : null
  }
}
const newerCame = 'A newer rollout of this certificate has come after it.'
const isRunning = (kind: string) => `"${kind}" is running on this certificate; wait for its end.`

/** Begin nothing further; what is under way ends. */
export const pauseRollout = command('pause', async (work, requester) => {
  const underWay = inState(work.targets, 'deploying').length
  await move(work, { event: 'pause', requester, reason: `Paused by ${requester}. ${progressOf(work.targets)}.`, nextAction: underWay > 0 ? `${counted(underWay, 'deployment')} under way will end. Then resume it, stop it, or take it back.` : 'Resume it, stop it, or take it back.', deadline: personDeadline(work.now) })
})

/** Back to where it was; or, after the first wave, on to the next. */
export const resumeRollout = command('resume', async (work, requester) => {
  const { rollout, now } = work
  const nextAction = 'It goes on by itself.'
  if (rollout.state === 'approval') {
    await move(work, { event: 'approve', requester, wave: rollout.wave + 1, reason: `Approved by ${requester}.`, nextAction, deadline: waveDeadline(now), watchUntil: null })
    return
  }
  const watchUntil = new Date(Math.max(now.getTime(), Date.parse(rollout.watchUntil ?? now.toISOString())))
  await move(work, { event: 'resume', requester, reason: `Resumed by ${requester}.`, nextAction, deadline: rollout.pausedFrom === 'watching' ? watchDeadline(watchUntil) : waveDeadline(now) })
})

/** Ends it where it is: what no bot has begun is cancelled, what is under way ends, and nothing is taken back. Once more does nothing. */
export const stopRollout = command('stop', async (work, requester) => {
  await cancelPlanned(work, requester)
  await leaveOutWaiting(work, 'The rollout was stopped before its turn.')
  const underWay = inState(work.targets, 'deploying').length
  const reason = `Stopped by ${requester}. ${progressOf(work.targets)}.`
  if (underWay > 0) await move(work, { event: 'halt', requester, reason, nextAction: `${counted(underWay, 'deployment')} under way will end first.`, deadline: waveDeadline(work.now) })
  else await move(work, { event: 'stop', requester, reason, nextAction: stoppedNext, deadline: null })
})

/** Takes back everything that it has deployed, also after its end. */
export const undoRollout = command('undo', async (work, requester) => {
  await cancelPlanned(work, requester)
  await leaveOutWaiting(work, 'The rollout was taken back before its turn.')
  await move(work, { event: 'undo', requester, reason: `Being taken back, as ${requester} asked.`, nextAction: 'It is taken back by itself, the last wave first.', deadline: waveDeadline(work.now) })
})

/** What is only planned has touched nothing. */
async function cancelPlanned({ tx, wake, now, targets }: Work, requester: string): Promise<void> {
  for (const { deploymentId } of inState(targets, 'deploying')) {
    if (!deploymentId) continue
    const { state } = await getDeployment(tx, deploymentId)
    if (state === 'planning' || state === 'planned') await cancelDeployment(tx, wake, deploymentId, requester, now)
  }
}
