import type { OrderState } from '@certloop/contract'

/** An order is one request to an authority; it ends in a version or a failure and never knows about deployment. */
export const orderTransitions = {
  /** The key was made and the CSR is what was asked for: it may be submitted. */
  csrReady: { from: ['pending'], to: 'processing' },
  /** It goes on with fewer names, and needs another CSR. */
  csrAgain: { from: ['processing'], to: 'pending' },
  /** It is unknown whether the authority issued. */
  outcomeUnknown: { from: ['processing'], to: 'uncertain' },
  /** A person has the authority asked again what became of it. */
  lookAgain: { from: ['uncertain'], to: 'processing' },
  issued: { from: ['processing', 'uncertain'], to: 'complete' },
  failed: { from: ['pending', 'processing', 'uncertain'], to: 'failed' },
  /** In processing only as long as the authority can not be issuing. */
  cancelled: { from: ['pending', 'processing', 'uncertain'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly OrderState[]; to: OrderState }>
export type OrderEvent = keyof typeof orderTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextOrderState(state: OrderState, event: OrderEvent): OrderState | undefined {
  const { from, to } = orderTransitions[event]
  return (from as readonly OrderState[]).includes(state) ? to : undefined
}
export const openOrderStates = ['pending', 'processing', 'uncertain'] as const satisfies readonly OrderState[]
export const isOpenOrder = (state: OrderState): boolean => (openOrderStates as readonly OrderState[]).includes(state)
