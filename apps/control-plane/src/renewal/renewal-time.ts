import type { RenewalSettings } from '@certloop/contract'

/** UTC instants of the version now in care. `notAfter` still counts as valid (RFC 5280, 4.1.2.5). */
export interface Lifetime { createdAt: Date; notAfter: Date }

/** The first instant at or after `from` at which a day's check falls. Gaps of daylight saving move it forward, repeated hours count once. */
export function nextCheck(from: Date, settings: Pick<RenewalSettings, 'time' | 'zone'>): Date {
  const start = Temporal.Instant.fromEpochMilliseconds(from.getTime()).toZonedDateTimeISO(settings.zone)
  let day = start.toPlainDate()
  for (;;) {
    const check = day.toZonedDateTime({ timeZone: settings.zone, plainTime: Temporal.PlainTime.from(settings.time) })
    if (check.epochMilliseconds >= from.getTime()) return new Date(check.epochMilliseconds)
    day = day.add({ days: 1 })
  }
}

/**
 * When a version is to be renewed: the first check on or after the day that lies `daysBefore` days before its end,
 * at the set time of day in the set zone.
 *
 * With more days than the lifetime has, that is the first check after it came into care: it is renewed at each check.
 * Where even that check comes too late, the time is two thirds of what was left when it came into care.
 * @param lastFailedAt UTC; after an attempt that failed the next check counts, so that a broken authority is asked once a day.
 * @returns UTC instant. It can lie in the past: then the check was missed and is due now.
 * @throws RangeError for a zone that doesn't exist
 */
export function renewalTime(lifetime: Lifetime, settings: Pick<RenewalSettings, 'daysBefore' | 'time' | 'zone'>, lastFailedAt?: Date): Date {
  const end = Temporal.Instant.fromEpochMilliseconds(lifetime.notAfter.getTime()).toZonedDateTimeISO(settings.zone)
  const wanted = end.toPlainDate().subtract({ days: settings.daysBefore }).toZonedDateTime({ timeZone: settings.zone, plainTime: Temporal.PlainTime.from(settings.time) })
  const earliest = nextCheck(new Date(lifetime.createdAt.getTime() + 1), settings)
  const check = new Date(Math.max(wanted.epochMilliseconds, earliest.getTime()))
  const inTime = new Date(lifetime.createdAt.getTime() + (lifetime.notAfter.getTime() - lifetime.createdAt.getTime()) * (2 / 3))
  const due = check < lifetime.notAfter ? check : inTime
  return lastFailedAt && lastFailedAt >= due ? nextCheck(new Date(lastFailedAt.getTime() + 1), settings) : due
}

/** The coming renewals if each succeeds at once and gives the same lifetime; from the same code that fires them. */
export function nextRenewals(lifetime: Lifetime & { notBefore: Date }, settings: RenewalSettings, now: Date, count: number, lastFailedAt?: Date): Date[] {
  if (!settings.enabled) return []
  const length = lifetime.notAfter.getTime() - lifetime.notBefore.getTime()
  const due = renewalTime(lifetime, settings, lastFailedAt)
  const runs = [due < now ? now : due]
  while (runs.length < count) {
    const at = runs.at(-1) ?? now
    const next = renewalTime({ createdAt: at, notAfter: new Date(at.getTime() + length) }, settings)
    if (next <= at) break
    runs.push(next)
  }
  return runs
}

/** True when the zone is one that this system knows. */
export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
}
