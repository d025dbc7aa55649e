import { CertloopError, HostKeyPin, type CertificateId, type ErrorCode, type JumpHost, type Reach, type SeenHostKey, type TargetId, type WireError } from '@certloop/contract'
import { Check } from 'typebox/value'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, lockCertificate } from '../certificate/certificate-store.ts'
import { iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { findTarget, reachOf, seenHostKeyOf, updateTarget } from './configuration-store.ts'

type PinnedHost = Pick<JumpHost, 'host' | 'port' | 'hostKey'>
const isAt = ({ host, port }: Pick<JumpHost, 'host' | 'port'>) => (other: PinnedHost) => other.host.toLowerCase() === host.toLowerCase() && other.port === port

/** The hosts on the way whose keys are pinned: the jump hosts and the last one. */
const pinnedHosts = (reach: Reach): readonly PinnedHost[] => (reach === 'local' || reach.kind === 'ftp' ? [] : [...reach.jumps, reach])

/**
 * A bot that met an unconfirmed key says whose and which: facts host, port, fingerprint of HOST_KEY_UNKNOWN. Kept for
 * a person to confirm, if it is a host of this target that has no key yet.
 */
export async function noteHostKey(tx: Tx, targetId: TargetId, error: { code: ErrorCode; facts: WireError['facts'] } | null, now: Date): Promise<void> {
  if (error?.code !== 'HOST_KEY_UNKNOWN') return
  const { host, port, fingerprint } = error.facts
  const target = await findTarget(tx, targetId)
  if (!target || target.removedAt !== null || typeof host !== 'string' || typeof port !== 'number' || !Check(HostKeyPin, fingerprint)) return
  if (!pinnedHosts(reachOf(target)).some((each) => isAt({ host, port })(each) && each.hostKey === null)) return
  const seen: SeenHostKey = { host, port, fingerprint, at: iso(now) }
  await updateTarget(tx, targetId, { seenHostKey: toJson(seen) })
}

/** What stands in the way of a target until somebody confirms it. */
export function hostKeyProblem(target: { title: string; seenHostKey: string | null }): WireError | undefined {
  const seen = seenHostKeyOf(target)
  if (!seen) return undefined
  const { host, port, fingerprint } = seen
  return { code: 'HOST_KEY_UNKNOWN', message: `${target.title}: ${host}:${port} shows the key ${fingerprint}, which nobody has confirmed yet.`, facts: { host, port, fingerprint } }
}

function withKey(reach: Reach, seen: SeenHostKey): Reach {
  if (reach === 'local' || reach.kind === 'ftp') return reach
  const pin = <T extends PinnedHost>(host: T): T => (isAt(seen)(host) && host.hostKey === null ? { ...host, hostKey: seen.fingerprint } : host)
  return { ...pin(reach), jumps: reach.jumps.map(pin) }
}

/**
 * Pins the key that was seen last on the way to a target, for good.
 * @param fingerprint what the person compared with the host; has to be the one seen
 * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE (nothing waits), CONFLICT (another key)
 */
export async function confirmHostKey(tx: Tx, wake: Wakes, confirmed: { certificateId: CertificateId; targetId: TargetId; fingerprint: string; requester: string }, now: Date): Promise<void> {
  const { certificateId, targetId, fingerprint, requester } = confirmed
  await getCertificate(tx, certificateId)
  await lockCertificate(tx, certificateId)
  const target = await findTarget(tx, targetId)
  if (!target || target.certificateId !== certificateId || target.removedAt !== null) throw new CertloopError('NOT_FOUND', `This certificate has no target ${targetId}.`, { targetId })
  const seen = seenHostKeyOf(target)
  if (!seen) throw new CertloopError('ACTION_NOT_POSSIBLE', 'No host key waits to be confirmed for this target. A changed key has to be edited in the configuration.', { targetId })
  if (seen.fingerprint !== fingerprint) throw new CertloopError('CONFLICT', `${seen.host}:${seen.port} showed the key ${seen.fingerprint}, not ${fingerprint}. Compare again on the host itself.`, { host: seen.host, port: seen.port, fingerprint: seen.fingerprint })
  await updateTarget(tx, targetId, { reach: toJson(withKey(reachOf(target), seen)), seenHostKey: null })
  await addEvent(tx, { kind: 'target.host-key-confirmed', message: `The key ${fingerprint} of ${seen.host}:${seen.port} was confirmed for ${target.title}.`, requester, certificateId }, now)
  await refreshCertificate(tx, wake, certificateId, now)
}
