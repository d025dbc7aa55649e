import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { IssuedRow } from '../local-ca/issued-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { refreshCertificate } from './certificate-refresh.ts'

const words = ({ status, revocationReason }: IssuedRow): string => {
  if (status === 'revoked') return `was revoked (${revocationReason})`
  return status === 'held' ? 'was suspended' : 'was resumed: it is valid again'
}

/** What the built-in CA revokes, suspends or resumes shows at once in the certificate under care that it belongs to. */
export const followRevocation = (now: () => Date) => async (tx: Tx, wake: Wakes, row: IssuedRow): Promise<void> => {
  if (row.fingerprint === null) return
  const versions = await tx.selectFrom('certificateVersion').select(['certificateId', 'serialNumber']).where('fingerprint', '=', row.fingerprint).execute()
  for (const { certificateId, serialNumber } of versions) {
    const kind = row.status === 'revoked' ? 'certificate.revoked' : row.status === 'held' ? 'certificate.suspended' : 'certificate.resumed'
    await addEvent(tx, { kind, message: `The version with the serial number ${serialNumber} ${words(row)}.`, certificateId }, now())
    await refreshCertificate(tx, wake, certificateId, now())
  }
}
