import { CertloopError, type IssuerId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { getIssuer, listIssuers, updateIssuer } from './issuer-store.ts'

/**
 * Makes an intermediate the one in use; who was it before can still be verified and revoked, and signs nothing new.
 * @throws CertloopError NOT_FOUND, ISSUER_NOT_READY, ACTION_NOT_POSSIBLE for one of public style
 */
export async function takeSlotIn(tx: Tx, wake: Wakes, id: IssuerId, now: Date): Promise<void> {
  const issuer = await getIssuer(tx, id)
  if (issuer.status !== 'active' || issuer.kind !== 'intermediate') throw new CertloopError('ISSUER_NOT_READY', `"${issuer.name}" is ${issuer.kind === 'root' ? 'a root' : issuer.status}; only an active intermediate can be the one in use.`, { issuer: issuer.name })
  if (issuer.settings.style === 'public') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${issuer.name}" is of public style; the one in use also certifies bots and this control plane, which public style does not allow.`, { issuer: issuer.name })
  const before = (await listIssuers(tx)).find(({ slot }) => slot === 'intermediate')
  if (before?.id === id) return
  if (before) await updateIssuer(tx, before.id, { slot: null, status: before.status === 'active' ? 'retired' : before.status, retiredAt: now.toISOString(), successorId: id })
  await updateIssuer(tx, id, { slot: 'intermediate' })
  await schedulePublishing(tx, wake, id, now, now)
}
