import type { RenewalSettings } from '@certloop/contract'

/** Every day, on one day of the week or on one day of the month, at a time on the clock of a zone. */
export type Recurrence = Pick<RenewalSettings, 'frequency' | 'weekday' | 'dayOfMonth' | 'time' | 'zone'>

const instantOf = (date: Date) => Temporal.Instant.fromEpochMilliseconds(date.getTime())
/** The calendar day on which an instant falls in a zone. */
export const dayIn = (zone: string, at: Date): Temporal.PlainDate => instantOf(at).toZonedDateTimeISO(zone).toPlainDate()
/** The first instant of a day; not always midnight, where the clock is put forward then. */
export const startOfDay = (zone: string, day: Temporal.PlainDate): Date => new Date(day.toZonedDateTime(zone).epochMilliseconds)

/** The first day at or after this one on which it recurs. A month that has no such day has it on its last. */
function firstDay({ frequency, weekday, dayOfMonth }: Recurrence, from: Temporal.PlainDate): Temporal.PlainDate {
  if (frequency === 'daily') return from
  if (frequency === 'weekly') return from.add({ days: (weekday - from.dayOfWeek + 7) % 7 })
  const inMonth = from.with({ day: dayOfMonth })
  return Temporal.PlainDate.compare(inMonth, from) >= 0 ? inMonth : from.with({ day: 1 }).add({ months: 1 }).with({ day: dayOfMonth })
}

/**
 * The first instant at or after `from` at which something recurs. Where the clock is put forward over that time it comes
 * as much later, where an hour is repeated it comes in the first: nothing is skipped and nothing comes twice.
 * @throws RangeError for a zone that doesn't exist
 */
export function nextOccurrence(from: Date, recurrence: Recurrence): Date {
  const plainTime = Temporal.PlainTime.from(recurrence.time)
  // What falls into a gap comes later, up to a whole day (Samoa had no 30 December 2011): the day before counts, too.
  let day = firstDay(recurrence, dayIn(recurrence.zone, from).subtract({ days: 1 }))
  for (;;) {
    const at = day.toZonedDateTime({ timeZone: recurrence.zone, plainTime }).epochMilliseconds
    if (at >= from.getTime()) return new Date(at)
    day = firstDay(recurrence, day.add({ days: 1 }))
  }
}

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

/** As people say it: "weekly on Sunday at 22:00 (Europe/Berlin)". */
export function recurrenceInWords({ frequency, weekday, dayOfMonth, time, zone }: Recurrence): string {
  const day = { daily: '', weekly: ` on ${weekdays[weekday - 1] ?? ''}`, monthly: ` on day ${dayOfMonth}` }[frequency]
  return `${frequency}${day} at ${time} (${zone})`
}
