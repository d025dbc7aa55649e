import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renewalDefaults, type RenewalSettings } from '@certloop/contract'
import fc from 'fast-check'
import { anyFrequency, anyInstant, anyTime, anyZone, at, zones } from '../schedule/schedule-testing.ts'
import { turnOf } from '../schedule/spread.ts'
import { isTimeZone, nextAsk, nextCheck, renewalTime, retryTime, type RenewalOf } from './renewal-time.ts'

const hour = 3_600_000
const day = 24 * hour
const key = 'crt_a'
const turn = turnOf(key, hour)
const daily: RenewalSettings = { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }
const berlin: RenewalSettings = { ...daily, zone: 'Europe/Berlin' }
const weekly: RenewalSettings = { ...daily, frequency: 'weekly', weekday: 7 }
const monthly: RenewalSettings = { ...daily, frequency: 'monthly', dayOfMonth: 1 }
const lives = (createdAt: string, notAfter: string) => ({ createdAt: at(createdAt), notAfter: at(notAfter) })
const ninety = lives('2026-01-01T12:00:00Z', '2026-04-01T12:00:00Z')

type Row = [name: string, lifetime: ReturnType<typeof lives>, settings: RenewalSettings, expected: string, why: RegExp, of?: Partial<RenewalOf>]
/** What is expected is the check itself; the turn of this certificate comes so much later. */
function check(rows: readonly Row[]): void {
  for (const [name, lifetime, settings, expected, why, of] of rows) {
    const found = renewalTime(lifetime, settings, { spreadKey: key, ...of })
    assert.equal(new Date(found.at.getTime() - turn).toISOString(), expected, name)
    assert.match(found.why, why, name)
  }
}

test('so many days before the end, at daily checks', () => {
  assert.ok(turn > 60_000 && turn < hour)
  check([
    ['thirty days before its last day, at three in Berlin', ninety, berlin, '2026-03-02T02:00:00.000Z', /^Renewed 30 days before its end on 2026-04-01, at the first check from then on \(daily at 03:00 \(Europe\/Berlin\), its turn \d+ min later\)\.$/],
    ['a month that is shorter', lives('2026-01-01T12:00:00Z', '2026-03-31T12:00:00Z'), berlin, '2026-03-01T02:00:00.000Z', /2026-03-31/],
    ['29 February counts', lives('2028-01-01T00:00:00Z', '2028-03-30T12:00:00Z'), berlin, '2028-02-29T02:00:00.000Z', /30 days/],
    ['the day of its end is that of the zone', lives('2026-01-01T12:00:00Z', '2026-04-01T23:30:00Z'), berlin, '2026-03-03T02:00:00.000Z', /2026-04-02/],
    ['on the day that Berlin leaves 02:30 out', lives('2026-01-01T12:00:00Z', '2026-04-28T12:00:00Z'), { ...berlin, time: '02:30' }, '2026-03-29T01:30:00.000Z', /02:30/],
    ['on the day that New York repeats 01:30', lives('2026-08-01T12:00:00Z', '2026-12-01T12:00:00Z'), { ...daily, zone: 'America/New_York', time: '01:30' }, '2026-11-01T05:30:00.000Z', /01:30/],
    ['more days than it lives: the first check after it came', ninety, { ...berlin, daysBefore: 120 }, '2026-01-02T02:00:00.000Z', /at each check/],
    ['an attempt failed long before it was due: no matter', ninety, berlin, '2026-03-02T02:00:00.000Z', /^Renewed/, { lastFailedAt: at('2026-02-01T00:00:00Z') }],
    ['an attempt failed at the due time: the next day', ninety, berlin, '2026-03-03T02:00:00.000Z', /^Tried again, because the attempt that ended at 2026-03-02 /, { lastFailedAt: at('2026-03-02T03:00:05Z') }],
    ['it failed at exactly the due instant: not the same again', ninety, berlin, '2026-03-03T02:00:00.000Z', /Tried again/, { lastFailedAt: new Date(at('2026-03-02T02:00:00Z').getTime() + turn) }],
    ['missed for ten days, then failed: the check after that', ninety, berlin, '2026-03-13T02:00:00.000Z', /Tried again/, { lastFailedAt: at('2026-03-12T09:00:00Z') }],
    ['clock set back an hour after a failure: still the next check', ninety, berlin, '2026-03-03T02:00:00.000Z', /Tried again/, { lastFailedAt: at('2026-03-02T03:00:01Z') }],
    ['not by the authority, which was not asked yet', ninety, { ...berlin, trigger: 'authority' }, '2026-03-02T02:00:00.000Z', /has not said yet.*30 days/],
    ['nor when it gives no window', ninety, { ...berlin, trigger: 'authority' }, '2026-03-02T02:00:00.000Z', /gives no window.*30 days/, { window: null }],
  ])
})

test('weekly and monthly checks: the first after the due day, an earlier one when that comes too late', () => {
  check([
    ['the Sunday after', ninety, weekly, '2026-03-08T03:00:00.000Z', /at the first check from then on \(weekly on Sunday/],
    ['the last Sunday, with more than a third of seven days left', ninety, { ...weekly, daysBefore: 7 }, '2026-03-29T03:00:00.000Z', /at the first check/],
    ['two days before is a Monday, and the next Sunday is after the end: the one before', ninety, { ...weekly, daysBefore: 2 }, '2026-03-29T03:00:00.000Z', /before it is due/],
    ['the first of the month after', lives('2026-01-01T12:00:00Z', '2026-04-20T12:00:00Z'), monthly, '2026-04-01T03:00:00.000Z', /monthly on day 1/],
    ['the first of the month before', ninety, monthly, '2026-03-01T03:00:00.000Z', /before it is due, 30 days before its end on 2026-04-01: the next check after that day would come too late/],
    ['the last day of February', lives('2026-01-01T12:00:00Z', '2026-03-20T12:00:00Z'), { ...monthly, dayOfMonth: 31, daysBefore: 25 }, '2026-02-28T03:00:00.000Z', /monthly on day 31/],
    ['no check at all while it lives: on the due day itself', lives('2026-01-02T12:00:00Z', '2026-01-25T12:00:00Z'), { ...monthly, daysBefore: 7 }, '2026-01-18T03:00:00.000Z', /without waiting for a check/],
    ['failed: the next day, not the next month', lives('2026-01-01T12:00:00Z', '2026-04-20T12:00:00Z'), monthly, '2026-04-02T03:00:00.000Z', /Tried again/, { lastFailedAt: at('2026-04-01T05:00:00Z') }],
  ])
})

test('on a set day, once; then the days before the end count until another is set', () => {
  const on = (date: string, more: Partial<RenewalSettings> = {}): RenewalSettings => ({ ...daily, trigger: 'date', date, ...more })
  check([
    ['that day', ninety, on('2026-02-10'), '2026-02-10T03:00:00.000Z', /^Renewed on the day set, 2026-02-10/],
    ['at the first weekly check from that day on', ninety, on('2026-02-10', { frequency: 'weekly', weekday: 7 }), '2026-02-15T03:00:00.000Z', /on the day set/],
    ['a late day is what somebody wants', ninety, on('2026-03-30'), '2026-03-30T03:00:00.000Z', /on the day set/],
    ['the next weekly check would come too late: on that day', ninety, on('2026-03-30', { frequency: 'weekly', weekday: 7 }), '2026-03-30T03:00:00.000Z', /without waiting for a check/],
    ['29 February', lives('2028-01-01T00:00:00Z', '2028-12-01T00:00:00Z'), on('2028-02-29'), '2028-02-29T03:00:00.000Z', /2028-02-29/],
    ['a day after the end', ninety, on('2026-06-01'), '2026-03-02T03:00:00.000Z', /2026-06-01, comes too late\. Renewed 30 days before/],
    ['renewed on that day: not again', lives('2026-02-10T03:30:00Z', '2026-05-11T03:30:00Z'), on('2026-02-10'), '2026-04-11T03:00:00.000Z', /has passed, and it was renewed since\. Until another is set, the days before its end count\. Renewed 30 days/],
    ['renewed by hand before that day: it still is to come', lives('2026-02-09T23:59:59Z', '2026-05-11T03:30:00Z'), on('2026-02-10'), '2026-02-10T03:00:00.000Z', /on the day set/],
    ['it failed on that day: the next', ninety, on('2026-02-10'), '2026-02-11T03:00:00.000Z', /Tried again/, { lastFailedAt: at('2026-02-10T05:00:00Z') }],
    ['no day was set', ninety, { ...daily, trigger: 'date' }, '2026-03-02T03:00:00.000Z', /30 days/],
  ])
})

test("in the authority's window, at a point that belongs to the certificate", () => {
  const settings: RenewalSettings = { ...daily, trigger: 'authority' }
  const window = { start: at('2026-02-20T00:00:00Z'), end: at('2026-02-22T00:00:00Z') }
  const found = renewalTime(ninety, settings, { spreadKey: key, window })
  assert.ok(found.at >= window.start && found.at < window.end)
  assert.match(found.why, /2026-02-20 00:00 to 2026-02-22 00:00 UTC/)
  assert.deepEqual(renewalTime(ninety, settings, { spreadKey: key, window }), found)
  const points = Array.from({ length: 200 }, (_, i) => renewalTime(ninety, settings, { spreadKey: `crt_${i}`, window }).at.getTime())
  assert.ok(Math.min(...points) < window.start.getTime() + 2 * hour && Math.max(...points) > window.end.getTime() - 2 * hour)
  check([
    ['a window that comes too late', ninety, settings, '2026-03-02T03:00:00.000Z', /comes too late\. Renewed 30 days/, { window: { start: at('2026-04-10T00:00:00Z'), end: at('2026-04-11T00:00:00Z') } }],
    ['a window that is over when the version comes: at the next check, not at once for ever', ninety, settings, '2026-01-02T03:00:00.000Z', /in the window/, { window: { start: at('2025-01-01T00:00:00Z'), end: at('2025-01-02T00:00:00Z') } }],
    ['it failed there: the next day', ninety, settings, '2026-02-23T03:00:00.000Z', /Tried again/, { window, lastFailedAt: at('2026-02-22T12:00:00Z') }],
  ])
  assert.equal(nextAsk(ninety, settings, key, at('2026-01-05T12:00:00Z')).getTime() - turn, at('2026-01-06T03:00:00Z').getTime())
})

test('what lives for hours is renewed after two thirds of them, and tried again sooner and sooner', () => {
  const sixHours = lives('2026-01-01T12:00:00Z', '2026-01-01T18:00:00Z')
  const { at: due, why } = renewalTime(sixHours, daily, { spreadKey: key })
  assert.ok(due > at('2026-01-01T15:40:00Z') && due <= at('2026-01-01T16:00:00Z'), due.toISOString())
  assert.match(why, /two thirds/)
  assert.ok(renewalTime(lives('2026-01-01T02:00:00Z', '2026-01-01T08:00:00Z'), daily, { spreadKey: key }).at <= at('2026-01-01T03:15:00Z'), 'a check that comes in time counts')
  assert.equal(retryTime(sixHours, daily, key, at('2026-01-01T16:00:00Z')).at.toISOString(), '2026-01-01T16:40:00.000Z')
  assert.equal(retryTime(sixHours, daily, key, at('2026-01-01T17:50:00Z')).at.toISOString(), '2026-01-01T18:05:00.000Z', 'a quarter of an hour at least')
  assert.equal(retryTime(sixHours, daily, key, at('2026-01-01T19:00:00Z')).at.toISOString(), '2026-01-01T21:00:00.000Z', 'it has ended: a third of its life')
  assert.equal(retryTime(lives('2026-03-01T00:00:00Z', '2026-02-01T00:00:00Z'), daily, key, at('2026-03-05T19:00:00Z')).at.toISOString(), '2026-03-06T03:00:00.000Z', 'what is served ended before the version came that can not be deployed: once a day')
})

const anySettings = fc.tuple(anyZone, anyTime, anyFrequency, fc.integer({ min: 1, max: 120 }), fc.constantFrom('days-before' as const, 'date' as const, 'authority' as const), fc.integer({ min: -100, max: 600 }))

test('a renewal never lies before the version came nor too late, and moves on after each failure', () => {
  fc.assert(fc.property(anySettings, anyInstant, fc.integer({ min: 1, max: 500 * 24 }), fc.integer({ min: 0, max: 100 }), fc.string(), ([zone, time, how, daysBefore, trigger, dateIn], createdAt, hours, failedAfter, spreadKey) => {
    const lifetime = { createdAt, notAfter: new Date(createdAt.getTime() + hours * hour) }
    const date = new Date(createdAt.getTime() + dateIn * day).toISOString().slice(0, 10)
    const window = { start: new Date(createdAt.getTime() + dateIn * day), end: new Date(createdAt.getTime() + (dateIn + 2) * day) }
    const settings = { ...daily, ...how, zone, time, daysBefore, trigger, date }
    const of = { spreadKey, window }
    const due = renewalTime(lifetime, settings, of)
    assert.ok(due.at > createdAt)
    const left = lifetime.notAfter.getTime() - due.at.getTime()
    const reserve = trigger === 'date' ? Math.min(day, hours * hour / 3) : Math.min(daysBefore * day, hours * hour) / 3
    assert.ok(left >= reserve - 1 || left >= Math.min(daysBefore * day, hours * hour) / 3 - 1, `${left / hour} h left: ${due.why}`)
    assert.deepEqual(renewalTime(lifetime, settings, of), due)
    const lastFailedAt = new Date(due.at.getTime() + failedAfter * hour)
    const again = renewalTime(lifetime, settings, { ...of, lastFailedAt })
    assert.ok(again.at > lastFailedAt)
    assert.ok(again.at.getTime() - lastFailedAt.getTime() <= 49 * hour, 'a day has at most 25 hours, and Apia once left out one')
  }), { numRuns: 400 })
})

test('the checks of a certificate: none is skipped or doubled, whatever its turn', () => {
  fc.assert(fc.property(anyZone, anyTime, anyInstant, fc.integer({ min: 0, max: hour }), (zone, time, from, turnMs) => {
    let previous = nextCheck(from, { ...daily, zone, time }, turnMs)
    assert.ok(previous >= from && previous.getTime() - from.getTime() <= 49 * hour)
    for (let i = 0; i < 50; i++) {
      const next = nextCheck(new Date(previous.getTime() + 1), { ...daily, zone, time }, turnMs)
      const gap = next.getTime() - previous.getTime()
      assert.ok(gap >= 22 * hour && gap <= 26 * hour || (zone === 'Pacific/Apia' && gap <= 49 * hour), `${previous.toISOString()} → ${next.toISOString()}`)
      previous = next
    }
  }), { numRuns: 40 })
})

test('thousands that are due at one check have their turns over an hour', () => {
  const times = Array.from({ length: 2000 }, (_, i) => renewalTime(ninety, daily, { spreadKey: `crt_${i}` }).at.getTime())
  const perMinute = new Map<number, number>()
  for (const time of times) perMinute.set(Math.floor(time / 60_000), (perMinute.get(Math.floor(time / 60_000)) ?? 0) + 1)
  assert.equal(perMinute.size, 60)
  assert.ok(Math.max(...perMinute.values()) < 70, 'about 33 in each minute')
  assert.ok(Math.min(...times) >= at('2026-03-02T03:00:00Z').getTime() && Math.max(...times) < at('2026-03-02T04:00:00Z').getTime())
})

test('zones that are none', () => {
  for (const zone of zones) assert.ok(isTimeZone(zone), zone)
  for (const zone of ['Mars/Olympus', '', 'Europe', '../../etc/passwd', 'Europe/Berlin\u0000']) assert.ok(!isTimeZone(zone), zone)
})
