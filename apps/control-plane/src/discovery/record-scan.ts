import { type BotId, type CertificateId, type DetectedServer, type DetectedSlot, type HostScan } from '@certloop/contract'
import { orderChain, readCertificates, type CertificateFacts } from '@certloop/pki'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, insertCertificate, insertVersion, installationsOn, recordSighting, removeInstallation, updateInstallation, versionByFingerprint, versionsOf, type InstallationRow } from '../certificate/certificate-store.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { versionColumns } from '../order/order-worker.ts'
import { syncState, wantedVersion } from '../proof/inspection.ts'
import { targetsOf } from '../provisioning/configuration-store.ts'
import { manifestOf, placeKeyOf } from '../provisioning/place.ts'
import type { Wakes } from '../task/task-kinds.ts'

interface Place { botId: BotId; serverType: string; placeKey: string; slot: DetectedSlot }

/**
 * Takes what a scan found into the inventory: versions, certificates, installations. A certificate found at a place
 * that is known stays the same identity; one that is known by its fingerprint is recognised anywhere.
 */
export async function recordScan(tx: Tx, wake: Wakes, botId: BotId, scan: HostScan, now: Date): Promise<void> {
  const before = await installationsOn(tx, botId)
  const touched = new Set<CertificateId>()
  const seen = new Set<string>()
  for (const server of scan.servers) {
    const manifest = manifestOf(server.serverType)
    for (const slot of server.slots) {
      const placeKey = placeKeyOf(manifest, slot.fields)
      seen.add(`${server.serverType} ${placeKey}`)
      const known = before.find((i) => i.serverType === server.serverType && i.placeKey === placeKey)
      const certificateId = await recordSlot(tx, { botId, serverType: server.serverType, placeKey, slot }, known, now)
      if (certificateId) touched.add(certificateId)
      if (known) touched.add(known.certificateId)
    }
  }
  for (const gone of before.filter((i) => !seen.has(`${i.serverType} ${i.placeKey}`) && wasRead(scan.servers, i))) {
    await recordGone(tx, gone, now)
    touched.add(gone.certificateId)
  }
  for (const id of touched) await refreshCertificate(tx, wake, id, now)
}

/** A place that is configured as a target stays and is missing; another one is no longer of interest. */
async function recordGone(tx: Tx, gone: InstallationRow, now: Date): Promise<void> {
  const targets = await targetsOf(tx, gone.certificateId)
  const isTarget = targets.some((t) => t.botId === gone.botId && t.serverType === gone.serverType && t.placeKey === gone.placeKey)
  if (isTarget && gone.fingerprint === null && gone.served === '[]') return
  if (isTarget) await updateInstallation(tx, gone.id, { state: 'missing', served: '[]', fingerprint: null, versionId: null })
  else await removeInstallation(tx, gone.id)
  await addEvent(tx, { kind: 'installation.gone', message: `${gone.title} was not found running any more.`, requester: 'discovery', certificateId: gone.certificateId, botId: gone.botId }, now)
}

/** A server that could not be read says nothing of what is missing. */
const wasRead = (servers: readonly DetectedServer[], i: InstallationRow) => !servers.some((s) => s.serverType === i.serverType && s.problem !== null)

async function recordSlot(tx: Tx, place: Place, known: InstallationRow | undefined, now: Date): Promise<CertificateId | undefined> {
  const { botId, serverType, placeKey, slot } = place
  const chain = slot.installedPem ? orderChain(readCertificates(slot.installedPem)) : []
  const [leaf] = chain
  if (!leaf) {
    if (known) await updateInstallation(tx, known.id, { state: 'missing', fingerprint: null, versionId: null })
    return known?.certificateId
  }
  const { certificateId, versionId } = await identify(tx, place, known, leaf, chain, now)
  const wanted = wantedVersion(await versionsOf(tx, certificateId), { botId })
  const state = syncState(wanted?.fingerprint ?? null, leaf.fingerprint, slot.served)
  await recordSighting(tx, { certificateId, botId, serverType, placeKey, title: slot.title, fields: slot.fields, names: slot.names, versionId, fingerprint: leaf.fingerprint, state, served: slot.served }, now)
  return certificateId
}

async function identify(tx: Tx, { botId }: Place, known: InstallationRow | undefined, leaf: CertificateFacts, chain: readonly CertificateFacts[], now: Date) {
  const version = await versionByFingerprint(tx, leaf.fingerprint)
  if (version) return { certificateId: version.certificateId, versionId: version.id }
  const certificateId = known?.certificateId ?? await discover(tx, leaf, botId, now)
  const versionId = await insertVersion(tx, { ...versionColumns(leaf), certificateId, custody: 'external', keyBotId: null, keyId: null, orderId: null, source: 'discovery', chainPem: chain.map((c) => c.pem) }, now)
  if (known) {
    const previous = known.versionId ? await findVersion(tx, known.versionId) : undefined
    await addEvent(tx, { kind: 'certificate.changed-outside', message: `${known.title} holds a certificate that was not installed by Certloop${previous ? `, in place of ${previous.fingerprint.slice(0, 16)}…` : ''}.`, requester: 'discovery', certificateId, botId }, now)
  }
  return { certificateId, versionId }
}

async function discover(tx: Tx, leaf: CertificateFacts, botId: BotId, now: Date): Promise<CertificateId> {
  const name = leaf.names[0] ?? leaf.commonName ?? leaf.subject
  const id = await insertCertificate(tx, { name, names: leaf.names, management: 'monitored', status: 'discovered' }, now)
  await addEvent(tx, { kind: 'certificate.discovered', message: `Found on a host: ${name}.`, requester: 'discovery', certificateId: id, botId }, now)
  return id
}
