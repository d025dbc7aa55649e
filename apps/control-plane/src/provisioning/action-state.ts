import type { ActionState } from '@certloop/contract'

/** An action ties orders and deployments together; see docs/adr/0007 and docs/lifecycle.md. */
export const actionTransitions = {
  /** Issued, and the time of its deployment has not come. */
  waits: { from: ['ordering'], to: 'waiting' },
  /** Issued, and deployed now: at once, when its time has come, or because somebody said so. */
  deploys: { from: ['ordering', 'waiting'], to: 'deploying' },
  succeeded: { from: ['ordering', 'waiting', 'deploying', 'checking', 'revoking'], to: 'done' },
  failed: { from: ['ordering', 'waiting', 'deploying', 'checking', 'revoking'], to: 'failed' },
  cancelled: { from: ['ordering', 'waiting', 'deploying', 'checking', 'revoking'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly ActionState[]; to: ActionState }>
export type ActionEvent = keyof typeof actionTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextActionState(state: ActionState, event: ActionEvent): ActionState | undefined {
  const { from, to } = actionTransitions[event]
  return (from as readonly ActionState[]).includes(state) ? to : undefined
}
export const isOpenAction = (state: ActionState): boolean => state !== 'done' && state !== 'failed' && state !== 'cancelled'
