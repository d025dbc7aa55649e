import { CertloopError, type ActionId, type CertificateId, type RevocationReasonToGive } from '@certloop/contract'
import { abilitiesOf } from '../authority/abilities.ts'
import type { AuthorityOf, Authority, IssuedBefore } from '../authority/authority.ts'
import { findAuthority } from '../authority/authority-store.ts'
import { issuedBefore } from '../authority/issued-before.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, installationsOf, type VersionFacts, type VersionRow } from '../certificate/certificate-store.ts'
import { noteRevocation, revocationsOf } from '../certificate/version-revocation.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { findOrder } from '../order/order-store.ts'
import { addTask } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { changeAction, detailsOf, findAction, noteAction, type ActionRow } from './action-store.ts'
import { isRevocationKind, type RevocableVersion } from './action-rules.ts'

export const revocationHours = 24

/** What the rules go by. */
export async function revocableVersion(db: Db | Tx, version: Pick<VersionFacts, 'fingerprint' | 'orderId' | 'notAfter'>, now: Date): Promise<RevocableVersion> {
  const order = version.orderId ? await findOrder(db, version.orderId) : undefined
  const authority = order ? await findAuthority(db, order.authorityId) : undefined
  return {
    orderedHere: order !== undefined, expired: new Date(version.notAfter) < now, abilities: authority ? abilitiesOf(authority.kind) : [],
    revocation: (await revocationsOf(db, [version.fingerprint])).get(version.fingerprint) ?? null,
  }
}

/** Places where a version is, as far as is known. */
async function placesOf(db: Db | Tx, certificateId: CertificateId, version: Pick<VersionRow, 'fingerprint'>): Promise<string[]> {
  return (await installationsOf(db, certificateId)).filter((i) => i.fingerprint === version.fingerprint).map((i) => i.title)
}

const done = { revoke: 'Revoked', suspend: 'Suspended', resume: 'Resumed: it is valid again' } as const
const begun = { revoke: 'The authority is asked to revoke it.', suspend: 'The authority is asked to suspend it.', resume: 'The authority is asked to resume it.' } as const
const stillServed = (places: readonly string[]): string => (places.length === 0 ? '' : ` It is still served at ${places.join(', ')}: rekey now.`)

/** Gives the question to the authority to a task. What is installed is revoked all the same; the reason says where it is served. */
export async function askAuthority(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<ActionRow> {
  const version = action.versionId ? await findVersion(tx, action.versionId) : undefined
  if (!version || !isRevocationKind(action.kind)) throw new CertloopError('INTERNAL', `Action ${action.id} names no version.`)
  const places = action.kind === 'resume' ? [] : await placesOf(tx, action.certificateId, version)
  const deadline = new Date(now.getTime() + revocationHours * 3_600_000)
  await addTask(tx, wake, { executor: 'control-plane', kind: 'revoke-version', subject: action.id, deadline, maxAttempts: 1000 }, now)
  return noteAction(tx, wake, action, { reason: `${begun[action.kind]}${stillServed(places)}` })
}

async function ask(authority: Authority, kind: ActionRow['kind'], version: IssuedBefore, reason: RevocationReasonToGive): Promise<void> {
  const unable = () => new CertloopError('AUTHORITY_REJECTED', `The authority can not be asked to ${kind} from here.`)
  if (kind === 'revoke') {
    if (!authority.revoke) throw unable()
    await authority.revoke(version, reason)
  } else if (kind === 'suspend') {
    if (!authority.suspend) throw unable()
    await authority.suspend(version)
  } else {
    if (!authority.resume) throw unable()
    await authority.resume(version)
  }
}

async function endRevocation(tx: Tx, wake: Wakes, id: ActionId, now: Date): Promise<void> {
  const action = await findAction(tx, id)
  const version = action?.versionId ? await findVersion(tx, action.versionId) : undefined
  if (!action || action.endedAt || !version || !isRevocationKind(action.kind)) return
  const reason = detailsOf(action).revocationReason ?? 'unspecified'
  const revocation = { revoke: { status: 'revoked' as const, at: now.toISOString(), reason }, suspend: { status: 'held' as const, at: now.toISOString(), reason: 'certificateHold' }, resume: null }
  await noteRevocation(tx, version.id, revocation[action.kind])
  const places = action.kind === 'resume' ? [] : await placesOf(tx, action.certificateId, version)
  await changeAction(tx, wake, action, { event: 'succeeded', reason: `${done[action.kind]}${action.kind === 'revoke' ? ` (${reason})` : ''}.${stillServed(places)}` }, now)
  await refreshCertificate(tx, wake, action.certificateId, now)
}

/** Asks the authority to revoke, suspend or resume. Repeated after a crash: connectors take a second request for what is done already. */
export function revokeVersionKind({ database, authorityOf, now }: { database: Database; authorityOf: AuthorityOf; now: () => Date }): PlaneTaskKind {
  return {
    async run(task) {
      const { db } = database
      const action = await findAction(db, task.subject as ActionId)
      const version = action?.versionId ? await findVersion(db, action.versionId) : undefined
      const order = version?.orderId ? await findOrder(db, version.orderId) : undefined
      if (!action || action.endedAt) return async () => {}
      if (!version || !order) throw new CertloopError('ACTION_NOT_POSSIBLE', 'The version or its order is gone.')
      await ask(await authorityOf(db, order.authorityId), action.kind, issuedBefore(version), detailsOf(action).revocationReason ?? 'unspecified')
      return (tx, wake) => endRevocation(tx, wake, action.id, now())
    },
    async failed(tx, wake, task, error) {
      const action = await findAction(tx, task.subject as ActionId)
      if (!action || action.endedAt) return
      await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error: error.toWire() }, now())
      await refreshCertificate(tx, wake, action.certificateId, now())
    },
  }
}
