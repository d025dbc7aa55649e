import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rolloutDefault, validationDefaults } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import { csrPart, namesPart } from './csr-options.ts'
import { renewalText, rolloutText, timingText, validationText } from './lines.ts'
import { rolloutAfter } from './rollout-options.ts'
import { validationAfter } from './validation-options.ts'
import { endedPeriods, renewalPart, timingAfter } from './schedule-options.ts'
import { durationText, readDuration } from './words.ts'

/** The options that are given; the rest stays away, as the parser leaves it. */
const given = <T extends object>(values: Partial<T>) => values as T
type Schedule = Parameters<typeof renewalPart>[0]
type Rollout = Parameters<typeof rolloutAfter>[0]
type Csr = Parameters<typeof csrPart>[1]
const schedule = (values: Partial<Schedule>) => given<Schedule>(values)
const refused = (words: RegExp) => (thrown: unknown) => thrown instanceof Failure && thrown.text.exit === 2 && words.test(thrown.text.what)

test('the renewal takes only what is given, and says a time once', () => {
  assert.deepEqual(renewalPart(schedule({})), {})
  assert.deepEqual(renewalPart(schedule({ 'renew-days': '20', 'renewal': false })), { daysBefore: 20, enabled: false })
  assert.deepEqual(renewalPart(schedule({ 'renew-on': '2028-02-29' })), { trigger: 'date', date: '2028-02-29' })
  assert.deepEqual(renewalPart(schedule({ check: 'weekly saturday 03:30', zone: 'Asia/Tokyo' })), { frequency: 'weekly', weekday: 6, time: '03:30', zone: 'Asia/Tokyo' })
  assert.deepEqual(renewalPart(schedule({ check: 'monthly 31', at: '04:00' })), { frequency: 'monthly', dayOfMonth: 31, time: '04:00' })
  assert.deepEqual(renewalPart(schedule({ deploy: 'daily 22:00 +2h', zone: 'Asia/Tokyo' })), {}, 'the zone goes with the times beside it')
  for (const [values, words] of [
    [{ 'renew-on': '2027-02-29' }, /there is no day 2027-02-29 in the calendar/], [{ 'renew-on': 'soon' }, /a day such as 2027-03-31/], [{ check: 'weekly sunnday' }, /a day from mon to sun/], [{ check: 'weekly su' }, /a day from mon to sun/], [{ check: 'daily 25:00' }, /a time of day such as 03:00, not "25:00"/], [{ 'renew-on': '2027-03-31', 'renew-trigger': 'authority' }, /not for authority/], [{ 'renew-days': '0' }, /from 1 to 120/],
    [{ check: 'weekly' }, /"weekly DAY"/], [{ check: 'monthly 32' }, /from 1 to 31/], [{ check: 'daily 03:00 +2h' }, /nothing after the time/], [{ check: 'daily 03:00', at: '04:00' }, /the time once/], [{ at: '3:00' }, /such as 03:00/],
  ] as const) assert.throws(() => renewalPart(schedule(values)), refused(words), JSON.stringify(values))
})

test('the time of deployment: at once, at one time, in a window; freeze periods; the zone where a time has one', () => {
  const plain = { when: 'immediately', at: null, window: null, zone: 'UTC', freezes: [], beforeExpiryDays: null } as const
  assert.equal(timingAfter(schedule({ at: '03:00', zone: 'Asia/Tokyo' }), undefined, 'UTC'), undefined)
  assert.equal(timingAfter(schedule({ zone: 'Asia/Tokyo' }), { ...plain, freezes: [] }, 'Asia/Tokyo'), undefined, 'no time, no zone')
  const window = timingAfter(schedule({ deploy: 'window Weekly sat 02:00 +90m' }), { ...plain, freezes: [] }, 'Europe/Berlin')
  assert.deepEqual(window, { ...plain, when: 'window', window: { frequency: 'weekly', weekday: 6, dayOfMonth: 1, time: '02:00', lengthMinutes: 90 }, zone: 'Europe/Berlin' }, 'not the zone of a time that never was')
  assert.equal(timingText(window), 'weekly on sat at 02:00 Europe/Berlin, for 1 h 30 min')
  const moved = schedule({ deploy: 'immediately', zone: 'Asia/Tokyo' })
  assert.deepEqual([renewalPart(moved), timingAfter(moved, window, 'UTC')?.zone], [{ zone: 'Asia/Tokyo' }, 'Asia/Tokyo'], 'what has no time leaves the zone to the checks')
  assert.deepEqual(endedPeriods([{ from: '2026-12-20T00:00', to: '2027-01-04T00:00', reason: '' }, { from: '2026-12-20T00:00', to: '2027-01-04T00:01', reason: '' }], 'Asia/Tokyo', new Date('2027-01-03T15:00:00Z')).map(({ to }) => to), ['2027-01-04T00:00'])
  for (const text of ['2027-03-31 22:00', 'at 2027-03-31T22:00']) assert.deepEqual(timingAfter(schedule({ deploy: text }), window, 'UTC'), { ...window, when: 'at', at: '2027-03-31T22:00', window: null })
  assert.equal(timingAfter(schedule({ zone: 'Asia/Tokyo' }), window, 'Asia/Tokyo')?.zone, 'Asia/Tokyo')
  const frozen = timingAfter(schedule({ 'freeze': ['2026-12-20 to 2027-01-04 06:00: end: of the year', '2027-02-01 18:00 to 2027-02-02'], 'deploy-before-expiry': '3' }), window, 'UTC')
  assert.deepEqual(frozen?.freezes, [{ from: '2026-12-20T00:00', to: '2027-01-04T06:00', reason: 'end: of the year' }, { from: '2027-02-01T18:00', to: '2027-02-02T00:00', reason: '' }])
  assert.equal(frozen.beforeExpiryDays, 3)
  assert.deepEqual(timingAfter(schedule({ 'freeze': [''], 'deploy-before-expiry': 'never' }), frozen, 'UTC'), window)
  for (const [values, words] of [
    [{ deploy: 'tomorrow' }, /immediately, "at 2027-03-31 22:00"/], [{ deploy: 'weekly sat 02:00' }, /a time and a length/], [{ deploy: 'weekly sat +4h' }, /a time and a length/], [{ deploy: 'daily 02:00 +4' }, /4h or 2d/],
    [{ deploy: 'daily 02:00 +2m' }, /5 minutes to 7 days/], [{ deploy: 'at 2027-02-30 22:00' }, /there is no day 2027-02-30/], [{ deploy: 'weekly sat 26:00 +4h' }, /such as 03:00, not "26:00"/], [{ freeze: ['2027-01-04 to 2026-12-20'] }, /ends before it begins/], [{ freeze: ['Christmas'] }, /a period such as/], [{ 'deploy-before-expiry': 'soon' }, /from 0 to 120/],
  ] as const) assert.throws(() => timingAfter(schedule({ ...values, ...('freeze' in values ? { freeze: [...values.freeze] } : {}) } as Partial<Schedule>), undefined, 'UTC'), refused(words), JSON.stringify(values))
})

test('who names a canary or waves wants waves; one option changes one thing', () => {
  const rollout = (values: Partial<Rollout>) => given<Rollout>(values)
  assert.equal(rolloutAfter(rollout({})), undefined)
  const waves = rolloutAfter(rollout({ 'canary': '1', 'wave': ['25%', 'berlin', '50% two words'], 'soak': '10m', 'check-url': 'https://{host}/health' }))
  assert.deepEqual(waves, {
    ...rolloutDefault, mode: 'waves', canary: 1, waves: [{ share: 25, label: null }, { share: null, label: 'berlin' }, { share: 50, label: 'two words' }],
    gate: { soakSeconds: 600, approval: false, httpCheck: { url: 'https://{host}/health', status: 200, timeoutSeconds: 10 } },
  })
  assert.match(rolloutText(waves), /^1 target first, 25%, all with label berlin, 50% of all with label two words, then the rest; each wave watched for 10 min; .* has to answer 200; stops after 1 failure$/)
  assert.deepEqual(rolloutAfter(rollout({ 'check-status': '204' }), waves), { ...waves, gate: { ...waves.gate, httpCheck: { url: 'https://{host}/health', status: 204, timeoutSeconds: 10 } } })
  assert.deepEqual(rolloutAfter(rollout({ 'check-url': '', 'on-stop': 'undo' }), waves), { ...waves, onStop: 'undo', gate: { ...waves.gate, httpCheck: null } })
  const together = rolloutAfter(rollout({ rollout: 'together' }), waves)
  assert.deepEqual([together?.mode, together?.canary, together?.waves], ['together', 0, []], 'what no longer has an effect does not stay behind')
  const inOrder = rolloutAfter(rollout({ rollout: 'in-order', canary: '2' }), waves)
  assert.match(rolloutText(inOrder ?? rolloutDefault), /^2 targets first, one after the other; /)
  assert.throws(() => rolloutAfter(rollout({ rollout: 'together', wave: ['25%'] })), refused(/--wave goes with --rollout waves/))
  for (const [values, words] of [[{ wave: ['120%'] }, /1% to 100%/], [{ wave: ['%'] }, /takes a share/], [{ soak: '10' }, /10m, 4h/], [{ 'check-status': '200' }, /go with --check-url/], [{ 'check-url': 'https://a', 'check-timeout': '2m' }, /1s to 60s/]] as const) {
    assert.throws(() => rolloutAfter(rollout(values as Partial<Rollout>)), refused(words), JSON.stringify(values))
  }
})

test('each way of validation has its own options, and leaves none of another behind', () => {
  type Validation = Parameters<typeof validationAfter>[0]
  const after = (values: Partial<Validation>, ...rest: [before?: Parameters<typeof validationAfter>[1], found?: Parameters<typeof validationAfter>[2]]) => validationAfter(given<Validation>(values), ...rest)
  assert.equal(after({}), undefined)
  assert.deepEqual(after({ 'validation-path': '/srv/www' }), { ...validationDefaults, method: 'file', path: '/srv/www' })
  assert.deepEqual(after({ 'listen-on': '[::]:10443' }), { ...validationDefaults, method: 'tls-alpn', listenOn: '[::]:10443' })
  assert.deepEqual(after({ notify: ['a@example.com'] }), { ...validationDefaults, method: 'manual', notify: ['a@example.com'] })
  const dns = after({ 'dns-provider': 'x' }, undefined, { dnsProviderId: 'dnp_x' })
  assert.deepEqual(dns, { ...validationDefaults, method: 'dns', dnsProviderId: 'dnp_x' })
  assert.equal(after({ 'dns-provider': 'y' }, { ...validationDefaults, method: 'dns-persist' }, { dnsProviderId: 'dnp_y' })?.method, 'dns-persist')
  const everything = { ...validationDefaults, method: 'file' as const, path: '/srv/www', botId: 'bot_x' as const }
  assert.deepEqual(after({ 'leave-out': true }, everything), { ...everything, leaveOut: true })
  assert.deepEqual(after({ validation: 'manual', 'validation-place': 'file' }, everything), { ...validationDefaults, method: 'manual', place: 'file' })
  assert.deepEqual(after({ validation: 'tls-alpn' }, everything), { ...validationDefaults, method: 'tls-alpn', botId: 'bot_x' }, 'the bot is of use for both')
  assert.deepEqual(after({ validation: 'http', notify: [''] }, { ...everything, method: 'manual' }), { ...validationDefaults, method: 'http' }, '"" takes out and asks for nothing')
  assert.throws(() => after({ 'validation': 'none', 'validation-path': '/srv/www' }), refused(/--validation-path goes with --validation file, not with none/))
  assert.throws(() => after({ 'listen-on': '0.0.0.0:443', 'dns-provider': 'x' }), refused(/--dns-provider goes with --validation dns or dns-persist, not with tls-alpn/))
  assert.equal(validationText({ ...validationDefaults, method: 'tls-alpn', botId: 'bot_x', leaveOut: true }, (id) => (id === 'bot_x' ? 'web1' : id)), 'tls-alpn, by the bot web1, on 0.0.0.0:443, a renewal goes on without names that can not be validated')
  assert.equal(validationText({ ...validationDefaults, method: 'manual', notify: ['a@example.com'] }), 'manual, a person places a DNS record, told to a@example.com')
})

test('parts of the request: short names of the subject, "" for none, and nothing that was not said', async () => {
  const context = {} as Context
  const part = (values: Partial<Csr>, before = {}) => csrPart(context, given<Csr>(values), before)
  assert.deepEqual(await part({}), {})
  assert.deepEqual(await part({ subject: ['O=Example', 'country=DE', 'locality='] }, { locality: 'Berlin', street: 'x' }), { subject: { street: 'x', organization: 'Example', country: 'DE' } })
  assert.deepEqual(await part({ template: '' }), { templateId: null, templateVersion: null, mode: 'partial' })
  assert.deepEqual(await part({ 'template-version': 'newest', 'signature': 'automatic', 'profile': '', 'validity-days': 'default' }), { templateVersion: null, signatureAlgorithm: null, profile: null, validityDays: null })
  assert.deepEqual(namesPart(given({ 'name': ['a.example'], 'common-name': '' })), { names: ['a.example'], commonName: null })
  await assert.rejects(part({ subject: ['CN=a.example'] }), refused(/given with --common-name/))
  await assert.rejects(part({ subject: ['planet=Earth'] }), refused(/no part "planet": organization/))
})

test('lengths of time and schedules read as people say them', () => {
  assert.deepEqual(['90s', '10m', '4h', '2d'].map((text) => readDuration('soak', text)), [90, 600, 14_400, 172_800])
  assert.deepEqual([0, 59, 5400, 90_061].map(durationText), ['0 s', '59 s', '1 h 30 min', '1 d 1 h 1 min 1 s'])
  const renewal = { enabled: true, method: 'renew', trigger: 'date', daysBefore: 30, date: '2027-03-31', frequency: 'monthly', weekday: 1, dayOfMonth: 15, time: '03:00', zone: 'UTC' } as const
  assert.equal(renewalText(renewal), 'renew, on 2027-03-31; checked monthly on day 15 at 03:00 UTC')
  assert.equal(renewalText({ ...renewal, trigger: 'authority', frequency: 'daily' }), 'renew, when the authority says, or 30 days before the end; checked daily at 03:00 UTC')
})
