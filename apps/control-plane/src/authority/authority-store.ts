import { CertloopError, type AuthorityId, type OrderId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

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
  /** JSON of Health. */
  health: string
  createdAt: string
  updatedAt: string | null
}
/** One use of a rate limit, reserved before the call. */
export interface AuthorityUseTable { id: string; authorityId: AuthorityId; kind: 'order' | 'domain' | 'same-names' | 'failure'; /** Empty for "order". */ subject: string; orderId: OrderId | null; at: string }
export interface AuthorityTables { authority: AuthorityTable; authorityUse: AuthorityUseTable }
export type AuthorityRow = Selectable<AuthorityTable>

export async function listAuthorities(db: Db | Tx): Promise<AuthorityRow[]> {
  return db.selectFrom('authority').selectAll().orderBy('id').execute()
}
export async function findAuthority(db: Db | Tx, id: AuthorityId): Promise<AuthorityRow | undefined> {
  return db.selectFrom('authority').selectAll().where('id', '=', id).executeTakeFirst()
}
/** @throws CertloopError NOT_FOUND */
export async function getAuthority(db: Db | Tx, id: AuthorityId): Promise<AuthorityRow> {
  const row = await findAuthority(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no authority ${id}.`, { authorityId: id })
  return row
}
/** The built-in CA is there from the first start; two replicas starting at once make one. */
export async function ensureBuiltInAuthority(tx: Tx, now: Date): Promise<void> {
  const present = await tx.selectFrom('authority').select('id').where('kind', '=', 'local-ca').executeTakeFirst()
  if (present) return
  const id: AuthorityId = 'ath_00000000000000000000000000'
  await tx.insertInto('authority').values({ id, name: 'Built-in CA', kind: 'local-ca', settings: toJson({}), preset: null, sealedSecrets: null, sealedMemory: null, memoryVersion: 0, limits: '[]', concurrency: 20, health: '{}', createdAt: iso(now), updatedAt: iso(now) }).onConflict((c) => c.column('id').doNothing()).execute()
}
