import type { CertloopError, Health, TestReport } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'

/** As the row keeps it. */
export interface KeptHealth extends Health {
  /** When work at it failed last for reasons of the authority, and none has gone well since. */
  workFailedAt: string | null
  /** Names of its profiles or templates, as the last test that went well found them; null: not known. */
  profiles: readonly string[] | null
}
const nothingKnown: KeptHealth = { state: 'unknown', since: null, lastReport: null, nextCheckAt: null, workFailedAt: null, profiles: null }
export const healthOf = ({ health }: { health: string }): KeptHealth => ({ ...nothingKnown, ...fromJson<Partial<KeptHealth>>(health) })

/** A test, or work that went well (no error) or failed for reasons of the authority. */
export type Seen = { report: TestReport; profiles?: readonly string[] | null } | { work: CertloopError | null }
export type HealthNews = 'failing' | 'recovered' | null

const hourMs = 3_600_000
const soonMs = 5 * 60_000

/** Every hour, spread so that not all are asked at once; sooner while it fails, more seldom the longer that lasts. */
function nextCheck({ state, since }: Pick<KeptHealth, 'state' | 'since'>, now: Date, random: number): string {
  const failingMs = since === null ? 0 : now.getTime() - Date.parse(since)
  const pause = state === 'failing' ? Math.min(hourMs, Math.max(soonMs, failingMs / 2)) : hourMs
  return new Date(now.getTime() + Math.round(pause * (0.9 + random / 5))).toISOString()
}

/** What was seen changes. A test that goes well says less than work that fails: for an hour that counts. */
function after(before: KeptHealth, seen: Seen, now: Date): Pick<KeptHealth, 'workFailedAt' | 'lastReport' | 'profiles'> & { state: 'ok' | 'failing' } {
  const { lastReport, profiles, workFailedAt } = before
  if ('work' in seen) return { state: seen.work ? 'failing' : 'ok', workFailedAt: seen.work && now.toISOString(), lastReport, profiles }
  const failedLately = workFailedAt !== null && now.getTime() - Date.parse(workFailedAt) < hourMs
  const state = seen.report.ok && !failedLately ? 'ok' : 'failing'
  return { state, workFailedAt: state === 'ok' ? null : workFailedAt, lastReport: seen.report, profiles: seen.profiles ?? profiles }
}

/** Pure. @returns also what is new, to be told once */
export function nextHealth(before: KeptHealth, seen: Seen, now: Date, random: number): { health: KeptHealth; news: HealthNews } {
  const is = after(before, seen, now)
  const since = is.state === before.state ? before.since : now.toISOString()
  const wasFailing = before.state === 'failing'
  const news = is.state === 'failing' ? (wasFailing ? null : 'failing') : wasFailing ? 'recovered' : null
  // Work changes when it is looked at next only where it changes the state.
  const nextCheckAt = 'report' in seen || news !== null ? nextCheck({ state: is.state, since }, now, random) : before.nextCheckAt
  return { health: { ...is, since, nextCheckAt }, news }
}
