import type { Kysely } from 'kysely'

/** What the newest scans found, by the names that answer there: pages need not read whole scans. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createTable('scannedPlace')
    .addColumn('botId', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('serverType', 'text', (c) => c.notNull())
    .addColumn('fields', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('scannedPlaceKey', ['botId', 'position'])
    .execute()
  await db.schema.createTable('scannedName')
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('botId', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('scannedNameKey', ['name', 'botId', 'position'])
    .execute()
  await db.schema.createIndex('scannedName_botId').on('scannedName').column('botId').execute()
  await fill(db)
}

interface Tables {
  hostScan: { botId: string; scan: string }
  scannedPlace: { botId: string; position: number; serverType: string; fields: string }
  scannedName: { name: string; botId: string; position: number }
}
interface Scan { servers: { serverType: string; slots: { fields: unknown; names: string[] }[] }[] }

async function fill(anyDb: Kysely<unknown>): Promise<void> {
  const db = anyDb as Kysely<Tables>
  for (const { botId } of await db.selectFrom('hostScan').select('botId').execute()) {
    const { scan } = await db.selectFrom('hostScan').select('scan').where('botId', '=', botId).executeTakeFirstOrThrow()
    const slots = (JSON.parse(scan) as Scan).servers.flatMap(({ serverType, slots: of }) => of.map((slot) => ({ serverType, ...slot })))
    for (const [position, { serverType, fields, names }] of slots.entries()) {
      await db.insertInto('scannedPlace').values({ botId, position, serverType, fields: JSON.stringify(fields) }).execute()
      for (const name of new Set(names.filter((text) => text.length > 0 && text.length <= 253 && !text.includes('\0')))) await db.insertInto('scannedName').values({ name, botId, position }).execute()
    }
  }
}
