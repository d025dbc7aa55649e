import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deploymentTimingDefault, type DeploymentTiming } from '@certloop/contract'
import fc from 'fast-check'
import { deploymentTime, isWithin, type Deployable, type ZonedFreeze } from './deployment-time.ts'
import { nextOccurrence } from './recurrence.ts'
import { anyFrequency, anyInstant, anyTime, anyZone, at } from './schedule-testing.ts'
import { turnOf } from './spread.ts'

const minute = 60_000
const key = 'crt_a'
const turn = turnOf(key, 10 * minute)
const window = { frequency: 'weekly', weekday: 7, dayOfMonth: 1, time: '22:00', lengthMinutes: 240 } as const
const timing = (changes: Partial<DeploymentTiming>): DeploymentTiming => ({ ...deploymentTimingDefault, ...changes })
const inWindow = (changes: Partial<DeploymentTiming> = {}) => timing({ when: 'window', window, ...changes })
const holidays: ZonedFreeze = { name: 'Holidays', from: '2026-12-20T00:00', to: '2027-01-04T00:00', reason: 'Nobody is here', zone: 'UTC' }
const of = (now: string, servedUntil: string | null = null): Deployable => ({ issuedAt: at(now), servedUntil: servedUntil === null ? null : at(servedUntil), spreadKey: key })

test('when a version is deployed', () => {
  assert.ok(turn > 0 && turn < 10 * minute)
  const rows: [string, DeploymentTiming, ZonedFreeze[], string, string | null, string, RegExp][] = [
    ['at once', timing({}), [], '2026-11-21T12:00:00Z', null, '2026-11-21T12:00:00Z', /as soon as it is issued/],
    ['at a time to come, at its turn', timing({ when: 'at', at: '2026-12-01T22:00', zone: 'Europe/Berlin' }), [], '2026-11-21T12:00:00Z', null, '2026-12-01T21:00:00Z+', /2026-12-01 22:00 \(Europe\/Berlin\)/],
    ['at a time that has passed: at once', timing({ when: 'at', at: '2026-11-01T22:00' }), [], '2026-11-21T12:00:00Z', null, '2026-11-21T12:00:00Z', /has come/],
    ['before the window', inWindow(), [], '2026-11-21T12:00:00Z', null, '2026-11-22T22:00:00Z+', /next deployment window: weekly on Sunday at 22:00 \(UTC\), for 4 h/],
    ['in the window', inWindow(), [], '2026-11-22T23:00:00Z', null, '2026-11-22T23:00:00Z', /window is open/],
    ['in the window, after midnight, in its last minute', inWindow(), [], '2026-11-23T01:59:59Z', null, '2026-11-23T01:59:59Z', /window is open/],
    ['when it just ended', inWindow(), [], '2026-11-23T02:00:00Z', null, '2026-11-29T22:00:00Z+', /next deployment window/],
    ['a window of a week is always open', inWindow({ window: { ...window, lengthMinutes: 10_080 } }), [], '2026-11-25T09:00:00Z', null, '2026-11-25T09:00:00Z', /window is open/],
    ['a window over the hour that Berlin repeats is as long as it says', inWindow({ zone: 'Europe/Berlin', window: { ...window, time: '01:00' } }), [], '2026-10-25T02:59:00Z', null, '2026-10-25T02:59:00Z', /window is open/],
    ['and then it is over', inWindow({ zone: 'Europe/Berlin', window: { ...window, time: '01:00' } }), [], '2026-10-25T03:00:00Z', null, '2026-11-01T00:00:00Z+', /next/],
    ['a window that begins in the hour that Berlin leaves out begins after it', inWindow({ zone: 'Europe/Berlin', window: { ...window, time: '02:30' } }), [], '2026-03-29T00:45:00Z', null, '2026-03-29T01:30:00Z+', /next/],
    ['a window that Sydney repeats', inWindow({ zone: 'Australia/Sydney', window: { ...window, time: '02:30' } }), [], '2026-04-04T15:00:00Z', null, '2026-04-04T15:30:00Z+', /next/],
    ['29 February', inWindow({ window: { ...window, frequency: 'monthly', dayOfMonth: 31 } }), [], '2028-02-10T00:00:00Z', null, '2028-02-29T22:00:00Z+', /monthly on day 31/],
    ['frozen: at the end of it', timing({}), [holidays], '2026-12-24T12:00:00Z', null, '2027-01-04T00:00:00Z+', /"Holidays" \(Nobody is here\) on 2027-01-04 00:00/],
    ['the first instant of a freeze period counts', timing({}), [holidays], '2026-12-20T00:00:00Z', null, '2027-01-04T00:00:00Z+', /freeze/],
    ['the instant before does not', timing({}), [holidays], '2026-12-19T23:59:59Z', null, '2026-12-19T23:59:59Z', /as soon/],
    ['the last does not', timing({}), [holidays], '2027-01-04T00:00:00Z', null, '2027-01-04T00:00:00Z', /as soon/],
    ['one freeze period after the other', timing({ freezes: [{ from: '2027-01-03T00:00', to: '2027-01-10T00:00', reason: '' }] }), [holidays], '2026-12-24T12:00:00Z', null, '2027-01-10T00:00:00Z+', /freeze/],
    ['frozen, and then the next window', inWindow(), [{ ...holidays, to: '2027-01-04T02:00' }], '2026-12-20T22:30:00Z', null, '2027-01-10T22:00:00Z+', /freeze.*window after it/],
    ['the freeze period ends within a window', inWindow(), [{ ...holidays, to: '2027-01-03T23:00' }], '2026-12-20T22:30:00Z', null, '2027-01-03T23:00:00Z+', /freeze/],
    ['a freeze period ends when its hour comes the second time', timing({ zone: 'Europe/Berlin', freezes: [{ from: '2026-10-24T00:00', to: '2026-10-25T02:30', reason: '' }] }), [], '2026-10-25T00:45:00Z', null, '2026-10-25T01:30:00Z+', /freeze/],
    ['a freeze period does not end in an hour that is left out, but after it', timing({ zone: 'Europe/Berlin', freezes: [{ from: '2026-03-28T00:00', to: '2026-03-29T02:30', reason: '' }] }), [], '2026-03-29T01:10:00Z', null, '2026-03-29T01:30:00Z+', /freeze/],
  ]
  for (const [name, how, freezes, now, servedUntil, expected, why] of rows) {
    const found = deploymentTime(how, freezes, of(now, servedUntil), at(now))
    const base = at(expected.replace('+', '')).getTime()
    assert.equal(found.at.toISOString(), new Date(base + (expected.endsWith('+') ? turn : 0)).toISOString(), name)
    assert.match(found.why, why, name)
    assert.equal(found.overrides, false, name)
  }
})

test('before the end of what is served it wins over windows and freeze periods, and only then', () => {
  const careful = inWindow({ beforeExpiryDays: 5 })
  const rows: [string, DeploymentTiming, ZonedFreeze[], string, string, string, boolean][] = [
    ['the window comes in time', careful, [], '2026-11-17T12:00:00Z', '2026-12-10T12:00:00Z', '2026-11-22T22:00:00Z+', false],
    ['the window comes too late: on the fifth day before', careful, [], '2026-11-17T12:00:00Z', '2026-11-25T12:00:00Z', '2026-11-20T00:00:00Z+', true],
    ['that day is over already: at once', careful, [], '2026-11-21T12:00:00Z', '2026-11-25T12:00:00Z', '2026-11-21T12:00:00Z', true],
    ['a window is open: no need to', careful, [], '2026-11-22T23:00:00Z', '2026-11-25T12:00:00Z', '2026-11-22T23:00:00Z', false],
    ['frozen until after the end', timing({ beforeExpiryDays: 5 }), [holidays], '2026-12-21T12:00:00Z', '2027-01-02T12:00:00Z', '2026-12-28T00:00:00Z+', true],
    ['frozen, and it ends in time', timing({ beforeExpiryDays: 5 }), [holidays], '2026-12-21T12:00:00Z', '2027-02-02T12:00:00Z', '2027-01-04T00:00:00Z+', false],
    ['not asked for: windows hold, even when it ends before', inWindow(), [], '2026-11-17T12:00:00Z', '2026-11-18T12:00:00Z', '2026-11-22T22:00:00Z+', false],
    ['a set time after the end', timing({ when: 'at', at: '2027-06-01T00:00', beforeExpiryDays: 5 }), [], '2026-12-01T00:00:00Z', '2026-12-20T12:00:00Z', '2026-12-15T00:00:00Z+', true],
    ['no days before: the day of the end, an hour before it at least', timing({ beforeExpiryDays: 0 }), [holidays], '2026-12-21T12:00:00Z', '2026-12-24T00:30:00Z', '2026-12-23T23:30:00Z+', true],
  ]
  for (const [name, how, freezes, now, servedUntil, expected, overrides] of rows) {
    const found = deploymentTime(how, freezes, of(now, servedUntil), at(now))
    assert.equal(found.at.toISOString(), new Date(at(expected.replace('+', '')).getTime() + (expected.endsWith('+') ? turn : 0)).toISOString(), name)
    assert.equal(found.overrides, overrides, name)
    assert.equal(/windows and freeze periods do not hold it back/.test(found.why), overrides, name)
  }
})

test('what waited keeps its turn when it is looked at again; what is issued meanwhile does not wait', () => {
  const waited = of('2026-11-21T12:00:00Z')
  assert.equal(deploymentTime(inWindow(), [], waited, at('2026-11-22T22:00:01Z')).at.getTime(), at('2026-11-22T22:00:00Z').getTime() + turn)
  assert.equal(deploymentTime(inWindow(), [], of('2026-11-22T22:00:01Z'), at('2026-11-22T22:00:01Z')).at.toISOString(), '2026-11-22T22:00:01.000Z')
  const turns = Array.from({ length: 500 }, (_, i) => deploymentTime(inWindow(), [], { ...waited, spreadKey: `crt_${i}` }, at('2026-11-21T12:00:00Z')).at.getTime())
  assert.ok(new Set(turns).size > 250, 'thousands do not begin in one second')
  const short = inWindow({ window: { ...window, lengthMinutes: 5 } })
  for (let i = 0; i < 100; i++) assert.ok(deploymentTime(short, [], { ...waited, spreadKey: `crt_${i}` }, at('2026-11-21T12:00:00Z')).at < at('2026-11-22T22:01:15Z'), 'a short window is spread less')
})

const day = 86_400_000
const local = (zone: string, instant: Date) => Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(zone).toPlainDateTime().toString({ smallestUnit: 'minute' })
const anyCase = fc.record({
  zone: anyZone, other: anyZone, now: anyInstant, how: anyFrequency, time: anyTime, lengthMinutes: fc.integer({ min: 5, max: 10_080 }), when: fc.constantFrom('immediately' as const, 'at' as const, 'window' as const),
  atDays: fc.integer({ min: -20, max: 40 }), freezes: fc.array(fc.tuple(fc.integer({ min: -40, max: 60 }), fc.integer({ min: 1, max: 600 }), fc.boolean()), { maxLength: 6 }),
  beforeExpiryDays: fc.option(fc.integer({ min: 0, max: 30 })), endsInDays: fc.option(fc.integer({ min: -3, max: 60 })), waitedDays: fc.integer({ min: 0, max: 30 }), key: fc.string(), later: fc.integer({ min: 1, max: 20 * day }),
})

test('never in a freeze period or outside a window, unless it overrides; never earlier when it is asked later', () => {
  fc.assert(fc.property(anyCase, (c) => {
    const freezes = c.freezes.map(([from, hours, own]) => ({ own, zone: own ? c.zone : c.other, from, hours })).map(({ own, zone, from, hours }) => {
      const begin = new Date(c.now.getTime() + from * day)
      return { own, freeze: { from: local(zone, begin), to: local(zone, new Date(begin.getTime() + hours * 3_600_000)), reason: '', zone } }
    }).filter(({ freeze }) => freeze.from < freeze.to)
    const how: DeploymentTiming = {
      when: c.when, at: local(c.zone, new Date(c.now.getTime() + c.atDays * day)), window: { ...c.how, time: c.time, lengthMinutes: c.lengthMinutes }, zone: c.zone, beforeExpiryDays: c.beforeExpiryDays,
      freezes: freezes.filter(({ own }) => own).map(({ freeze: { from, to, reason } }) => ({ from, to, reason })),
    }
    const platform = freezes.filter(({ own }) => !own).map(({ freeze }) => freeze)
    const what = { issuedAt: new Date(c.now.getTime() - c.waitedDays * day), servedUntil: c.endsInDays === null ? null : new Date(c.now.getTime() + c.endsInDays * day), spreadKey: c.key }
    const found = deploymentTime(how, platform, what, c.now)
    assert.ok(found.at >= c.now)
    if (!found.overrides) {
      for (const { freeze } of freezes) assert.ok(!isWithin(freeze, found.at), 'in a freeze period')
      if (c.when === 'at') assert.ok(found.at.getTime() >= Temporal.PlainDateTime.from(how.at ?? '').toZonedDateTime(c.zone).epochMilliseconds, 'before the set time')
      const open = nextOccurrence(new Date(found.at.getTime() - c.lengthMinutes * minute + 1), { ...c.how, time: c.time, zone: c.zone })
      if (c.when === 'window') assert.ok(open <= found.at, 'outside a window')
    } else assert.ok(c.beforeExpiryDays !== null && what.servedUntil !== null && found.at.getTime() >= Math.min(c.now.getTime(), what.servedUntil.getTime() - (c.beforeExpiryDays + 2) * day))
    const later = deploymentTime(how, platform, what, new Date(c.now.getTime() + c.later))
    assert.ok(later.at >= found.at, 'earlier when asked later')
    assert.deepEqual(deploymentTime(how, platform, what, found.at).at, found.at, 'when its time has come, it still has come')
  }), { numRuns: 400 })
})
