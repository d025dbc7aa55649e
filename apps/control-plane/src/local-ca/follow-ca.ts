import type { Tx } from '../database/database.ts'
import type { IssuedRow } from './issued-store.ts'
import { lockIssuer, updateIssuer } from './issuer-store.ts'

/** An issuer signs nothing more when the certificate that its chains go by is revoked, or when its key is lost. */
export async function followCa(tx: Tx, { fingerprint, status, revocationReason }: IssuedRow, now: Date): Promise<void> {
  if (fingerprint === null || status !== 'revoked') return
  const held = await tx.selectFrom('ca_issuer_certificate').select(['id', 'issuerId']).where('fingerprint', '=', fingerprint).executeTakeFirst()
  if (!held) return
  const isLost = revocationReason === 'keyCompromise' || revocationReason === 'cACompromise'
  // Locked first: another certificate may be becoming the preferred one, or the issuer the one in use.
  const { certificateId } = await lockIssuer(tx, held.issuerId)
  if (isLost || certificateId === held.id) await updateIssuer(tx, held.issuerId, { status: 'revoked', retiredAt: now.toISOString() })
}
