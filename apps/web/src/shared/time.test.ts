import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatDuration, formatRelative, formatUtc } from './time.ts'

const now = new Date('2026-03-01T12:00:00Z')
const after = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString()

test('relative times are in days up to a quarter of a year, and never round up to more than there is', () => {
  const cases: [number, string][] = [
    [0, 'just now'], [-44, 'just now'], [20, 'in a moment'], [50, 'in 1 minute'], [-150, '2 minutes ago'], [3599, 'in 59 minutes'], [2 * 3600 + 3500, 'in 2 hours'],
    [86400, 'tomorrow'], [-86400, 'yesterday'], [89.9 * 86400, 'in 89 days'], [95 * 86400, 'in 3 months'], [-3 * 365 * 86400, '3 years ago'],
  ]
  for (const [seconds, text] of cases) assert.equal(formatRelative(after(seconds), now), text, `${seconds} s`)
})

test('the exact time is UTC to the millisecond, whatever the zone', () => {
  assert.equal(formatUtc('2026-03-01T14:00:00.25+02:00'), '2026-03-01 12:00:00.250 UTC')
})

test('durations are short', () => {
  assert.deepEqual([3.6, 999, 1240, 59_940, 185_000].map(formatDuration), ['4 ms', '999 ms', '1.2 s', '59.9 s', '3 min 5 s'])
})
