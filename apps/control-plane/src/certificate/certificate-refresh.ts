import { deploymentTimingDefault, type CertificateId, type RenewalSettings, type ServedCertificate, type VersionId, type WireError } from '@certloop/contract'
import { fromBit, fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { deploymentsOfAction, openDeploymentsOf } from '../deployment/deployment-store.ts'
import { announce } from '../event/event-store.ts'
import { freezesFor } from '../freeze/freeze-store.ts'
import { ordersOfAction } from '../order/order-store.ts'
import { latestActions, type ActionRow } from '../provisioning/action-store.ts'
import { syncState, wantedVersion } from '../proof/inspection.ts'
import { deploymentTimingOf, findConfiguration, renewalOf, targetsOf, type ConfigurationRow, type TargetRow } from '../provisioning/configuration-store.ts'
import { hostKeyProblem } from '../provisioning/seen-host-key.ts'
import { careOf, replaceableUntil, toDeploy, type Care } from '../renewal/cared-targets.ts'
import { isOutlived, plannedDaysBefore, renewalDue, windowDue, type RenewalDue, type RenewalFacts } from '../renewal/renewal-due.ts'
import { renewalWindowsOf } from '../renewal/renewal-window-store.ts'
import { rolloutWorkOn } from '../rollout/rollout-store.ts'
import { addTask, removeTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { deriveStatus, endOf, nextStatusChange, type Evidence } from './certificate-status.ts'
import { endOfInstalled, failedRevocation, isOlder, isTrouble, missingNamesOf, openOrderIn, successorOf, unservedAt, waitingOf, worstRevocation } from './certificate-evidence.ts'
import { installationsOf, lockCertificate, newestVersions, updateCertificate, updateInstallation, versionFacts, type CertificateRow, type InstallationRow, type VersionFacts } from './certificate-store.ts'

/** What a certificate's status and renewal time follow from, as read from the rows. */
interface Known {
  renewal: RenewalFacts
  evidence: Evidence
  currentVersionId: VersionId | null
}

/** Settings of the renewals that happen by themselves: not for drafts, unmanaged certificates or without a host to make the key. */
export function automaticRenewal(certificate: Pick<CertificateRow, 'management'>, configuration: ConfigurationRow | undefined, targets: readonly TargetRow[]): RenewalSettings | null {
  if (!configuration || !fromBit(configuration.complete) || certificate.management !== 'managed' || targets.length === 0) return null
  const settings = renewalOf(configuration)
  return settings.enabled ? settings : null
}

const configurationState = (configuration: ConfigurationRow | undefined): Evidence['configuration'] => {
  if (!configuration) return 'none'
  return fromBit(configuration.complete) ? 'complete' : 'draft'
}

/** What was ordered last, or found where nothing was. */
const currentOf = (versions: readonly VersionFacts[]): VersionFacts | null => versions.find((v) => v.source === 'order') ?? versions[0] ?? null
const fingerprintOf = (version: VersionFacts | null): string | null => version?.fingerprint ?? null
const inEvidence = ({ fingerprint, notBefore, notAfter, source }: VersionFacts): NonNullable<Evidence['current']> => ({ fingerprint, notBefore: new Date(notBefore), notAfter: new Date(notAfter), source })

/** What the configuration and the authority say of renewals. */
async function renewalPlan(tx: Tx, certificate: CertificateRow, configuration: ConfigurationRow | undefined, targets: readonly TargetRow[], care: Care): Promise<Pick<RenewalFacts, 'renewal' | 'versions' | 'toDeploy' | 'servedUntil' | 'windows' | 'timing' | 'deploysItself'>> {
  const renewal = automaticRenewal(certificate, configuration, targets)
  return {
    renewal, versions: care.versions, toDeploy: toDeploy(care), servedUntil: replaceableUntil(care), windows: renewal?.trigger === 'authority' ? await renewalWindowsOf(tx, certificate.id) : new Map(),
    timing: configuration ? deploymentTimingOf(configuration) : deploymentTimingDefault, deploysItself: configuration !== undefined && fromBit(configuration.deployAfterRenewal),
  }
}

async function read(tx: Tx, certificate: CertificateRow, now: Date): Promise<Known> {
  const { id, management } = certificate
  const [configuration, targets, versions, actions] = [await findConfiguration(tx, id), await targetsOf(tx, id), await newestVersions(tx, id), await latestActions(tx, id, 20)]
  const installations = await compareInstallations(tx, id, versions, targets)
  const installed = await versionFacts(tx, installations.map((i) => i.versionId).filter((v) => v !== null))
  const current = currentOf(versions)
  const care = await careOf(tx, id, { versions, targets, installations, ends: installed })
  const openOrder = await openOrderIn(tx, id)
  const plan = await renewalPlan(tx, certificate, configuration, targets, care)
  const evidence: Evidence = {
    management,
    configuration: configurationState(configuration),
    targetCount: targets.length,
    renewalDaysBefore: plan.renewal && plannedDaysBefore(plan.versions, plan.renewal, plan.windows),
    current: current && inEvidence(current),
    revocation: await worstRevocation(tx, fingerprintOf(current), installations),
    failedRevocation: failedRevocation(actions),
    waiting: waitingOf(actions),
    takenBack: care.usable.flatMap(({ takenBack }) => (takenBack ? [{ title: takenBack.target.title, how: takenBack.how, by: takenBack.by }] : [])),
    leftOut: care.leftOut,
    takenOverBy: targets.length === 0 ? await successorOf(tx, id) : null,
    openOrder,
    missingNames: await missingNamesOf(tx, versions, openOrder),
    openDeployments: [...await openDeploymentsOf(tx, id), ...await rolloutWorkOn(tx, id)],
    failure: await latestFailure(tx, actions),
    misfit: fromJsonOrNull<WireError>(configuration?.problem ?? null),
    unknownHostKey: targets.map(hostKeyProblem).find((problem) => problem !== undefined) ?? null,
    installations: installations.filter((i) => i.state !== 'unexpected').map((i) => ({ title: i.title, state: i.state, notAfter: endOfInstalled(i, installed), trouble: isTrouble(i, installed, current ?? undefined), older: isOlder(i, installed, current ?? undefined), unserved: unservedAt(i, wantedVersion(versions, i)), proven: fromJson<unknown[]>(i.served).length > 0 })),
  }
  const facts: RenewalFacts = { ...plan, certificateId: id, actions, freezes: plan.toDeploy.length > 0 ? await freezesFor(tx, now) : [] }
  return { renewal: facts, evidence, currentVersionId: current?.id ?? null }
}

/** Once targets are configured, another place that holds the certificate is worth a look, but says nothing of how the targets are. */
const isExpected = (i: InstallationRow, targets: readonly TargetRow[]): boolean =>
  targets.length === 0 || targets.some((t) => t.botId === i.botId && t.serverType === i.serverType && t.placeKey === i.placeKey)

/** What is installed stays as it was seen; whether that is in sync depends on the versions there are now. */
async function compareInstallations(tx: Tx, id: CertificateId, versions: readonly VersionFacts[], targets: readonly TargetRow[]): Promise<InstallationRow[]> {
  const installations = await installationsOf(tx, id)
  for (const [index, i] of installations.entries()) {
    const state = isExpected(i, targets) ? syncState(wantedVersion(versions, i)?.fingerprint ?? null, i.fingerprint, fromJson<ServedCertificate[]>(i.served)) : 'unexpected'
    if (state === i.state) continue
    await updateInstallation(tx, i.id, { state })
    installations[index] = { ...i, state }
  }
  return installations
}

/** They neither order nor deploy. */
const besides: ReadonlySet<ActionRow['kind']> = new Set(['initiate', 'recheck-pinning', 'revoke', 'suspend', 'resume'])

/** What went wrong in the newest action that orders or deploys, when it ended badly. */
async function latestFailure(tx: Tx, actions: readonly ActionRow[]): Promise<Evidence['failure']> {
  const action = actions.find((a) => !besides.has(a.kind))
  if (!action) return null
  const deployments = await deploymentsOfAction(tx, action.id)
  const worst = deployments.find((d) => d.state === 'failed') ?? deployments.find((d) => d.state === 'rolled-back')
  if (worst?.error) return { kind: 'deployment', state: worst.state === 'failed' ? 'failed' : 'rolled-back', error: fromJson<WireError>(worst.error) }
  const order = (await ordersOfAction(tx, action.id)).find((o) => o.state === 'failed')
  const error = order?.error ?? (action.state === 'failed' ? action.error : null)
  return error ? { kind: 'order', state: 'failed', error: fromJson<WireError>(error) } : null
}

/**
 * Derives status, problem and next renewal from the rows and writes them with the tasks that time will ask for.
 * Belongs into every transaction that changes what they follow from.
 */
export async function refreshCertificate(tx: Tx, wake: Wakes, id: CertificateId, now: Date): Promise<RenewalDue | undefined> {
  const certificate = await lockCertificate(tx, id)
  if (!certificate) return undefined
  const known = await read(tx, certificate, now)
  const { status, reason, nextAction, problem } = deriveStatus(known.evidence, now)
  const due = renewalDue(known.renewal, now)
  await updateCertificate(tx, id, {
    status, statusReason: reason, nextAction, problem: problem && toJson(problem), currentVersionId: known.currentVersionId, notAfter: endOf(known.evidence)?.toISOString() ?? null, nextRenewalAt: due && iso(due.at), updatedAt: iso(now),
  })
  const boundary = nextStatusChange(known.evidence, now)
  if (boundary) await addTask(tx, wake, { executor: 'control-plane', kind: 'refresh-certificate', subject: id, notBefore: boundary, dedupe: `refresh:${id}` }, now)
  announce(wake, 'certificate', id)
  return schedule(tx, wake, known.renewal, due, now)
}

/** While an action runs, nothing is fired; its end comes here again. One that only waits to deploy does not keep the next from being issued. */
async function schedule(tx: Tx, wake: Wakes, facts: RenewalFacts, due: RenewalDue | null, now: Date): Promise<RenewalDue | undefined> {
  const { certificateId: id, actions } = facts
  const ask = windowDue(facts, now)
  if (ask) await addTask(tx, wake, { executor: 'control-plane', kind: 'ask-renewal-window', subject: id, notBefore: ask, dedupe: `window:${id}` }, now)
  const dedupe = `renew:${id}`
  const open = actions.find((a) => a.endedAt === null)
  if (due && (!open || isOutlived(open, due))) {
    await addTask(tx, wake, { executor: 'control-plane', kind: 'renew', subject: id, notBefore: due.at, dedupe, maxAttempts: 1_000_000 }, now)
    return due
  }
  await removeTask(tx, dedupe)
  return undefined
}
