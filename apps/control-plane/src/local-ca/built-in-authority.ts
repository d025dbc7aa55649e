import type { AuthorityId } from '@certloop/contract'
import { insertAuthority } from '../authority/authority-store.ts'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { localCaKind } from './local-ca-kind.ts'

const id: AuthorityId = 'ath_00000000000000000000000000'

/** The built-in CA is there from the first start; two replicas starting at once make one. */
export async function ensureBuiltInAuthority(tx: Tx, now: Date): Promise<void> {
  const { id: kind, title: name } = localCaKind.manifest
  if (await tx.selectFrom('authority').select('id').where('kind', '=', kind).executeTakeFirst()) return
  await insertAuthority(tx, { id, name, kind, preset: null, settings: toJson({}), sealedSecrets: null, limits: '[]', concurrency: 20 }, now)
}
