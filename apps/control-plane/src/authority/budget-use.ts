import type { AuthorityUse, RateLimit } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Db } from '../database/database.ts'
import type { AuthorityRow } from './authority-store.ts'
import { counted, fitsAt, limitsOf, startOf } from './budget.ts'

const mostSubjects = 50
type Item = AuthorityUse['items'][number]

async function ofLimit(db: Db, { id }: AuthorityRow, limit: RateLimit, now: Date): Promise<Item[]> {
  const rows = await db.selectFrom('authorityUse').select((eb) => ['subject', eb.fn.countAll<number>().as('used')]).where('authorityId', '=', id).where('kind', '=', limit.kind).where('at', '>', startOf(limit, now))
    .where(counted).$if(!limit.renewalsCount, (q) => q.where('renewal', '=', 0)).groupBy('subject').orderBy('used', 'desc').orderBy('subject').limit(mostSubjects).execute()
  const items = await Promise.all(rows.map(async ({ subject, used }): Promise<Item> => ({ limit, subject: limit.kind === 'order' ? null : subject, used: Number(used), fitsAgainAt: Number(used) < limit.count ? null : iso(await fitsAt(db, id, limit, subject, now) ?? now) })))
  return items.length === 0 && limit.kind === 'order' ? [{ limit, subject: null, used: 0, fitsAgainAt: null }] : items
}

/** How much of its limits is used, the fullest first. */
export async function useOf(db: Db, row: AuthorityRow, now: Date): Promise<AuthorityUse> {
  const items: Item[] = []
  for (const limit of limitsOf(row)) items.push(...await ofLimit(db, row, limit, now))
  const share = ({ used, limit }: Item) => used / limit.count
  return { items: items.toSorted((a, b) => share(b) - share(a)).slice(0, 200) }
}
