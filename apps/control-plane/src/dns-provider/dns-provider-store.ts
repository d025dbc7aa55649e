import { CertloopError, type DnsProviderId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, iso, toJson } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'

export interface DnsProviderTable {
  id: DnsProviderId
  name: string
  kind: string
  /** JSON of the fields, without secrets. */
  settings: string
  /** JSON of the secret fields, sealed for this row. */
  sealedSecrets: string | null
  /** JSON of the zones found at the last test, and of those found for a name since. */
  zones: string
  /** JSON of Health. */
  health: string
  createdAt: string
  updatedAt: string
}
export interface DnsProviderTables { dnsProvider: DnsProviderTable }
export type DnsProviderRow = Selectable<DnsProviderTable>
export type NewDnsProvider = Pick<DnsProviderTable, 'id' | 'name' | 'kind' | 'settings' | 'sealedSecrets'>

/** By age. */
export async function listDnsProviders(db: Db | Tx): Promise<DnsProviderRow[]> {
  return db.selectFrom('dnsProvider').selectAll().orderBy('id').execute()
}
export async function findDnsProvider(db: Db | Tx, id: DnsProviderId): Promise<DnsProviderRow | undefined> {
  return db.selectFrom('dnsProvider').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getDnsProvider(db: Db | Tx, id: DnsProviderId): Promise<DnsProviderRow> {
  const row = await findDnsProvider(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no DNS provider ${id}.`, { dnsProviderId: id })
  return row
}
/** Holds the row until the transaction ends: whoever wants it too waits. @throws CertloopError NOT_FOUND */
export async function lockDnsProvider(tx: Tx, id: DnsProviderId): Promise<DnsProviderRow> {
  await tx.updateTable('dnsProvider').set((eb) => ({ updatedAt: eb.ref('updatedAt') })).where('id', '=', id).execute()
  return getDnsProvider(tx, id)
}

/** @throws CertloopError CONFLICT when the name is in use */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('CONFLICT', `There is a DNS provider "${name}" already. Choose another name.`, {}, error)
    throw error
  }
}
/** @throws CertloopError CONFLICT when the name is in use */
export async function insertDnsProvider(tx: Tx, provider: NewDnsProvider, now: Date): Promise<void> {
  await named(provider.name, () => tx.insertInto('dnsProvider').values({ ...provider, zones: '[]', health: '{}', createdAt: iso(now), updatedAt: iso(now) }).execute())
}
/** Zones that another address or account had are forgotten. @throws CertloopError CONFLICT when the name is in use */
export async function updateDnsProvider(tx: Tx, { id, ...changes }: NewDnsProvider, keepsZones: boolean, now: Date): Promise<void> {
  await named(changes.name, () => tx.updateTable('dnsProvider').set({ ...changes, ...(keepsZones ? {} : { zones: '[]' }), updatedAt: iso(now) }).where('id', '=', id).execute())
}
export async function removeDnsProvider(tx: Tx, id: DnsProviderId): Promise<void> {
  await tx.deleteFrom('dnsProvider').where('id', '=', id).execute()
}
export async function saveProviderHealth(tx: Tx, id: DnsProviderId, health: string): Promise<void> {
  await tx.updateTable('dnsProvider').set({ health }).where('id', '=', id).execute()
}

export const zonesOf = ({ zones }: Pick<DnsProviderRow, 'zones'>): string[] => fromJson<string[]>(zones)
/** Kept in memory of the row: so many at most, the list of a registrar with more is asked name by name. */
const mostZones = 10_000
export async function saveZones(tx: Tx, id: DnsProviderId, zones: readonly string[]): Promise<void> {
  await tx.updateTable('dnsProvider').set({ zones: toJson([...new Set(zones)].toSorted().slice(0, mostZones)) }).where('id', '=', id).execute()
}
