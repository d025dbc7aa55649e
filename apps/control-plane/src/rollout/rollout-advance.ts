import type { RolloutId, RolloutState } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { iso } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { follow } from './rollout-follow.ts'
import { isHalting, isOpenRollout } from './rollout-state.ts'
import { wakeRollout } from './rollout-store.ts'
import { takeBack } from './rollout-undo.ts'
import { watchWave } from './rollout-watch.ts'
import { runWave } from './rollout-wave.ts'
import { inState, leaveOutWaiting, move, takeUp, tell, type Moving, type Work } from './rollout-work.ts'
import { counted, personDeadline, progressOf, stoppedNext, waveDeadline } from './rollout-words.ts'

const nothing = async () => false
/** What is done in each state that has not ended. @returns whether to look again at once */
const steps: Partial<Record<RolloutState, (work: Moving) => Promise<boolean>>> = { running: runWave, watching: watchWave, approval: nothing, paused: waitPaused, undoing: takeBack }

/** Does everything that can be done for a rollout now, and sees to it that it is looked at again. As often as anybody likes. */
export async function advanceRollout(tx: Tx, wake: Wakes, id: RolloutId, { secrets, checks = new Map(), now }: Pick<Moving, 'secrets' | 'now'> & Partial<Pick<Moving, 'checks'>>): Promise<void> {
  const taken = await takeUp(tx, wake, id, now)
  if (!taken || !isOpenRollout(taken.rollout.state)) return
  const work: Moving = { ...taken, secrets, checks, lookAgainAt: null }
  await follow(work)
  while (await steps[work.rollout.state]?.(work));
  if (isOpenRollout(work.rollout.state)) await lookAgain(work)
  if (work.moved) await refreshCertificate(tx, wake, work.rollout.certificateId, now)
}

/** Nothing further begins; what is under way ends. */
async function waitPaused(work: Work): Promise<boolean> {
  const underWay = inState(work.targets, 'deploying').length
  if (!isHalting(work.rollout)) {
    if (underWay === 0) await tell(work, { nextAction: 'Resume it, stop it, or take it back.' })
    return false
  }
  if (underWay > 0) return false
  await leaveOutWaiting(work, 'The rollout was stopped before its turn.')
  await move(work, { event: 'stop', reason: `Stopped${work.rollout.stoppedBy ? ` by ${work.rollout.stoppedBy}` : ''}. ${progressOf(work.targets)}.`, nextAction: stoppedNext, deadline: null })
  return true
}

/** A deadline that passed is said aloud, and again after the same time; nothing is ended by it. */
async function lookAgain(work: Moving): Promise<void> {
  const { tx, wake, now } = work
  if (work.rollout.deadline !== null && new Date(work.rollout.deadline) <= now) await sayOverdue(work, work.rollout.deadline)
  const times = [work.lookAgainAt?.getTime(), work.rollout.deadline === null ? undefined : Date.parse(work.rollout.deadline)].filter((time) => time !== undefined)
  if (times.length > 0) await wakeRollout(tx, wake, work.rollout.id, now, new Date(Math.min(...times)))
}

async function sayOverdue(work: Work, deadline: string): Promise<void> {
  const { tx, now, rollout, targets } = work
  const waitsForPerson = rollout.state === 'approval' || rollout.state === 'paused'
  const underWay = inState(targets, 'deploying', 'undoing')
  const why = waitsForPerson ? 'It waits for a person, and until then this certificate is not renewed.' : `${counted(underWay.length, 'target')} under way: ${underWay.map(({ title }) => title).join(', ') || 'none'}.`
  await addEvent(tx, { kind: 'rollout.overdue', message: `The rollout should have gone on by ${deadline}. ${why}`, certificateId: rollout.certificateId }, now)
  await tell(work, { reason: `Overdue since ${deadline}. ${why}`, deadline: iso(waitsForPerson ? personDeadline(now) : waveDeadline(now)) })
}
