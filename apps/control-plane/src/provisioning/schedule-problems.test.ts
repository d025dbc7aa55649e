import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deploymentTimingDefault, renewalDefaults, rolloutDefault, type DeploymentTiming, type RenewalSettings, type RolloutSettings } from '@certloop/contract'
import { rolloutProblems, rolloutWarnings } from './rollout-problems.ts'
import { scheduleProblems, scheduleWarnings, type ScheduleStep } from './schedule-problems.ts'

const now = new Date('2027-02-10T12:00:00Z')
const renewal: RenewalSettings = { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' }
const window = { frequency: 'weekly' as const, weekday: 7, dayOfMonth: 1, time: '02:00', lengthMinutes: 120 }
const step = (r: Partial<RenewalSettings>, d: Partial<DeploymentTiming> = {}, deployAfterRenewal = true): ScheduleStep => ({ renewal: { ...renewal, ...r }, deployment: { ...deploymentTimingDefault, ...d }, deployAfterRenewal })
const fields = (problems: readonly { field: string; missing?: true }[]) => problems.map(({ field, missing }) => `${field}${missing ? ' (missing)' : ''}`)

const problems: [what: string, step: ScheduleStep, fields: string[]][] = [
  ['a plain schedule', step({}), []],
  ['zones that are none', step({ zone: 'Europe/Atlantis' }, { zone: 'x' }), ['renewal/zone', 'deployment/zone']],
  ['no day', step({ trigger: 'date' }), ['renewal/date (missing)']],
  ['a day that there is not', step({ trigger: 'date', date: '2027-02-30' }), ['renewal/date']],
  ['a day that there is not, unused', step({ date: '2027-02-29' }), ['renewal/date']],
  ['29 February of a leap year', step({ trigger: 'date', date: '2028-02-29' }), []],
  ['yesterday', step({ trigger: 'date', date: '2027-02-09' }), ['renewal/date']],
  ['today', step({ trigger: 'date', date: '2027-02-10' }), []],
  ['yesterday there too', step({ trigger: 'date', date: '2027-02-09', zone: 'Pacific/Pago_Pago' }), ['renewal/date']],
  ['yesterday, with renewal off', step({ trigger: 'date', date: '2027-02-09', enabled: false }), []],
  ['at no time', step({}, { when: 'at' }), ['deployment/at (missing)']],
  ['at a time that has passed', step({}, { when: 'at', at: '2027-02-10T11:59' }), ['deployment/at']],
  ['at a time that has not', step({}, { when: 'at', at: '2027-02-10T12:01' }), []],
  ['at a time on no day', step({}, { when: 'at', at: '2027-04-31T12:00' }), ['deployment/at']],
  ['in no window', step({}, { when: 'window' }), ['deployment/window (missing)']],
  ['freezes that end before they begin, and on no day', step({}, { freezes: [{ from: '2027-12-20T00:00', to: '2027-12-20T00:00', reason: '' }, { from: '2027-02-30T00:00', to: '2027-13-01T00:00', reason: '' }, { from: '2027-12-20T00:00', to: '2028-01-02T00:00', reason: '' }] }), ['deployment/freezes/0/to', 'deployment/freezes/1/from', 'deployment/freezes/1/to']],
]
for (const [what, each, expected] of problems) test(`a schedule: ${what}`, () => { assert.deepEqual(fields(scheduleProblems(each, undefined, now)), expected) })

test('the day ends with the zone it is in', () => {
  const late = new Date('2027-02-10T10:30:00Z')
  assert.deepEqual(scheduleProblems(step({ trigger: 'date', date: '2027-02-09', zone: 'Pacific/Pago_Pago' }), undefined, late), [], 'it is 23:30 of the 9th there')
})

test('what has passed since it was saved stays, but is not set anew', () => {
  const old = step({ trigger: 'date', date: '2027-01-09' }, { when: 'at', at: '2027-01-10T00:00' })
  assert.deepEqual(scheduleProblems(old, old, now), [])
  assert.deepEqual(fields(scheduleProblems(old, step({}), now)), ['renewal/date', 'deployment/at'])
})

const facts = { notAfter: new Date('2027-05-01T00:00:00Z'), lifetimeDays: 90 }
const warnings: [what: string, step: ScheduleStep, fields: string[]][] = [
  ['a plain schedule', step({}), []],
  ['renewal off', step({ enabled: false }, {}, false), ['renewal/enabled']],
  ['no deployment', step({}, {}, false), ['deployAfterRenewal']],
  ['earlier than it lives', step({ daysBefore: 90 }), ['renewal/daysBefore']],
  ['after its end', step({ trigger: 'date', date: '2027-05-02' }), ['renewal/date']],
  ['monthly, and a week before', step({ frequency: 'monthly', daysBefore: 7 }), ['renewal/frequency']],
  ['a window once a week, and a week before', step({ daysBefore: 7 }, { when: 'window', window }), ['deployment/window']],
  ['the same, but the end goes before', step({ daysBefore: 7 }, { when: 'window', window, beforeExpiryDays: 2 }), []],
  ['a window that never closes', step({}, { when: 'window', window: { ...window, lengthMinutes: 10_080 } }), ['deployment/window/lengthMinutes']],
  ['at once whatever the window says', step({}, { when: 'window', window, beforeExpiryDays: 30 }), ['deployment/beforeExpiryDays']],
  ['deployed after the end', step({}, { when: 'at', at: '2027-06-01T00:00' }), ['deployment/at']],
]
for (const [what, each, expected] of warnings) test(`worth a look: ${what}`, () => { assert.deepEqual(fields(scheduleWarnings(each, facts)), expected) })

const target = (...labels: string[]) => ({ placement: { labels, pair: null } })
const rollout = (changes: Partial<RolloutSettings>): RolloutSettings => ({ ...rolloutDefault, ...changes })
const gate = (url: string) => ({ ...rolloutDefault.gate, httpCheck: { url, status: 200, timeoutSeconds: 5 } })
test('rollouts: what is wrong, and what is worth a look', () => {
  const rows: [RolloutSettings, ReturnType<typeof target>[], string[], string[]][] = [
    [rolloutDefault, [], [], []],
    [rollout({ mode: 'waves', canary: 1, waves: [{ share: 50, label: null }, { share: null, label: 'eu' }] }), [target('eu'), target()], [], []],
    [rollout({ mode: 'waves', waves: [{ share: 50, label: 'eu' }, { share: null, label: null }] }), [target('eu')], ['rollout/waves/0', 'rollout/waves/1'], []],
    [rollout({ mode: 'waves', waves: [{ share: 100, label: null }, { share: null, label: 'us' }] }), [target('eu')], [], ['rollout/waves/1/label', 'rollout/waves/0/share']],
    [rollout({ canary: 3 }), [target(), target()], ['rollout/canary (missing)'], []],
    [rollout({ mode: 'waves', waves: [{ share: 50, label: null }] }), [], ['rollout/mode (missing)'], []],
    [rollout({ waves: [{ share: 50, label: null }] }), [target()], [], ['rollout/waves']],
    [rollout({ mode: 'waves' }), [target()], [], ['rollout/waves']],
    [rollout({ gate: gate('https://') }), [target()], ['rollout/gate/httpCheck/url'], []],
    [rollout({ gate: gate('https://{host}:8443/health') }), [target()], [], []],
  ]
  for (const [settings, targets, wrong, odd] of rows) assert.deepEqual([fields(rolloutProblems(settings, targets)), fields(rolloutWarnings(settings, targets))], [wrong, odd], JSON.stringify(settings))
})
