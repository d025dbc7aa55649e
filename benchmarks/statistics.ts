/** The value below which the given share of the values lies, between neighbours in proportion. NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}
export const median = (values: readonly number[]): number => quantile(values, 0.5)
export const p90 = (values: readonly number[]): number => quantile(values, 0.9)
