import type { CertificateId, ServedCertificate, WireError } from '@certloop/contract'
import { fromBit, fromJson, iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { deploymentsOf, type DeploymentRow } from '../deployment/deployment-store.ts'
import { isOpenDeployment } from '../deployment/deployment-state.ts'
import { announce } from '../event/event-store.ts'
import { isOpenOrder } from '../order/order-state.ts'
import { ordersOf, type OrderRow } from '../order/order-store.ts'
import { latestActions, type ActionRow } from '../provisioning/action-store.ts'
import { syncState, wantedVersion } from '../proof/inspection.ts'
import { findConfiguration, renewalOf, targetsOf, type ConfigurationRow } from '../provisioning/configuration-store.ts'
import { nextCheck, renewalTime } from '../renewal/renewal-time.ts'
import { addTask, removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { allInSync, deriveStatus, endOf, nextStatusChange, type Evidence } from './certificate-status.ts'
import { findCertificate, installationsOf, updateCertificate, updateInstallation, versionsOf, type CertificateRow, type InstallationRow, type VersionRow } from './certificate-store.ts'

/** What a certificate's status and renewal time follow from, as read from the rows. */
interface Known {
  certificate: CertificateRow
  configuration: ConfigurationRow | undefined
  current: VersionRow | undefined
  actions: ActionRow[]
  evidence: Evidence
}

async function read(tx: Tx, certificate: CertificateRow): Promise<Known> {
  const { id } = certificate
  const configuration = await findConfiguration(tx, id)
  const versions = await versionsOf(tx, id)
  const [orders, deployments, actions, installations, targets] = [
    await ordersOf(tx, id), await deploymentsOf(tx, id), await latestActions(tx, id, 20), await compareInstallations(tx, id, versions), await targetsOf(tx, id),
  ]
  const current = versions.find((v) => v.source === 'order') ?? versions[0]
  const openOrder = orders.find((o) => isOpenOrder(o.state))
  const renewal = configuration ? renewalOf(configuration) : undefined
  const evidence: Evidence = {
    management: certificate.management,
    configuration: !configuration ? 'none' : fromBit(configuration.complete) ? 'complete' : 'draft',
    targetCount: targets.length,
    renewalDaysBefore: renewal?.enabled ? renewal.daysBefore : null,
    current: current ? { fingerprint: current.fingerprint, notAfter: new Date(current.notAfter), source: current.source } : null,
    openOrder: openOrder ?? null,
    openDeployments: deployments.filter((d) => isOpenDeployment(d.state)),
    failure: latestFailure(actions, orders, deployments),
    installations: installations.map((i) => ({ title: i.title, state: i.state, notAfter: endOfVersion(versions, i.versionId) })),
  }
  return { certificate, configuration, current, actions, evidence }
}

/** What is installed stays as it was seen; whether that is in sync depends on the versions there are now. */
async function compareInstallations(tx: Tx, id: CertificateId, versions: readonly VersionRow[]): Promise<InstallationRow[]> {
  const installations = await installationsOf(tx, id)
  for (const [index, i] of installations.entries()) {
    const state = syncState(wantedVersion(versions, i)?.fingerprint ?? null, i.fingerprint, fromJson<ServedCertificate[]>(i.served))
    if (state === i.state) continue
    await updateInstallation(tx, i.id, { state })
    installations[index] = { ...i, state }
  }
  return installations
}

const endOfVersion = (versions: readonly VersionRow[], id: VersionRow['id'] | null): Date | null => {
  const version = versions.find((v) => v.id === id)
  return version ? new Date(version.notAfter) : null
}

/** What went wrong in the newest action that orders or deploys, when it ended badly. */
function latestFailure(actions: readonly ActionRow[], orders: readonly OrderRow[], deployments: readonly DeploymentRow[]): Evidence['failure'] {
  const action = actions.find((a) => a.kind !== 'initiate' && a.kind !== 'recheck-pinning')
  if (!action) return null
  const worst = deployments.find((d) => d.actionId === action.id && d.state === 'failed') ?? deployments.find((d) => d.actionId === action.id && d.state === 'rolled-back')
  if (worst?.error) return { kind: 'deployment', state: worst.state as 'failed' | 'rolled-back', error: fromJson<WireError>(worst.error) }
  const order = orders.find((o) => o.actionId === action.id && o.state === 'failed')
  return order?.error ? { kind: 'order', state: 'failed', error: fromJson<WireError>(order.error) } : null
}

/** When an automatic renewal last ended badly; undefined when the newest one did not. */
export function lastFailedRenewal(actions: readonly ActionRow[], since: Date): Date | undefined {
  const newest = actions.find((a) => a.requester === 'schedule')
  return newest?.state === 'failed' && newest.endedAt && new Date(newest.endedAt) > since ? new Date(newest.endedAt) : undefined
}

/** An automatic renewal that issued and could not be deployed everywhere: it is deployed again at each check. */
const wantsRedeployment = ({ current, evidence }: Known, failedAt: Date | undefined): boolean =>
  failedAt !== undefined && current?.source === 'order' && evidence.targetCount > 0 && !allInSync(evidence)

function renewalAt(known: Known): RenewalDue | null {
  const { certificate, configuration, current, actions } = known
  if (!configuration || !current || certificate.management !== 'managed' || !fromBit(configuration.complete)) return null
  const settings = renewalOf(configuration)
  if (!settings.enabled) return null
  const createdAt = new Date(current.createdAt)
  const failedAt = lastFailedRenewal(actions, createdAt)
  if (failedAt && wantsRedeployment(known, failedAt)) return { at: nextCheck(failedAt, settings), kind: 'deploy' }
  return { at: renewalTime({ createdAt, notAfter: new Date(current.notAfter) }, settings, failedAt), kind: 'rotate' }
}

/**
 * Derives status, problem and next renewal from the rows and writes them with the tasks that time will ask for.
 * Belongs into every transaction that changes what they follow from.
 */
export async function refreshCertificate(tx: Tx, wake: Wakes, id: CertificateId, now: Date): Promise<RenewalDue | undefined> {
  const certificate = await findCertificate(tx, id)
  if (!certificate) return undefined
  const known = await read(tx, certificate)
  const { status, reason, problem } = deriveStatus(known.evidence, now)
  const due = renewalAt(known)
  await updateCertificate(tx, id, {
    status, statusReason: reason, problem: problem && toJson(problem), currentVersionId: known.current?.id ?? null, notAfter: endOf(known.evidence)?.toISOString() ?? null, nextRenewalAt: due && iso(due.at), updatedAt: iso(now),
  })
  const boundary = nextStatusChange(known.evidence, now)
  if (boundary) await addTask(tx, wake, { executor: 'control-plane', kind: 'refresh-certificate', subject: id, notBefore: boundary, dedupe: `refresh:${id}` }, now)
  announce(wake, 'certificate', id)
  return schedule(tx, wake, known, due, now)
}

/** While an action runs, nothing is fired; its end comes here again. */
async function schedule(tx: Tx, wake: Wakes, { certificate, actions }: Known, due: RenewalDue | null, now: Date): Promise<RenewalDue | undefined> {
  const dedupe = `renew:${certificate.id}`
  if (due && actions.every((a) => a.endedAt !== null)) {
    await addTask(tx, wake, { executor: 'control-plane', kind: 'renew', subject: certificate.id, notBefore: due.at, dedupe, maxAttempts: 1_000_000 }, now)
    return due
  }
  await removeTask(tx, dedupe)
  return undefined
}

/** What the schedule will do next, and when. */
export interface RenewalDue { at: Date; kind: 'rotate' | 'deploy' }
