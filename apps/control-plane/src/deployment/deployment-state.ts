import type { DeploymentState } from '@certloop/contract'

/** A deployment puts one version onto one target, or takes that back; see docs/lifecycle.md. */
export const deploymentTransitions = {
  /** The plan is there and a person has to approve it. */
  planReady: { from: ['planning'], to: 'planned' },
  /** The plan is approved, by a person or by the configuration. */
  approved: { from: ['planning', 'planned'], to: 'pending' },
  /** The bot took the work up. */
  begun: { from: ['pending'], to: 'deploying' },
  proven: { from: ['pending', 'deploying'], to: 'deployed' },
  undone: { from: ['pending', 'deploying'], to: 'rolled-back' },
  failed: { from: ['planning', 'planned', 'pending', 'deploying'], to: 'failed' },
  cancelled: { from: ['planning', 'planned', 'pending'], to: 'cancelled' },
  /** The bot was asked to stop and had not touched anything yet. */
  stopped: { from: ['pending', 'deploying'], to: 'cancelled' },
} as const satisfies Record<string, { from: readonly DeploymentState[]; to: DeploymentState }>
export type DeploymentEvent = keyof typeof deploymentTransitions

/** Pure. The next state, or undefined when the event is not allowed in this one. */
export function nextDeploymentState(state: DeploymentState, event: DeploymentEvent): DeploymentState | undefined {
  const { from, to } = deploymentTransitions[event]
  return (from as readonly DeploymentState[]).includes(state) ? to : undefined
}
export const openDeploymentStates = ['planning', 'planned', 'pending', 'deploying'] as const satisfies readonly DeploymentState[]
export const isOpenDeployment = (state: DeploymentState): boolean => (openDeploymentStates as readonly DeploymentState[]).includes(state)
