import { CertloopError, type DeploymentId } from '@certloop/contract'
import { toJson } from '../database/columns.ts'
import { undoDeployment } from '../deployment/undo.ts'
import { follow } from './rollout-follow.ts'
import { beginSome } from './rollout-wave.ts'
import { holdsNew, inState, move, setTarget, tell, type Moving, type Work, type WorkTarget } from './rollout-work.ts'
import { counted } from './rollout-words.ts'

/** Takes back what this rollout deployed, the last wave first; what is under way ends before. @returns whether to look again */
export async function takeBack(work: Moving): Promise<boolean> {
  const underWay = inState(work.targets, 'deploying').length
  if (underWay > 0) {
    await tell(work, { nextAction: `${counted(underWay, 'deployment')} under way ${underWay === 1 ? 'ends' : 'end'} first; then it is taken back, the last wave first.` })
    return false
  }
  const left = work.targets.filter(holdsNew)
  const undoing = inState(work.targets, 'undoing')
  const wave = Math.max(...[...left, ...undoing].map((target) => target.wave))
  const begun = await beginSome(work, left.filter((target) => target.wave === wave).toReversed(), undoOne)
  if (begun) {
    await follow(work)
    return true
  }
  if (left.length + undoing.length > 0) {
    await tell(work, { nextAction: `${counted(undoing.length, 'target')} being taken back, ${left.length} to go. It goes on by itself.` })
    return false
  }
  await endUndo(work)
  return true
}

async function undoOne(work: Moving, target: WorkTarget): Promise<void> {
  const { tx, wake, secrets, now, rollout } = work
  if (!target.deploymentId) return
  if (await wasTakenBack(work, target.deploymentId)) {
    await setTarget(work, target, { state: 'undone', reason: 'It had been taken back already, by itself.' })
    return
  }
  try {
    const { id } = await undoDeployment(tx, wake, target.deploymentId, { requester: rollout.undoneBy ?? rollout.requester, rolloutId: rollout.id }, secrets, now)
    await setTarget(work, target, { state: 'undoing', undoId: id })
  } catch (error) {
    // One that can't be taken back does not keep the others from it.
    if (!(error instanceof CertloopError) || error.spec.retry === 'later') throw error
    await setTarget(work, target, { state: 'undo-failed', reason: error.message, error: toJson(error.toWire()) })
  }
}

async function wasTakenBack({ tx }: Work, id: DeploymentId): Promise<boolean> {
  const undo = await tx.selectFrom('deployment').select('id').where('undoes', '=', id).where('state', '=', 'deployed').executeTakeFirst()
  return undo !== undefined
}

async function endUndo(work: Work): Promise<void> {
  const undone = inState(work.targets, 'undone').length
  const failed = inState(work.targets, 'undo-failed')
  if (failed.length === 0) {
    await move(work, { event: 'takenBack', reason: `Taken back at ${counted(undone, 'target')}: what was there before is in place again.`, nextAction: 'Mend what was wrong, then deploy again.', deadline: null })
    return
  }
  await move(work, {
    event: 'notTakenBack', reason: `Taken back at ${undone} of ${counted(undone + failed.length, 'target')}. ${failed.map(({ title, reason }) => `${title} was not: ${reason ?? 'no reason was given.'}`).join(' ')}`,
    nextAction: 'Look at these targets. Undo their deployments one by one, or deploy another version.', deadline: null,
  })
}
