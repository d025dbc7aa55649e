import { CertloopError, type AuthorityId, type OrderId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { iso } from '../database/columns.ts'
import { isUniqueViolation, type Db, type Tx } from '../database/database.ts'

export interface AuthorityTable {
  id: AuthorityId
  name: string
  kind: string
  /** The ready-made entry it was made from. */
  preset: string | null
  /** JSON of the fields, without secrets. */
  settings: string
  /** JSON of the secret fields, sealed for this row. */
  sealedSecrets: string | null
  /** JSON of what the connector keeps (Memory), sealed for this row; memoryVersion grows with each change. */
  sealedMemory: string | null
  memoryVersion: number
  /** JSON of RateLimit[]. */
  limits: string
  /** So many calls at a time. */
  concurrency: number
  /** JSON of KeptHealth. */
  health: string
  /** It asked to be left alone until then. */
  pausedUntil: string | null
  createdAt: string
  updatedAt: string | null
  /** Removed ones stay, without credentials, for the orders that name them. */
  removedAt: string | null
}
/** One use of a rate limit, reserved before the call. */
export interface AuthorityUseTable { id: string; authorityId: AuthorityId; kind: 'order' | 'domain' | 'same-names' | 'failure'; /** Empty for "order". */ subject: string; orderId: OrderId | null; /** 1: of a renewal that the authority was told of. */ renewal: number; at: string }
export interface AuthorityTables { authority: AuthorityTable; authorityUse: AuthorityUseTable }
export type AuthorityRow = Selectable<AuthorityTable>

/** By age; the built-in one first. */
export async function listAuthorities(db: Db | Tx): Promise<AuthorityRow[]> {
  return db.selectFrom('authority').selectAll().where('removedAt', 'is', null).orderBy('id').execute()
}
export async function findAuthority(db: Db | Tx, id: AuthorityId): Promise<AuthorityRow | undefined> {
  return db.selectFrom('authority').selectAll().where('id', '=', id).where('removedAt', 'is', null).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getAuthority(db: Db | Tx, id: AuthorityId): Promise<AuthorityRow> {
  const row = await findAuthority(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no authority ${id}.`, { authorityId: id })
  return row
}
/** Holds the row until the transaction ends: whoever wants it too waits. @throws CertloopError NOT_FOUND */
export async function lockAuthority(tx: Tx, id: AuthorityId): Promise<AuthorityRow> {
  // A change that changes nothing is a lock on both databases.
  await tx.updateTable('authority').set((eb) => ({ memoryVersion: eb.ref('memoryVersion') })).where('id', '=', id).execute()
  return getAuthority(tx, id)
}

/** @throws CertloopError CONFLICT when the name is in use */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUniqueViolation(error)) throw new CertloopError('CONFLICT', `There is an authority "${name}" already. Choose another name.`, {}, error)
    throw error
  }
}
export type NewAuthority = Pick<AuthorityTable, 'id' | 'name' | 'kind' | 'preset' | 'settings' | 'sealedSecrets' | 'limits' | 'concurrency'>

/** One whose id is there already stays as it is. @throws CertloopError CONFLICT when the name is in use */
export async function insertAuthority(tx: Tx, authority: NewAuthority, now: Date): Promise<void> {
  const row = { ...authority, sealedMemory: null, memoryVersion: 0, health: '{}', pausedUntil: null, createdAt: iso(now), updatedAt: iso(now), removedAt: null }
  await named(authority.name, () => tx.insertInto('authority').values(row).onConflict((c) => c.column('id').doNothing()).execute())
}
/** @throws CertloopError CONFLICT when the name is in use */
export async function updateAuthority(tx: Tx, { id, ...changes }: NewAuthority, now: Date): Promise<void> {
  await named(changes.name, () => tx.updateTable('authority').set({ ...changes, updatedAt: iso(now) }).where('id', '=', id).execute())
}
/** What was secret goes at once. */
export async function removeAuthority(tx: Tx, id: AuthorityId, now: Date): Promise<void> {
  await tx.updateTable('authority').set({ sealedSecrets: null, sealedMemory: null, removedAt: iso(now), updatedAt: iso(now) }).where('id', '=', id).execute()
  await tx.deleteFrom('authorityUse').where('authorityId', '=', id).execute()
}
export async function saveHealth(tx: Tx, id: AuthorityId, health: string): Promise<void> {
  await tx.updateTable('authority').set({ health }).where('id', '=', id).execute()
}
/** The longer pause counts. */
export async function pauseUntil(tx: Tx, id: AuthorityId, until: string): Promise<void> {
  await tx.updateTable('authority').set({ pausedUntil: until }).where('id', '=', id).where((eb) => eb.or([eb('pausedUntil', 'is', null), eb('pausedUntil', '<', until)])).execute()
}

/** Writes what a connector keeps, if nobody wrote since `version` was read. @returns whether it was written */
export async function saveMemory(db: Db | Tx, id: AuthorityId, version: number, sealedMemory: string): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('authority').set({ sealedMemory, memoryVersion: version + 1 }).where('id', '=', id).where('memoryVersion', '=', version).where('removedAt', 'is', null).executeTakeFirst()
  return numUpdatedRows > 0n
}
