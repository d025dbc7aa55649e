import type { RolloutSettings } from '@certloop/contract'

/** What decides about the wave of a target. */
export interface Placed { labels: readonly string[] }

/**
 * Pure. Targets in waves: the canary first, then the waves as they are set, what none of them takes last. Every target is in
 * exactly one wave and none is empty; within a wave and within a rollout by share, targets keep the order they are listed in.
 */
export function planWaves<T extends Placed>(settings: Pick<RolloutSettings, 'mode' | 'canary' | 'waves'>, targets: readonly T[]): T[][] {
  const canary = targets.slice(0, settings.canary)
  const waves = [canary, ...afterCanary(settings, targets.slice(settings.canary))]
  return waves.filter((wave) => wave.length > 0)
}

function afterCanary<T extends Placed>({ mode, waves }: Pick<RolloutSettings, 'mode' | 'waves'>, targets: readonly T[]): T[][] {
  if (mode === 'together') return [[...targets]]
  if (mode === 'in-order') return targets.map((target) => [target])
  const planned: T[][] = []
  let left = [...targets]
  for (const { share, label } of waves) {
    const wave = taken(left, share, label)
    planned.push(wave)
    const gone = new Set(wave)
    left = left.filter((target) => !gone.has(target))
  }
  return [...planned, left]
}

/** A percentage is of what is left, rounded up, so that each wave moves on; with a label as well, of what is left with it. */
function taken<T extends Placed>(left: readonly T[], share: number | null, label: string | null): T[] {
  if (share === null && label === null) return []
  const fitting = label === null ? [...left] : left.filter(({ labels }) => labels.includes(label))
  return share === null ? fitting : fitting.slice(0, Math.ceil(fitting.length * share / 100))
}

/** What decides whether work on a target may begin. */
export interface Paired { pair: string | null }

/** Pure. Those that may begin now, in their order: never two of a pair at the same time, and with `oneAtATime` never two at all. */
export function mayBegin<T extends Paired>(waiting: readonly T[], busy: readonly Paired[], oneAtATime: boolean): T[] {
  const taken = new Set(busy.map(({ pair }) => pair).filter((pair) => pair !== null))
  const begin: T[] = []
  for (const target of waiting) {
    if (oneAtATime && busy.length + begin.length > 0) break
    if (target.pair !== null && taken.has(target.pair)) continue
    if (target.pair !== null) taken.add(target.pair)
    begin.push(target)
  }
  return begin
}
