import type { DeploymentTiming, Frequency, RenewalSettings } from '@certloop/contract'
import type { FieldProblem } from '../csr-template/template-rules.ts'
import { isTimeZone } from '../renewal/renewal-time.ts'

/** missing: not said yet, which a draft may leave for later. */
export interface ScheduleProblem extends FieldProblem { missing?: true }

export interface ScheduleStep { renewal: RenewalSettings; deployAfterRenewal: boolean; deployment: DeploymentTiming }

const isDay = (day: string) => {
  try {
    Temporal.PlainDate.from(day, { overflow: 'reject' })
    return true
  } catch {
    return false
  }
}
const noDay = (text: string) => `there is no ${text.slice(0, 10)} in the calendar`
const noZone = (zone: string) => `"${zone}" is not an IANA time zone such as Europe/Berlin`

/** The first instant of a day, or a time on the clock of a zone; undefined when there is no such zone or day. */
function instantOf(text: string, zone: string): Date | undefined {
  if (!isTimeZone(zone) || !isDay(text.slice(0, 10))) return undefined
  const local = text.length === 10 ? Temporal.PlainDateTime.from(`${text}T00:00`) : Temporal.PlainDateTime.from(text)
  return new Date(local.toZonedDateTime(zone).epochMilliseconds)
}
const dayAfter = (day: string) => Temporal.PlainDate.from(day).add({ days: 1 }).toString()

/**
 * What is wrong with a schedule, at the path of each field. What has passed meanwhile may stay as it was saved, so that
 * the rest can be changed. Pure.
 */
export function scheduleProblems(step: ScheduleStep, before: Pick<ScheduleStep, 'renewal' | 'deployment'> | undefined, now: Date): ScheduleProblem[] {
  return [...renewalProblems(step.renewal, before?.renewal, now), ...timingProblems(step.deployment, before?.deployment, now), ...freezeProblems(step.deployment)]
}

function renewalProblems({ enabled, trigger, date, zone }: RenewalSettings, before: RenewalSettings | undefined, now: Date): ScheduleProblem[] {
  const problems: ScheduleProblem[] = isTimeZone(zone) ? [] : [{ field: 'renewal/zone', problem: noZone(zone) }]
  if (date === null) return trigger === 'date' ? [...problems, { field: 'renewal/date', problem: 'choose the day of the renewal', missing: true }] : problems
  if (!isDay(date)) return [...problems, { field: 'renewal/date', problem: noDay(date) }]
  const end = instantOf(dayAfter(date), zone)
  if (enabled && trigger === 'date' && end && end <= now && before?.date !== date) problems.push({ field: 'renewal/date', problem: `${date} has passed` })
  return problems
}

function timingProblems({ when, at, window, zone }: DeploymentTiming, before: DeploymentTiming | undefined, now: Date): ScheduleProblem[] {
  const problems: ScheduleProblem[] = isTimeZone(zone) ? [] : [{ field: 'deployment/zone', problem: noZone(zone) }]
  if (when === 'window' && window === null) problems.push({ field: 'deployment/window', problem: 'say when the window opens and how long', missing: true })
  if (at === null) return when === 'at' ? [...problems, { field: 'deployment/at', problem: 'choose day and time', missing: true }] : problems
  if (!isDay(at.slice(0, 10))) return [...problems, { field: 'deployment/at', problem: noDay(at) }]
  const due = instantOf(at, zone)
  if (when === 'at' && due && due <= now && before?.at !== at) problems.push({ field: 'deployment/at', problem: `${at} has passed` })
  return problems
}

function freezeProblems({ freezes }: DeploymentTiming): ScheduleProblem[] {
  return freezes.flatMap(({ from, to }, i) => {
    const wrong = (['from', 'to'] as const).filter((end) => !isDay((end === 'from' ? from : to).slice(0, 10)))
    if (wrong.length > 0) return wrong.map((end) => ({ field: `deployment/freezes/${i}/${end}`, problem: noDay(end === 'from' ? from : to) }))
    return from < to ? [] : [{ field: `deployment/freezes/${i}/to`, problem: 'must be later than its begin' }]
  })
}

const longestGapDays: Record<Frequency, number> = { daily: 1, weekly: 7, monthly: 31 }

/** What is known of the certificate that the schedule is for. */
export interface ScheduleFacts { notAfter: Date | null; lifetimeDays: number | null }

/** What is allowed and may not be meant. Pure. */
export function scheduleWarnings(step: ScheduleStep, facts: ScheduleFacts): FieldProblem[] {
  const { renewal, deployAfterRenewal } = step
  if (!renewal.enabled) return [{ field: 'renewal/enabled', problem: 'renewal is off: nothing renews it before its end' }]
  return [
    ...renewalWarnings(renewal, facts),
    ...(deployAfterRenewal ? timingWarnings(step, facts) : [{ field: 'deployAfterRenewal', problem: 'what is renewed is not deployed by itself: a person has to deploy it before the old one ends' }]),
  ]
}

function renewalWarnings({ trigger, date, zone, daysBefore, frequency }: RenewalSettings, { notAfter, lifetimeDays }: ScheduleFacts): FieldProblem[] {
  const warnings: FieldProblem[] = []
  if (trigger === 'date') {
    const due = date === null ? undefined : instantOf(date, zone)
    if (due && notAfter && due > notAfter) warnings.push({ field: 'renewal/date', problem: `the present certificate ends on ${notAfter.toISOString().slice(0, 10)}, before that day` })
    return warnings
  }
  if (lifetimeDays !== null && daysBefore >= lifetimeDays) warnings.push({ field: 'renewal/daysBefore', problem: `is no less than the ${lifetimeDays} days that it lives: it would be renewed at every check` })
  if (daysBefore <= longestGapDays[frequency] && frequency !== 'daily') warnings.push({ field: 'renewal/frequency', problem: `a ${frequency} check can miss the last ${daysBefore} days; it is then renewed earlier` })
  return warnings
}

function timingWarnings(step: ScheduleStep, facts: ScheduleFacts): FieldProblem[] {
  const { renewal, deployment: { when, beforeExpiryDays } } = step
  const alwaysAtOnce = when !== 'immediately' && beforeExpiryDays !== null && renewal.trigger !== 'date' && beforeExpiryDays >= renewal.daysBefore
  return [
    ...atWarnings(step, facts), ...windowWarnings(step),
    ...(alwaysAtOnce ? [{ field: 'deployment/beforeExpiryDays', problem: `is no less than the ${renewal.daysBefore} days at which renewal begins: it would always be deployed at once` }] : []),
  ]
}

function atWarnings({ deployment: { when, at, zone, beforeExpiryDays } }: ScheduleStep, { notAfter }: ScheduleFacts): FieldProblem[] {
  const due = when === 'at' && at !== null && beforeExpiryDays === null ? instantOf(at, zone) : undefined
  return due && notAfter && due > notAfter ? [{ field: 'deployment/at', problem: `the present certificate ends on ${notAfter.toISOString().slice(0, 10)}, before that` }] : []
}

const gapMinutes: Record<Frequency, number> = { daily: 1440, weekly: 10_080, monthly: 40_320 }

function windowWarnings({ renewal, deployment: { when, window, beforeExpiryDays } }: ScheduleStep): FieldProblem[] {
  if (when !== 'window' || !window) return []
  const gap = longestGapDays[window.frequency]
  const tooLate = beforeExpiryDays === null && renewal.trigger !== 'date' && gap >= renewal.daysBefore
  return [
    ...(tooLate ? [{ field: 'deployment/window', problem: `the next window can be ${gap} days away, and renewal begins only ${renewal.daysBefore} days before the end: it may come too late` }] : []),
    ...(window.lengthMinutes >= gapMinutes[window.frequency] ? [{ field: 'deployment/window/lengthMinutes', problem: 'the window is still open when it opens again, so it is always open' }] : []),
  ]
}
