import type { CertloopError, RolloutId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import type { Database } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import { advanceRollout } from './rollout-advance.ts'
import { makeChecks, type CheckSettings } from './rollout-check.ts'
import { isHalting, isOpenRollout } from './rollout-state.ts'
import { inState, leaveOutWaiting, move, takeUp, type Work } from './rollout-work.ts'
import { waveDeadline } from './rollout-words.ts'

export interface RolloutDeps { database: Database; secrets: Secrets; checks: CheckSettings; now: () => Date }

/** Moves a rollout on: when a deployment of it has ended, when its time has come, when a person wants it. One at a time for each. */
export function advanceRolloutKind({ database, secrets, checks: settings, now }: RolloutDeps): PlaneTaskKind {
  return {
    async run(task) {
      const id = task.subject as RolloutId
      const checks = await makeChecks(database.db, id, settings, now())
      return (tx, wake) => advanceRollout(tx, wake, id, { secrets, now: now(), checks })
    },
    async failed(tx, wake, task, error) {
      const work = await takeUp(tx, wake, task.subject as RolloutId, now())
      if (!work || !isOpenRollout(work.rollout.state)) return
      await breakOff(work, error)
      await refreshCertificate(tx, wake, work.rollout.certificateId, now())
    },
  }
}

/** It can not be moved on: nothing further begins, and the reason is said. */
async function breakOff(work: Work, error: CertloopError): Promise<void> {
  const why = { reason: `It could not go on: ${error.message}`, error: error.toWire() }
  if (work.rollout.state === 'undoing') {
    await move(work, { event: 'notTakenBack', ...why, nextAction: 'Look at every target of it, and undo their deployments one by one.', deadline: null })
  } else if (inState(work.targets, 'deploying').length === 0) {
    await leaveOutWaiting(work, 'The rollout was stopped before its turn.')
    await move(work, { event: 'stop', ...why, nextAction: `${error.spec.remedy} Then deploy again.`, deadline: null })
  } else if (!isHalting(work.rollout)) {
    await move(work, { event: 'halt', ...why, nextAction: 'What is under way ends first.', deadline: waveDeadline(work.now) })
  }
}
