import type { AuthorityId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import { openOrderStates } from '../order/order-state.ts'

const most = 20

/** Names of the certificates whose configuration names this authority, also as one to fall back to. */
export async function configuredAt(tx: Tx, id: AuthorityId): Promise<string[]> {
  const rows = await tx.selectFrom('configuration as f').innerJoin('certificate as c', 'c.id', 'f.certificateId').select('c.name').where((eb) => eb.or([eb('f.authorityId', '=', id), eb('f.fallbacks', 'like', `%"${id}"%`)])).orderBy('c.name').limit(most).execute()
  return rows.map(({ name }) => name)
}

/** Names of the certificates with an open order that asks this authority, or may still do so. */
export async function orderedAt(tx: Tx, id: AuthorityId): Promise<string[]> {
  const rows = await tx.selectFrom('certificateOrder as o').innerJoin('certificate as c', 'c.id', 'o.certificateId').select('c.name').distinct()
    .where('o.state', 'in', openOrderStates).where((eb) => eb.or([eb('o.authorityId', '=', id), eb('o.fallbacks', 'like', `%"${id}"%`)])).orderBy('c.name').limit(most).execute()
  return rows.map(({ name }) => name)
}
