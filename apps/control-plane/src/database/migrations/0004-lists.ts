import { sql, type Kysely } from 'kysely'

const indexes: Record<string, string[]> = {
  deployment: ['certificateId', 'state'],
  certificateOrder: ['certificateId', 'state'],
  task: ['state', 'updatedAt'],
  certificate: ['createdAt', 'id'],
  target: ['botId', 'serverType', 'placeKey'],
}

/** What lists, statuses and the watchdog ask for often, without reading every row or every scan. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const [table, columns] of Object.entries(indexes)) await db.schema.createIndex(`${table}_${columns.join('_')}`).on(table).columns(columns).execute()
  await db.schema.createIndex('certificateVersion_newest').on('certificateVersion').columns(['certificateId', 'keyBotId', 'source', 'keyAlgorithm', 'ordinal']).execute()
  await db.schema.createIndex('certificate_end').on('certificate').expression(sql`coalesce("notAfter", '9999'), "id"`).execute()
  await db.schema.alterTable('hostScan').addColumn('serverCount', 'integer', (c) => c.notNull().defaultTo(0)).execute()
  await fillServerCounts(db)
}

async function fillServerCounts(anyDb: Kysely<unknown>): Promise<void> {
  const db = anyDb as Kysely<{ hostScan: { botId: string; scan: string; serverCount: number } }>
  for (const { botId } of await db.selectFrom('hostScan').select('botId').execute()) {
    const { scan } = await db.selectFrom('hostScan').select('scan').where('botId', '=', botId).executeTakeFirstOrThrow()
    await db.updateTable('hostScan').set({ serverCount: (JSON.parse(scan) as { servers: unknown[] }).servers.length }).where('botId', '=', botId).execute()
  }
}
