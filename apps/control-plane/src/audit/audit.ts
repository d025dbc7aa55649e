import { createHash } from 'node:crypto'
import { newId } from '@certloop/contract'
import type { Database, Db, Tx } from '../database/database.ts'
import { appendEntry, entriesAfter, listEntries, readHead, takeHead, type AuditRow } from './audit-store.ts'

export interface AuditNote {
  /** "user:admin", "token:laptop", "bot:…", "anonymous" */
  who: string
  /** The operation, e.g. "startAction rotate" */
  what: string
  /** Id or name of what it was done to. No secrets. */
  subject: string | null
  /** "ok" or the code of the error */
  outcome: string
}

export interface AuditVerdict {
  intact: boolean
  entries: number
  /** Where the chain no longer holds, and how it shows. */
  problem: string | null
}

export interface Audit {
  /** Appends one entry: in `tx` when given (it then waits for its commit), else in a transaction of its own. */
  record(tx: Tx | undefined, note: AuditNote): Promise<void>
  /** Newest first; `before` is the sequence of the last entry of the page before. */
  list(before: number | undefined, limit: number): Promise<AuditRow[]>
  /**
   * Recomputes the whole chain. Finds entries that were changed, removed, added or moved. Who can rewrite every later
   * entry and the head as well leaves no trace here: compare with a hash kept elsewhere.
   */
  verify(): Promise<AuditVerdict>
}

/** JSON of a list, so that no two entries share a text. */
export const linkHash = (before: string, row: Omit<AuditRow, 'hash'>): string =>
  createHash('sha256').update(JSON.stringify([before, row.sequence, row.id, row.at, row.who, row.what, row.subject, row.outcome])).digest('hex')

const pageSize = 1000

/** Follows the chain from its beginning. @returns how far it holds, and why no further */
async function walk(db: Db, head: { sequence: number; hash: string }): Promise<{ entries: number; problem: string | null }> {
  let [sequence, hash] = [0, '']
  const broken = (problem: string) => ({ entries: sequence, problem })
  for (;;) {
    const rows = await entriesAfter(db, sequence, pageSize)
    for (const row of rows) {
      if (row.sequence !== sequence + 1) return broken(`Entry ${sequence + 1} is missing.`)
      if (linkHash(hash, row) !== row.hash) return broken(`Entry ${row.sequence} (${row.id}) or its place was changed.`)
      ;({ sequence, hash } = row)
      if (sequence === head.sequence && hash !== head.hash) return broken('The head of the chain does not fit the newest entry.')
    }
    if (rows.length < pageSize) break
  }
  return sequence < head.sequence ? broken(`The newest entries are missing: the chain ends at ${sequence}, its head says ${head.sequence}.`) : { entries: sequence, problem: null }
}

export function createAudit({ database, now }: { database: Database; now: () => Date }): Audit {
  const append = async (tx: Tx, note: AuditNote) => {
    const { sequence, hash: before } = await takeHead(tx)
    const at = now()
    const row = { sequence, id: newId('aud', at), at: at.toISOString(), who: note.who, what: note.what, subject: note.subject, outcome: note.outcome }
    await appendEntry(tx, { ...row, hash: linkHash(before, row) })
  }
  return {
    record: (tx, note) => (tx ? append(tx, note) : database.transaction((own) => append(own, note))),
    list: (before, limit) => listEntries(database.db, before, limit),
    async verify() {
      // The head is read first: entries added meanwhile are not missed ones.
      const head = await readHead(database.db)
      if (!head) return { intact: false, entries: 0, problem: 'The head of the chain is missing.' }
      const { entries, problem } = await walk(database.db, head)
      if (problem !== null) return { intact: false, entries, problem }
      // An entry is committed with its head, so one beyond the present head was not written by us.
      const present = (await readHead(database.db))?.sequence ?? 0
      if (entries > present) return { intact: false, entries, problem: `The head of the chain was moved back to ${present}; there are entries up to ${entries}.` }
      return { intact: true, entries, problem: null }
    },
  }
}
