import { CertloopError, type CertificateId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findCertificate, lockCertificate } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import { openDeploymentsOf } from '../deployment/deployment-store.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { openAction } from './action-store.ts'
import { findConfiguration, renewalOf, samePlace, targetsOf } from './configuration-store.ts'
import { removeTarget, setRenewal } from './handover-store.ts'

/**
 * A certificate that was enrolled again by hand takes the places that its completed configuration names from its parent. With
 * its last target gone, the parent's renewal is switched off.
 * @throws CertloopError ACTION_NOT_POSSIBLE while the parent is being worked on
 */
export async function takeOverPlaces(tx: Tx, wake: Wakes, childId: CertificateId, requester: string, now: Date): Promise<void> {
  const parentId = (await findCertificate(tx, childId))?.parentId
  const parent = parentId ? await lockCertificate(tx, parentId) : undefined
  if (!parent) return
  const before = await targetsOf(tx, parent.id)
  const wanted = await targetsOf(tx, childId)
  const taken = before.filter((target) => wanted.some((each) => samePlace(each, target)))
  if (taken.length === 0) return
  await refuseWhileBusy(tx, parent)
  for (const { id } of taken) await removeTarget(tx, id, now)
  const configuration = await findConfiguration(tx, parent.id)
  const isLast = taken.length === before.length
  if (isLast && configuration) await setRenewal(tx, parent.id, { ...renewalOf(configuration), enabled: false }, now)
  const places = taken.map((target) => target.title).join(', ')
  await addEvent(tx, { kind: 'certificate.taken-over', message: `The configuration of ${childId}, enrolled again from this one, took over ${places}.${isLast ? ' Renewal of this one was switched off.' : ''}`, requester, certificateId: parent.id }, now)
  await addEvent(tx, { kind: 'certificate.took-over', message: `Took over ${places} from ${parent.id}.`, requester, certificateId: childId }, now)
  await refreshCertificate(tx, wake, parent.id, now)
}

async function refuseWhileBusy(tx: Tx, { id, name }: { id: CertificateId; name: string }): Promise<void> {
  const action = await openAction(tx, id)
  if (action) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${action.kind}" is under way on "${name}", whose targets this configuration takes over. Wait for its end or cancel it.`, { certificateId: id })
  if ((await openDeploymentsOf(tx, id)).length > 0) throw new CertloopError('ACTION_NOT_POSSIBLE', `A deployment of "${name}", whose targets this configuration takes over, is open. Let it end or cancel it.`, { certificateId: id })
}
