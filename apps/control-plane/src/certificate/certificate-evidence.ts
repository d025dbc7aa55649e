import type { CertificateId, ServedCertificate, WireError } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { leftOutOf, openOrderOf, type OrderRow } from '../order/order-store.ts'
import type { ActionRow } from '../provisioning/action-store.ts'
import { openValidationStates } from '../validation/validation-state.ts'
import type { Evidence } from './certificate-status.ts'
import type { InstallationRow, VersionFacts, versionFacts } from './certificate-store.ts'
import { revocationsOf } from './version-revocation.ts'

type Installed = Awaited<ReturnType<typeof versionFacts>>

/** The worst that is known of the newest version and of what is installed, and the places where that is. */
export async function worstRevocation(tx: Tx, current: string | null, installations: readonly InstallationRow[]): Promise<Evidence['revocation']> {
  const fingerprints = new Set([current, ...installations.map((i) => i.fingerprint)].filter((f) => f !== null))
  const revocations = await revocationsOf(tx, [...fingerprints])
  const [worst] = [...revocations.values()].toSorted((a, b) => Number(b.status === 'revoked') - Number(a.status === 'revoked'))
  if (!worst) return null
  const { status, at, reason } = worst
  const same = new Set([...revocations].filter(([, each]) => each.status === status).map(([fingerprint]) => fingerprint))
  return { status, at: new Date(at), reason, count: same.size, of: fingerprints.size, places: installations.filter((i) => i.fingerprint !== null && same.has(i.fingerprint)).map((i) => i.title) }
}

/** The newest question to the authority about a revocation, when it ended badly. */
export function failedRevocation(actions: readonly ActionRow[]): WireError | null {
  const newest = actions.find((a) => a.kind === 'revoke' || a.kind === 'suspend' || a.kind === 'resume')
  return newest?.state === 'failed' && newest.error !== null ? fromJson<WireError>(newest.error) : null
}

export function waitingOf(actions: readonly ActionRow[]): Evidence['waiting'] {
  const waiting = actions.find((a) => a.state === 'waiting' && a.endedAt === null)
  return waiting ? { reason: waiting.reason ?? 'It waits for the time of its deployment.' } : null
}

/** The order under way, and whether it waits for names to be proven. */
export async function openOrderIn(tx: Db | Tx, id: CertificateId): Promise<(NonNullable<Evidence['openOrder']> & Pick<OrderRow, 'leftOut'>) | null> {
  const order = await openOrderOf(tx, id)
  if (!order) return null
  const open = order.state === 'processing' ? await tx.selectFrom('validation').select('id').where('orderId', '=', order.id).where('state', 'in', openValidationStates).limit(1).executeTakeFirst() : undefined
  return { ...order, validating: open !== undefined }
}

/** Of the order under way, else of the newest version for each host that has its own. */
export async function missingNamesOf(tx: Db | Tx, versions: readonly VersionFacts[], openOrder: Pick<OrderRow, 'leftOut'> | null): Promise<Evidence['missingNames']> {
  const own = openOrder ? leftOutOf(openOrder) : []
  if (own.length > 0) return own
  const newest = new Map(versions.filter(({ source }) => source === 'order').toReversed().map(({ keyBotId, orderId }) => [keyBotId, orderId]))
  const orderIds = [...newest.values()].filter((orderId) => orderId !== null)
  if (orderIds.length === 0) return []
  const orders = await tx.selectFrom('certificateOrder').select('leftOut').where('id', 'in', orderIds).execute()
  return [...new Map(orders.flatMap(leftOutOf).map((each) => [each.name, each])).values()]
}

/** The newest certificate that was enrolled again from this one and has targets: they were this one's. */
export async function successorOf(tx: Db | Tx, id: CertificateId): Promise<string | null> {
  const child = await tx.selectFrom('certificate as c').select('c.name').where('c.parentId', '=', id)
    .where((eb) => eb.exists(eb.selectFrom('target as t').select('t.id').whereRef('t.certificateId', '=', 'c.id').where('t.removedAt', 'is', null)))
    .orderBy('c.id', 'desc').limit(1).executeTakeFirst()
  return child?.name ?? null
}

/** An earlier version that was ordered here is what the place holds and shows. */
export function isOlder(i: InstallationRow, installed: Installed, current: VersionFacts | undefined): boolean {
  const version = i.versionId ? installed.get(i.versionId) : undefined
  return i.state === 'out-of-sync' && version?.source === 'order' && current !== undefined && version.ordinal < current.ordinal && !isTrouble(i, installed, current)
}

/** The file holds what is wanted, and an endpoint shows something else; null: it shows what it should. */
export function unservedAt(i: InstallationRow, wanted: Pick<VersionFacts, 'fingerprint'> | undefined): 'other' | 'nothing' | null {
  if (!wanted || i.fingerprint !== wanted.fingerprint) return null
  const wrong = fromJson<ServedCertificate[]>(i.served).filter((s) => s.fingerprint !== wanted.fingerprint)
  if (wrong.length === 0) return null
  return wrong.some((s) => s.fingerprint !== null) ? 'other' : 'nothing'
}

export const endOfInstalled = ({ versionId }: InstallationRow, installed: Installed): Date | null => {
  const version = versionId ? installed.get(versionId) : undefined
  return version ? new Date(version.notAfter) : null
}

/** An older version of ours waits to be replaced. What somebody else put there since, or what is not served as installed, is trouble. */
export function isTrouble(i: InstallationRow, installed: Installed, current: VersionFacts | undefined): boolean {
  const version = i.versionId ? installed.get(i.versionId) : undefined
  const isForeign = !version || (current?.source === 'order' && version.source === 'discovery' && version.ordinal > current.ordinal)
  return i.state !== 'in-sync' && (isForeign || fromJson<ServedCertificate[]>(i.served).some((s) => s.fingerprint !== i.fingerprint))
}
