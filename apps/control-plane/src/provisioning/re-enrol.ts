import { CertloopError, type CertificateId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { getCertificate, insertCertificate, lockCertificate, ownNames } from '../certificate/certificate-store.ts'
import { fromJsonOrNull } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { usableTargets } from './action-deployments.ts'
import { deployingNext } from './action-deploying.ts'
import { orderAll, orderDeadline } from './action-orders.ts'
import { advanceAt, changeAction, detailsOf, insertAction, latestActions, noteAction, openAction, type ActionChange, type ActionRow } from './action-store.ts'
import { deploysAfterRenewal } from './action-timing.ts'
import { csrOf, findConfiguration, renewalOf, targetsOf, type ConfigurationRow } from './configuration-store.ts'
import { copyConfiguration, moveTargets, setRenewal } from './handover-store.ts'

/** Whether the schedule did it: then the child takes over by itself. */
const takesOver = ({ requester }: Pick<ActionRow, 'requester'>): boolean => requester === 'schedule'

/**
 * Makes the child: a certificate of its own for the same names. By the schedule it has the configuration and orders at once;
 * by hand it begins as a draft without automation, and the targets stay where they are until its configuration takes them.
 */
export async function beginReEnrolment(tx: Tx, wake: Wakes, action: ActionRow, configuration: ConfigurationRow, now: Date): Promise<ActionRow> {
  const parent = await getCertificate(tx, action.certificateId)
  const csr = csrOf(configuration)
  const names = csr.names.length > 0 ? csr.names : await ownNames(tx, parent.id)
  const renewal = renewalOf(configuration)
  if (!takesOver(action)) {
    const childId = await insertCertificate(tx, { name: parent.name, names, management: 'managed', status: 'configuration-pending', parentId: parent.id }, now)
    await copyConfiguration(tx, parent.id, childId, { complete: false, renewal: { ...renewal, enabled: false } }, now)
    await addEvent(tx, { kind: 'certificate.enrolled-again', message: `Made from "${parent.name}" (${parent.id}) with a draft of its configuration.`, requester: action.requester, certificateId: childId }, now)
    await refreshCertificate(tx, wake, childId, now)
    const known = await noteAction(tx, wake, action, { childId })
    return changeAction(tx, wake, known, { event: 'succeeded', reason: 'A certificate of its own was made, with a draft of the configuration. Give it targets, complete it and rotate it; this one goes on as before until then.' }, now)
  }
  const childId = await unfinishedChild(tx, action) ?? await insertCertificate(tx, { name: parent.name, names, management: 'managed', status: 'configured', parentId: parent.id }, now)
  // Its automation begins when it takes over.
  await copyConfiguration(tx, parent.id, childId, { complete: true, renewal: { ...renewal, enabled: false } }, now)
  const known = await noteAction(tx, wake, action, { childId })
  await orderChild(tx, wake, known, childId, configuration, now)
  await refreshCertificate(tx, wake, childId, now)
  return known
}

/** The child orders by an action of its own, with the keys made on the hosts of the parent's targets. */
async function orderChild(tx: Tx, wake: Wakes, action: ActionRow, childId: CertificateId, configuration: ConfigurationRow, now: Date): Promise<void> {
  const order = await insertAction(tx, wake, {
    certificateId: childId, kind: 'order', requester: action.requester, state: 'ordering', versionId: null, reason: 'Ordered; it takes the targets over once it is issued.', nextAction: 'The authority issues.', deadline: orderDeadline(configuration, now).toISOString(), why: `"${action.kind}" of ${action.certificateId} asks for it.`,
  }, now)
  await orderAll(tx, wake, order, { configuration, targets: await usableTargets(tx, action, now), like: action.certificateId }, undefined, now)
}

/** The child of an attempt of the schedule that failed before it could take over: it is used again rather than having another made. */
async function unfinishedChild(tx: Tx, { id, certificateId }: ActionRow): Promise<CertificateId | undefined> {
  const before = (await latestActions(tx, certificateId, 20)).find((a) => a.kind === 're-enrol' && a.id !== id && a.requester === 'schedule' && a.childId !== null)
  if (!before?.childId || before.state === 'done' || !await lockCertificate(tx, before.childId)) return undefined
  const isFree = await openAction(tx, before.childId) === undefined && (await targetsOf(tx, before.childId)).length === 0
  return isFree ? before.childId : undefined
}

/** Once the child's order has ended: in one transaction it takes the targets over and the parent's automation is switched off. */
export async function afterChild(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  const { childId } = action
  const child = childId ? await lockCertificate(tx, childId) : undefined
  if (!child) throw new CertloopError('NOT_FOUND', 'The certificate that was to take over is gone.')
  if (await openAction(tx, child.id)) return
  const ordered = (await latestActions(tx, child.id, 20)).find((a) => a.kind === 'order')
  const { cancelledBy } = detailsOf(action)
  // The order may have been done already when somebody asked for the end: nothing more is done with what was issued.
  if (cancelledBy) await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy}. ${ordered?.state === 'done' ? 'What was issued is kept at the certificate of its own; the targets stay here.' : 'Nothing was taken over.'}` }, now)
  else if (ordered?.state === 'done') await handOver(tx, wake, action, child.id, now)
  else await changeAction(tx, wake, action, notIssued(ordered), now)
}

function notIssued(ordered: ActionRow | undefined): ActionChange {
  const reason = ordered?.reason ?? 'Its order is gone.'
  return ordered?.state === 'cancelled' ? { event: 'cancelled', reason } : { event: 'failed', reason: `It was not issued: ${reason}`, error: fromJsonOrNull(ordered?.error ?? null) }
}

async function handOver(tx: Tx, wake: Wakes, action: ActionRow, childId: CertificateId, now: Date): Promise<void> {
  const { certificateId, requester } = action
  const configuration = await findConfiguration(tx, certificateId)
  if (!configuration) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration is gone.')
  const renewal = renewalOf(configuration)
  const count = await moveTargets(tx, certificateId, childId)
  await copyConfiguration(tx, certificateId, childId, { complete: true, renewal }, now)
  await setRenewal(tx, certificateId, { ...renewal, enabled: false }, now)
  const places = `${count} ${count === 1 ? 'target' : 'targets'}`
  await addEvent(tx, { kind: 'certificate.taken-over', message: `Enrolled again as ${childId}, which took over ${places}. Renewal of this one was switched off.`, requester, certificateId }, now)
  await addEvent(tx, { kind: 'certificate.took-over', message: `Took over ${places} and the renewal of ${certificateId}.`, requester, certificateId: childId }, now)
  await changeAction(tx, wake, action, { event: 'succeeded', reason: `Issued as a certificate of its own, which took over ${places}; it is deployed by its own action.` }, now)
  await deployChild(tx, wake, childId, requester, now)
  await refreshCertificate(tx, wake, childId, now)
}

/** By an action of its own, which looks at once whether it has to wait for its time. */
async function deployChild(tx: Tx, wake: Wakes, childId: CertificateId, requester: string, now: Date): Promise<void> {
  if (!deploysAfterRenewal(await findConfiguration(tx, childId))) return
  const action = await insertAction(tx, wake, { certificateId: childId, kind: 'deploy', requester, state: 'waiting', versionId: null, reason: 'It has just taken over; when it is deployed is being looked up.', nextAction: deployingNext, waitsUntil: now.toISOString(), why: 'It took over from another certificate.' }, now)
  await advanceAt(tx, wake, action.id, now, now)
}
