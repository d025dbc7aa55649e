import { newId, type AuthorityId, type BotId, type CertificateId, type Configuration, type RenewalSettings, type Target, type TargetId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromBit, fromJson, iso, toBit, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

export interface ConfigurationTable {
  certificateId: CertificateId
  complete: number
  authorityId: AuthorityId | null
  csr: string
  renewal: string
  deployAfterRenewal: number
  rollback: number
  approval: 'automatic' | 'manual'
  updatedAt: string
}
/** A target that is no longer wanted stays as a removed row, for the deployments that name it. */
export interface TargetTable {
  id: TargetId
  certificateId: CertificateId
  position: number
  botId: BotId
  serverType: string
  reach: 'local'
  fields: string
  placeKey: string
  title: string
  removedAt: string | null
  createdAt: string
}
export interface ConfigurationTables { configuration: ConfigurationTable; target: TargetTable }
export type ConfigurationRow = Selectable<ConfigurationTable>
export type TargetRow = Selectable<TargetTable>

export interface NewTarget { botId: BotId; serverType: string; fields: Record<string, unknown>; placeKey: string; title: string }

type Place = Pick<NewTarget, 'botId' | 'serverType' | 'placeKey'>
export const samePlace = (a: Place, b: Place): boolean => a.botId === b.botId && a.serverType === b.serverType && a.placeKey === b.placeKey

/** Name of another certificate whose configuration has this place as a target. */
export async function otherOwnerOf(tx: Tx, certificateId: CertificateId, { botId, serverType, placeKey }: Place): Promise<string | undefined> {
  const row = await tx.selectFrom('target as t').innerJoin('certificate as c', 'c.id', 't.certificateId').select('c.name')
    .where('t.botId', '=', botId).where('t.serverType', '=', serverType).where('t.placeKey', '=', placeKey).where('t.removedAt', 'is', null).where('t.certificateId', '!=', certificateId).executeTakeFirst()
  return row?.name
}

export async function saveConfiguration(tx: Tx, certificateId: CertificateId, c: Omit<Configuration, 'targets' | 'updatedAt'>, targets: readonly NewTarget[], now: Date): Promise<void> {
  const row = { complete: toBit(c.complete), authorityId: c.authorityId, csr: toJson(c.csr), renewal: toJson(c.renewal), deployAfterRenewal: toBit(c.deployAfterRenewal), rollback: toBit(c.rollback), approval: c.approval, updatedAt: iso(now) }
  await tx.insertInto('configuration').values({ certificateId, ...row }).onConflict((o) => o.column('certificateId').doUpdateSet(row)).execute()
  const present = await targetsOf(tx, certificateId)
  const kept = new Set<TargetId>()
  for (const [position, target] of targets.entries()) {
    const known = present.find((p) => samePlace(p, target) && !kept.has(p.id))
    const changes = { position, fields: toJson(target.fields), title: target.title }
    if (known) {
      kept.add(known.id)
      await tx.updateTable('target').set(changes).where('id', '=', known.id).execute()
    } else {
      await tx.insertInto('target').values({ id: newId('tgt', now), certificateId, botId: target.botId, serverType: target.serverType, reach: 'local', placeKey: target.placeKey, removedAt: null, createdAt: iso(now), ...changes }).execute()
    }
  }
  for (const gone of present.filter((p) => !kept.has(p.id))) await tx.updateTable('target').set({ removedAt: iso(now) }).where('id', '=', gone.id).execute()
}

export async function findConfiguration(db: Db | Tx, certificateId: CertificateId): Promise<ConfigurationRow | undefined> {
  return db.selectFrom('configuration').selectAll().where('certificateId', '=', certificateId).executeTakeFirst()
}
/** Wanted targets in their order. */
export async function targetsOf(db: Db | Tx, certificateId: CertificateId): Promise<TargetRow[]> {
  return db.selectFrom('target').selectAll().where('certificateId', '=', certificateId).where('removedAt', 'is', null).orderBy('position').orderBy('id').execute()
}
export async function findTarget(db: Db | Tx, id: TargetId): Promise<TargetRow | undefined> {
  return db.selectFrom('target').selectAll().where('id', '=', id).executeTakeFirst()
}

export const csrOf = (row: ConfigurationRow): Configuration['csr'] => fromJson(row.csr)
export const renewalOf = (row: ConfigurationRow): RenewalSettings => fromJson(row.renewal)

export const toTarget = (row: TargetRow, botName: string): Target => ({ id: row.id, botId: row.botId, botName, serverType: row.serverType, reach: row.reach, fields: fromJson(row.fields), title: row.title })

export function toConfiguration(row: ConfigurationRow, targets: Target[]): Configuration {
  return { complete: fromBit(row.complete), targets, authorityId: row.authorityId, csr: csrOf(row), renewal: renewalOf(row), deployAfterRenewal: fromBit(row.deployAfterRenewal), rollback: fromBit(row.rollback), approval: row.approval, updatedAt: row.updatedAt }
}
