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
}
export interface RenewalWindowTables { renewalWindow: RenewalWindowTable }

export interface Window { start: Date; end: Date }
/** undefined window: the authority was asked and gave none. */
export interface KnownWindow { window: Window | undefined; askedAt: Date }

/** What the authority said of the versions of a certificate; those it was never asked about are not in it. */
export async function renewalWindowsOf(db: Db | Tx, certificateId: CertificateId): Promise<Map<VersionId, KnownWindow>> {
  const rows = await db.selectFrom('renewalWindow').selectAll().where('certificateId', '=', certificateId).execute()
  return new Map(rows.map(({ versionId, startsAt, endsAt, askedAt }) => [versionId, { askedAt: new Date(askedAt), window: startsAt && endsAt ? { start: new Date(startsAt), end: new Date(endsAt) } : undefined }]))
}

/** `window`: null when it gave none, undefined when it could not be asked and what it said before still counts. */
export async function noteRenewalWindow(tx: Tx, certificateId: CertificateId, versionId: VersionId, window: Window | null | undefined, now: Date): Promise<void> {
  const said = window === undefined ? {} : { startsAt: window && iso(window.start), endsAt: window && iso(window.end) }
  const row = { askedAt: iso(now), ...said }
  await tx.insertInto('renewalWindow').values({ versionId, certificateId, startsAt: null, endsAt: null, ...row }).onConflict((c) => c.column('versionId').doUpdateSet(row)).execute()
}
