import type { Kysely } from 'kysely'

/** What is wrong or odd with a certificate is looked at once, when it comes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('certificateVersion').addColumn('findings', 'text').execute()
}
