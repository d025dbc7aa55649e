import type { DeploymentTiming, FreezePeriod } from '@certloop/contract'
import { dayIn, nextOccurrence, recurrenceInWords, startOfDay } from './recurrence.ts'
import { turnOf } from './spread.ts'

/** A freeze period on the clock of its zone. */
export interface ZonedFreeze extends FreezePeriod { zone: string; /** Of one that holds for the whole platform. */ name?: string }
/** What is to be deployed. */
export interface Deployable {
  issuedAt: Date
  /** When what is served now ends, at the first of its places; null: nothing is served. */
  servedUntil: Date | null
  /** What many that wait for the same moment are spread by, so that each keeps its turn: the id of the certificate. */
  spreadKey: string
}
export interface DeploymentTime {
  /** Never before `now`. */
  at: Date
  why: string
  /** It goes against a window, a freeze period or the set time, because little is left before the end of what is served. */
  overrides: boolean
}

const spreadMs = 600_000
const hourMs = 3_600_000

/** A stretch of time in which deploying is allowed: `from` counts, `until` does not. */
interface Stretch { from: number; until: number }
interface Span { from: number; to: number; freeze: ZonedFreeze }
interface Found { stretch: Stretch; frozenBy: ZonedFreeze | undefined }

/** An hour that comes twice is frozen both times, and one that is left out does not shorten the period. */
function spanOf(freeze: ZonedFreeze): Span {
  const instant = (local: string, disambiguation: 'earlier' | 'later') => Temporal.PlainDateTime.from(local).toZonedDateTime(freeze.zone, { disambiguation }).epochMilliseconds
  return { from: instant(freeze.from, 'earlier'), to: instant(freeze.to, 'later'), freeze }
}

/** Its begin counts, its end does not. */
export function isWithin(freeze: ZonedFreeze, at: Date): boolean {
  const { from, to } = spanOf(freeze)
  return from <= at.getTime() && at.getTime() < to
}
export const hasEnded = (freeze: ZonedFreeze, now: Date): boolean => spanOf(freeze).to <= now.getTime()

const clockTime = (zone: string, local: string) => Temporal.PlainDateTime.from(local).toZonedDateTime(zone).epochMilliseconds

/** Where the timing itself, without freeze periods, first allows a deployment at or after `from`. */
function opening({ when, at, window, zone }: DeploymentTiming, from: number): Stretch {
  if (when === 'at' && at !== null) return { from: clockTime(zone, at), until: Infinity }
  if (when !== 'window' || window === null) return { from: -Infinity, until: Infinity }
  const length = window.lengthMinutes * 60_000
  const begin = nextOccurrence(new Date(from - length + 1), { ...window, zone }).getTime()
  return { from: begin, until: begin + length }
}

/** The first stretch that allows a deployment at or after `now`. Each freeze period is passed at most once. */
function firstStretch(timing: DeploymentTiming, freezes: readonly Span[], now: number): Found {
  let t = now
  let frozenBy: ZonedFreeze | undefined
  for (;;) {
    const open = opening(timing, t)
    const entry = Math.max(t, open.from)
    const frozen = freezes.find((f) => f.from <= entry && entry < f.to)
    if (!frozen) {
      const from = Math.max(open.from, ...freezes.filter((f) => f.to <= entry).map((f) => f.to))
      const until = Math.min(open.until, ...freezes.filter((f) => f.from > entry).map((f) => f.from))
      return { stretch: { from, until }, frozenBy }
    }
    frozenBy = frozen.freeze
    t = frozen.to
  }
}

const spoken = (local: string) => local.replace('T', ' ')
const minutesInWords = (minutes: number) => (minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`)

function windowInWords({ window, zone }: DeploymentTiming): string {
  return window ? `${recurrenceInWords({ ...window, zone })}, for ${minutesInWords(window.lengthMinutes)}` : ''
}

function whyNow(timing: DeploymentTiming): string {
  if (timing.when === 'at' && timing.at !== null) return `The time set for the deployment, ${spoken(timing.at)} (${timing.zone}), has come.`
  return timing.when === 'window' && timing.window ? `A deployment window is open: ${windowInWords(timing)}.` : 'It is deployed as soon as it is issued.'
}

function whyLater(timing: DeploymentTiming, frozenBy: ZonedFreeze | undefined): string {
  const isWindow = timing.when === 'window' && timing.window !== null
  if (frozenBy) {
    const reason = [frozenBy.name && `"${frozenBy.name}"`, frozenBy.reason && `(${frozenBy.reason})`].filter(Boolean).join(' ')
    return `It waits for the end of the freeze period ${reason === '' ? '' : `${reason} `}on ${spoken(frozenBy.to)} (${frozenBy.zone})${isWindow ? `, and for a deployment window after it: ${windowInWords(timing)}` : ''}.`
  }
  return isWindow ? `It waits for the next deployment window: ${windowInWords(timing)}.` : `It waits for the time set for the deployment, ${spoken(timing.at ?? '')} (${timing.zone}).`
}

/** From then on neither windows nor freeze periods hold it back: the start of that day in the zone, and an hour before the end at least. */
function latestBegin({ beforeExpiryDays, zone }: DeploymentTiming, servedUntil: Date | null): number {
  if (beforeExpiryDays === null || servedUntil === null) return Infinity
  const day = dayIn(zone, servedUntil).subtract({ days: beforeExpiryDays })
  return Math.min(startOfDay(zone, day).getTime(), servedUntil.getTime() - hourMs)
}

/**
 * When a version is deployed by itself: at once, not before a set time, or in a window that comes again; never in a freeze
 * period. "So many days before what is served ends" wins over all of them once so few are left, and only then.
 *
 * What had to wait has its turn within the first ten minutes (a quarter of a shorter window) of the time it waited for, by its
 * spread key; so many that waited together do not begin together. What is issued while deploying is allowed goes at once.
 * Asked again later, it never answers with an earlier time, as long as nothing else has changed.
 *
 * @param freezes of the whole platform; those of the timing are taken from it
 * @throws RangeError for a zone that doesn't exist
 */
export function deploymentTime(timing: DeploymentTiming, freezes: readonly ZonedFreeze[], of: Deployable, now: Date): DeploymentTime {
  const spans = [...freezes, ...timing.freezes.map((f) => ({ ...f, zone: timing.zone }))].map(spanOf)
  const { stretch, frozenBy } = firstStretch(timing, spans, now.getTime())
  const turn = turnOf(of.spreadKey, Math.min(spreadMs, (stretch.until - stretch.from) / 4))
  const planned = of.issuedAt.getTime() < stretch.from ? Math.max(now.getTime(), stretch.from + turn) : now.getTime()
  const latest = latestBegin(timing, of.servedUntil)
  const forced = Math.max(now.getTime(), latest + turnOf(of.spreadKey, spreadMs))
  if (planned > forced && of.servedUntil) {
    const days = timing.beforeExpiryDays === 1 ? '1 day' : `${timing.beforeExpiryDays} days`
    return { at: new Date(forced), overrides: true, why: `What is served ends on ${dayIn(timing.zone, of.servedUntil).toString()}. The configuration says that it is replaced ${days} before that at the latest, so windows and freeze periods do not hold it back.` }
  }
  const isNow = stretch.from <= now.getTime()
  return { at: new Date(planned), overrides: false, why: isNow ? whyNow(timing) : whyLater(timing, frozenBy) }
}
