/** Times as people read them, in their own zone. */
export interface Clock { now: () => Date; zone: string }

/** "2026-11-21 15:40" in the reader's zone. */
export function moment(text: string | null | undefined, { zone }: Clock): string | null {
  if (!text) return null
  const t = Temporal.Instant.from(text).toZonedDateTimeISO(zone)
  return `${t.toPlainDate().toString()} ${t.toPlainTime().toString({ smallestUnit: 'minute' })}`
}

/** "2026-11-21 15:40 Europe/Berlin": with its zone, where the very hour counts. */
export const momentInZone = (text: string | null | undefined, clock: Clock): string | null => (text ? `${moment(text, clock)} ${clock.zone}` : null)

/** "15:40:07" in the reader's zone. */
export const timeOfDay = (text: string, { zone }: Clock): string =>
  Temporal.Instant.from(text).toZonedDateTimeISO(zone).toPlainTime().toString({ smallestUnit: 'second' })

const units = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]] as const

/** "2026-12-21 (in 29 days)", "2026-11-20 (1 day ago)". */
export function dateAndDistance(text: string | null | undefined, clock: Clock): string | null {
  if (!text) return null
  const ms = new Date(text).getTime() - clock.now().getTime()
  const size = Math.abs(ms)
  const [unit, length] = units.find(([, least]) => size >= least) ?? units[2]
  const count = Math.floor(size / length)
  const distance = `${count} ${unit}${count === 1 ? '' : 's'}`
  return `${moment(text, clock)?.slice(0, 10)} (${ms >= 0 ? `in ${distance}` : `${distance} ago`})`
}
