import type { CertificateId, KeyId, VersionId } from '@certloop/contract'
import { fromJsonOrNull, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { Revocation } from './certificate-store.ts'

/**
 * What is known of revocations, by fingerprint: only those that are revoked or suspended. Of what the built-in CA issued it
 * knows itself, whoever asked it to; of others there is what actions here had done.
 */
export async function revocationsOf(db: Db | Tx, fingerprints: readonly string[]): Promise<Map<string, Revocation>> {
  const found = new Map<string, Revocation>()
  if (fingerprints.length === 0) return found
  const versions = await db.selectFrom('certificateVersion').select(['fingerprint', 'revocation']).where('fingerprint', 'in', fingerprints).where('revocation', 'is not', null).execute()
  for (const { fingerprint, revocation } of versions) {
    const noted = fromJsonOrNull<Revocation>(revocation)
    if (noted) found.set(fingerprint, noted)
  }
  const own = await db.selectFrom('ca_certificate').select(['fingerprint', 'status', 'revokedAt', 'revocationReason']).where('fingerprint', 'in', fingerprints).execute()
  for (const { fingerprint, status, revokedAt, revocationReason } of own) {
    if (fingerprint === null) continue
    if (status === 'revoked' || status === 'held') found.set(fingerprint, { status, at: revokedAt ?? '', reason: revocationReason ?? 'unspecified' })
    else found.delete(fingerprint)
  }
  return found
}

/** What the authority has said after an action asked it; null: it is valid again. */
export async function noteRevocation(tx: Tx, id: VersionId, revocation: Revocation | null): Promise<void> {
  await tx.updateTable('certificateVersion').set({ revocation: revocation && toJson(revocation) }).where('id', '=', id).execute()
}

/** A key of which any version was revoked or suspended may be in other hands: nothing new is issued for it. */
export async function isKeyRevoked(tx: Tx, certificateId: CertificateId, keyId: KeyId): Promise<boolean> {
  const versions = await tx.selectFrom('certificateVersion').select('fingerprint').where('certificateId', '=', certificateId).where('keyId', '=', keyId).execute()
  return (await revocationsOf(tx, versions.map((v) => v.fingerprint))).size > 0
}
