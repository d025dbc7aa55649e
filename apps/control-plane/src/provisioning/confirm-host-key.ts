import { CertloopError, type CertificateId, type Reach, type SeenHostKey, type TargetId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, lockCertificate } from '../certificate/certificate-store.ts'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { findTarget, reachOf, seenHostKeyOf, touchConfiguration, updateTarget } from './configuration-store.ts'
import { isAt, type PinnedHost } from './seen-host-key.ts'

function withKey(reach: Reach, seen: SeenHostKey): Reach {
  if (reach === 'local' || reach.kind === 'ftp') return reach
  const pin = <T extends PinnedHost>(host: T): T => (isAt(seen)(host) && host.hostKey === null ? { ...host, hostKey: seen.fingerprint } : host)
  return { ...pin(reach), jumps: reach.jumps.map(pin) }
}

/**
 * Pins the key that was seen last on the way to a target, for good.
 * @param fingerprint what the person compared with the host; has to be the one seen
 * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE (nothing waits), HOST_KEY_NOT_SEEN (another key)
 */
export async function confirmHostKey(tx: Tx, wake: Wakes, confirmed: { certificateId: CertificateId; targetId: TargetId; fingerprint: string; requester: string }, now: Date): Promise<void> {
  const { certificateId, targetId, fingerprint, requester } = confirmed
  await getCertificate(tx, certificateId)
  await lockCertificate(tx, certificateId)
  const target = await findTarget(tx, targetId)
  if (!target || target.certificateId !== certificateId || target.removedAt !== null) throw new CertloopError('NOT_FOUND', `This certificate has no target ${targetId}.`, { targetId })
  const seen = seenHostKeyOf(target)
  if (!seen) throw new CertloopError('ACTION_NOT_POSSIBLE', 'No host key waits to be confirmed for this target. A key that has changed is not confirmed: put the new fingerprint into the configuration.', { targetId })
  if (seen.fingerprint !== fingerprint) throw new CertloopError('HOST_KEY_NOT_SEEN', `${seen.host}:${seen.port} showed the key ${seen.fingerprint}, not ${fingerprint}. Compare again on the host itself.`, { host: seen.host, port: seen.port, fingerprint: seen.fingerprint })
  await updateTarget(tx, targetId, { reach: toJson(withKey(reachOf(target), seen)), seenHostKey: null })
  await touchConfiguration(tx, certificateId, now)
  await addEvent(tx, { kind: 'target.host-key-confirmed', message: `The key ${fingerprint} of ${seen.host}:${seen.port} was confirmed for ${target.title}.`, requester, certificateId }, now)
  await refreshCertificate(tx, wake, certificateId, now)
}
