import type { Tx } from '../database/database.ts'
import type { IssuedRow } from './issued-store.ts'
import { updateIssuer } from './issuer-store.ts'

/** An issuer signs nothing more when the certificate that its chains go by is revoked, or when its key is lost. */
export async function followCa(tx: Tx, { fingerprint, status, revocationReason }: IssuedRow, now: Date): Promise<void> {
  if (fingerprint === null || status !== 'revoked') return
  const held = await tx.selectFrom('ca_issuer_certificate').innerJoin('ca_issuer', 'ca_issuer.id', 'ca_issuer_certificate.issuerId')
    .select(['ca_issuer.id', 'ca_issuer.certificateId', 'ca_issuer_certificate.id as ownId']).where('ca_issuer_certificate.fingerprint', '=', fingerprint).executeTakeFirst()
  if (!held) return
  const isLost = revocationReason === 'keyCompromise' || revocationReason === 'cACompromise'
  if (isLost || held.certificateId === held.ownId) await updateIssuer(tx, held.id, { status: 'revoked', retiredAt: now.toISOString() })
}
