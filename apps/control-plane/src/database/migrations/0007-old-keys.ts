import type { Kysely } from 'kysely'

/** Each request with an Idempotency-Key first deletes old keys. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createIndex('idempotency_createdAt').on('idempotency').column('createdAt').execute()
}
