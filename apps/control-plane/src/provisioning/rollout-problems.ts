import { placementDefault, type RolloutSettings, type TargetInput } from '@certloop/contract'
import type { FieldProblem } from '../csr-template/template-rules.ts'

type Placed = readonly Pick<TargetInput, 'placement'>[]
/** What a draft may leave for later is marked as missing. */
interface RolloutProblem extends FieldProblem { missing?: true }

/** What is wrong with the order in which the targets get a new version. Pure. */
export function rolloutProblems({ mode, canary, waves, gate: { httpCheck } }: RolloutSettings, targets: Placed): RolloutProblem[] {
  const staged = mode === 'waves' || canary > 0
  return [
    ...waves.flatMap(({ share, label }, i) => ((share === null) === (label === null) ? [{ field: `rollout/waves/${i}`, problem: 'name either a share or a label' }] : [])),
    ...(staged && targets.length === 0 ? [{ field: 'rollout/mode', problem: 'there is no target to be rolled out to', missing: true as const }] : []),
    ...(targets.length > 0 && canary > targets.length ? [{ field: 'rollout/canary', problem: `there are only ${targets.length === 1 ? 'one target' : `${targets.length} targets`}`, missing: true as const }] : []),
    ...(httpCheck && !isAddress(httpCheck.url) ? [{ field: 'rollout/gate/httpCheck/url', problem: 'is no http or https address' }] : []),
  ]
}

const isAddress = (url: string) => URL.canParse(url.replaceAll('{host}', 'host.example'))

/** What is allowed and may not be meant. Pure. */
export function rolloutWarnings({ mode, waves, canary }: RolloutSettings, targets: Placed): FieldProblem[] {
  const labels = new Set(targets.flatMap(({ placement = placementDefault }) => placement.labels))
  const whole = waves.findIndex(({ share }) => share === 100)
  return [
    ...waves.flatMap(({ label }, i) => (label !== null && !labels.has(label) ? [{ field: `rollout/waves/${i}/label`, problem: `no target has the label "${label}": this wave is empty` }] : [])),
    ...(whole >= 0 && whole < waves.length - 1 ? [{ field: `rollout/waves/${whole}/share`, problem: 'takes all that is left, so nothing remains for the waves after it' }] : []),
    ...(mode !== 'waves' && waves.length > 0 ? [{ field: 'rollout/waves', problem: `are not used in the mode "${mode}"` }] : []),
    ...(mode === 'waves' && waves.length === 0 && canary === 0 ? [{ field: 'rollout/waves', problem: 'there are none: all targets are done at once' }] : []),
  ]
}
