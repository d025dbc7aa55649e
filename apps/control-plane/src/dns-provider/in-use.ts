import type { CleanupState, DnsProviderId } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

const most = 20
/** Something of ours is there, or may be. */
const placed: readonly CleanupState[] = ['placed', 'removing', 'stuck']

/** Names of the certificates whose configuration names this provider. */
export async function configuredFor(tx: Db | Tx, id: DnsProviderId): Promise<string[]> {
  const rows = await tx.selectFrom('configuration as f').innerJoin('certificate as c', 'c.id', 'f.certificateId').select('c.name').where('f.validation', 'like', `%"${id}"%`).orderBy('c.name').limit(most).execute()
  return rows.map(({ name }) => name)
}
/** Names of records of ours that are still at this provider. */
export async function recordsAt(tx: Db | Tx, id: DnsProviderId): Promise<string[]> {
  const rows = await tx.selectFrom('validation').select(['recordName', 'name']).where('cleanup', 'in', placed).where('dnsProviderId', '=', id).orderBy('id').limit(most).execute()
  return [...new Set(rows.map(({ recordName, name }) => recordName ?? `_acme-challenge.${name}`))]
}
