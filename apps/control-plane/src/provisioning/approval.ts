import { CertloopError, rolloutDefault, type ConfigurationInput } from '@certloop/contract'

type Approvals = Pick<ConfigurationInput, 'approval' | 'rollout'>

/** Whether a person has to let a rollout go on after its first wave. All at once and without a canary there is no second one. */
const hasGate = ({ rollout: { mode, canary, gate } = rolloutDefault }: Approvals): boolean => gate.approval && (mode !== 'together' || canary > 0)

/**
 * Who may not approve may not do away with an approval that is configured either: that of plans, or that after the first
 * wave. What was not configured yet has none. Of single changes and bulk changes alike.
 * @param after null: the configuration is removed
 * @throws CertloopError PERMISSION_DENIED
 */
export function refuseLeavingApproval(before: Approvals | null, after: Approvals | null, mayApprove: boolean): void {
  if (mayApprove || !before) return
  const left = [
    ...(before.approval === 'manual' && after?.approval !== 'manual' ? ['the approval of plans'] : []),
    ...(hasGate(before) && !(after && hasGate(after)) ? ['the approval after the first wave'] : []),
  ]
  if (left.length > 0) throw new CertloopError('PERMISSION_DENIED', `This would do away with ${left.join(' and ')}, which needs the permission deployment:approve.`, { permission: 'deployment:approve' })
}
