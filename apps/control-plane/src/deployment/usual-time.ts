export interface SlowLimits {
  /** So many of its like have to be known. */
  atLeast: number
  /** Never slow before this, */
  floorSeconds: number
  /** nor before so many times the usual. */
  factor: number
  /** Slow after this, when too few of its like are known. */
  unknownSeconds: number
}
export const usualLimits: SlowLimits = { atLeast: 5, floorSeconds: 30, factor: 3, unknownSeconds: 600 }

/** Some are slow now and then: one that takes little longer than nine in ten did is none. */
const highShare = 0.9
const beyondHigh = 1.5

export interface Expectation { /** The median, or the plain limit. */ usualSeconds: number; /** Slow when it takes longer. */ afterSeconds: number; known: boolean }

/**
 * After how long a deployment is slow, going by how long its like took.
 * @param past seconds of deployments that went well: of the same target, and of the same server type
 */
export function expectation(past: { target: readonly number[]; serverType: readonly number[] }, limits: SlowLimits): Expectation {
  const like = past.target.length >= limits.atLeast ? past.target : past.serverType
  if (like.length < limits.atLeast) return { usualSeconds: limits.unknownSeconds, afterSeconds: limits.unknownSeconds, known: false }
  const usualSeconds = share(like, 0.5)
  return { usualSeconds, afterSeconds: Math.max(limits.floorSeconds, limits.factor * usualSeconds, beyondHigh * share(like, highShare)), known: true }
}

/** The value that this share of them does not go beyond. */
function share(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))] ?? 0
}
