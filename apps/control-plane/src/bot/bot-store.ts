import { CertloopError, newId, type Bot, type BotId, type BotStatus, type HostFacts, type HostScan, type Id } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { namesOfHost, saveHostNames } from '../discovery/host-name-store.ts'

export type BotPurpose = Bot['purpose']
export interface BotTable {
  id: BotId
  name: string
  purpose: BotPurpose
  publicKeyPem: string | null
  /** X25519, SPKI; null until a start of a bot that has one. */
  encryptionKeyPem: string | null
  identityPem: string | null
  version: string | null
  host: string | null
  bootId: string | null
  lastContactAt: string | null
  joinedAt: string | null
  revokedAt: string | null
  createdAt: string
}
export interface JoinTokenTable { id: Id<'jtk'>; botId: BotId; secretHash: string; activeFrom: string; expiresAt: string; usedAt: string | null; createdAt: string }
/** The newest scan of each bot. */
export interface HostScanTable { botId: BotId; at: string; serverCount: number; scan: string }
/** The places of the newest scan of each bot, numbered as the scan has them, and the names that they answer to. */
export interface ScannedPlaceTable { botId: BotId; position: number; serverType: string; fields: string }
export interface ScannedNameTable { name: string; botId: BotId; position: number }
export interface BotTables { bot: BotTable; joinToken: JoinTokenTable; hostScan: HostScanTable; scannedPlace: ScannedPlaceTable; scannedName: ScannedNameTable }
export type BotRow = Selectable<BotTable>
export type JoinTokenRow = Selectable<JoinTokenTable>

/** A bot polls every 25 seconds; silent for longer than this it counts as inactive. */
const inactiveAfterMs = 90_000

export function botStatus(bot: BotRow, now: Date): BotStatus {
  if (bot.revokedAt) return 'revoked'
  if (!bot.joinedAt) return 'never-joined'
  return bot.lastContactAt && now.getTime() - new Date(bot.lastContactAt).getTime() < inactiveAfterMs ? 'active' : 'inactive'
}

export async function insertBot(tx: Tx, bot: { name: string; purpose: BotPurpose }, now: Date): Promise<BotId> {
  const id = newId('bot', now)
  await tx.insertInto('bot').values({ id, ...bot, publicKeyPem: null, encryptionKeyPem: null, identityPem: null, version: null, host: null, bootId: null, lastContactAt: null, joinedAt: null, revokedAt: null, createdAt: iso(now) }).execute()
  return id
}
export async function findBot(db: Db | Tx, id: BotId): Promise<BotRow | undefined> {
  return db.selectFrom('bot').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getBot(db: Db | Tx, id: BotId): Promise<BotRow> {
  const row = await findBot(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no bot ${id}.`, { botId: id })
  return row
}
export async function listBots(db: Db | Tx): Promise<BotRow[]> {
  return db.selectFrom('bot').selectAll().orderBy('id').execute()
}
export async function updateBot(db: Db | Tx, id: BotId, changes: Partial<BotTable>): Promise<void> {
  await db.updateTable('bot').set(changes).where('id', '=', id).execute()
}
/** Names of bots by id, for showing. */
export async function botNames(db: Db | Tx): Promise<Map<BotId, string>> {
  const rows = await db.selectFrom('bot').select(['id', 'name']).execute()
  return new Map(rows.map((r) => [r.id, r.name]))
}

export async function insertJoinToken(tx: Tx, token: Omit<JoinTokenTable, 'usedAt' | 'createdAt'>, now: Date): Promise<void> {
  await tx.insertInto('joinToken').values({ ...token, usedAt: null, createdAt: iso(now) }).execute()
}
export async function findJoinToken(db: Db | Tx, id: Id<'jtk'>): Promise<JoinTokenRow | undefined> {
  return db.selectFrom('joinToken').selectAll().where('id', '=', id).executeTakeFirst()
}
/** False when it was used already, also by a request at the same moment. */
export async function useJoinToken(tx: Tx, id: Id<'jtk'>, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('joinToken').set({ usedAt: iso(now) }).where('id', '=', id).where('usedAt', 'is', null).executeTakeFirst()
  return numUpdatedRows > 0n
}
export async function openTokenExpiry(db: Db | Tx, botId: BotId): Promise<string | null> {
  const row = await db.selectFrom('joinToken').select('expiresAt').where('botId', '=', botId).where('usedAt', 'is', null).orderBy('id', 'desc').executeTakeFirst()
  return row?.expiresAt ?? null
}

export async function saveScan(tx: Tx, botId: BotId, scan: HostScan): Promise<void> {
  const row = { at: scan.at, serverCount: scan.servers.length, scan: toJson(scan) }
  await tx.insertInto('hostScan').values({ botId, ...row }).onConflict((c) => c.column('botId').doUpdateSet(row)).execute()
  await savePlaces(tx, botId, scan)
  await saveHostNames(tx, botId, '', namesOfHost(scan))
}

/** Rows of one statement: databases bound how many values it may hold. */
const rowsAtOnce = 1000
const inChunks = <T>(rows: readonly T[]): T[][] => Array.from({ length: Math.ceil(rows.length / rowsAtOnce) }, (_, i) => rows.slice(i * rowsAtOnce, (i + 1) * rowsAtOnce))

/** What no certificate can be for need not be found; PostgreSQL takes no NUL, and its indexes no long texts. */
const canAnswer = (name: string) => name.length > 0 && name.length <= 253 && !name.includes('\0')

async function savePlaces(tx: Tx, botId: BotId, scan: HostScan): Promise<void> {
  const slots = scan.servers.flatMap((server) => server.slots.map((slot) => ({ serverType: server.serverType, slot })))
  const places = slots.map(({ serverType, slot }, position) => ({ botId, position, serverType, fields: toJson(slot.fields) }))
  const names = slots.flatMap(({ slot }, position) => [...new Set(slot.names.map((name) => name.toWellFormed()).filter(canAnswer))].map((name) => ({ name, botId, position })))
  await tx.deleteFrom('scannedPlace').where('botId', '=', botId).execute()
  await tx.deleteFrom('scannedName').where('botId', '=', botId).execute()
  for (const rows of inChunks(places)) await tx.insertInto('scannedPlace').values(rows).execute()
  for (const rows of inChunks(names)) await tx.insertInto('scannedName').values(rows).execute()
}

export async function latestScan(db: Db | Tx, botId: BotId): Promise<HostScan | undefined> {
  const row = await db.selectFrom('hostScan').select('scan').where('botId', '=', botId).executeTakeFirst()
  return row && fromJson<HostScan>(row.scan)
}
/** When each bot last scanned its host and how many servers it found, without the scans themselves. */
export async function scanFigures(db: Db | Tx, botId?: BotId): Promise<Map<BotId, { at: string; serverCount: number }>> {
  let query = db.selectFrom('hostScan').select(['botId', 'at', 'serverCount'])
  if (botId) query = query.where('botId', '=', botId)
  return new Map((await query.execute()).map((row) => [row.botId, row]))
}
export interface AnsweringPlace { botId: BotId; botName: string; serverType: string; fields: Record<string, unknown>; /** Those of the names asked for. */ names: string[] }
/** A name may be served by every host of a fleet: more than this nobody looks through. */
const mostRows = 500

/** Places of the newest scans, of bots that may provision, that answer to one of these names exactly; by bot, as their scans have them. */
export async function placesAnsweringTo(db: Db | Tx, names: readonly string[]): Promise<AnsweringPlace[]> {
  const asked = [...new Set(names.filter(canAnswer))]
  if (asked.length === 0) return []
  const rows = await db.selectFrom('scannedName as n').innerJoin('scannedPlace as p', (on) => on.onRef('p.botId', '=', 'n.botId').onRef('p.position', '=', 'n.position')).innerJoin('bot as b', 'b.id', 'n.botId')
    .select(['n.botId', 'n.position', 'n.name', 'b.name as botName', 'p.serverType', 'p.fields'])
    .where('n.name', 'in', asked).where('b.revokedAt', 'is', null).where('b.purpose', '!=', 'discovery')
    .orderBy('n.botId').orderBy('n.position').orderBy('n.name').limit(mostRows).execute()
  const places = new Map<string, AnsweringPlace>()
  for (const { botId, botName, position, serverType, fields, name } of rows) {
    const known = places.get(`${botId} ${position}`)
    if (known) known.names.push(name)
    else places.set(`${botId} ${position}`, { botId, botName, serverType, fields: fromJson(fields), names: [name] })
  }
  return [...places.values()]
}
export const hostOf = (bot: BotRow): HostFacts | null => fromJsonOrNull<HostFacts>(bot.host)
