import { sql, type Kysely } from 'kysely'

const openDeadline = `(case when "state" in ('ready', 'leased') then "deadline" end)`
const worn = `(case when "state" in ('ready', 'leased') and "attempts" >= "maxAttempts" then 1 end)`

const statements = [
  // Due tasks in the order in which they are leased.
  'drop index "task_executor_state_notBefore"',
  'create index "task_due" on "task" ("executor", "state", "notBefore", "id")',
  // Leases that ran out. Only a leased task has a leaseUntil.
  'create index "task_held" on "task" ("executor", "leaseUntil") where "leaseUntil" is not null',
  // What the watchdog looks for. Expressions, because SQLite takes "state = …" for more telling than a range and would read every waiting task.
  `create index "task_open_deadline" on "task" (${openDeadline}) where ${openDeadline} is not null`,
  `create index "task_worn" on "task" (${worn}) where ${worn} is not null`,
]

/** Workers, bots and the watchdog look often: each look reads what is due, however many tasks wait for later. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}
