import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import pg from 'pg'
import { openDatabase, type Database, type DatabaseKind } from './database.ts'

const postgresUrl = process.env['CERTLOOP_TEST_POSTGRES']

/** A database of its own for one test, with all migrations; gone afterwards. */
export async function emptyDatabase(t: TestContext, kind: DatabaseKind = 'sqlite'): Promise<Database> {
  if (kind === 'sqlite') {
    const database = await openDatabase('sqlite::memory:')
    t.after(() => database.close())
    return database
  }
  if (!postgresUrl) throw new Error('CERTLOOP_TEST_POSTGRES is not set')
  const name = `t_${randomBytes(8).toString('hex')}`
  const admin = async (statement: string) => {
    const client = new pg.Client({ connectionString: postgresUrl })
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await admin(`CREATE DATABASE ${name}`)
  const url = new URL(postgresUrl)
  url.pathname = `/${name}`
  const database = await openDatabase(url.href)
  t.after(async () => {
    await database.close()
    await admin(`DROP DATABASE ${name} WITH (FORCE)`)
  })
  return database
}

/** One test per database. PostgreSQL is left out, with a word, where no address was given; in CI that is a failure. */
export function testOnDatabases(name: string, body: (t: TestContext, database: Database) => Promise<void>): void {
  test(`${name} [sqlite]`, async (t) => body(t, await emptyDatabase(t, 'sqlite')))
  const skip = postgresUrl || process.env['CI'] ? false : 'CERTLOOP_TEST_POSTGRES is not set'
  test(`${name} [postgresql]`, { skip }, async (t) => body(t, await emptyDatabase(t, 'postgresql')))
}
