import type { RateLimit } from '@certloop/api-client'

const units: readonly (readonly [number, string])[] = [[604_800, 'week'], [86_400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']]

/** 10800 as "3 hours", 604800 as "week". */
export function spanText(seconds: number): string {
  const [length, word] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second']
  const count = seconds / length
  return count === 1 ? word : `${count} ${word}s`
}

const kinds: Record<RateLimit['kind'], string> = { 'order': 'orders', 'domain': 'certificates for one registered domain', 'same-names': 'certificates with just the same names', 'failure': 'failed validations of one name' }

/** "50 certificates for one registered domain a week; renewals that it was told of do not count" */
export function limitText({ kind, count, seconds, renewalsCount }: RateLimit): string {
  const span = spanText(seconds)
  return `${count.toLocaleString('en')} ${kinds[kind]} ${/^\d/.test(span) ? `in ${span}` : span === 'hour' ? 'an hour' : `a ${span}`}${renewalsCount ? '' : '; renewals that it was told of do not count'}`
}
