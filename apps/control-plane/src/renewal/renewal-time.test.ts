import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renewalDefaults } from '@certloop/contract'
import fc from 'fast-check'
import { isTimeZone, nextCheck, nextRenewals, renewalTime } from './renewal-time.ts'

const at = (text: string) => new Date(text)
const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Sao_Paulo', 'UTC', 'Asia/Kathmandu', 'Africa/Casablanca']

test('the next check, over gaps and repeated hours', () => {
  const rows: [string, string, string, string, string][] = [
    ['later today', 'Europe/Berlin', '03:00', '2026-01-10T00:00:00Z', '2026-01-10T02:00:00.000Z'],
    ['this very instant', 'Europe/Berlin', '03:00', '2026-01-10T02:00:00Z', '2026-01-10T02:00:00.000Z'],
    ['a millisecond late', 'Europe/Berlin', '03:00', '2026-01-10T02:00:00.001Z', '2026-01-11T02:00:00.000Z'],
    ['Berlin, the hour that is left out: an hour later on the clock', 'Europe/Berlin', '02:30', '2026-03-29T00:00:00Z', '2026-03-29T01:30:00.000Z'],
    ['Berlin, the repeated hour: the first', 'Europe/Berlin', '02:30', '2026-10-25T00:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['Berlin, in the repeated hour after the first: tomorrow', 'Europe/Berlin', '02:30', '2026-10-25T01:00:00Z', '2026-10-26T01:30:00.000Z'],
    ['New York, left out', 'America/New_York', '02:30', '2026-03-08T06:00:00Z', '2026-03-08T07:30:00.000Z'],
    ['New York, repeated', 'America/New_York', '01:30', '2026-11-01T05:00:00Z', '2026-11-01T05:30:00.000Z'],
    ['Lord Howe moves by half an hour: left out', 'Australia/Lord_Howe', '02:15', '2026-10-03T14:00:00Z', '2026-10-03T15:45:00.000Z'],
    ['Lord Howe, repeated half hour', 'Australia/Lord_Howe', '01:45', '2026-04-04T14:00:00Z', '2026-04-04T14:45:00.000Z'],
    ['Apia had no 30 December 2011', 'Pacific/Apia', '03:00', '2011-12-29T14:00:00Z', '2011-12-30T13:00:00.000Z'],
    ['Sao Paulo sprang forward at midnight in 2018', 'America/Sao_Paulo', '00:30', '2018-11-04T02:00:00Z', '2018-11-04T03:30:00.000Z'],
    ['Sao Paulo has no daylight saving now', 'America/Sao_Paulo', '00:30', '2026-11-01T03:00:00Z', '2026-11-01T03:30:00.000Z'],
    ['29 February', 'UTC', '03:00', '2028-02-28T04:00:00Z', '2028-02-29T03:00:00.000Z'],
    ['no 29 February', 'UTC', '03:00', '2026-02-28T04:00:00Z', '2026-03-01T03:00:00.000Z'],
    ['end of a year', 'UTC', '00:00', '2026-12-31T00:00:01Z', '2027-01-01T00:00:00.000Z'],
  ]
  for (const [name, zone, time, from, expected] of rows) assert.equal(nextCheck(at(from), { zone, time }).toISOString(), expected, name)
})

test('when a version is renewed', () => {
  const settings = { daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' }
  const lifetime = { createdAt: at('2026-01-01T12:00:00Z'), notAfter: at('2026-04-01T12:00:00Z') }
  const rows: [string, Parameters<typeof renewalTime>, string][] = [
    ['thirty days before its last day, at three in Berlin', [lifetime, settings], '2026-03-02T02:00:00.000Z'],
    ['a month that is shorter', [{ ...lifetime, notAfter: at('2026-03-31T12:00:00Z') }, settings], '2026-03-01T02:00:00.000Z'],
    ['29 February counts', [{ createdAt: at('2028-01-01T00:00:00Z'), notAfter: at('2028-03-30T12:00:00Z') }, settings], '2028-02-29T02:00:00.000Z'],
    ['the day of its end is that of the zone', [{ ...lifetime, notAfter: at('2026-04-01T23:30:00Z') }, settings], '2026-03-03T02:00:00.000Z'],
    ['more days than it lives: the first check after it came', [lifetime, { ...settings, daysBefore: 120 }], '2026-01-02T02:00:00.000Z'],
    ['an attempt failed long before it was due: no matter', [lifetime, settings, at('2026-02-01T00:00:00Z')], '2026-03-02T02:00:00.000Z'],
    ['an attempt failed at the due time: the next day', [lifetime, settings, at('2026-03-02T02:00:05Z')], '2026-03-03T02:00:00.000Z'],
    ['it failed at exactly the due instant: not the same again', [lifetime, settings, at('2026-03-02T02:00:00Z')], '2026-03-03T02:00:00.000Z'],
    ['missed for ten days, then failed: the check after that', [lifetime, settings, at('2026-03-12T09:00:00Z')], '2026-03-13T02:00:00.000Z'],
    ['clock set back an hour after a failure: still the next check', [lifetime, settings, at('2026-03-02T02:00:01Z')], '2026-03-03T02:00:00.000Z'],
  ]
  for (const [name, args, expected] of rows) assert.equal(renewalTime(...args).toISOString(), expected, name)
})

test('missed for ten days it is due at once, and caught up once', () => {
  const settings = { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }
  const lifetime = { createdAt: at('2026-01-01T00:00:00Z'), notBefore: at('2026-01-01T00:00:00Z'), notAfter: at('2026-04-01T00:00:00Z') }
  const now = at('2026-03-12T09:00:00Z')
  assert.ok(renewalTime(lifetime, settings) < now)
  assert.deepEqual(nextRenewals(lifetime, settings, now, 3).map((d) => d.toISOString()), ['2026-03-12T09:00:00.000Z', '2026-05-11T03:00:00.000Z', '2026-07-10T03:00:00.000Z'])
  assert.deepEqual(nextRenewals(lifetime, { ...settings, enabled: false }, now, 3), [])
})

const anyZone = fc.constantFrom(...zones)
const anyTime = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 })).map(([h, m]) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`)
const anyInstant = fc.date({ min: at('2010-01-01'), max: at('2040-01-01'), noInvalidDate: true })

test('a check is never before what it is asked from, never skips a day and never comes twice', () => {
  fc.assert(fc.property(anyZone, anyTime, anyInstant, (zone, time, from) => {
    const dayOf = (d: Date) => Temporal.Instant.fromEpochMilliseconds(d.getTime()).toZonedDateTimeISO(zone).toPlainDate()
    let previous = nextCheck(from, { zone, time })
    assert.ok(previous >= from)
    assert.ok(previous.getTime() - from.getTime() <= 49 * 3_600_000, 'a day has at most 25 hours, and Apia once left out one')
    for (let i = 0; i < 400; i++) {
      const next = nextCheck(new Date(previous.getTime() + 1), { zone, time })
      assert.ok(next > previous)
      const days = dayOf(previous).until(dayOf(next)).days
      const leftOut = zone === 'Pacific/Apia' && dayOf(next).toString() === '2011-12-31'
      assert.equal(days, leftOut ? 2 : 1, `${previous.toISOString()} → ${next.toISOString()}`)
      previous = next
    }
  }), { numRuns: 40 })
})

test('a renewal never lies before the version came, and moves to a later check after each failure', () => {
  fc.assert(fc.property(anyZone, anyTime, anyInstant, fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 40 }), (zone, time, createdAt, lives, daysBefore, failedAfter) => {
    const lifetime = { createdAt, notAfter: new Date(createdAt.getTime() + lives * 86_400_000) }
    const due = renewalTime(lifetime, { zone, time, daysBefore })
    assert.ok(due > createdAt)
    const failedAt = new Date(due.getTime() + failedAfter * 3_600_000)
    const again = renewalTime(lifetime, { zone, time, daysBefore }, failedAt)
    assert.ok(again > failedAt)
    assert.ok(again.getTime() - failedAt.getTime() <= 49 * 3_600_000)
  }))
})

test('zones that are none', () => {
  for (const zone of zones) assert.ok(isTimeZone(zone), zone)
  for (const zone of ['Mars/Olympus', '', 'Europe', '../../etc/passwd', 'Europe/Berlin\u0000']) assert.ok(!isTimeZone(zone), zone)
})
