/** The pages are in English; a reader with another English keeps their way to write dates. */
const locale = navigator.language.startsWith('en') ? navigator.language : 'en-GB'
export const userZone = Intl.DateTimeFormat().resolvedOptions().timeZone

const dateTime = new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' })
const date = new Intl.DateTimeFormat(locale, { year: 'numeric', month: 'short', day: 'numeric' })
const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short' })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })

const units = [['year', 365 * 86400], ['month', 30 * 86400], ['day', 86400], ['hour', 3600], ['minute', 60]] as const

export const formatDateTime = (instant: string) => dateTime.format(new Date(instant))
export const formatDate = (instant: string) => date.format(new Date(instant))
export const formatClock = (instant: string) => clock.format(new Date(instant))
export const formatUtc = (instant: string) => `${new Date(instant).toISOString().replace('T', ' ').replace('Z', '')} UTC`

/** "in 89 days", "2 hours ago", "just now". Months from 90 days on. */
export function formatRelative(instant: string, now: Date): string {
  const seconds = (Date.parse(instant) - now.getTime()) / 1000
  const size = Math.abs(seconds)
  if (size < 45) return seconds > 5 ? 'in a moment' : 'just now'
  const [unit, length] = units.find(([name, unitSeconds]) => size >= (name === 'month' ? 90 * 86400 : name === 'year' ? 730 * 86400 : unitSeconds)) ?? ['minute', 60]
  return relative.format(Math.trunc(seconds / length) || Math.sign(seconds), unit)
}

/** "340 ms", "1.2 s", "3 min 5 s". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}
