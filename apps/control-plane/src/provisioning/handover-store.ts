import type { CertificateId, RenewalSettings, TargetId } from '@certloop/contract'
import { iso, toBit, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { findConfiguration } from './configuration-store.ts'

/** Gives a child the configuration of its parent, without targets; what it had is replaced. */
export async function copyConfiguration(tx: Tx, from: CertificateId, to: CertificateId, changes: { complete: boolean; renewal: RenewalSettings }, now: Date): Promise<void> {
  const configuration = await findConfiguration(tx, from)
  if (!configuration) return
  const row = { ...configuration, certificateId: to, complete: toBit(changes.complete), renewal: toJson(changes.renewal), updatedAt: iso(now) }
  await tx.insertInto('configuration').values(row).onConflict((o) => o.column('certificateId').doUpdateSet(row)).execute()
}

/** The same targets, with what was deployed to them and what is sealed for them, belong to another certificate from now on. */
export async function moveTargets(tx: Tx, from: CertificateId, to: CertificateId): Promise<number> {
  const { numUpdatedRows } = await tx.updateTable('target').set({ certificateId: to }).where('certificateId', '=', from).where('removedAt', 'is', null).executeTakeFirst()
  return Number(numUpdatedRows)
}

export async function setRenewal(tx: Tx, certificateId: CertificateId, renewal: RenewalSettings, now: Date): Promise<void> {
  await tx.updateTable('configuration').set({ renewal: toJson(renewal), updatedAt: iso(now) }).where('certificateId', '=', certificateId).execute()
}

/** It is kept for its deployments; what was secret about it is not. */
export async function removeTarget(tx: Tx, id: TargetId, now: Date): Promise<void> {
  await tx.updateTable('target').set({ removedAt: iso(now), sealedSecrets: null, seenHostKey: null }).where('id', '=', id).execute()
}
