import { CertloopError, type AuthorityId } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

export interface AuthorityTable { id: AuthorityId; name: string; kind: string; settings: string; createdAt: string }
export interface AuthorityTables { authority: AuthorityTable }
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
  await tx.insertInto('authority').values({ id, name: 'Built-in CA', kind: 'local-ca', settings: toJson({}), createdAt: iso(now) }).onConflict((c) => c.column('id').doNothing()).execute()
}
