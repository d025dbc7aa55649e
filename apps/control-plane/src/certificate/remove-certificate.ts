import { CertloopError, type CertificateId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { whyNot } from '../provisioning/action-rules.ts'
import { actionFacts } from '../provisioning/actions.ts'
import { removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { deleteCertificate, getCertificate, lockCertificate } from './certificate-store.ts'

/**
 * Ends the tracking of a certificate; what is installed stays.
 * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE with the reason
 */
export async function removeCertificate(tx: Tx, wake: Wakes, id: CertificateId, requester: string, now: Date): Promise<void> {
  const { name } = await getCertificate(tx, id)
  await lockCertificate(tx, id)
  const why = whyNot('delete', await actionFacts(tx, id, now))
  if (why) throw new CertloopError('ACTION_NOT_POSSIBLE', `"delete" is not possible now. ${why}`, { certificateId: id })
  for (const dedupe of ['renew', 'refresh', 'window']) await removeTask(tx, `${dedupe}:${id}`)
  await deleteCertificate(tx, id)
  await addEvent(tx, { kind: 'certificate.deleted', message: `"${name}" is no longer tracked; the servers were left alone.`, requester, certificateId: id }, now)
  announce(wake, 'certificate', id)
}
