import type { Database, Tx } from '../database/database.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { addTask } from '../task/task-store.ts'
import { endNeedless } from './sync.ts'
import { leftBehind, toBeCleaned, withoutWork, type ValidationRow } from './validation-store.ts'
import { cleanSoon, comeAgain, wakeValidation } from './validation-tasks.ts'

export const sweepValidationsKind = 'sweep-validations'
const everyMs = 3_600_000
const pageSize = 200

/** At each start: what a process that died left behind is taken up at once. */
export async function sweepSoon(tx: Tx, wake: Wakes, now: Date): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: sweepValidationsKind, subject: sweepValidationsKind, dedupe: sweepValidationsKind, maxAttempts: 1_000_000 }, now)
}

/** Each hour: ends what is open of requests that have ended, has worked on what nobody works on, and tries again to remove what is stuck. */
export function sweepKind({ database, now }: { database: Database; now: () => Date }): PlaneTaskKind {
  async function each<R extends ValidationRow>(page: (tx: Tx, after: string, limit: number) => Promise<R[]>, treat: (tx: Tx, wake: Wakes, row: R) => Promise<void>): Promise<void> {
    for (let after = ''; ;) {
      const rows = await database.transaction(async (tx, wake) => {
        const found = await page(tx, after, pageSize)
        for (const row of found) await treat(tx, wake, row)
        return found
      })
      const last = rows.at(-1)
      if (!last || rows.length < pageSize) return
      after = last.id
    }
  }
  return {
    async run(task) {
      await each(leftBehind, (tx, wake, row) => endNeedless(tx, wake, row, { issued: row.issued, why: `The order has ended; ${row.name} has not to be proven any more.` }, now()))
      await each(withoutWork, (tx, wake, row) => wakeValidation(tx, wake, row.id, now()))
      await each(toBeCleaned, (tx, wake, row) => cleanSoon(tx, wake, row.id, now()))
      return (tx, wake) => comeAgain(tx, wake, task, new Date(now().getTime() + everyMs))
    },
    failed: async () => {},
  }
}
