import { newId, type AuthorityId, type OrderId, type RateLimit } from '@certloop/contract'
import { sql } from 'kysely'
import { fromJson, iso, toBit } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { authorityKinds } from './authority-kinds.ts'
import { getAuthority, lockAuthority, pauseUntil, type AuthorityRow } from './authority-store.ts'
import { failuresOf, usesOf, type Use } from './budget-subjects.ts'

/** What is to be reserved. */
export interface WantedUse {
  authorityId: AuthorityId
  orderId: OrderId
  names: readonly string[]
  /** A renewal that the authority is told of (ARI "replaces"): limits whose renewalsCount is false take no notice of it. */
  isKnownRenewal: boolean
  /** The how-manieth request for the same order; again only when the one before ran out there. Default 1. */
  submission?: number
}
export type Reserved = { fits: true } | { fits: false; at: Date; message: string }

export const limitsOf = ({ limits }: Pick<AuthorityRow, 'limits'>): RateLimit[] => fromJson<RateLimit[]>(limits)
export const startOf = ({ seconds }: RateLimit, now: Date): string => iso(new Date(now.getTime() - seconds * 1000))

/**
 * Attempts that ended without a certificate did not use up what certificates are counted by, but the request was made. Of what
 * was issued and turned out wrong it can't be said.
 */
export const counted = sql<boolean>`("kind" in ('order', 'failure') or not exists (select 1 from "orderAttempt" as "a" where "a"."orderId" = "authorityUse"."orderId" and "a"."authorityId" = "authorityUse"."authorityId"
  and "a"."state" in ('failed', 'cancelled') and ("a"."error" is null or "a"."error" not like '%ISSUED_CERTIFICATE_WRONG%')))`

/** When one more use of this limit fits; undefined: now. */
export async function fitsAt(tx: Db | Tx, authorityId: AuthorityId, limit: RateLimit, subject: string, now: Date): Promise<Date | undefined> {
  // With the newest `count` uses in the time, the oldest of them has to leave it first.
  const row = await tx.selectFrom('authorityUse').select('at').where('authorityId', '=', authorityId).where('kind', '=', limit.kind).where('subject', '=', subject).where('at', '>', startOf(limit, now))
    .where(counted).$if(!limit.renewalsCount, (q) => q.where('renewal', '=', 0)).orderBy('at', 'desc').offset(limit.count - 1).limit(1).executeTakeFirst()
  return row && new Date(Date.parse(row.at) + limit.seconds * 1000)
}

const units = [[86_400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']] as const
function inWords(seconds: number): string {
  const [size, word] = units.find(([each]) => seconds % each === 0) ?? [1, 'second']
  return seconds === size ? word : `${seconds / size} ${word}s`
}
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`
const what: Record<RateLimit['kind'], (count: number, subject: string) => string> = {
  'order': (count) => plural(count, 'order'), 'domain': (count, subject) => `${plural(count, 'certificate')} for ${subject}`,
  'same-names': (count, subject) => `${plural(count, 'certificate')} with just these names (${subject})`, 'failure': (count, subject) => `${plural(count, 'failed validation')} of ${subject}`,
}
const refusal = (name: string, { kind, count, seconds }: RateLimit, subject: string, at: Date): string => `"${name}" takes ${what[kind](count, subject)} per ${inWords(seconds)}, and no more fits now. The next fits at ${iso(at)}.`

interface Full { at: Date; limit: RateLimit; subject: string }

/** Of all limits that are reached, the one that takes longest. */
async function longestWait(tx: Tx, row: AuthorityRow, uses: readonly Use[], isKnownRenewal: boolean, now: Date): Promise<Full | undefined> {
  let longest: Full | undefined
  for (const limit of limitsOf(row).filter(({ renewalsCount }) => renewalsCount || !isKnownRenewal)) {
    for (const { subject } of uses.filter(({ kind }) => kind === limit.kind)) {
      const at = await fitsAt(tx, row.id, limit, subject, now)
      if (at && (!longest || at > longest.at)) longest = { at, limit, subject }
    }
  }
  return longest
}

/**
 * Reserves what one request uses of the authority's limits, before it is made; the same request again is free. Of two that race
 * for the last place one gets it. What does not fit is refused with the time when it does, and changes nothing.
 * @throws CertloopError NOT_FOUND
 */
export async function reserveUse(tx: Tx, { authorityId, orderId, names, isKnownRenewal, submission = 1 }: WantedUse, now: Date): Promise<Reserved> {
  const seen = await getAuthority(tx, authorityId)
  if (authorityKinds.find(seen.kind)?.single && limitsOf(seen).length === 0) return { fits: true }
  const row = await lockAuthority(tx, authorityId)
  if (row.pausedUntil !== null && new Date(row.pausedUntil) > now) return { fits: false, at: new Date(row.pausedUntil), message: `"${row.name}" asked to be left alone until ${row.pausedUntil}.` }
  const { count } = await tx.selectFrom('authorityUse').select((eb) => eb.fn.countAll<number>().as('count')).where('orderId', '=', orderId).where('authorityId', '=', authorityId).where('kind', '=', 'order').executeTakeFirstOrThrow()
  if (Number(count) >= submission) return { fits: true }
  const all = usesOf(names)
  const uses = Number(count) === 0 ? all : all.filter(({ kind }) => kind === 'order')
  const full = await longestWait(tx, row, [...uses, ...failuresOf(names)], isKnownRenewal, now)
  if (full) return { fits: false, at: full.at, message: refusal(row.name, full.limit, full.subject, full.at) }
  await tx.insertInto('authorityUse').values(uses.map((use) => ({ id: newId('req', now), authorityId, ...use, orderId, renewal: toBit(isKnownRenewal), at: iso(now) }))).execute()
  return { fits: true }
}

/** The request never arrived: nothing was used. */
export async function releaseUse(tx: Tx, orderId: OrderId, authorityId: AuthorityId): Promise<void> {
  await tx.deleteFrom('authorityUse').where('orderId', '=', orderId).where('authorityId', '=', authorityId).execute()
}

/** The authority looked and did not find the proof. */
export async function noteFailedValidation(tx: Tx, authorityId: AuthorityId, name: string, now: Date): Promise<void> {
  const uses = failuresOf([name]).map((use) => ({ id: newId('req', now), authorityId, ...use, orderId: null, renewal: 0, at: iso(now) }))
  await tx.insertInto('authorityUse').values(uses).execute()
}

const longestPauseMs = 15 * 60_000
/**
 * The authority asked to be left alone: everybody does so, for a quarter of an hour at most. What it wants longer concerns single
 * names or orders; who met that waits alone.
 */
export async function noteRateLimit(tx: Tx, authorityId: AuthorityId, until: Date, now: Date): Promise<void> {
  await pauseUntil(tx, authorityId, iso(new Date(Math.min(until.getTime(), now.getTime() + longestPauseMs))))
}

const keptDays = 8
const batch = 1000
/** Forgets what no limit looks at any more, a batch at a time. */
export async function pruneUses(tx: Tx, now: Date): Promise<void> {
  const rows = await tx.selectFrom('authority').select('limits').execute()
  const longest = Math.max(keptDays * 86_400, ...rows.flatMap((row) => limitsOf(row).map(({ seconds }) => seconds)))
  const before = iso(new Date(now.getTime() - longest * 1000))
  await tx.deleteFrom('authorityUse').where('id', 'in', (eb) => eb.selectFrom('authorityUse').select('id').where('at', '<', before).orderBy('at').limit(batch)).execute()
}
