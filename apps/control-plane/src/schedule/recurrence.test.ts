import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dayIn, nextOccurrence, recurrenceInWords, startOfDay, type Recurrence } from './recurrence.ts'
import { anyFrequency, anyInstant, anyTime, anyZone, at } from './schedule-testing.ts'

const daily = (zone: string, time: string): Recurrence => ({ frequency: 'daily', weekday: 1, dayOfMonth: 1, time, zone })
const weekly = (zone: string, time: string, weekday: number): Recurrence => ({ ...daily(zone, time), frequency: 'weekly', weekday })
const monthly = (zone: string, time: string, dayOfMonth: number): Recurrence => ({ ...daily(zone, time), frequency: 'monthly', dayOfMonth })

test('what recurs every day, over gaps and repeated hours', () => {
  const rows: [string, string, string, string, string][] = [
    ['later today', 'Europe/Berlin', '03:00', '2026-01-10T00:00:00Z', '2026-01-10T02:00:00.000Z'],
    ['this very instant', 'Europe/Berlin', '03:00', '2026-01-10T02:00:00Z', '2026-01-10T02:00:00.000Z'],
    ['a millisecond late', 'Europe/Berlin', '03:00', '2026-01-10T02:00:00.001Z', '2026-01-11T02:00:00.000Z'],
    ['Berlin, the hour that is left out: an hour later on the clock', 'Europe/Berlin', '02:30', '2026-03-29T00:00:00Z', '2026-03-29T01:30:00.000Z'],
    ['Berlin, the repeated hour: the first', 'Europe/Berlin', '02:30', '2026-10-25T00:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['Berlin, in the repeated hour after the first: tomorrow', 'Europe/Berlin', '02:30', '2026-10-25T01:00:00Z', '2026-10-26T01:30:00.000Z'],
    ['New York, left out', 'America/New_York', '02:30', '2026-03-08T06:00:00Z', '2026-03-08T07:30:00.000Z'],
    ['New York, repeated', 'America/New_York', '01:30', '2026-11-01T05:00:00Z', '2026-11-01T05:30:00.000Z'],
    ['Sydney, left out, in October', 'Australia/Sydney', '02:30', '2026-10-03T15:00:00Z', '2026-10-03T16:30:00.000Z'],
    ['Sydney, repeated, in April', 'Australia/Sydney', '02:30', '2026-04-04T15:00:00Z', '2026-04-04T15:30:00.000Z'],
    ['Lord Howe moves by half an hour: left out', 'Australia/Lord_Howe', '02:15', '2026-10-03T14:00:00Z', '2026-10-03T15:45:00.000Z'],
    ['Lord Howe, repeated half hour', 'Australia/Lord_Howe', '01:45', '2026-04-04T14:00:00Z', '2026-04-04T14:45:00.000Z'],
    ['Apia had no 30 December 2011', 'Pacific/Apia', '03:00', '2011-12-29T14:00:00Z', '2011-12-30T13:00:00.000Z'],
    ['Sao Paulo sprang forward at midnight in 2018', 'America/Sao_Paulo', '00:30', '2018-11-04T02:00:00Z', '2018-11-04T03:30:00.000Z'],
    ['Sao Paulo has no daylight saving now', 'America/Sao_Paulo', '00:30', '2026-11-01T03:00:00Z', '2026-11-01T03:30:00.000Z'],
    ['Santiago springs forward at midnight', 'America/Santiago', '00:00', '2026-09-06T03:00:00Z', '2026-09-06T04:00:00.000Z'],
    ['29 February', 'UTC', '03:00', '2028-02-28T04:00:00Z', '2028-02-29T03:00:00.000Z'],
    ['no 29 February', 'UTC', '03:00', '2026-02-28T04:00:00Z', '2026-03-01T03:00:00.000Z'],
    ['end of a year', 'UTC', '00:00', '2026-12-31T00:00:01Z', '2027-01-01T00:00:00.000Z'],
  ]
  for (const [name, zone, time, from, expected] of rows) assert.equal(nextOccurrence(at(from), daily(zone, time)).toISOString(), expected, name)
})

test('what recurs on one day of the week', () => {
  const rows: [string, Recurrence, string, string][] = [
    ['Sunday from a Saturday', weekly('UTC', '22:00', 7), '2026-11-21T12:00:00Z', '2026-11-22T22:00:00.000Z'],
    ['Sunday from that Sunday, too late', weekly('UTC', '22:00', 7), '2026-11-22T22:00:01Z', '2026-11-29T22:00:00.000Z'],
    ['the day is that of the zone', weekly('Pacific/Auckland', '08:00', 1), '2026-11-22T12:00:00Z', '2026-11-22T19:00:00.000Z'],
    ['Sunday, the hour that Berlin leaves out', weekly('Europe/Berlin', '02:30', 7), '2026-03-28T12:00:00Z', '2026-03-29T01:30:00.000Z'],
    ['Sunday, the hour that Berlin repeats: once', weekly('Europe/Berlin', '02:30', 7), '2026-10-25T00:30:00.001Z', '2026-11-01T01:30:00.000Z'],
    ['the Friday that Apia left out: a day later', weekly('Pacific/Apia', '03:00', 5), '2011-12-29T14:00:00Z', '2011-12-30T13:00:00.000Z'],
    ['asked on the day after, it still is to come', weekly('Pacific/Apia', '03:00', 5), '2011-12-30T10:00:00Z', '2011-12-30T13:00:00.000Z'],
  ]
  for (const [name, recurrence, from, expected] of rows) assert.equal(nextOccurrence(at(from), recurrence).toISOString(), expected, name)
})

test('what recurs on one day of the month, the last day of a shorter one', () => {
  const each = (recurrence: Recurrence, from: string, count: number) => {
    const days: string[] = []
    let next = nextOccurrence(at(from), recurrence)
    for (; days.length < count; next = nextOccurrence(new Date(next.getTime() + 1), recurrence)) days.push(next.toISOString().slice(0, 16))
    return days
  }
  assert.deepEqual(each(monthly('UTC', '00:30', 31), '2027-01-01T00:00:00Z', 5), ['2027-01-31T00:30', '2027-02-28T00:30', '2027-03-31T00:30', '2027-04-30T00:30', '2027-05-31T00:30'])
  assert.deepEqual(each(monthly('UTC', '00:30', 29), '2027-12-30T00:00:00Z', 3), ['2028-01-29T00:30', '2028-02-29T00:30', '2028-03-29T00:30'])
  assert.deepEqual(each(monthly('UTC', '00:30', 30), '2027-02-28T00:30:01Z', 2), ['2027-03-30T00:30', '2027-04-30T00:30'])
  assert.deepEqual(each(monthly('Europe/Berlin', '02:30', 29), '2026-03-01T00:00:00Z', 2), ['2026-03-29T01:30', '2026-04-29T00:30'])
})

test('nothing is before what it is asked from, skipped or doubled', () => {
  fc.assert(fc.property(anyZone, anyTime, anyInstant, anyFrequency, (zone, time, from, how) => {
    const recurrence = { ...how, time, zone }
    const days: Temporal.PlainDate[] = []
    let previous = new Date(from.getTime() - 1)
    for (let i = 0; i < 60; i++) {
      const next = nextOccurrence(new Date(previous.getTime() + 1), recurrence)
      assert.ok(next > previous)
      // Asked at any moment between the two, the answer is the same.
      assert.equal(nextOccurrence(new Date((previous.getTime() + next.getTime()) / 2 + 1), recurrence).getTime(), next.getTime())
      days.push(dayIn(zone, next))
      previous = next
    }
    const leftOut = (day: Temporal.PlainDate) => zone === 'Pacific/Apia' && ['2011-12-30', '2011-12-31'].includes(day.toString())
    for (const [i, day] of days.entries()) {
      const before = days[i - 1]
      if (!before || leftOut(day) || leftOut(before)) continue
      const expected = { daily: before.add({ days: 1 }), weekly: before.add({ days: 7 }), monthly: before.add({ months: 1 }).with({ day: how.dayOfMonth }) }[how.frequency]
      // A time shortly before midnight that is left out falls on the next day.
      assert.ok(Math.abs(day.since(expected).days) <= (time > '23:00' ? 1 : 0), `${before.toString()} → ${day.toString()}`)
    }
  }), { numRuns: 60 })
})

test('the start of a day, and words', () => {
  assert.equal(startOfDay('America/Santiago', Temporal.PlainDate.from('2026-09-06')).toISOString(), '2026-09-06T04:00:00.000Z')
  assert.equal(recurrenceInWords(weekly('Europe/Berlin', '22:00', 7)), 'weekly on Sunday at 22:00 (Europe/Berlin)')
  assert.equal(recurrenceInWords(monthly('UTC', '03:00', 31)), 'monthly on day 31 at 03:00 (UTC)')
  assert.equal(recurrenceInWords(daily('UTC', '03:00')), 'daily at 03:00 (UTC)')
})
