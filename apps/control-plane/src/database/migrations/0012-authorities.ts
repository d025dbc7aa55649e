import { sql, type ColumnDataType, type Kysely } from 'kysely'

/** "text" not null, "text?" nullable, "integer" likewise. */
async function table(db: Kysely<unknown>, name: string, columns: Readonly<Record<string, string>>): Promise<void> {
  let builder = db.schema.createTable(name)
  for (const [column, type] of Object.entries(columns)) builder = builder.addColumn(column, type.replace('?', '') as ColumnDataType, (c) => (column === 'id' ? c.primaryKey() : type.endsWith('?') ? c : c.notNull()))
  await builder.execute()
}
const index = (db: Kysely<unknown>, on: string, names: string[]) => db.schema.createIndex(`${on}_${names.join('_')}`).on(on).columns(names).execute()
const unique = (db: Kysely<unknown>, on: string, names: string[]) => db.schema.createIndex(`${on}_${names.join('_')}`).unique().on(on).columns(names).execute()

/** Authorities elsewhere with their credentials and limits, attempts of orders, validations and DNS providers. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const column of ['preset', 'sealedSecrets', 'sealedMemory', 'updatedAt', 'pausedUntil', 'removedAt']) await db.schema.alterTable('authority').addColumn(column, 'text').execute()
  await db.schema.alterTable('authority').addColumn('memoryVersion', 'integer', (c) => c.notNull().defaultTo(0)).execute()
  await db.schema.alterTable('authority').addColumn('concurrency', 'integer', (c) => c.notNull().defaultTo(20)).execute()
  await db.schema.alterTable('authority').addColumn('limits', 'text', (c) => c.notNull().defaultTo('[]')).execute()
  await db.schema.alterTable('authority').addColumn('health', 'text', (c) => c.notNull().defaultTo('{}')).execute()
  await db.schema.createIndex('authority_name').unique().on('authority').column('name').where('removedAt' as never, 'is', null).execute()
  for (const column of ['askAgainAt', 'answeredAt']) await db.schema.alterTable('renewalWindow').addColumn(column, 'text').execute()
  await sql`update "renewalWindow" set "answeredAt" = "askedAt"`.execute(db)
  await db.schema.alterTable('configuration').addColumn('fallbacks', 'text', (c) => c.notNull().defaultTo('[]')).execute()
  for (const [column, otherwise] of [['fallbacks', '[]'], ['validation', '{}'], ['leftOut', '[]']] as const) await db.schema.alterTable('certificateOrder').addColumn(column, 'text', (c) => c.notNull().defaultTo(otherwise)).execute()

  await table(db, 'authorityUse', { id: 'text', authorityId: 'text', kind: 'text', subject: 'text', orderId: 'text?', renewal: 'integer', at: 'text' })
  await index(db, 'authorityUse', ['authorityId', 'kind', 'subject', 'at'])
  await index(db, 'authorityUse', ['at'])
  await index(db, 'authorityUse', ['orderId', 'authorityId'])
  await table(db, 'orderAttempt', { id: 'text', orderId: 'text', authorityId: 'text', position: 'integer', state: 'text', handle: 'text?', submissions: 'integer', callFence: 'integer?', mayIssue: 'integer', waitUntil: 'text?', failures: 'integer', failingSince: 'text?', reason: 'text', error: 'text?', startedAt: 'text', endedAt: 'text?' })
  await unique(db, 'orderAttempt', ['orderId', 'authorityId'])
  // From now on there is one such task for each order, found by this.
  await sql`update "task" set "dedupe" = 'order:' || "subject" where "kind" = 'submit-order' and "state" in ('ready', 'leased')`.execute(db)
  await index(db, 'orderAttempt', ['authorityId', 'state'])
  await table(db, 'dnsProvider', { id: 'text', name: 'text', kind: 'text', settings: 'text', sealedSecrets: 'text?', zones: 'text', health: 'text', createdAt: 'text', updatedAt: 'text' })
  await unique(db, 'dnsProvider', ['name'])
  await table(db, 'validation', {
    id: 'text', orderId: 'text', attemptId: 'text', submission: 'integer', certificateId: 'text', authorityId: 'text', proofId: 'text', wayId: 'text?', name: 'text', nameType: 'text', wildcard: 'integer', method: 'text', state: 'text', since: 'text', way: 'text?', botId: 'text?', dnsProviderId: 'text?',
    recordName: 'text?', zone: 'text?', receipt: 'text?', lastLook: 'text?', cleanup: 'text', cleanupSince: 'text?', reason: 'text', nextAction: 'text?', deadline: 'text?', error: 'text?', notifiedAt: 'text?', createdAt: 'text', updatedAt: 'text',
  })
  await unique(db, 'validation', ['attemptId', 'submission', 'proofId'])
  await index(db, 'validation', ['orderId', 'id'])
  await index(db, 'validation', ['recordName'])
  await index(db, 'validation', ['certificateId', 'id'])
  await index(db, 'validation', ['state', 'id'])
  await index(db, 'validation', ['cleanup', 'id'])
}
