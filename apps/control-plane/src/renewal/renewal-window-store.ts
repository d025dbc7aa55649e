import type { CertificateId, VersionId } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

/** When an authority would like a version to be renewed, as it said last. */
export interface RenewalWindowTable {
  versionId: VersionId
  certificateId: CertificateId
  /** Both null: it was asked and gave none. */
  startsAt: string | null
  endsAt: string | null
  askedAt: string
  /** When the authority wants to be asked next, by its own word. */
  askAgainAt: string | null
  /** null: it was asked, and never answered. */
  answeredAt: string | null
}
export interface RenewalWindowTables { renewalWindow: RenewalWindowTable }

export interface Window { start: Date; end: Date }
/** undefined window: the authority gave none, or did not answer. */
export interface KnownWindow { window: Window | undefined; askedAt: Date; askAgainAt: Date | undefined; answered: boolean }
/** What it said; window null: it gives none. */
export interface WindowAnswer { window: Window | null; askAgainAt?: Date | undefined }

/** What the authority said of the versions of a certificate; those it was never asked about are not in it. */
export async function renewalWindowsOf(db: Db | Tx, certificateId: CertificateId): Promise<Map<VersionId, KnownWindow>> {
  const rows = await db.selectFrom('renewalWindow').selectAll().where('certificateId', '=', certificateId).execute()
  return new Map(rows.map(({ versionId, startsAt, endsAt, askedAt, askAgainAt, answeredAt }) => [versionId, { askedAt: new Date(askedAt), askAgainAt: askAgainAt === null ? undefined : new Date(askAgainAt), answered: answeredAt !== null, window: startsAt && endsAt ? { start: new Date(startsAt), end: new Date(endsAt) } : undefined }]))
}

/** undefined: it could not be asked, and what it said before still counts. */
export async function noteRenewalWindow(tx: Tx, certificateId: CertificateId, versionId: VersionId, answer: WindowAnswer | undefined, now: Date): Promise<void> {
  const said = answer && { startsAt: answer.window && iso(answer.window.start), endsAt: answer.window && iso(answer.window.end), answeredAt: iso(now) }
  const row = { askedAt: iso(now), askAgainAt: answer?.askAgainAt ? iso(answer.askAgainAt) : null, ...said }
  await tx.insertInto('renewalWindow').values({ versionId, certificateId, startsAt: null, endsAt: null, answeredAt: null, ...row }).onConflict((c) => c.column('versionId').doUpdateSet(row)).execute()
}
