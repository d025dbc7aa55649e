import { machineOf, newId, type BotId, type HostScan, type Id, type RemoteScan, type SshReach, type WireError } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

/** One look at a host over SSH. Its secrets are sealed for this row and gone when it has ended. */
export interface RemoteScanTable {
  id: Id<'scn'>
  botId: BotId
  state: RemoteScan['state']
  reach: string
  sealedSecrets: string | null
  requester: string
  /** What was found: host, servers and problems of a HostScan. */
  scan: string | null
  error: string | null
  createdAt: string
  deadline: string
  endedAt: string | null
}
export interface RemoteScanTables { remoteScan: RemoteScanTable }
export type RemoteScanRow = Selectable<RemoteScanTable>

export interface NewRemoteScan { botId: BotId; reach: SshReach; requester: string; deadline: Date }

/** @param seal seals the secrets for the row with this id; null: there are none */
export async function insertRemoteScan(tx: Tx, { botId, reach, requester, deadline }: NewRemoteScan, seal: (id: Id<'scn'>) => string | null, now: Date): Promise<RemoteScanRow> {
  const id = newId('scn', now)
  const row: RemoteScanRow = { id, botId, state: 'running', reach: toJson(reach), sealedSecrets: seal(id), requester, scan: null, error: null, createdAt: iso(now), deadline: iso(deadline), endedAt: null }
  await tx.insertInto('remoteScan').values(row).execute()
  return row
}

/** Ends it once; later words about it change nothing. @returns whether this was the end */
export async function endRemoteScan(tx: Tx, id: Id<'scn'>, end: { scan: Pick<HostScan, 'host' | 'servers' | 'problems'> } | { error: WireError }, now: Date): Promise<boolean> {
  const found = 'scan' in end ? { state: 'done' as const, scan: toJson(end.scan) } : { state: 'failed' as const, error: toJson(end.error) }
  const { numUpdatedRows } = await tx.updateTable('remoteScan').set({ ...found, sealedSecrets: null, endedAt: iso(now) }).where('id', '=', id).where('state', '=', 'running').executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function findRemoteScan(db: Db | Tx, id: Id<'scn'>): Promise<RemoteScanRow | undefined> {
  return db.selectFrom('remoteScan').selectAll().where('id', '=', id).executeTakeFirst()
}

/** Other ended looks of the same bot at the same machine. */
export async function earlierLooks(tx: Tx, { id, botId, reach }: Pick<RemoteScanRow, 'id' | 'botId' | 'reach'>): Promise<Id<'scn'>[]> {
  const machine = machineOf({ reach: fromJson<SshReach>(reach) })
  const rows = await tx.selectFrom('remoteScan').select(['id', 'reach']).where('botId', '=', botId).where('endedAt', 'is not', null).where('id', '!=', id).execute()
  return rows.filter((row) => machineOf({ reach: fromJson<SshReach>(row.reach) }) === machine).map((row) => row.id)
}

export async function pruneRemoteScans(tx: Tx, before: Date): Promise<void> {
  await tx.deleteFrom('hostName').where('scanId', 'in', (eb) => eb.selectFrom('remoteScan').select('id').where('endedAt', '<', iso(before))).execute()
  await tx.deleteFrom('remoteScan').where('endedAt', '<', iso(before)).execute()
}

export function toRemoteScan({ id, botId, state, reach, requester, scan, error, createdAt, deadline, endedAt }: RemoteScanRow): RemoteScan {
  const found = fromJsonOrNull<Pick<HostScan, 'host' | 'servers' | 'problems'>>(scan)
  return { id, botId, state, reach: fromJson(reach), requester, host: found?.host ?? null, servers: found?.servers ?? [], problems: found?.problems ?? [], error: fromJsonOrNull(error), createdAt, deadline, endedAt }
}
