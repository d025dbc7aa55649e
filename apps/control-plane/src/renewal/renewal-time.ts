import type { RenewalSettings } from '@certloop/contract'
import { dayIn, nextOccurrence, recurrenceInWords, startOfDay, type Recurrence } from '../schedule/recurrence.ts'
import { placeOf, turnOf } from '../schedule/spread.ts'
import type { Window } from './renewal-window-store.ts'

/** UTC instants of the version now in care. `notAfter` still counts as valid (RFC 5280, 4.1.2.5). */
export interface Lifetime { createdAt: Date; notAfter: Date }
/** What besides lifetime and settings decides when it is renewed. */
export interface RenewalOf {
  /** Id of the certificate: its turn among those that are checked at the same time, always the same. */
  spreadKey: string
  /** What the authority said. null: it gives no window. undefined: it was not asked yet. */
  window?: Window | null | undefined
  /** When it said so. */
  askedAt?: Date | undefined
  /** Of an automatic renewal. */
  lastFailedAt?: Date | undefined
}
export interface RenewalTime { at: Date; why: string }

const minuteMs = 60_000
const dayMs = 86_400_000
const spreadMs = 60 * minuteMs
const shortestPauseMs = 15 * minuteMs

const leftOf = ({ createdAt, notAfter }: Lifetime) => Math.max(0, notAfter.getTime() - createdAt.getTime())

/** How much later than the check itself a certificate has its turn: up to an hour, less for those that live shortly. */
const turnIn = (lifetime: Lifetime, spreadKey: string): number => turnOf(spreadKey, Math.min(spreadMs, leftOf(lifetime) / 24))

/** The first check at or after `from`, where a certificate has its turn `turnMs` after each. */
export const nextCheck = (from: Date, settings: Recurrence, turnMs = 0): Date =>
  new Date(nextOccurrence(new Date(from.getTime() - turnMs), settings).getTime() + turnMs)

/** One certificate's checks, and until when it has to be renewed. */
interface Checks { lifetime: Lifetime; settings: RenewalSettings; turnMs: number; words: string; limit: number }

function checksOf(lifetime: Lifetime, settings: RenewalSettings, spreadKey: string): Checks {
  const turnMs = turnIn(lifetime, spreadKey)
  const turn = turnMs < minuteMs ? '' : `, its turn ${Math.floor(turnMs / minuteMs)} min later`
  // A third of the time that was asked for stays in hand, for what goes wrong.
  const limit = lifetime.notAfter.getTime() - Math.min(settings.daysBefore * dayMs, leftOf(lifetime)) / 3
  return { lifetime, settings, turnMs, words: `${recurrenceInWords(settings)}${turn}`, limit }
}

/** The first check on or after a day, and after the version came into care. */
function checkFrom({ lifetime, settings, turnMs }: Checks, day: Temporal.PlainDate, how: Recurrence = settings): Date {
  const from = nextOccurrence(startOfDay(settings.zone, day), how).getTime() + turnMs
  return new Date(Math.max(from, nextCheck(new Date(lifetime.createdAt.getTime() + 1), how, turnMs).getTime()))
}

/** The last check that still is in time; undefined when there is none since the version came into care. */
function lastCheckInTime({ lifetime, settings, turnMs, limit }: Checks): Date | undefined {
  const longestGapMs = 32 * dayMs
  let last: Date | undefined
  let check = nextCheck(new Date(Math.max(lifetime.createdAt.getTime() + 1, limit - longestGapMs)), settings, turnMs)
  while (check.getTime() <= limit) {
    last = check
    check = nextCheck(new Date(check.getTime() + 1), settings, turnMs)
  }
  return last
}

const daily = (settings: RenewalSettings): RenewalSettings => ({ ...settings, frequency: 'daily' })
const inDays = (days: number) => (days === 1 ? '1 day' : `${days} days`)
const endIn = ({ settings, lifetime }: Checks) => dayIn(settings.zone, lifetime.notAfter)

/** So many days before the end, at a check; earlier where the next check comes too late. */
function byDays(checks: Checks): RenewalTime {
  const { lifetime, settings, limit, words } = checks
  const end = endIn(checks)
  const day = end.subtract({ days: settings.daysBefore })
  const due = `${inDays(settings.daysBefore)} before its end on ${end.toString()}`
  const check = checkFrom(checks, day)
  if (check.getTime() <= limit) {
    const isShort = startOfDay(settings.zone, day) <= lifetime.createdAt
    return { at: check, why: isShort ? `It lives shorter than ${inDays(settings.daysBefore)}, so it is renewed at each check (${words}).` : `Renewed ${due}, at the first check from then on (${words}).` }
  }
  const earlier = lastCheckInTime(checks)
  if (earlier) return { at: earlier, why: `Renewed before it is due, ${due}: the next check after that day would come too late (${words}).` }
  const itself = checkFrom(checks, day, daily(settings))
  if (itself.getTime() <= limit) return { at: itself, why: `Renewed ${due}, without waiting for a check: none comes in time (${words}).` }
  const twoThirds = lifetime.createdAt.getTime() + leftOf(lifetime) * (2 / 3) - checks.turnMs
  return { at: new Date(twoThirds), why: `Renewed after two thirds of the time until its end on ${end.toString()}: no check comes in time (${words}).` }
}

const after = (reason: string, { at, why }: RenewalTime): RenewalTime => ({ at, why: `${reason} ${why}` })

/** On a set day. What comes too late, or was done, leaves it to the days before the end: nobody wants it to end unnoticed. */
function byDate(checks: Checks): RenewalTime {
  const { lifetime, settings, words } = checks
  if (settings.date === null) return byDays(checks)
  const day = Temporal.PlainDate.from(settings.date)
  if (lifetime.createdAt >= startOfDay(settings.zone, day)) return after(`The day set for its renewal, ${settings.date}, has passed, and it was renewed since. Until another is set, the days before its end count.`, byDays(checks))
  // Whoever chose the day may have chosen a late one; a day before the end is the latest.
  const limit = lifetime.notAfter.getTime() - Math.min(dayMs, leftOf(lifetime) / 3)
  const check = checkFrom(checks, day)
  if (check.getTime() <= limit) return { at: check, why: `Renewed on the day set, ${settings.date}, at the first check from then on (${words}).` }
  const itself = checkFrom(checks, day, daily(settings))
  if (itself.getTime() <= limit) return { at: itself, why: `Renewed on the day set, ${settings.date}, without waiting for a check: none comes in time (${words}).` }
  return after(`The day set for its renewal, ${settings.date}, comes too late.`, byDays(checks))
}

/** At a point of the authority's window that always belongs to this certificate. */
function byAuthority(checks: Checks, { spreadKey, window, askedAt }: RenewalOf): RenewalTime {
  if (!window) return after(window === null ? 'The authority gives no window for its renewal.' : 'The authority has not said yet when it is to be renewed.', byDays(checks))
  const { lifetime, settings, turnMs, limit } = checks
  const point = window.start.getTime() + placeOf(spreadKey) * Math.max(0, window.end.getTime() - window.start.getTime())
  const minute = (d: Date) => d.toISOString().slice(0, 16).replace('T', ' ')
  // Over when the authority told it: it wants the certificate gone, as when it will be revoked. One that was over before the version came is none for it.
  if (askedAt && window.end <= askedAt && window.end > lifetime.createdAt) return { at: new Date(Math.round(Math.max(point, lifetime.createdAt.getTime()))), why: `Renewed at once: the window that the authority gives, ${minute(window.start)} to ${minute(window.end)} UTC, is over.` }
  // A window that began before the version did: not over and over, but at the next check.
  const earliest = Math.min(nextCheck(new Date(lifetime.createdAt.getTime() + 1), settings, turnMs).getTime(), lifetime.createdAt.getTime() + leftOf(lifetime) / 3)
  const at = new Date(Math.round(Math.max(point, earliest)))
  if (at.getTime() > limit) return after('The window that the authority gives for its renewal comes too late.', byDays(checks))
  return { at, why: `Renewed in the window that the authority gives, ${minute(window.start)} to ${minute(window.end)} UTC.` }
}

/**
 * After an attempt that failed: the next time of day of the checks, so that a broken authority is asked once a day. When less
 * than three days are left, after a third of them; once it has ended, after a third of what it lived, if that is less than a day.
 */
export function retryTime(lifetime: Lifetime, settings: RenewalSettings, spreadKey: string, failedAt: Date): RenewalTime {
  const left = lifetime.notAfter.getTime() - failedAt.getTime()
  const pause = Math.max(shortestPauseMs, (left > 0 ? left : leftOf(lifetime) || Infinity) / 3)
  const next = nextCheck(new Date(failedAt.getTime() + 1), daily(settings), turnIn(lifetime, spreadKey)).getTime()
  return { at: new Date(Math.round(Math.min(next, failedAt.getTime() + pause))), why: `Tried again, because the attempt that ended at ${failedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC did not get everything done.` }
}

/**
 * When a version is to be renewed, and why then. The same answer each time it is asked, as long as nothing changes: what is
 * shown is what is done.
 *
 * Checks come daily, weekly or monthly, and each certificate has its turn up to an hour after them. A check never leaves less
 * than a third of `daysBefore` (or of the lifetime, where that is shorter) before the end: then an earlier one counts, or the day
 * itself, or, where no check comes in time at all, two thirds of what was left when the version came into care.
 * @returns UTC instant. It can lie in the past: then the check was missed and is due now.
 * @throws RangeError for a zone that doesn't exist
 */
export function renewalTime(lifetime: Lifetime, settings: RenewalSettings, of: RenewalOf): RenewalTime {
  const checks = checksOf(lifetime, settings, of.spreadKey)
  const due = settings.trigger === 'authority' ? byAuthority(checks, of) : settings.trigger === 'date' ? byDate(checks) : byDays(checks)
  return of.lastFailedAt && of.lastFailedAt >= due.at ? retryTime(lifetime, settings, of.spreadKey, of.lastFailedAt) : due
}

/** When the authority is asked next for its window: at each check. */
export const nextAsk = (lifetime: Lifetime, settings: RenewalSettings, spreadKey: string, askedAt: Date): Date =>
  nextCheck(new Date(askedAt.getTime() + 1), settings, turnIn(lifetime, spreadKey))

/** True when the zone is one that this system knows. */
export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
}
