import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { CertloopError } from '@certloop/contract'
import { sql } from 'kysely'
import type { Database } from '../database/database.ts'

/** Runs what has the same key one after the other, in this process and in all others on the same database. */
export interface Turns { inTurn<T>(key: string, work: () => Promise<T>): Promise<T> }

/** Each piece of work that is under way holds a connection of the pool, which others need too. */
const mostAtOnce = 3
const lookEveryMs = 200
const longestWaitMs = 300_000

/** Eight bytes of a digest as PostgreSQL numbers its locks. */
const lockNumber = (key: string): string => createHash('sha256').update(`certloop dns ${key}`).digest().readBigInt64BE(0).toString()

/** So many at a time, the others in the order they came. */
function createWidth(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= most) await new Promise<void>((resolve) => { waiting.push(resolve) })
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

/**
 * On PostgreSQL under an advisory lock of a session of its own, which is gone with the process; whoever waits for another
 * replica holds no connection meanwhile.
 * @throws CertloopError DNS_PROVIDER_UNREACHABLE when another replica does not come to an end
 */
async function underLock<T>({ db }: Database, key: string, width: <R>(work: () => Promise<R>) => Promise<R>, work: () => Promise<T>): Promise<T> {
  const number = lockNumber(key)
  for (let waited = 0; waited < longestWaitMs; waited += lookEveryMs) {
    const done = await width(() => db.connection().execute(async (session) => {
      const { rows: [row] } = await sql<{ held: boolean }>`select pg_try_advisory_lock(${number}::bigint) as held`.execute(session)
      if (!row?.held) return undefined
      try {
        return { result: await work() }
      } finally {
        await sql`select pg_advisory_unlock(${number}::bigint)`.execute(session)
      }
    }))
    if (done) return done.result
    await pause(lookEveryMs)
  }
  throw new CertloopError('DNS_PROVIDER_UNREACHABLE', 'Another replica of the control plane is still changing the same zone; it is tried again.')
}

export function createTurns(database: Database): Turns {
  const ends = new Map<string, Promise<unknown>>()
  const width = createWidth(mostAtOnce)
  return {
    async inTurn(key, work) {
      const before = ends.get(key) ?? Promise.resolve()
      const turn = before.then(() => (database.kind === 'postgresql' ? underLock(database, key, width, work) : work()))
      const end = turn.catch(() => {})
      ends.set(key, end)
      try {
        return await turn
      } finally {
        if (ends.get(key) === end) ends.delete(key)
      }
    },
  }
}
