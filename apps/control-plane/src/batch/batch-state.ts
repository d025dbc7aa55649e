import type { BatchItemState, BatchState } from '@certloop/contract'

/** A batch is one action on many certificates; see docs/lifecycle.md. */
export const batchTransitions = {
  paused: { from: ['running'], to: 'paused' },
  resumed: { from: ['paused'], to: 'running' },
  /** What failed or was refused is to be tried again. */
  retried: { from: ['running', 'paused', 'done'], to: 'running' },
  cancelled: { from: ['running', 'paused'], to: 'cancelling' },
  /** Nothing waits and nothing is under way. */
  completed: { from: ['running', 'paused'], to: 'done' },
  stopped: { from: ['cancelling'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly BatchState[]; to: BatchState }>
export type BatchEvent = keyof typeof batchTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextBatchState(state: BatchState, event: BatchEvent): BatchState | undefined {
  const { from, to } = batchTransitions[event]
  return (from as readonly BatchState[]).includes(state) ? to : undefined
}
export const isOpenBatch = (state: BatchState): boolean => state !== 'done' && state !== 'cancelled'

/** One certificate within a batch. */
export const itemTransitions = {
  started: { from: ['waiting'], to: 'running' },
  /** The action is not possible for it. */
  refused: { from: ['waiting'], to: 'refused' },
  succeeded: { from: ['waiting', 'running'], to: 'done' },
  failed: { from: ['waiting', 'running'], to: 'failed' },
  /** With the batch before it began, or because somebody ended its action. */
  cancelled: { from: ['waiting', 'running'], to: 'cancelled' },
  retried: { from: ['failed', 'refused'], to: 'waiting' },
} as const satisfies Record<string, { from: readonly BatchItemState[]; to: BatchItemState }>
export type BatchItemEvent = keyof typeof itemTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextItemState(state: BatchItemState, event: BatchItemEvent): BatchItemState | undefined {
  const { from, to } = itemTransitions[event]
  return (from as readonly BatchItemState[]).includes(state) ? to : undefined
}
