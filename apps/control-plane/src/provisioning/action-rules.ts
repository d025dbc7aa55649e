import { actionKinds, type ActionAvailability, type ActionKind, type AuthorityAbility } from '@certloop/contract'

/** What is known of the version that revoke, suspend and resume are about. */
export interface RevocableVersion {
  orderedHere: boolean
  expired: boolean
  revocation: { status: 'revoked' | 'held'; reason: string } | null
  /** Of the authority that issued it. */
  abilities: readonly AuthorityAbility[]
}

/** What decides whether an action can be started. */
export interface ActionFacts {
  openAction: ActionKind | null
  /** The open action has issued and waits for the time of its deployment. */
  isWaiting: boolean
  openDeployment: boolean
  configuration: 'none' | 'draft' | 'complete'
  targetCount: number
  /** Targets for which a version with its key on that host exists. */
  deployableCount: number
  /** The versions that were ordered here and are current, newest first; none: nothing was ordered. */
  current: readonly RevocableVersion[]
}

/** By hand they end the waiting of another action: what was issued is deployed now, something newer takes its place, or nobody has time to wait. */
const endWaiting: ReadonlySet<ActionKind | 'delete'> = new Set(['deploy', 'rotate', 'rekey', 'revoke', 'suspend'])
export const endsWaiting = (action: ActionKind | 'delete', { isWaiting }: Pick<ActionFacts, 'isWaiting'>): boolean => isWaiting && endWaiting.has(action)
const needTarget: ReadonlySet<ActionKind> = new Set(['initiate', 'deploy', 'rotate', 'rekey', 'renew', 'regenerate', 'recheck-pinning'])

type RevocationKind = 'revoke' | 'suspend' | 'resume'
export const isRevocationKind = (action: ActionKind | 'delete'): action is RevocationKind => action === 'revoke' || action === 'suspend' || action === 'resume'

/** Why this version can't be revoked, suspended or resumed; null when it can. That it is installed is no reason: the reply warns. */
export function whyNotRevocable(action: RevocationKind, version: RevocableVersion | null): string | null {
  if (!version) return `Nothing was ordered here, so there is nothing to ${action}. What was found is revoked at the authority it came from.`
  if (!version.orderedHere) return 'This version was found and not ordered here; turn to the authority it came from.'
  if (version.expired) return 'It has expired; the authority no longer changes anything about it.'
  if (!version.abilities.includes(action)) return `Its authority can not be asked to ${action} from here; do it at the authority itself.`
  const { revocation } = version
  if (revocation?.status === 'revoked') return action === 'revoke' ? `It was revoked already (${revocation.reason}).` : 'It was revoked, and that is for ever. Rekey it.'
  if (action === 'resume') return revocation ? null : 'It is not suspended.'
  return action === 'suspend' && revocation ? 'It is suspended already.' : null
}

/** One that can is enough. */
function whyNoneRevocable(action: RevocationKind, current: readonly RevocableVersion[]): string | null {
  const whys = current.map((version) => whyNotRevocable(action, version))
  return whys.length === 0 ? whyNotRevocable(action, null) : whys.find((why) => why === null) === null ? null : whys[0] ?? null
}

function whyBusy(action: ActionKind | 'delete', f: ActionFacts): string | null {
  if (!f.openAction || endsWaiting(action, f)) return null
  if (!f.isWaiting && isRevocationKind(action)) return `"${f.openAction}" is running. Cancel it, which stops and takes back what runs, or wait for its end; then ${action}.`
  return f.isWaiting ? `"${f.openAction}" waits for the time of its deployment. Start "deploy" or "rotate" to do it now, or cancel it.` : `"${f.openAction}" is running; wait for its end or cancel it.`
}

function whyNotConfigured({ configuration }: ActionFacts): string | null {
  if (configuration === 'none') return 'There is no provisioning configuration yet.'
  return configuration === 'draft' ? 'The provisioning configuration is a draft; complete it first.' : null
}

const deploymentIsOpen = 'A deployment is open; let it end or cancel it.'

/** Why the action is not possible now; null when it is. Pure: used both to show and to decide, for one certificate and for many. */
export function whyNot(action: ActionKind | 'delete', f: ActionFacts): string | null {
  const busy = whyBusy(action, f)
  if (busy) return busy
  if (action === 'delete') return f.openDeployment ? deploymentIsOpen : null
  return isRevocationKind(action) ? whyNoneRevocable(action, f.current) : whyNotConfigured(f) ?? whyNotProvisioned(action, f)
}

/** Of what orders, deploys or looks at targets. */
function whyNotProvisioned(action: ActionKind, f: ActionFacts): string | null {
  if (f.openDeployment && action !== 'recheck-pinning') return deploymentIsOpen
  if ((action === 'renew' || action === 'regenerate') && f.current.length === 0) return 'Nothing was ordered here that could be renewed; order or rotate it first.'
  if (needTarget.has(action) && f.targetCount === 0) return 'The configuration names no deployment target.'
  if (action === 'deploy' && f.deployableCount === 0) return 'Nothing was issued with a key on the host of a target; order first.'
  return null
}

export function availability(f: ActionFacts): ActionAvailability[] {
  return [...actionKinds, 'delete' as const].map((action) => {
    const why = whyNot(action, f)
    return { action, possible: why === null, why }
  })
}
