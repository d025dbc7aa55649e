import type { OrderState } from '@certloop/contract'

/** An order is one request to an authority; it ends in a version or a failure and never knows about deployment. */
export const orderTransitions = {
  /** The key was made and the CSR is what was asked for: it may be submitted. */
  csrReady: { from: ['pending'], to: 'processing' },
  /** It is unknown whether the authority issued. */
  outcomeUnknown: { from: ['processing'], to: 'uncertain' },
  issued: { from: ['processing', 'uncertain'], to: 'complete' },
  failed: { from: ['pending', 'processing', 'uncertain'], to: 'failed' },
  cancelled: { from: ['pending', 'uncertain'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly OrderState[]; to: OrderState }>
export type OrderEvent = keyof typeof orderTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextOrderState(state: OrderState, event: OrderEvent): OrderState | undefined {
  const { from, to } = orderTransitions[event]
  return (from as readonly OrderState[]).includes(state) ? to : undefined
}
export const openOrderStates = ['pending', 'processing', 'uncertain'] as const satisfies readonly OrderState[]
export const isOpenOrder = (state: OrderState): boolean => (openOrderStates as readonly OrderState[]).includes(state)
