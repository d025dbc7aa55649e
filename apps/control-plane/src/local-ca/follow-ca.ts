import { sha256Hex } from '@certloop/pki'
import type { Tx } from '../database/database.ts'
import { markWeak, type IssuedRow } from './issued-store.ts'
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

/** A key that is in other hands is certified by nobody here again (Baseline Requirements, 6.1.1.3). */
export async function followKey(tx: Tx, { spki, revocationReason }: IssuedRow, now: Date): Promise<void> {
  if (revocationReason !== 'keyCompromise' && revocationReason !== 'cACompromise') return
  await markWeak(tx, sha256Hex(Buffer.from(spki, 'base64')), `The key is in other hands: a certificate of it was revoked for that (${revocationReason}). Make a new key.`, now)
}
