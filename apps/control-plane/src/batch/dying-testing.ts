import type { Database } from '../database/database.ts'

class Death extends Error {}
export const isDeath = (error: unknown): boolean => error instanceof Death || (error instanceof Error && isDeath(error.cause))

export type Moment = 'before' | 'after'
/** A database as a process sees it that dies at a commit: nothing gets through from then on, until it is started anew. */
export function dyingDatabase(database: Database) {
  let [left, moment, isDead] = [Number.POSITIVE_INFINITY, 'before' as Moment, false]
  const die = () => {
    isDead = true
    throw new Death('the process has died')
  }
  const alive = () => { if (isDead) throw new Death('the process is dead') }
  const db = database.db.withPlugin({ transformQuery: ({ node }) => { alive(); return node }, transformResult: async ({ result }) => result })
  const transaction: Database['transaction'] = async (work) => {
    alive()
    let dies = false
    const result = await database.transaction(async (tx, wake) => {
      const value = await work(tx, wake)
      dies = --left === 0
      if (dies && moment === 'before') die()
      return value
    })
    if (dies) die()
    return result
  }
  return {
    database: { ...database, db, transaction },
    /** It dies at the n-th commit from now, just before or just after it. */
    dieAt(n: number, when: Moment) { [left, moment] = [n, when] },
    /** @returns whether it had died */
    startAnew(): boolean {
      const died = isDead
      isDead = false
      if (died) left = Number.POSITIVE_INFINITY
      return died
    },
  }
}
