import { Type, type Static } from 'typebox'
import { literals, nullable } from './text.ts'

const strict = { additionalProperties: false } as const
const timeOfDay = Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' })
const zone = Type.String({ minLength: 1, maxLength: 64, description: 'IANA time zone, e.g. Europe/Berlin' })
const localDate = Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$', description: 'Calendar day, e.g. 2027-03-31' })
const localDateTime = Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]$', description: 'Day and time on the clock of the zone beside it, e.g. 2027-03-31T22:00' })

export const frequencies = ['daily', 'weekly', 'monthly'] as const
export type Frequency = (typeof frequencies)[number]

/** How often, and on which day: every day, on one day of the week, or on one day of the month. */
const recurrence = {
  frequency: literals(frequencies),
  weekday: Type.Integer({ minimum: 1, maximum: 7, description: 'For weekly: 1 is Monday (ISO 8601)' }),
  dayOfMonth: Type.Integer({ minimum: 1, maximum: 31, description: 'For monthly; in a shorter month its last day' }),
  time: timeOfDay,
}

export const renewalMethods = ['renew', 'regenerate', 're-enrol'] as const
export type RenewalMethod = (typeof renewalMethods)[number]
export const renewalTriggers = ['days-before', 'date', 'authority'] as const
export type RenewalTrigger = (typeof renewalTriggers)[number]

/** When a certificate is renewed by itself, and how. */
export const RenewalSettings = Type.Object({
  enabled: Type.Boolean(),
  method: literals(renewalMethods, { description: 'renew: the same identity again, the key as "keyReuse" says. regenerate: the same identity with a new key. re-enrol: a new request from the configuration, as a certificate of its own that takes the targets over' }),
  trigger: literals(renewalTriggers, { description: 'days-before: so many days before the end. date: on that day. authority: in the window that the authority gives (RFC 9773), or, where it gives none, days-before' }),
  daysBefore: Type.Integer({ minimum: 1, maximum: 120 }),
  date: nullable(localDate),
  ...recurrence,
  zone,
}, strict)
export type RenewalSettings = Static<typeof RenewalSettings>
/** As it may be sent: what newer fields leave out is as it is for a daily check so many days before the end. */
export const RenewalInput = Type.Object({
  ...Type.Partial(RenewalSettings).properties,
  enabled: RenewalSettings.properties.enabled, daysBefore: RenewalSettings.properties.daysBefore, time: RenewalSettings.properties.time, zone: RenewalSettings.properties.zone,
}, strict)
export type RenewalInput = Static<typeof RenewalInput>
export const renewalDefaults = { method: 'renew', trigger: 'days-before', date: null, frequency: 'daily', weekday: 1, dayOfMonth: 1 } as const satisfies Partial<RenewalSettings>

/** A time in which nothing is deployed by itself. Begin counts, end does not. */
export const FreezePeriod = Type.Object({ from: localDateTime, to: localDateTime, reason: Type.String({ maxLength: 200 }) }, strict)
export type FreezePeriod = Static<typeof FreezePeriod>

export const deploymentWhens = ['immediately', 'at', 'window'] as const
/** When what was renewed by itself is deployed. An action by hand deploys at once, unless it says otherwise. */
export const DeploymentTiming = Type.Object({
  when: literals(deploymentWhens, { description: 'immediately: once it is issued. at: not before that day and time. window: in a window that comes again' }),
  at: nullable(localDateTime),
  window: nullable(Type.Object({ ...recurrence, lengthMinutes: Type.Integer({ minimum: 5, maximum: 10_080, description: 'No deployment begins after so many minutes' }) }, strict)),
  zone,
  freezes: Type.Array(FreezePeriod, { maxItems: 50, description: 'Besides those that hold for the whole platform' }),
  beforeExpiryDays: nullable(Type.Integer({ minimum: 0, maximum: 120, description: 'So many days before what is served ends, it is deployed at once, whatever window or freeze period says. null: windows and freeze periods always hold' })),
}, strict)
export type DeploymentTiming = Static<typeof DeploymentTiming>
export const deploymentTimingDefault = { when: 'immediately', at: null, window: null, zone: 'UTC', freezes: [], beforeExpiryDays: null } as const satisfies DeploymentTiming as DeploymentTiming

/** A run that the scheduler will start, as far as can be known now; made by the code that starts it. */
export const ScheduledRun = Type.Object({
  at: Type.String({ format: 'date-time' }),
  what: literals(['renew', 'deploy'] as const),
  why: Type.String({ description: 'In one sentence' }),
}, strict)
export type ScheduledRun = Static<typeof ScheduledRun>
