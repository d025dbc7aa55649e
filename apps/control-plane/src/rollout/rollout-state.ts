import type { RolloutState } from '@certloop/contract'

/** A rollout puts the deployments of one action in order; see docs/lifecycle.md. */
export const rolloutTransitions = {
  /** A wave is deployed and proven; now it is watched. */
  watch: { from: ['running'], to: 'watching' },
  nextWave: { from: ['running', 'watching'], to: 'running' },
  /** The first wave is through its gate, and a person lets the rest go on. */
  ask: { from: ['running', 'watching'], to: 'approval' },
  approve: { from: ['approval'], to: 'running' },
  finish: { from: ['running', 'watching'], to: 'done' },
  pause: { from: ['running', 'watching'], to: 'paused' },
  /** Back to where it was. */
  resume: { from: ['paused'], to: 'pausedFrom' },
  /** It is to stop, once the deployments under way have ended. */
  halt: { from: ['running', 'paused'], to: 'paused' },
  stop: { from: ['running', 'watching', 'approval', 'paused'], to: 'stopped' },
  /** Of one that has ended, only by a person: nothing else leads out of an end. */
  undo: { from: ['running', 'watching', 'approval', 'paused', 'done', 'stopped'], to: 'undoing' },
  takenBack: { from: ['undoing'], to: 'undone' },
  notTakenBack: { from: ['undoing'], to: 'undo-failed' },
} as const satisfies Record<string, { from: readonly RolloutState[]; to: RolloutState | 'pausedFrom' }>
export type RolloutEvent = keyof typeof rolloutTransitions

/** `pausedFrom`: where a paused one goes back to. "stopped": it does not, and stops once nothing is under way. */
export interface RolloutPosition { state: RolloutState; pausedFrom: RolloutState | null }

/** It stops once nothing is under way. */
export const isHalting = ({ state, pausedFrom }: RolloutPosition): boolean => state === 'paused' && pausedFrom === 'stopped'

/** Pure. Where the event leads, or undefined when it is not allowed here. */
export function nextRolloutPosition({ state, pausedFrom }: RolloutPosition, event: RolloutEvent): RolloutPosition | undefined {
  const { from, to } = rolloutTransitions[event]
  if (!(from as readonly RolloutState[]).includes(state)) return undefined
  if (isHalting({ state, pausedFrom }) && (event === 'resume' || event === 'halt')) return undefined
  if (event === 'pause') return { state: to as 'paused', pausedFrom: state }
  if (event === 'halt') return { state: 'paused', pausedFrom: 'stopped' }
  if (to === 'pausedFrom') return pausedFrom ? { state: pausedFrom, pausedFrom: null } : undefined
  return { state: to, pausedFrom: null }
}

export const openRolloutStates = ['running', 'watching', 'approval', 'paused', 'undoing'] as const satisfies readonly RolloutState[]
export const isOpenRollout = (state: RolloutState): boolean => (openRolloutStates as readonly RolloutState[]).includes(state)
