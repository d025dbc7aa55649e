import type { RolloutSettings } from '@certloop/contract'
import type { RolloutRow, RolloutTargetRow } from './rollout-store.ts'

/** So long planning and carrying out the deployments of one wave may take before somebody is told. */
const waveMinutes = 120
/** So long after the end of the watching its results may take. */
const lookMinutes = 20
/** So long a rollout waits for a person before it says so again. */
const personDays = 7
const after = (at: Date, minutes: number): Date => new Date(at.getTime() + minutes * 60_000)
export const waveDeadline = (now: Date): Date => after(now, waveMinutes)
export const watchDeadline = (until: Date): Date => after(until, lookMinutes)
export const personDeadline = (now: Date): Date => after(now, personDays * 24 * 60)

/** What comes after somebody has stopped it. */
export const stoppedNext = 'Nothing deploys this version any further by itself. Deploy again, or undo the rollout to go back to what was there before.'

export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** "the canary", "wave 2 of 3" */
export function waveName({ wave, waveCount }: Pick<RolloutRow, 'wave' | 'waveCount'>, { canary }: Pick<RolloutSettings, 'canary'>): string {
  return wave === 0 && canary > 0 && waveCount > 1 ? 'the canary' : `wave ${wave + 1} of ${waveCount}`
}
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** "3 of 4 targets deployed, 1 failed" */
export function progressOf(targets: readonly Pick<RolloutTargetRow, 'state'>[]): string {
  const count = (state: RolloutTargetRow['state']) => targets.filter((target) => target.state === state).length
  const others = ([['deploying', 'under way'], ['waiting', 'waiting'], ['failed', 'failed'], ['left-out', 'left out']] as const).filter(([state]) => count(state) > 0).map(([state, words]) => `${count(state)} ${words}`)
  return [`${count('deployed')} of ${counted(targets.length, 'target')} deployed`, ...others].join(', ')
}
