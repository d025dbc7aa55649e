import type { Frequency } from '@certloop/api-client'
import { usage } from '../failure.ts'

/** The entries that have a value: what an option did not say is left out. */
export function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const
const timeOfDay = /^([01][0-9]|2[0-3]):[0-5][0-9]$/

/** @throws Failure */
export function readTime(option: string, text: string): string {
  if (!timeOfDay.test(text)) throw usage(`--${option} takes a time of day such as 03:00, not "${text}".`)
  return text
}

/** A calendar day that exists. @throws Failure */
export function readDay(option: string, text: string): string {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) throw usage(`--${option} takes a day such as 2027-03-31, not "${text}".`)
  try {
    return Temporal.PlainDate.from(text, { overflow: 'reject' }).toString()
  } catch {
    throw usage(`--${option}: there is no day ${text} in the calendar.`)
  }
}

/** "2027-03-31 22:00", "2027-03-31T22:00", or a day for its first minute. @throws Failure */
export function readDayAndTime(option: string, text: string): string {
  const [day = '', time = '00:00', ...more] = text.trim().split(/[ T]+/)
  if (more.length > 0) throw usage(`--${option} takes a day and a time such as "2027-03-31 22:00", not "${text}".`)
  return `${readDay(option, day)}T${readTime(option, time)}`
}

/** "2027-03-31T22:00" as people write it. */
export const dayAndTimeText = (text: string): string => text.replace('T', ' ')

const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const
/** "90s", "10m", "4h", "2d" in seconds. @throws Failure */
export function readDuration(option: string, text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const length = units[unit as keyof typeof units]
  if (length === undefined) throw usage(`--${option} takes a time such as 90s, 10m, 4h or 2d, not "${text}".`)
  return Number(count) * length
}

/** 5400 → "1 h 30 min". */
export function durationText(seconds: number): string {
  const parts = [[Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [Math.round(seconds % 60), 's']] as const
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(' ') || '0 s'
}

export interface Recurrence { frequency: Frequency; weekday?: number; dayOfMonth?: number; time?: string }

/**
 * "daily", "weekly sat", "monthly 15", each with a time behind it where one is wanted.
 * @returns what it says, and the words after it
 * @throws Failure
 */
export function readRecurrence(option: string, text: string): { recurrence: Recurrence; rest: string[] } {
  const [frequency, ...words] = text.trim().toLowerCase().split(/\s+/)
  const begun = beginOf(option, text, frequency, words)
  const [time] = begun.rest
  // What begins with a digit behind the day is meant to be a time.
  return time !== undefined && /^\d/.test(time) ? { recurrence: { ...begun.recurrence, time: readTime(option, time) }, rest: begun.rest.slice(1) } : begun
}

function beginOf(option: string, text: string, frequency: string | undefined, words: string[]): { recurrence: Recurrence; rest: string[] } {
  const [day = '', ...rest] = words
  const weekday = weekdays.findIndex((name) => day.length >= 3 && name.startsWith(day)) + 1
  if (frequency === 'daily') return { recurrence: { frequency }, rest: words }
  if (frequency === 'weekly' && weekday > 0) return { recurrence: { frequency, weekday }, rest }
  if (frequency === 'monthly' && /^([1-9]|[12]\d|3[01])$/.test(day)) return { recurrence: { frequency, dayOfMonth: Number(day) }, rest }
  throw usage(`--${option} takes daily, "weekly DAY" with a day from mon to sun, or "monthly DAY" with a day from 1 to 31; not "${text}".`)
}

/** "weekly on sat at 02:00 Europe/Berlin" */
export function recurrenceText({ frequency, weekday, dayOfMonth, time }: Required<Recurrence>, zone: string): string {
  const day = frequency === 'weekly' ? ` on ${weekdays[weekday - 1]?.slice(0, 3) ?? weekday}` : frequency === 'monthly' ? ` on day ${dayOfMonth}` : ''
  return `${frequency}${day} at ${time} ${zone}`
}

/** "NAME=VALUE"; an empty value is one. @throws Failure */
export function readPair(option: string, text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1) throw usage(`--${option} takes NAME=VALUE, not "${text}".`)
  return [text.slice(0, at), text.slice(at + 1)]
}
