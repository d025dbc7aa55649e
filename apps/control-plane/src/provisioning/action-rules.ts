import type { ActionAvailability, ActionKind } from '@certloop/contract'

/** What decides whether an action can be started. */
export interface ActionFacts {
  openAction: ActionKind | null
  openDeployment: boolean
  configuration: 'none' | 'draft' | 'complete'
  targetCount: number
  /** Targets for which a version with its key on that host exists. */
  deployableCount: number
}

const always = ['delete'] as const
const actions: readonly ActionKind[] = ['initiate', 'order', 'deploy', 'rotate', 'rekey', 'recheck-pinning']

/** Why the action is not possible now; null when it is. Pure: used both to show and to decide. */
export function whyNot(action: ActionKind | 'delete', f: ActionFacts): string | null {
  if (f.openAction) return `"${f.openAction}" is running; wait for its end.`
  if (action === 'delete') return f.openDeployment ? 'A deployment is open; let it end or cancel it.' : null
  if (f.configuration === 'none') return 'There is no provisioning configuration yet.'
  if (f.configuration === 'draft') return 'The provisioning configuration is a draft; complete it first.'
  if (f.openDeployment && action !== 'recheck-pinning') return 'A deployment is open; let it end or cancel it.'
  if (action === 'order') return null
  if (f.targetCount === 0) return 'The configuration names no deployment target.'
  if (action === 'deploy' && f.deployableCount === 0) return 'Nothing was issued with a key on the host of a target; order first.'
  return null
}

export function availability(f: ActionFacts): ActionAvailability[] {
  return [...actions, ...always].map((action) => {
    const why = whyNot(action, f)
    return { action, possible: why === null, why }
  })
}
