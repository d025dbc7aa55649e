import { sql, type Kysely } from 'kysely'

/** Targets on other machines, their secrets and options; keys of bots for secrets; looks at hosts over SSH. */
export async function up(untyped: Kysely<unknown>): Promise<void> {
  const db = untyped as Kysely<{ target: { reach: string } }>
  await db.schema.alterTable('bot').addColumn('encryptionKeyPem', 'text').execute()
  await db.schema.alterTable('target').addColumn('options', 'text', (c) => c.notNull().defaultTo('{}')).execute()
  await db.schema.alterTable('target').addColumn('sealedSecrets', 'text').execute()
  await db.schema.alterTable('target').addColumn('seenHostKey', 'text').execute()
  await db.updateTable('target').set({ reach: sql<string>`'"local"'` }).where('reach', '=', 'local').execute()
  await db.schema.alterTable('installation').addColumn('machine', 'text', (c) => c.notNull().defaultTo('local')).execute()
  await db.schema.createTable('remoteScan')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('botId', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('reach', 'text', (c) => c.notNull())
    .addColumn('sealedSecrets', 'text')
    .addColumn('requester', 'text', (c) => c.notNull())
    .addColumn('scan', 'text')
    .addColumn('error', 'text')
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .addColumn('deadline', 'text', (c) => c.notNull())
    .addColumn('endedAt', 'text')
    .execute()
  await db.schema.createIndex('remoteScan_endedAt').on('remoteScan').column('endedAt').execute()
}
