import { CertloopError, newId, type BotId, type CertificateId, type DetectedSlot, type HostScan } from '@certloop/contract'
import type { CertificateFacts } from '@certloop/pki'
import { serverTypes } from '@certloop/server-types'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, insertCertificate, insertVersionOnce, installationsOn, ownNames, recordSighting, removeInstallation, updateInstallation, newestVersions, versionByFingerprint, type InstallationRow } from '../certificate/certificate-store.ts'
import { fromJson, iso, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { versionColumns } from '../order/issued-check.ts'
import { readInstalled, syncState, wantedVersion } from '../proof/inspection.ts'
import { targetPlacesOn, targetsOf } from '../provisioning/configuration-store.ts'
import { placeKeyOf } from '../provisioning/place.ts'
import type { Wakes } from '../task/task-kinds.ts'

interface Place { botId: BotId; serverType: string; placeKey: string; slot: DetectedSlot }

/**
 * Takes what a scan found into the inventory: versions, certificates, installations. A certificate found at a place
 * that is known stays the same identity; one that is known by its fingerprint is recognised anywhere.
 */
export async function recordScan(tx: Tx, wake: Wakes, botId: BotId, scan: HostScan, now: Date): Promise<void> {
  // Places on other machines are not what a scan of this host looks at.
  const before = (await installationsOn(tx, botId)).filter((i) => i.machine === 'local')
  const touched = new Set<CertificateId>()
  const seen = new Set<string>()
  for (const { serverType, slots } of scan.servers) {
    const manifest = serverTypes.find(serverType)?.manifest
    if (!manifest) continue // a newer bot may know more server types; what it found stays in its scan
    for (const slot of slots) {
      const placeKey = placeKeyOf(manifest, slot.fields)
      if (seen.has(`${serverType} ${placeKey}`)) continue
      seen.add(`${serverType} ${placeKey}`)
      const known = before.find((i) => i.serverType === serverType && i.placeKey === placeKey)
      const certificateId = await recordSlot(tx, { botId, serverType, placeKey, slot }, known, now)
      if (certificateId) touched.add(certificateId)
      if (known) touched.add(known.certificateId)
    }
  }
  const notSeen = before.filter((i) => !seen.has(`${i.serverType} ${i.placeKey}`) && wasRead(scan, i))
  const isWanted = notSeen.length > 0 ? await wantedOn(tx, botId) : () => false
  for (const gone of notSeen) {
    if (await recordGone(tx, gone, isWanted(gone), now)) touched.add(gone.certificateId)
  }
  // In one order everywhere, so that two scans do not wait for each other.
  for (const id of [...touched].toSorted()) await refreshCertificate(tx, wake, id, now)
}

async function isTarget(tx: Tx, i: InstallationRow): Promise<boolean> {
  return (await targetsOf(tx, i.certificateId)).some((t) => t.botId === i.botId && t.serverType === i.serverType && t.placeKey === i.placeKey)
}

/** Whether a place is a target; asked once for all that a bot works for, which may be thousands. */
async function wantedOn(tx: Tx, botId: BotId): Promise<(i: InstallationRow) => boolean> {
  const nameOf = ({ certificateId, serverType, placeKey }: Pick<InstallationRow, 'certificateId' | 'serverType' | 'placeKey'>) => `${certificateId} ${serverType} ${placeKey}`
  const wanted = new Set((await targetPlacesOn(tx, botId)).map(nameOf))
  return (i) => wanted.has(nameOf(i))
}

/** Of some types any file or folder may be a place: no scan looks for those, and only a look at the target tells how it is. */
const isLookedFor = ({ serverType }: InstallationRow): boolean => serverTypes.find(serverType)?.manifest.capabilities.includes('detect') === true

/** A place that is configured as a target stays and is missing; another one is no longer of interest. @returns whether that changed anything */
async function recordGone(tx: Tx, gone: InstallationRow, wanted: boolean, now: Date): Promise<boolean> {
  if (wanted && (!isLookedFor(gone) || (gone.fingerprint === null && gone.served === '[]'))) return false
  if (wanted) await updateInstallation(tx, gone.id, { state: 'missing', served: '[]', fingerprint: null, versionId: null })
  else await removeInstallation(tx, gone.id)
  if (isLookedFor(gone)) await addEvent(tx, { kind: 'installation.gone', message: `${gone.title} was not found running any more.`, requester: 'discovery', certificateId: gone.certificateId, botId: gone.botId }, now)
  return true
}

/** A bot that may not look any more says nothing of the places it saw; those that are targets stay, for a person to decide about. */
export async function forgetPlaces(tx: Tx, wake: Wakes, botId: BotId, now: Date): Promise<void> {
  const touched = new Set<CertificateId>()
  const isWanted = await wantedOn(tx, botId)
  for (const place of await installationsOn(tx, botId)) {
    if (isWanted(place)) continue
    await removeInstallation(tx, place.id)
    touched.add(place.certificateId)
  }
  for (const id of [...touched].toSorted()) await refreshCertificate(tx, wake, id, now)
}

/** A server, or a whole type of servers, that could not be read says nothing of what is missing. */
function wasRead({ servers, problems }: HostScan, i: InstallationRow): boolean {
  const places = Object.values(fromJson<Record<string, unknown>>(i.fields))
  const unread = servers.some((s) => s.serverType === i.serverType && s.problem !== null && places.includes(s.key))
  return !unread && !problems.some((p) => p.facts['serverType'] === i.serverType)
}

async function recordSlot(tx: Tx, place: Place, known: InstallationRow | undefined, now: Date): Promise<CertificateId | undefined> {
  const { botId, serverType, placeKey, slot } = place
  const { chain, problem } = readInstalled(slot.installedPem)
  const [leaf] = chain
  if (!leaf) {
    if (known) await recordUnreadable(tx, known, slot, problem, now)
    return known?.certificateId
  }
  const { certificateId, versionId } = await identify(tx, place, known, leaf, chain, now)
  const wanted = wantedVersion(await newestVersions(tx, certificateId), { botId })
  const state = syncState(wanted?.fingerprint ?? null, leaf.fingerprint, slot.served)
  await recordSighting(tx, { certificateId, botId, serverType, placeKey, machine: 'local', title: slot.title, fields: slot.fields, names: slot.names, versionId, fingerprint: leaf.fingerprint, state, served: slot.served }, now)
  return certificateId
}

/** Nothing, or nothing that can be read, is installed at a place that held a certificate. What is served counts as before. */
async function recordUnreadable(tx: Tx, known: InstallationRow, slot: DetectedSlot, problem: CertloopError | undefined, now: Date): Promise<void> {
  await updateInstallation(tx, known.id, { state: syncState(null, null, slot.served), fingerprint: null, versionId: null, served: toJson(slot.served), lastSeenAt: iso(now) })
  if (problem && known.fingerprint !== null) await addEvent(tx, { kind: 'installation.unreadable', message: `${known.title} holds something that is no certificate.`, error: problem, requester: 'discovery', certificateId: known.certificateId, botId: known.botId }, now)
}

/** A certificate that came into a known place is the same identity where the place is a target of it, or they share a name; else it is another one. */
async function isSameIdentity(tx: Tx, known: InstallationRow, leaf: CertificateFacts): Promise<boolean> {
  if (await isTarget(tx, known)) return true
  const names = await ownNames(tx, known.certificateId)
  return leaf.names.some((name) => names.includes(name))
}

async function identify(tx: Tx, { botId }: Place, before: InstallationRow | undefined, leaf: CertificateFacts, chain: readonly CertificateFacts[], now: Date) {
  const version = await versionByFingerprint(tx, leaf.fingerprint)
  if (version) return { certificateId: version.certificateId, versionId: version.id }
  const known = before && await isSameIdentity(tx, before, leaf) ? before : undefined
  const certificateId = known?.certificateId ?? newId('crt', now)
  const versionId = await insertVersionOnce(tx, { ...versionColumns(leaf), certificateId, custody: 'external', keyBotId: null, keyId: null, orderId: null, source: 'discovery', chainPem: chain.map((c) => c.pem) }, now)
  // Another host with the same certificate was recorded at this very moment.
  if (!versionId) return identifyAgain(tx, leaf)
  if (!known) {
    await discover(tx, certificateId, leaf, botId, now)
    return { certificateId, versionId }
  }
  const previous = known.versionId ? await findVersion(tx, known.versionId) : undefined
  await addEvent(tx, { kind: 'certificate.changed-outside', message: `${known.title} holds a certificate that was not installed by Certloop${previous ? `, in place of ${previous.fingerprint.slice(0, 16)}…` : ''}.`, requester: 'discovery', certificateId, botId }, now)
  return { certificateId, versionId }
}

async function identifyAgain(tx: Tx, leaf: CertificateFacts) {
  const version = await versionByFingerprint(tx, leaf.fingerprint)
  if (!version) throw new CertloopError('CONFLICT', 'The certificate was recorded and deleted at the same moment.')
  return { certificateId: version.certificateId, versionId: version.id }
}

async function discover(tx: Tx, id: CertificateId, leaf: CertificateFacts, botId: BotId, now: Date): Promise<void> {
  const name = shortName(leaf.names[0] ?? leaf.commonName ?? leaf.subject)
  await insertCertificate(tx, { id, name, names: leaf.names, management: 'monitored', status: 'discovered' }, now)
  await addEvent(tx, { kind: 'certificate.discovered', message: `Found on a host: ${name}.`, requester: 'discovery', certificateId: id, botId }, now)
}

/** Names come from strangers' certificates: PostgreSQL takes no NUL, and an index takes no long text. */
// oxlint-disable-next-line no-control-regex -- control characters are what is taken out
const shortName = (name: string) => name.replaceAll(/[\u0000-\u001f\u007f]/g, ' ').slice(0, 255)
