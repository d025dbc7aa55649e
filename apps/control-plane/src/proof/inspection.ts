import { CertloopError, machineOf, type CertificateId, type DeploymentId, type InstallationState, type ServedCertificate, type TargetId, type TargetInspection } from '@certloop/contract'
import { orderChain, readCertificates, type CertificateFacts } from '@certloop/pki'
import { installationsOf, newestVersions, recordSighting, updateInstallation, versionByFingerprint, type VersionFacts } from '../certificate/certificate-store.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { findTarget, reachOf, type TargetRow } from '../provisioning/configuration-store.ts'
import { addTask } from '../task/task-store.ts'
import { insertProofs } from './proof-store.ts'

/** The version that belongs onto a target: the newest one whose key that host has; otherwise the newest of all. */
export function wantedVersion(versions: readonly VersionFacts[], target: Pick<TargetRow, 'botId'>): VersionFacts | undefined {
  return versions.find((v) => v.source === 'order' && v.keyBotId === target.botId) ?? versions.find((v) => v.source === 'order') ?? versions[0]
}

/** The newest version that can go onto this target: its key is on the same host. */
export function deployableVersion(versions: readonly VersionFacts[], target: Pick<TargetRow, 'botId'>): VersionFacts | undefined {
  return versions.find((v) => v.keyBotId === target.botId && v.keyId !== null)
}

/** in-sync only when the file holds the wanted version and every endpoint serves it; a target that names no endpoint is its files alone. */
export function syncState(wanted: string | null, installed: string | null, served: readonly ServedCertificate[]): InstallationState {
  if (installed === null && served.every((s) => s.fingerprint === null)) return 'missing'
  return installed !== null && installed === wanted && served.every((s) => s.fingerprint === wanted) ? 'in-sync' : 'out-of-sync'
}

/**
 * The first certificate in a file, which is the one that servers serve, and the chain in order. Files of strangers may hold anything: what can't be read is no certificate, and
 * must not stop the rest of what a bot has to tell.
 */
export function readInstalled(pem: string | null): { first?: CertificateFacts | undefined; chain: CertificateFacts[]; problem?: CertloopError } {
  if (pem === null) return { chain: [] }
  try {
    const certificates = readCertificates(pem)
    return { first: certificates[0], chain: orderChain(certificates) }
  } catch (error) {
    if (error instanceof CertloopError) return { chain: [], problem: error }
    throw error
  }
}

export interface InspectionOf { certificateId: CertificateId; targetId: TargetId; deploymentId: DeploymentId | null; inspection: TargetInspection }

/** Writes what a bot saw at one target: installation, sync state and proofs. @returns the sync state */
export async function recordInspection(tx: Tx, { certificateId, targetId, deploymentId, inspection }: InspectionOf, now: Date): Promise<InstallationState> {
  const target = await findTarget(tx, targetId)
  if (!target) return 'missing'
  const { botId, serverType, placeKey, title } = target
  const leaf = readInstalled(inspection.installedPem).first
  const wanted = wantedVersion(await newestVersions(tx, certificateId), target)
  const installed = leaf ? await versionByFingerprint(tx, leaf.fingerprint) : undefined
  const [expected, fingerprint] = [wanted?.fingerprint ?? null, leaf?.fingerprint ?? null]
  const state = syncState(expected, fingerprint, inspection.served)
  await leaveFormerOwner(tx, certificateId, { botId, serverType, placeKey }, now)
  await recordSighting(tx, { certificateId, botId, serverType, placeKey, machine: machineOf({ reach: reachOf(target) }), title, fields: fromJson(target.fields), names: null, versionId: installed?.id ?? null, fingerprint, state, served: inspection.served }, now)
  await insertProofs(tx, { certificateId, deploymentId, botId, expected }, inspection.served, now)
  return state
}

/** A place that held another certificate until now: what is said of that one changes too. */
async function leaveFormerOwner(tx: Tx, certificateId: CertificateId, { botId, serverType, placeKey }: Pick<TargetRow, 'botId' | 'serverType' | 'placeKey'>, now: Date): Promise<void> {
  const before = await tx.selectFrom('installation').select('certificateId').where('botId', '=', botId).where('serverType', '=', serverType).where('placeKey', '=', placeKey).executeTakeFirst()
  if (!before || before.certificateId === certificateId) return
  // By a task of its own: two certificates held in one transaction could wait for each other for ever. It is in no hurry.
  await addTask(tx, () => {}, { executor: 'control-plane', kind: 'refresh-certificate', subject: before.certificateId, dedupe: `refresh:${before.certificateId}` }, now)
}

/** The server of a target does not run, or no longer names the place: nothing is served there. */
export async function recordAbsence(tx: Tx, { certificateId, targetId }: Pick<InspectionOf, 'certificateId' | 'targetId'>, why: string, now: Date): Promise<void> {
  const target = await findTarget(tx, targetId)
  const known = (await installationsOf(tx, certificateId)).find((i) => i.botId === target?.botId && i.serverType === target.serverType && i.placeKey === target.placeKey)
  if (!known) return
  const served = fromJson<ServedCertificate[]>(known.served).map(({ endpoint }) => ({ endpoint, fingerprint: null, error: why, at: now.toISOString() }))
  await updateInstallation(tx, known.id, { state: 'missing', served: toJson(served), fingerprint: null, versionId: null, lastSeenAt: now.toISOString() })
}
