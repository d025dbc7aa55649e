import { HostKeyPin, type ErrorCode, type JumpHost, type Reach, type SeenHostKey, type TargetId, type WireError } from '@certloop/contract'
import { Check } from 'typebox/value'
import { iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { findTarget, reachOf, seenHostKeyOf, updateTarget } from './configuration-store.ts'

export type PinnedHost = Pick<JumpHost, 'host' | 'port' | 'hostKey'>
export const isAt = ({ host, port }: Pick<JumpHost, 'host' | 'port'>) => (other: PinnedHost) => other.host.toLowerCase() === host.toLowerCase() && other.port === port

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
