import { StatementSync } from 'node:sqlite'

/** What statements are about, by the first that fits. */
const groups = [
  ['commit', /^commit/], ['dispatcher', /"batch/], ['queue', /"task"/], ['authority', /"ca_/], ['rest', /^/],
] as const
export type SqlGroup = (typeof groups)[number][0]
export interface SqlTime { ms: number; statements: number; byGroup: Record<SqlGroup, number> }

const total: SqlTime = { ms: 0, statements: 0, byGroup: { commit: 0, dispatcher: 0, queue: 0, authority: 0, rest: 0 } }
const known = new WeakMap<StatementSync, SqlGroup>()

function groupOf(statement: StatementSync): SqlGroup {
  const found = known.get(statement) ?? groups.find(([, pattern]) => pattern.test(statement.sourceSQL))?.[0] ?? 'rest'
  known.set(statement, found)
  return found
}

for (const name of ['run', 'all', 'get'] as const) {
  const own = StatementSync.prototype[name] as (...values: unknown[]) => unknown
  const timed = function (this: StatementSync, ...values: unknown[]): unknown {
    const start = performance.now()
    try {
      return own.apply(this, values)
    } finally {
      const took = performance.now() - start
      total.ms += took
      total.statements++
      total.byGroup[groupOf(this)] += took
    }
  }
  Object.defineProperty(StatementSync.prototype, name, { value: timed })
}

/** Time inside SQLite in ms, disk and all, and how many statements it ran, since this module was loaded. */
export const sqliteTime = (): SqlTime => ({ ...total, byGroup: { ...total.byGroup } })
export const sqlSince = (before: SqlTime, after = sqliteTime()): SqlTime => ({
  ms: after.ms - before.ms, statements: after.statements - before.statements,
  byGroup: Object.fromEntries(Object.entries(after.byGroup).map(([group, ms]) => [group, ms - before.byGroup[group as SqlGroup]])) as Record<SqlGroup, number>,
})
