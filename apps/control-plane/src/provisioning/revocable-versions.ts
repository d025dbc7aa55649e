import type { CertificateId, VersionId } from '@certloop/contract'
import { abilitiesOf } from '../authority/abilities.ts'
import { findAuthority } from '../authority/authority-store.ts'
import { botNames } from '../bot/bot-store.ts'
import { installationsOf, newestVersions, versionsOf, type VersionFacts, type VersionRow } from '../certificate/certificate-store.ts'
import { revocationsOf } from '../certificate/version-revocation.ts'
import type { Db, Tx } from '../database/database.ts'
import { findOrder } from '../order/order-store.ts'
import { wantedVersion } from '../proof/inspection.ts'
import type { RevocableVersion } from './action-rules.ts'
import { targetsOf } from './configuration-store.ts'

/** What the rules go by. */
export async function revocableVersion(db: Db | Tx, version: Pick<VersionFacts, 'fingerprint' | 'orderId' | 'notAfter'>, now: Date): Promise<RevocableVersion> {
  const order = version.orderId ? await findOrder(db, version.orderId) : undefined
  const authority = order ? await findAuthority(db, order.authorityId) : undefined
  return {
    orderedHere: order !== undefined, expired: new Date(version.notAfter) < now, abilities: authority ? abilitiesOf(authority.kind) : [],
    revocation: (await revocationsOf(db, [version.fingerprint])).get(version.fingerprint) ?? null,
  }
}

/**
 * What was ordered here and is current, newest first: a version for each host, as each has a key of its own. What belongs onto
 * a target now, and what was issued together with the newest.
 */
export async function currentVersions(db: Db | Tx, id: CertificateId): Promise<VersionFacts[]> {
  const ordered = (await newestVersions(db, id)).filter(({ source }) => source === 'order')
  const [newest] = ordered
  if (!newest) return []
  const wanted = (await targetsOf(db, id)).map((target) => wantedVersion(ordered, target))
  const ids = ordered.map(({ orderId }) => orderId).filter((orderId) => orderId !== null)
  const orders = await db.selectFrom('certificateOrder').select(['id', 'actionId']).where('id', 'in', ids).execute()
  const actionOf = ({ orderId }: VersionFacts) => orders.find((order) => order.id === orderId)?.actionId ?? null
  return ordered.filter((v) => v === newest || wanted.includes(v) || (actionOf(v) !== null && actionOf(v) === actionOf(newest)))
}

/** Places where one of these versions is, as far as is known. */
export async function placesOf(db: Db | Tx, certificateId: CertificateId, versions: readonly Pick<VersionRow, 'fingerprint'>[]): Promise<string[]> {
  return (await installationsOf(db, certificateId)).filter((i) => versions.some(({ fingerprint }) => fingerprint === i.fingerprint)).map((i) => i.title)
}

/** "3f9a… (key at web-1)" */
export async function versionNames(db: Db | Tx, versions: readonly Pick<VersionRow, 'serialNumber' | 'keyBotId'>[]): Promise<string[]> {
  const bots = await botNames(db)
  return versions.map(({ serialNumber, keyBotId }) => (keyBotId ? `${serialNumber} (key at ${bots.get(keyBotId) ?? keyBotId})` : serialNumber))
}

/** Other versions that were ordered here and are good: neither ended nor revoked or suspended. Newest first. */
export async function otherGoodVersions(db: Db | Tx, id: CertificateId, besides: ReadonlySet<VersionId>, now: Date): Promise<VersionRow[]> {
  const others = (await versionsOf(db, id)).filter((v) => v.source === 'order' && !besides.has(v.id) && new Date(v.notAfter) > now)
  const revoked = await revocationsOf(db, others.map(({ fingerprint }) => fingerprint))
  return others.filter(({ fingerprint }) => !revoked.has(fingerprint))
}

/** What is left when these are revoked: other versions that are good, and have the same key or are still installed. */
export async function stillGood(db: Db | Tx, id: CertificateId, asked: readonly Pick<VersionRow, 'id' | 'keyId'>[], now: Date): Promise<string> {
  const installed = await installationsOf(db, id)
  const parts: string[] = []
  for (const version of await otherGoodVersions(db, id, new Set(asked.map((v) => v.id)), now)) {
    const places = installed.filter((i) => i.fingerprint === version.fingerprint).map((i) => i.title)
    const why = [version.keyId !== null && asked.some(({ keyId }) => keyId === version.keyId) ? 'it has the same key' : '', places.length > 0 ? `it is installed at ${places.join(', ')}` : ''].filter(Boolean)
    if (why.length > 0) parts.push(`${version.serialNumber} (${why.join('; ')})`)
  }
  return parts.length === 0 ? '' : ` ${parts.length === 1 ? 'Another version is' : 'Other versions are'} still good: ${parts.join(', ')}. Revoke ${parts.length === 1 ? 'it' : 'them'} by naming the version.`
}

/** After a new key: what was issued for earlier keys can still be used by whoever has them. */
export async function earlierStillGood(db: Db | Tx, id: CertificateId, now: Date): Promise<string> {
  const current = await currentVersions(db, id)
  const earlier = await otherGoodVersions(db, id, new Set(current.map((v) => v.id)), now)
  if (earlier.length === 0) return ''
  const shown = earlier.slice(0, 5).map(({ serialNumber }) => serialNumber).join(', ')
  const [subject, them] = earlier.length === 1 ? ['An earlier version is', 'it'] : [`${earlier.length} earlier versions are`, 'each']
  return ` ${subject} still good (${shown}${earlier.length > 5 ? ', …' : ''}): if the key is in other hands, revoke ${them} by naming the version.`
}
