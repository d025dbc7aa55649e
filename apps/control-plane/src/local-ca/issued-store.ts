import { CertloopError, type IssuedCertificateId, type issuedStatuses, type IssuerId } from '@certloop/contract'
import type { RevocationReason } from '@certloop/pki'
import type { Selectable } from 'kysely'
import { contains, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

/**
 * intended: a serial number is spent and may have been signed. good: signed and stored. held: suspended, can be
 * resumed. revoked: for ever. Expiry is not a status; it follows from notAfter.
 */
export type IssuedStatus = (typeof issuedStatuses)[number]

export interface IssuedTable {
  id: IssuedCertificateId
  reference: string
  issuerId: IssuerId
  serialNumber: string
  status: IssuedStatus
  profile: string
  subject: string
  commonName: string | null
  names: string
  /** JSON of what was asked beyond names, common name and key; null when nothing was. */
  request: string | null
  /** SubjectPublicKeyInfo, base64 of the DER. */
  spki: string
  notBefore: string
  notAfter: string
  /** What is to be signed, base64 of the DER; null once the certificate is stored. */
  tbs: string | null
  certificatePem: string | null
  fingerprint: string | null
  shard: number
  revokedAt: string | null
  revocationReason: RevocationReason | null
  invalidityDate: string | null
  changeNumber: number | null
  createdAt: string
  issuedAt: string | null
}
export interface WeakKeyTable { spkiDigest: string; problem: string; createdAt: string }
export interface IssuedTables { ca_certificate: IssuedTable; ca_weak_key: WeakKeyTable }
export type IssuedRow = Selectable<IssuedTable>

export interface Intent {
  id: IssuedCertificateId
  reference: string
  issuerId: IssuerId
  serialNumber: string
  profile: string
  subject: string
  commonName: string | null
  names: readonly string[]
  request: string | null
  spki: Buffer
  notBefore: Date
  notAfter: Date
  tbs: Buffer | null
  shard: number
}

/** Records what is about to be signed; keeps what is there when the reference was used before. @returns false then */
export async function insertIntent(db: Db | Tx, intent: Intent, now: Date): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db.insertInto('ca_certificate').values({
    ...intent, status: 'intended', names: toJson(intent.names), spki: intent.spki.toString('base64'), tbs: intent.tbs?.toString('base64') ?? null, notBefore: iso(intent.notBefore), notAfter: iso(intent.notAfter),
    certificatePem: null, fingerprint: null, revokedAt: null, revocationReason: null, invalidityDate: null, changeNumber: null, createdAt: iso(now), issuedAt: null,
  }).onConflict((c) => c.doNothing()).executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function findIssued(db: Db | Tx, reference: string): Promise<IssuedRow | undefined> {
  return db.selectFrom('ca_certificate').selectAll().where('reference', '=', reference).executeTakeFirst()
}
export async function findBySerial(db: Db | Tx, issuerId: IssuerId, serialNumber: string): Promise<IssuedRow | undefined> {
  return db.selectFrom('ca_certificate').selectAll().where('issuerId', '=', issuerId).where('serialNumber', '=', serialNumber).executeTakeFirst()
}
/** What relying parties are told of a certificate. */
export type IssuedState = Pick<IssuedRow, 'status' | 'revokedAt' | 'revocationReason' | 'reference'>
/** Looks states up. The statement is compiled once: for an OCSP answer that took longer than its signature. */
export function stateLookup(db: Db): (issuerId: IssuerId, serialNumber: string) => Promise<IssuedState | undefined> {
  const compile = (issuerId: IssuerId, serialNumber: string) =>
    db.selectFrom('ca_certificate').select(['status', 'revokedAt', 'revocationReason', 'reference']).where('issuerId', '=', issuerId).where('serialNumber', '=', serialNumber).compile()
  let statement: ReturnType<typeof compile> | undefined
  return async (...parameters) => {
    statement ??= compile('iss_', '')
    return (await db.executeQuery<IssuedState>({ ...statement, parameters })).rows[0]
  }
}
/** @throws CertloopError NOT_FOUND */
export async function getIssued(db: Db | Tx, id: IssuedCertificateId): Promise<IssuedRow> {
  const row = await db.selectFrom('ca_certificate').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `The built-in CA issued no certificate ${id}.`, { issuedCertificateId: id })
  return row
}

/** Stores the certificate of an intent once; what was to be signed is dropped. @returns false when another call stored its own first */
export async function storeIssued(db: Db | Tx, reference: string, certificatePem: string, fingerprint: string, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('ca_certificate')
    .set((eb) => ({ certificatePem, fingerprint, tbs: null, issuedAt: iso(now), status: eb.case().when('status', '=', 'intended').then('good' as IssuedStatus).else(eb.ref('status')).end() }))
    .where('reference', '=', reference).where('certificatePem', 'is', null).executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export interface StatusChange { status: IssuedStatus; revokedAt: Date | null; reason: RevocationReason | null; invalidityDate: Date | null; changeNumber: number }

/** Changes the status only where it is still `from`. @returns false when it is not */
export async function changeStatus(tx: Tx, id: IssuedCertificateId, from: IssuedStatus, { status, revokedAt, reason, invalidityDate, changeNumber }: StatusChange): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('ca_certificate')
    .set({ status, revokedAt: revokedAt ? iso(revokedAt) : null, revocationReason: reason, invalidityDate: invalidityDate ? iso(invalidityDate) : null, changeNumber })
    .where('id', '=', id).where('status', '=', from).executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export interface IssuedFilter { search?: string | undefined; status?: IssuedStatus | 'expired' | undefined; issuerId?: IssuerId | undefined; before?: string | undefined; limit: number }

/** Newest first; `before` is the id of the last one of the page before. */
export async function listIssued(db: Db | Tx, { search, status, issuerId, before, limit }: IssuedFilter, now: Date): Promise<IssuedRow[]> {
  let query = db.selectFrom('ca_certificate').selectAll().orderBy('id', 'desc').limit(limit)
  if (issuerId) query = query.where('issuerId', '=', issuerId)
  if (status === 'expired') query = query.where('notAfter', '<', iso(now))
  else if (status) query = query.where('status', '=', status)
  if (before) query = query.where('id', '<', before as IssuedCertificateId)
  if (search) query = query.where((eb) => eb.or([contains('names', search.toLowerCase()), contains('subject', search), eb('serialNumber', '=', search.replaceAll(':', '').toLowerCase())]))
  return query.execute()
}

export type RevokedEntry = Pick<IssuedRow, 'serialNumber' | 'revokedAt' | 'revocationReason' | 'invalidityDate'>
export interface RevokedQuery { issuerId: IssuerId; /** null: all. */ shard: number | null; after: string; stillListedAt: Date; limit: number }

/**
 * One page of what a full list names, by serial number: revoked or held, and not yet ended at `stillListedAt`.
 * @param after last serial number of the page before; '' at first
 */
export async function revokedPage(db: Db | Tx, { issuerId, shard, after, stillListedAt, limit }: RevokedQuery): Promise<RevokedEntry[]> {
  let query = db.selectFrom('ca_certificate').select(['serialNumber', 'revokedAt', 'revocationReason', 'invalidityDate'])
    .where('issuerId', '=', issuerId).where('revokedAt', 'is not', null).where('notAfter', '>=', iso(stillListedAt)).where('serialNumber', '>', after)
    .orderBy('serialNumber').limit(limit)
  if (shard !== null) query = query.where('shard', '=', shard)
  return query.execute()
}

export type ChangedEntry = RevokedEntry & { changeNumber: number | null }
export type ChangesQuery = Omit<RevokedQuery, 'after'> & { since: number }

/** One page of what changed since a full list, in the order of the changes: revoked, held and resumed (revokedAt null). */
export async function changesSince(db: Db | Tx, { issuerId, shard, since, limit, stillListedAt }: ChangesQuery): Promise<ChangedEntry[]> {
  let query = db.selectFrom('ca_certificate').select(['serialNumber', 'revokedAt', 'revocationReason', 'invalidityDate', 'changeNumber'])
    .where('issuerId', '=', issuerId).where('changeNumber', '>', since).where('notAfter', '>=', iso(stillListedAt)).orderBy('changeNumber').limit(limit)
  if (shard !== null) query = query.where('shard', '=', shard)
  return query.execute()
}

/**
 * Forgets certificates of an issuer that ended before a moment. What a list still names must not be among them: the
 * caller passes a moment no later than any published list of the issuer.
 * @returns how many
 */
export async function forgetEnded(db: Db | Tx, issuerId: IssuerId, endedBefore: Date, limit: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('ca_certificate')
    .where('id', 'in', (eb) => eb.selectFrom('ca_certificate').select('id').where('notAfter', '<', iso(endedBefore)).where('issuerId', '=', issuerId).orderBy('notAfter').limit(limit)).executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

export async function isKnownWeak(db: Db | Tx, spkiDigest: string): Promise<string | undefined> {
  return (await db.selectFrom('ca_weak_key').select('problem').where('spkiDigest', '=', spkiDigest).executeTakeFirst())?.problem
}
export async function markWeak(db: Db | Tx, spkiDigest: string, problem: string, now: Date): Promise<void> {
  await db.insertInto('ca_weak_key').values({ spkiDigest, problem, createdAt: iso(now) }).onConflict((c) => c.column('spkiDigest').doNothing()).execute()
}
