import type { ConfigurationInput, DeploymentTiming, FreezePeriod } from '@certloop/api-client'
import { renewalMethods, renewalTriggers } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import { usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'
import { present, readDay, readDayAndTime, readDuration, readRecurrence, readTime } from './words.ts'

type RenewalInput = ConfigurationInput['renewal']

export const renewalOptions = {
  'renewal': { type: 'boolean', help: 'renew by itself (--no-renewal: never)' },
  'renew-by': { type: 'string', value: 'METHOD', choices: renewalMethods, help: 'renew: the same identity again; regenerate: the same with a new key; re-enrol: a new request, as a certificate of its own that takes the targets over' },
  'renew-trigger': { type: 'string', value: 'WORD', choices: renewalTriggers, help: 'days-before: so many days before the end; date: on one day; authority: when the authority says, or where it says nothing, days before the end' },
  'renew-days': { type: 'string', value: 'DAYS', help: 'renew this long before the end, 1 to 120; default 30' },
  'renew-on': { type: 'string', value: 'DAY', help: 'renew on this day, e.g. 2027-03-31' },
  'check': { type: 'string', value: 'WHEN', help: 'look whether it is time: daily, "weekly sat", "monthly 15", with a time if you like: "weekly sat 03:00"; default daily' },
  'at': { type: 'string', value: 'HH:MM', help: 'time of day of that look; default 03:00' },
} as const satisfies OptionSpecs

export const timingOptions = {
  'deploy-after-renewal': { type: 'boolean', help: 'deploy what was renewed (--no-deploy-after-renewal: only order)' },
  'deploy': { type: 'string', value: 'WHEN', help: 'when what was renewed is deployed: immediately, "at 2027-03-31 22:00", or in a window that comes again: "daily 22:00 +2h", "weekly sat 02:00 +4h", "monthly 15 02:00 +90m"' },
  'freeze': { type: 'string', value: 'PERIOD', multiple: true, help: 'deploy nothing by itself in this time, e.g. "2026-12-20 to 2027-01-04: end of the year"; repeat for more; these take the place of the earlier ones, "" takes them out' },
  'deploy-before-expiry': { type: 'string', value: 'DAYS', help: 'so many days before what is served ends, deploy at once, whatever window or freeze period says; never: they always hold' },
} as const satisfies OptionSpecs

export const zoneOption = {
  zone: { type: 'string', value: 'ZONE', help: 'time zone of the times given beside it, alone: of all times; default that of this machine' },
} as const satisfies OptionSpecs

type Options<S extends OptionSpecs> = Given<Record<never, never>, S>['options']
type RenewalGiven = Options<typeof renewalOptions>
type TimingGiven = Options<typeof timingOptions>
export type ScheduleGiven = RenewalGiven & TimingGiven & Options<typeof zoneOption>

function readCheck({ check, at }: RenewalGiven): Partial<RenewalInput> {
  const time = at === undefined ? undefined : readTime('at', at)
  if (check === undefined) return present({ time })
  const { recurrence, rest } = readRecurrence('check', check)
  if (rest.length > 0) throw usage(`--check takes nothing after the time, not "${rest.join(' ')}".`)
  if (recurrence.time !== undefined && time !== undefined) throw usage('Say the time once: in --check or with --at.')
  return { ...present({ time }), ...recurrence }
}

function readTrigger({ 'renew-trigger': trigger, 'renew-on': on }: RenewalGiven): Partial<RenewalInput> {
  if (on === undefined) return present({ trigger })
  if (trigger !== undefined && trigger !== 'date') throw usage(`--renew-on is the day for --renew-trigger date, not for ${trigger}.`)
  return { trigger: 'date', date: readDay('renew-on', on) }
}

const saysTimes = (o: RenewalGiven) => (o.check ?? o.at ?? o['renew-on']) !== undefined
/** What has no time needs no zone: a zone beside it is meant for the others. */
const saysTiming = ({ deploy, freeze = [] }: TimingGiven) => (deploy !== undefined && !isAtOnce(deploy)) || freeze.some((text) => text !== '')
const namesTiming = (o: TimingGiven) => (o.deploy ?? o.freeze) !== undefined
const isAtOnce = (text: string) => /^\s*immediately\s*$/i.test(text)

/** What the options say about the renewal, and nothing else. @throws Failure */
export function renewalPart(o: ScheduleGiven): Partial<RenewalInput> {
  return {
    ...present({ enabled: o.renewal, method: o['renew-by'], daysBefore: wholeNumber('renew-days', o['renew-days'], 1, 120) }),
    ...readTrigger(o), ...readCheck(o),
    ...(saysTimes(o) || !saysTiming(o) ? present({ zone: o.zone }) : {}),
  }
}

/** When it is deployed: the three forms of --deploy. */
function readWhen(text: string): Pick<DeploymentTiming, 'when' | 'at' | 'window'> {
  const [, word, rest = ''] = /^(immediately|at|window)\b\s*(.*)$/is.exec(text.trim()) ?? []
  if (isAtOnce(text)) return { when: 'immediately', at: null, window: null }
  if (word?.toLowerCase() === 'at' || /^\d{4}-/.test(text)) return { when: 'at', at: readDayAndTime('deploy', word === undefined ? text : rest), window: null }
  return { when: 'window', at: null, window: readWindow(word === undefined ? text : rest) }
}

function readWindow(text: string): NonNullable<DeploymentTiming['window']> {
  if (!/^(daily|weekly|monthly)\b/i.test(text)) throw usage(`--deploy takes immediately, "at 2027-03-31 22:00", or a window such as "weekly sat 02:00 +4h"; not "${text}".`)
  const { recurrence: { time, ...recurrence }, rest: [length, ...more] } = readRecurrence('deploy', text)
  if (time === undefined || !length?.startsWith('+') || more.length > 0) throw usage(`A window has a time and a length, such as "weekly sat 02:00 +4h"; not "${text}".`)
  const lengthMinutes = Math.floor(readDuration('deploy', length.slice(1)) / 60)
  if (lengthMinutes < 5 || lengthMinutes > 10_080) throw usage(`A window is 5 minutes to 7 days long, not ${length.slice(1)}.`)
  return { weekday: 1, dayOfMonth: 1, ...recurrence, time, lengthMinutes }
}

/** "2026-12-20 to 2027-01-04: end of the year" @throws Failure */
export function readPeriod(option: string, text: string): FreezePeriod {
  const [, from, to, reason = ''] = /^(.+?) to (\d{4}-\d\d-\d\d(?:[ T]+\d\d:\d\d)?)(?:: *(.*))?$/s.exec(text) ?? []
  if (from === undefined || to === undefined) throw usage(`--${option} takes a period such as "2026-12-20 to 2027-01-04: end of the year", not "${text}".`)
  const period = { from: readDayAndTime(option, from), to: readDayAndTime(option, to), reason }
  if (period.to <= period.from) throw usage(`--${option}: the period "${text}" ends before it begins.`)
  return period
}

/** The periods of freeze that are over already: they hold nothing up. */
export function endedPeriods(periods: readonly FreezePeriod[], zone: string, now: Date): FreezePeriod[] {
  return periods.filter(({ to }) => {
    try {
      return Temporal.PlainDateTime.from(to).toZonedDateTime(zone).epochMilliseconds <= now.getTime()
    } catch (error) {
      // A zone that is none is refused by the control plane, by name.
      if (error instanceof RangeError) return false
      throw error
    }
  })
}

const daysOrNever = (text: string | undefined): number | null | undefined => (text === 'never' ? null : wholeNumber('deploy-before-expiry', text, 0, 120))

const timesOf = ({ when, freezes }: DeploymentTiming) => when !== 'immediately' || freezes.length > 0
const timesAfter = ({ deploy, freeze }: TimingGiven): Partial<DeploymentTiming> => ({
  ...(deploy === undefined ? {} : readWhen(deploy)), ...present({ freezes: freeze?.filter((text) => text !== '').map((text) => readPeriod('freeze', text)) }),
})

/**
 * The whole timing after the options; undefined when they say nothing about it.
 * @param zone counts where a time was never given before @throws Failure
 */
export function timingAfter(o: ScheduleGiven, before: DeploymentTiming | undefined, zone: string): DeploymentTiming | undefined {
  const beforeExpiryDays = daysOrNever(o['deploy-before-expiry'])
  const hasTimes = before !== undefined && timesOf(before)
  const zoneIsMeant = o.zone !== undefined && (saysTiming(o) || !saysTimes(o))
  if (!namesTiming(o) && beforeExpiryDays === undefined && !(zoneIsMeant && hasTimes)) return undefined
  const base: DeploymentTiming = before ?? { when: 'immediately', at: null, window: null, zone, freezes: [], beforeExpiryDays: null }
  const kept = hasTimes ? base.zone : zone
  return { ...base, zone: zoneIsMeant ? o.zone ?? kept : kept, ...timesAfter(o), ...present({ beforeExpiryDays }) }
}
