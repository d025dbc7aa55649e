import { newId, type BotId, type CertificateId, type DeploymentId, type Id, type ServedCertificate } from '@certloop/contract'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'

/** What was served on one ip:port and name, seen by whom, when, against what was expected. */
export interface ProofTable {
  id: Id<'prf'>
  certificateId: CertificateId
  deploymentId: DeploymentId | null
  botId: BotId
  endpoint: string
  expected: string | null
  served: string | null
  error: string | null
  at: string
}
export interface ProofTables { proof: ProofTable }

export async function insertProofs(tx: Tx, of: { certificateId: CertificateId; deploymentId: DeploymentId | null; botId: BotId; expected: string | null }, served: readonly ServedCertificate[], now: Date): Promise<void> {
  if (served.length === 0) return
  await tx.insertInto('proof').values(served.map((s) => ({ ...of, id: newId('prf', now), endpoint: toJson(s.endpoint), served: s.fingerprint, error: s.error, at: s.at }))).execute()
}
