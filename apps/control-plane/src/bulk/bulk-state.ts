import type { BulkItemState, BulkState } from '@certloop/contract'

/** A bulk change is one set of settings for many configurations; see docs/lifecycle.md. */
export const bulkTransitions = {
  /** Every certificate was looked at. */
  previewed: { from: ['previewing'], to: 'previewed' },
  discarded: { from: ['previewing', 'previewed'], to: 'discarded' },
  /** Again, when some could not be changed the first time. */
  begun: { from: ['previewed', 'applied'], to: 'applying' },
  applied: { from: ['applying'], to: 'applied' },
  /** Again, when some could not be given back the first time. */
  takenBack: { from: ['applied', 'undone'], to: 'undoing' },
  undone: { from: ['undoing'], to: 'undone' },
} as const satisfies Record<string, { from: readonly BulkState[]; to: BulkState }>
export type BulkEvent = keyof typeof bulkTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextBulkState(state: BulkState, event: BulkEvent): BulkState | undefined {
  const { from, to } = bulkTransitions[event]
  return (from as readonly BulkState[]).includes(state) ? to : undefined
}
/** A task works on it. */
export type WorkingState = 'previewing' | 'applying' | 'undoing'
export const isWorking = (state: BulkState): state is WorkingState => state === 'previewing' || state === 'applying' || state === 'undoing'
/** Nothing happens any more unless somebody asks for it. */
export const isOver = (state: BulkState): boolean => state === 'applied' || state === 'undone' || state === 'discarded'

/** Which items a state works on, and what ends it. */
export const phases = {
  previewing: { items: 'waiting', end: 'previewed' },
  applying: { items: 'ready', end: 'applied' },
  undoing: { items: 'applied', end: 'undone' },
} as const satisfies Record<WorkingState, { items: BulkItemState; end: BulkEvent }>
