import type { AuthorityId } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { authorityKinds, type AuthorityLimits, type FieldValues } from './authority-kinds.ts'
import { findAuthority } from './authority-store.ts'

export type { AuthorityLimits } from './authority-kinds.ts'

/** Undefined when there is no such authority or profile, or nothing is known of it. */
export async function authorityLimits(db: Db | Tx, id: AuthorityId | null, asked: string | null): Promise<AuthorityLimits | undefined> {
  const row = id === null ? undefined : await findAuthority(db, id)
  return row && authorityKinds.find(row.kind)?.limits?.(db, fromJson<FieldValues>(row.settings), asked)
}
