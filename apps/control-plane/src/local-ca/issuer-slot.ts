import { CertloopError, type IssuerId } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { Issuer } from './issuer.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { getIssuer, listIssuers, lockIssuer, updateIssuer } from './issuer-store.ts'

/**
 * Makes an intermediate the one in use; who was it before can still be verified and revoked, and signs nothing new.
 * @throws CertloopError NOT_FOUND, ISSUER_NOT_READY, ISSUER_EXPIRED, ACTION_NOT_POSSIBLE for one of public style
 */
export async function takeSlotIn(tx: Tx, wake: Wakes, id: IssuerId, now: Date): Promise<void> {
  // Retired or revoked in the same moment, it stays so.
  await lockIssuer(tx, id)
  const issuer = await getIssuer(tx, id)
  refuse(issuer, now)
  const before = (await listIssuers(tx)).find(({ slot }) => slot === 'intermediate')
  if (before?.id === id) return
  if (before) {
    const { status, retiredAt } = await lockIssuer(tx, before.id)
    await updateIssuer(tx, before.id, { slot: null, status: status === 'active' ? 'retired' : status, retiredAt: retiredAt ?? now.toISOString(), successorId: id })
  }
  await updateIssuer(tx, id, { slot: 'intermediate' })
  await schedulePublishing(tx, wake, id, now, now)
}

function refuse(issuer: Issuer, now: Date): void {
  if (issuer.status !== 'active' || issuer.kind !== 'intermediate') throw new CertloopError('ISSUER_NOT_READY', `"${issuer.name}" is ${issuer.kind === 'root' ? 'a root' : issuer.status}; only an active intermediate can be the one in use.`, { issuer: issuer.name })
  if (issuer.keySource === 'outside') throw new CertloopError('ISSUER_NOT_READY', `The key of "${issuer.name}" is not here: it could sign nothing, neither for orders nor for bots.`, { issuer: issuer.name })
  if (!issuer.certificate || issuer.certificate.notAfter <= now) throw new CertloopError('ISSUER_EXPIRED', `The certificate of "${issuer.name}" has ended.`, { issuer: issuer.name })
  if (issuer.settings.style === 'public') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${issuer.name}" is of public style; the one in use also certifies bots and this control plane, which public style does not allow.`, { issuer: issuer.name })
}
