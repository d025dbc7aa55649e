import { Badge, Tooltip, VisuallyHidden } from '@mantine/core'
import type { ActionState, BotStatus, CertificateStatus, DeploymentState, InstallationState, IssuedCertificate, Issuer, OrderState, RolloutState, RolloutTargetState } from '@certloop/api-client'

type State = CertificateStatus | OrderState | DeploymentState | ActionState | BotStatus | InstallationState | RolloutState | RolloutTargetState | IssuedCertificate['status'] | Issuer['status']

const good = { color: 'teal' }
const busy = { color: 'blue' }
const quiet = { color: 'gray' }
const warning = { color: 'orange' }
const bad = { color: 'red.9', loud: true }

/** Colour of every state; its words are its own name. */
const looks: Record<State, { color: string; loud?: boolean; label?: string }> = {
  'discovered': { color: 'grape' }, 'configuration-pending': quiet, 'configured': { color: 'indigo' }, 'order-pending': busy, 'validation-pending': busy,
  'issued': { color: 'cyan' }, 'deployment-pending': busy, 'deploying': busy, 'deployed': good, 'deployment-failed': bad, 'rolled-back': warning,
  'expiring': warning, 'expired': bad, 'revoked': bad, 'suspended': { ...warning, loud: true },
  'renewed-not-deployed': warning, 'deployed-not-served': bad,
  'pending': busy, 'processing': busy, 'uncertain': warning, 'complete': good, 'failed': bad, 'cancelled': quiet,
  'planning': busy, 'planned': { color: 'violet', label: 'Waits for approval' },
  'ordering': busy, 'waiting': { color: 'violet' }, 'revoking': busy, 'checking': busy, 'done': good,
  'never-joined': { ...quiet, label: 'Not joined yet' }, 'active': good, 'inactive': warning,
  'running': busy, 'watching': busy, 'approval': { color: 'violet', label: 'Waits for approval' }, 'paused': warning, 'undoing': busy, 'stopped': warning, 'undone': warning, 'undo-failed': bad, 'left-out': warning,
  'good': good, 'held': { ...warning, loud: true, label: 'Suspended' }, 'intended': { ...quiet, label: 'Never handed out' }, 'retired': quiet,
  'in-sync': good, 'out-of-sync': warning, 'missing': bad, 'unexpected': warning,
}

/** "deployment-failed" as "Deployment failed". */
export function stateLabel(state: State): string {
  const text = state === 'in-sync' ? 'In sync' : state === 'out-of-sync' ? 'Out of sync' : state.replaceAll('-', ' ')
  return looks[state].label ?? text.charAt(0).toUpperCase() + text.slice(1)
}

/** A state with its reason on hover. */
export function StateBadge({ state, reason, size = 'md' }: { state: State; reason?: string | null | undefined; size?: 'md' | 'lg' }) {
  const { color, loud } = looks[state]
  const badge = <Badge variant={loud ? 'filled' : 'dot'} color={color} size={size} data-state={state} style={{ flexShrink: 0 }}>{stateLabel(state)}{reason && <VisuallyHidden>: {reason}</VisuallyHidden>}</Badge>
  return reason ? <Tooltip label={reason} multiline maw={360}>{badge}</Tooltip> : badge
}
