import { AsyncLocalStorage } from 'node:async_hooks'
import { CertloopError } from '@certloop/contract'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { Kysely, type KyselyPlugin, PostgresDialect, SqliteDialect, type SqliteStatement, sql, type Transaction } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import type { Schema } from './schema.ts'
import { migrations } from './migrations/index.ts'
import { localWake, postgresWake, type Wake } from './wake.ts'

export type DatabaseKind = 'sqlite' | 'postgresql'
/** Queries outside a transaction. Never use it inside one: on SQLite there is a single connection. */
export type Db = Kysely<Schema>
/** Queries inside a transaction. Stores take this when they must be part of a larger change. */
export type Tx = Transaction<Schema>

export interface Database {
  kind: DatabaseKind
  db: Db
  wake: Wake
  /** Runs `work` in one transaction; topics named by `tx.wake` go out only after the commit. Serialisation failures are tried again. */
  transaction<T>(work: (tx: Tx, wake: (topic: string) => void) => Promise<T>): Promise<T>
  close(): Promise<void>
}

// Both databases give numbers for 64-bit integers; ours stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

/** What Kysely wants of a statement. Whether it gives rows is asked once: the answer takes as long as a small query. */
function readyStatement(statement: ReturnType<DatabaseSync['prepare']>): SqliteStatement {
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[]
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => {
      const { changes, lastInsertRowid } = statement.run(...values(parameters))
      return { changes: BigInt(changes), lastInsertRowid: BigInt(lastInsertRowid) }
    },
    iterate: (parameters) => statement.iterate(...values(parameters)) as IterableIterator<unknown>,
  }
}

function sqliteDialect(file: string): SqliteDialect {
  const connection = new DatabaseSync(file)
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON', 'busy_timeout = 5000']) connection.exec(`PRAGMA ${pragma}`)
  const cache = new Map<string, SqliteStatement>()
  const prepared = (text: string) => {
    let statement = cache.get(text)
    if (!statement) {
      statement = readyStatement(connection.prepare(text))
      if (cache.size > 500) cache.clear() // statements with a varying number of values would fill it
      cache.set(text, statement)
    }
    return statement
  }
  return new SqliteDialect({
    database: {
      prepare: prepared,
      close: () => { cache.clear(); connection.close() },
    },
  })
}

async function migrate(db: Kysely<Schema>): Promise<void> {
  const { error, results } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
  if (error) {
    const failed = results?.find((r) => r.status === 'Error')
    throw new Error(`database migration ${failed?.migrationName ?? ''} failed`, { cause: error })
  }
}

const insideTransaction = new AsyncLocalStorage<true>()
const refuseInside = () => {
  if (insideTransaction.getStore()) throw new Error('the database was used beside the transaction under way; use its tx')
}
/** On SQLite such a query would wait for ever for the only connection; on PostgreSQL it would escape the transaction. */
const guard: KyselyPlugin = {
  transformQuery: ({ node }) => { refuseInside(); return node },
  transformResult: async ({ result }) => result,
}

const commitWatch = new AsyncLocalStorage<{ committed: boolean }>()
/** Runs `work`; `hasCommitted` says whether a transaction begun in it was committed, also after `work` has failed. */
export function watchCommits<T>(work: (hasCommitted: () => boolean) => Promise<T>): Promise<T> {
  const watch = { committed: false }
  return commitWatch.run(watch, () => work(() => watch.committed))
}

/** SQLSTATE and system codes that say the server or the database can't be had, as against a mistake of ours. */
const connectionCodes = /^(ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|ECONNRESET|EAI_AGAIN|28P01|28000|3D000|53300|57P0[123]|08...)$/

/** What went wrong with the connection, without the password of the address; undefined when it was something else. */
export function unreachable(error: unknown, url?: string): CertloopError | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code = '' } = cause as { code?: string }
    const inner = cause instanceof AggregateError ? cause.errors.map((e: unknown) => (e as { code?: string }).code ?? '') : []
    const found = [code, ...inner].find((c) => connectionCodes.test(c))
    if (!found) continue
    const place = url && URL.canParse(url) ? ` at ${new URL(url).host}${new URL(url).pathname}` : ''
    return new CertloopError('DATABASE_UNREACHABLE', `PostgreSQL${place} can not be used: ${cause.message || found}.`, { code: found }, error)
  }
  return undefined
}

const isRetryable = (error: unknown) => ['40001', '40P01'].includes((error as { code?: string }).code ?? '')

/** Called at named moments; tests end the process there. */
export type CrashPoint = (name: string) => void

/** @param url `sqlite:<file>`, `sqlite::memory:` or a postgres:// address. Migrates to the newest schema. */
export async function openDatabase(url: string, crashPoint: CrashPoint = () => {}): Promise<Database> {
  const isSqlite = url.startsWith('sqlite:')
  const pool = isSqlite ? undefined : new pg.Pool({ connectionString: url, max: 10 })
  // A dropped idle connection must not end the process; the next query opens another.
  pool?.on('error', () => {})
  const db = new Kysely<Schema>({ dialect: pool ? new PostgresDialect({ pool }) : sqliteDialect(url.slice('sqlite:'.length)), plugins: [guard] })
  await migrate(db).catch(async (error: unknown) => {
    await db.destroy()
    throw unreachable(error, url) ?? error
  })
  const wake = pool ? await postgresWake(url) : localWake()
  return {
    kind: isSqlite ? 'sqlite' : 'postgresql',
    db,
    wake,
    async transaction(work) {
      refuseInside()
      for (let attempt = 1; ; attempt++) {
        const topics = new Set<string>()
        try {
          const result = await db.transaction().execute((tx) => insideTransaction.run(true, async () => {
            const value = await work(tx.withoutPlugins(), (topic) => topics.add(topic))
            crashPoint('before commit')
            return value
          }))
          const watch = commitWatch.getStore()
          if (watch) watch.committed = true
          crashPoint('after commit')
          for (const topic of topics) wake.send(topic)
          return result
        } catch (error) {
          if (attempt >= 5 || !isRetryable(error)) throw error
        }
      }
    },
    async close() {
      await wake.close()
      await db.destroy()
    },
  }
}

/** True when the error is a broken unique rule, on either database. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, errcode } = error as { code?: string; errcode?: number }
  return code === '23505' || errcode === 2067 || errcode === 1555
}

/** `FOR UPDATE SKIP LOCKED` where the database has row locks; SQLite has one writer and needs none. */
export const skipLocked = (kind: DatabaseKind) => (kind === 'postgresql' ? sql`for update skip locked` : sql``)
