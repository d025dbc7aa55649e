import { CertloopError, fromWire, type ActionId, type RevocationReasonToGive, type VersionId, type WireError } from '@certloop/contract'
import type { AuthorityOf, Authority, IssuedBefore } from '../authority/authority.ts'
import { issuedBefore } from '../authority/issued-before.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findVersion, lockCertificate, type VersionRow } from '../certificate/certificate-store.ts'
import { noteRevocation } from '../certificate/version-revocation.ts'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { findOrder } from '../order/order-store.ts'
import { addTask, type Task } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { changeAction, detailsOf, findAction, noteAction, type ActionRow } from './action-store.ts'
import { isRevocationKind } from './action-rules.ts'
import { placesOf, stillGood, versionNames } from './revocable-versions.ts'

export const revocationHours = 24

const done = { revoke: 'Revoked', suspend: 'Suspended', resume: 'Resumed: it is valid again' } as const
const doneMany = { revoke: 'revoked', suspend: 'suspended', resume: 'resumed' } as const
const stillServed = (places: readonly string[], many: boolean): string => (places.length === 0 ? '' : ` ${many ? 'They are' : 'It is'} still served at ${places.join(', ')}: rekey now.`)

const versionIdsOf = (action: ActionRow): readonly VersionId[] => detailsOf(action).versionIds ?? (action.versionId ? [action.versionId] : [])
async function versionsAsked(db: Db | Tx, action: ActionRow): Promise<VersionRow[]> {
  const found: VersionRow[] = []
  for (const id of versionIdsOf(action)) {
    const version = await findVersion(db, id)
    if (version) found.push(version)
  }
  return found
}

/** Gives each question to the authority to a task of its own. What is installed is revoked all the same; the reason says where it is served. */
export async function askAuthority(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<ActionRow> {
  const versions = await versionsAsked(tx, action)
  if (versions.length === 0 || !isRevocationKind(action.kind)) throw new CertloopError('INTERNAL', `Action ${action.id} names no version.`)
  const deadline = new Date(now.getTime() + revocationHours * 3_600_000)
  for (const { id } of versions) await addTask(tx, wake, { executor: 'control-plane', kind: 'revoke-version', subject: action.id, payload: { versionId: id }, deadline, maxAttempts: 1000 }, now)
  const many = versions.length > 1
  const what = many ? `${versions.length} versions, one for each host: ${(await versionNames(tx, versions)).join(', ')}` : 'it'
  return noteAction(tx, wake, action, { reason: `The authority is asked to ${action.kind} ${what}.${await aftermath(tx, action, versions, now)}` })
}

/** Where it is still served, and what else is still good. Who says that something newer has taken its place knows that. */
async function aftermath(tx: Tx, action: ActionRow, versions: readonly VersionRow[], now: Date): Promise<string> {
  if (action.kind === 'resume' || versions.length === 0) return ''
  return `${stillServed(await placesOf(tx, action.certificateId, versions), versions.length > 1)}${detailsOf(action).revocationReason === 'superseded' ? '' : await stillGood(tx, action.certificateId, versions, now)}`
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

/** Writes one answer down; the last one ends the action. */
async function answered(tx: Tx, wake: Wakes, id: ActionId, { versionId, error }: { versionId: VersionId; error: WireError | null }, now: Date): Promise<void> {
  const found = await findAction(tx, id)
  if (!found) return
  await lockCertificate(tx, found.certificateId)
  const action = await findAction(tx, id)
  if (!action || action.endedAt || !isRevocationKind(action.kind)) return
  const details = detailsOf(action)
  const reason = details.revocationReason ?? 'unspecified'
  const revocation = { revoke: { status: 'revoked' as const, at: now.toISOString(), reason }, suspend: { status: 'held' as const, at: now.toISOString(), reason: 'certificateHold' }, resume: null }
  if (!error) await noteRevocation(tx, versionId, revocation[action.kind])
  const noted = await noteAction(tx, wake, action, { details: toJson({ ...details, answers: { ...details.answers, [versionId]: error } }) })
  if (versionIdsOf(noted).every((each) => detailsOf(noted).answers?.[each] !== undefined)) await endQuestion(tx, wake, noted, now)
  await refreshCertificate(tx, wake, action.certificateId, now)
}

/** Ends the action with what the authority has said of each version; of those it was not asked about any more, when somebody cancelled it. */
export async function endQuestion(tx: Tx, wake: Wakes, action: ActionRow, now: Date): Promise<void> {
  const { answers = {}, cancelledBy } = detailsOf(action)
  const versions = await versionsAsked(tx, action)
  const good = versions.filter(({ id }) => answers[id] === null)
  const error = Object.values(answers).find((answer) => answer !== null)
  if (good.length === 0 && cancelledBy) await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy} before the authority was asked.` }, now)
  else if (good.length === 0 && error) await changeAction(tx, wake, action, { event: 'failed', reason: error.message, error }, now)
  else {
    const reason = await outcome(tx, action, { versions, good }, now)
    if (error) await changeAction(tx, wake, action, { event: 'failed', reason, error: new CertloopError(fromWire(error).code, reason).toWire() }, now)
    else if (good.length < versions.length) await changeAction(tx, wake, action, { event: 'cancelled', reason: `Cancelled by ${cancelledBy ?? 'a person'}. ${reason}` }, now)
    else await changeAction(tx, wake, action, { event: 'succeeded', reason }, now)
  }
}

async function outcome(tx: Tx, action: ActionRow, { versions, good }: { versions: readonly VersionRow[]; good: readonly VersionRow[] }, now: Date): Promise<string> {
  if (!isRevocationKind(action.kind)) return ''
  const { answers = {}, left = [], revocationReason } = detailsOf(action)
  const total = versions.length + left.length
  const why = action.kind === 'revoke' ? ` (${revocationReason ?? 'unspecified'})` : ''
  const bad = versions.filter((v) => !good.includes(v))
  const names = await versionNames(tx, bad)
  const rest = [...bad.map(({ id }, i) => `${names[i]}: ${answers[id]?.message ?? 'it was not asked about.'}`), ...left]
  const first = total === 1 ? `${done[action.kind]}${why}.` : `${good.length} of ${total} versions ${doneMany[action.kind]}${why}: ${(await versionNames(tx, good)).join(', ')}.`
  return `${first}${rest.length > 0 ? ` Not so: ${rest.join(' ')}` : ''}${await aftermath(tx, action, good, now)}`
}

/** Tasks of an earlier version name none: they are about the one of their action. */
const versionIdOf = (task: Task, action: ActionRow): VersionId | null => fromJson<{ versionId?: VersionId }>(task.payload).versionId ?? action.versionId

/** Asks the authority to revoke, suspend or resume. Repeated after a crash: connectors take a second request for what is done already. */
export function revokeVersionKind({ database, authorityOf, now }: { database: Database; authorityOf: AuthorityOf; now: () => Date }): PlaneTaskKind {
  return {
    async run(task) {
      const { db } = database
      const action = await findAction(db, task.subject as ActionId)
      if (!action || action.endedAt) return async () => {}
      const versionId = versionIdOf(task, action)
      const version = versionId ? await findVersion(db, versionId) : undefined
      const order = version?.orderId ? await findOrder(db, version.orderId) : undefined
      if (!version || !order) throw new CertloopError('ACTION_NOT_POSSIBLE', 'The version or its order is gone.')
      await ask(await authorityOf(db, order.authorityId), action.kind, issuedBefore(version), detailsOf(action).revocationReason ?? 'unspecified')
      return (tx, wake) => answered(tx, wake, action.id, { versionId: version.id, error: null }, now())
    },
    async failed(tx, wake, task, error) {
      const action = await findAction(tx, task.subject as ActionId)
      const versionId = action && versionIdOf(task, action)
      if (action && versionId) await answered(tx, wake, action.id, { versionId, error: error.toWire() }, now())
    },
  }
}
