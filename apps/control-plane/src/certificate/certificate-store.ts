import { CertloopError, newId, type BotId, type CertificateId, type CertificateStatus, type CertificateVersion, type InstallationState, type KeyCustody, type KeyId, type Management, type OrderId, type ServedCertificate, type VersionId, type InstallationId } from '@certloop/contract'
import { sql, type Selectable } from 'kysely'
import { certificateFindings, certificateParts, keyProblems, readCertificate } from '@certloop/pki'
import { contains, fromJson, fromJsonOrNull, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

/** An identity under care. `status`, `statusReason`, `problem`, `notAfter` and `nextRenewalAt` are derived; see certificate-status.ts. */
export interface CertificateTable {
  id: CertificateId
  name: string
  names: string
  searchText: string
  management: Management
  status: CertificateStatus
  statusReason: string
  problem: string | null
  currentVersionId: VersionId | null
  notAfter: string | null
  nextRenewalAt: string | null
  /** What this one was enrolled again from. */
  parentId: CertificateId | null
  /** The action a person would take now. */
  nextAction: string | null
  createdAt: string
  updatedAt: string
}
/** One X.509 certificate; never changed, but for what its authority says of it. */
export interface VersionTable {
  id: VersionId
  certificateId: CertificateId
  /** 1, 2, 3 … within the certificate. What is newest must not depend on anybody's clock. */
  ordinal: number
  fingerprint: string
  serialNumber: string
  subject: string
  issuer: string
  names: string
  notBefore: string
  notAfter: string
  keyAlgorithm: string
  signatureAlgorithm: string
  spkiDigest: string
  custody: KeyCustody
  /** The bot whose host holds the key, for custody endpoint. */
  keyBotId: BotId | null
  keyId: KeyId | null
  orderId: OrderId | null
  source: 'order' | 'discovery'
  chainPem: string
  /** JSON of what is wrong or odd with it, as seen when it came; null for those that came before this was looked at. */
  findings: string | null
  /** JSON of a Revocation: what its authority was asked to do by an action here and did; null: nothing. */
  revocation: string | null
  createdAt: string
}
/** What an authority says of a certificate that is not simply valid. */
export interface Revocation { status: 'revoked' | 'held'; at: string; reason: string }
/** One place where a certificate is, or should be. */
export interface InstallationTable {
  id: InstallationId
  certificateId: CertificateId
  botId: BotId
  serverType: string
  placeKey: string
  /** As machineOf has it: "local" for the bot's own. */
  machine: string
  title: string
  fields: string
  names: string
  versionId: VersionId | null
  fingerprint: string | null
  state: InstallationState
  served: string
  firstSeenAt: string
  lastSeenAt: string
}
export interface CertificateTables { certificate: CertificateTable; certificateVersion: VersionTable; installation: InstallationTable }
export type CertificateRow = Selectable<CertificateTable>
export type VersionRow = Selectable<VersionTable>
export type InstallationRow = Selectable<InstallationTable>

export async function insertCertificate(tx: Tx, certificate: { id?: CertificateId; parentId?: CertificateId; name: string; names: readonly string[]; management: Management; status: CertificateStatus }, now: Date): Promise<CertificateId> {
  const id = certificate.id ?? newId('crt', now)
  const { name, names, management, status } = certificate
  await tx.insertInto('certificate').values({
    id, name, names: toJson(names), searchText: [name, ...names].join(' ').toLowerCase(), management, status, statusReason: '', problem: null, currentVersionId: null, notAfter: null, nextRenewalAt: null, parentId: certificate.parentId ?? null, nextAction: null, createdAt: iso(now), updatedAt: iso(now),
  }).execute()
  return id
}

export async function findCertificate(db: Db | Tx, id: CertificateId): Promise<CertificateRow | undefined> {
  return db.selectFrom('certificate').selectAll().where('id', '=', id).executeTakeFirst()
}

/**
 * The row, held until the end of the transaction: two changes to what one certificate's status follows from would
 * otherwise each miss the other's.
 */
export async function lockCertificate(tx: Tx, id: CertificateId): Promise<CertificateRow | undefined> {
  return tx.updateTable('certificate').set((eb) => ({ updatedAt: eb.ref('updatedAt') })).where('id', '=', id).returningAll().executeTakeFirst()
}

/** @throws CertloopError NOT_FOUND */
export async function getCertificate(db: Db | Tx, id: CertificateId): Promise<CertificateRow> {
  const row = await findCertificate(db, id)
  if (!row) throw new CertloopError('NOT_FOUND', `There is no certificate ${id}.`, { certificateId: id })
  return row
}

export async function updateCertificate(tx: Tx, id: CertificateId, changes: Partial<CertificateTable>): Promise<void> {
  await tx.updateTable('certificate').set(changes).where('id', '=', id).execute()
}

export interface CertificateQuery {
  search?: string | undefined
  status?: CertificateStatus | undefined
  management?: Management | undefined
  sort?: 'name' | 'notAfter' | '-notAfter' | '-createdAt' | undefined
  limit: number
  cursor?: string | undefined
}
const sorts = { name: ['name', 'asc'], notAfter: ['notAfter', 'asc'], '-notAfter': ['notAfter', 'desc'], '-createdAt': ['createdAt', 'desc'] } as const
/** Certificates without a date sort as if they never ended. */
const never = '9999'

/** One page by keyset: the cursor holds the sort value and id of the last row. */
export async function listCertificates(db: Db, q: CertificateQuery): Promise<{ rows: CertificateRow[]; nextCursor: string | null }> {
  const [column, direction] = sorts[q.sort ?? 'name']
  let query = db.selectFrom('certificate').selectAll()
  if (q.search) query = query.where(contains('searchText', q.search.toLowerCase()))
  if (q.status) query = query.where('status', '=', q.status)
  if (q.management) query = query.where('management', '=', q.management)
  // As in the index, so that a page costs the same at any depth.
  const value = column === 'notAfter' ? sql<string>`coalesce("notAfter", ${sql.lit(never)})` : sql<string>`${sql.ref(column)}`
  const after = readCursor(q.cursor)
  if (after) query = query.where(sql<boolean>`(${value}, "id") ${direction === 'asc' ? sql`>` : sql`<`} (${after.value}, ${after.id})`)
  const rows = await query.orderBy(value, direction).orderBy('id', direction).limit(q.limit + 1).execute()
  const page = rows.slice(0, q.limit)
  const last = page.at(-1)
  return { rows: page, nextCursor: rows.length > q.limit && last ? toJson([last[column] ?? never, last.id]) : null }
}

function readCursor(cursor: string | undefined): { value: string; id: CertificateId } | undefined {
  if (cursor === undefined) return undefined
  try {
    const [value, id] = JSON.parse(cursor) as unknown[]
    if (typeof value === 'string' && typeof id === 'string') return { value, id: id as CertificateId }
  } catch { /* answered below */ }
  throw new CertloopError('INPUT_INVALID', 'The cursor is not one that this list gave.', { fields: ['query.cursor: not a cursor of this list'] })
}

export async function deleteCertificate(tx: Tx, id: CertificateId): Promise<void> {
  for (const table of ['certificateVersion', 'installation', 'proof', 'renewalWindow'] as const) await tx.deleteFrom(table).where('certificateId', '=', id).execute()
  await tx.deleteFrom('configuration').where('certificateId', '=', id).execute()
  await tx.deleteFrom('target').where('certificateId', '=', id).execute()
  await tx.deleteFrom('certificate').where('id', '=', id).execute()
}

export type NewVersion = Omit<VersionTable, 'id' | 'ordinal' | 'names' | 'chainPem' | 'findings' | 'revocation' | 'createdAt'> & { names: readonly string[]; chainPem: readonly string[] }

export async function insertVersion(tx: Tx, version: NewVersion, now: Date): Promise<VersionId> {
  const id = await insertVersionOnce(tx, version, now)
  if (!id) throw new CertloopError('CONFLICT', `The certificate ${version.fingerprint} is known already.`, { fingerprint: version.fingerprint })
  return id
}
/** What is wrong or odd with a certificate and its key. Whether it is still valid is not looked at: that changes. */
function findingsOf(pem: string): CertificateVersion['findings'] {
  const facts = readCertificate(pem)
  const key = keyProblems(certificateParts(pem).spki.raw).map(({ code, message }) => ({ code, severity: 'error' as const, message }))
  const told = new Set(key.map(({ code }) => code as string))
  return [...key, ...certificateFindings(facts).filter(({ code }) => !told.has(code)).map(({ code, severity, sentence }) => ({ code, severity, message: sentence }))]
}

/** Undefined when the fingerprint is known, also from a transaction that has just committed. */
export async function insertVersionOnce(tx: Tx, version: NewVersion, now: Date): Promise<VersionId | undefined> {
  const id = newId('ver', now)
  await lockCertificate(tx, version.certificateId)
  const { newest } = await tx.selectFrom('certificateVersion').select((eb) => eb.fn.max('ordinal').as('newest')).where('certificateId', '=', version.certificateId).executeTakeFirstOrThrow()
  const { numInsertedOrUpdatedRows } = await tx.insertInto('certificateVersion').values({ ...version, id, ordinal: Number(newest ?? 0) + 1, names: toJson(version.names), chainPem: toJson(version.chainPem), findings: toJson(findingsOf(version.chainPem[0] ?? '')), revocation: null, createdAt: iso(now) })
    .onConflict((c) => c.column('fingerprint').doNothing()).executeTakeFirst()
  return numInsertedOrUpdatedRows ? id : undefined
}
export async function findVersion(db: Db | Tx, id: VersionId): Promise<VersionRow | undefined> {
  return db.selectFrom('certificateVersion').selectAll().where('id', '=', id).executeTakeFirst()
}
export async function versionByFingerprint(db: Db | Tx, fingerprint: string): Promise<VersionRow | undefined> {
  return db.selectFrom('certificateVersion').selectAll().where('fingerprint', '=', fingerprint).executeTakeFirst()
}
/** Newest first. A certificate of long standing has many: those before the newest hundred are not given. */
export async function versionsOf(db: Db | Tx, id: CertificateId): Promise<VersionRow[]> {
  return db.selectFrom('certificateVersion').selectAll().where('certificateId', '=', id).orderBy('ordinal', 'desc').limit(mostVersions).execute()
}
const mostVersions = 100

/** What decides about a version, without its PEM. */
const decisive = ['id', 'ordinal', 'certificateId', 'fingerprint', 'serialNumber', 'names', 'notBefore', 'notAfter', 'keyAlgorithm', 'keyBotId', 'keyId', 'orderId', 'source', 'createdAt'] as const
export type VersionFacts = Pick<VersionRow, (typeof decisive)[number]>

/**
 * Newest first: the newest version of each kind, which is to say by key host, source and key algorithm. Enough to tell
 * what belongs where, and no more however old the certificate is.
 */
export async function newestVersions(db: Db | Tx, id: CertificateId): Promise<VersionFacts[]> {
  return db.selectFrom('certificateVersion').select(decisive)
    .where('certificateId', '=', id)
    .where('ordinal', 'in', (eb) => eb.selectFrom('certificateVersion').select((of) => of.fn.max('ordinal').as('ordinal')).where('certificateId', '=', id).groupBy(['keyBotId', 'source', 'keyAlgorithm']))
    .orderBy('ordinal', 'desc').execute()
}
/** What the certificate is to be for when nobody says otherwise: what was last ordered, else what it was taken under care with. Never what a scan claims. */
export async function ownNames(db: Db | Tx, id: CertificateId): Promise<string[]> {
  const ordered = await db.selectFrom('certificateVersion as v').leftJoin('certificateOrder as o', 'o.id', 'v.orderId').select(['v.names', 'o.leftOut']).where('v.certificateId', '=', id).where('v.source', '=', 'order').orderBy('v.ordinal', 'desc').limit(1).executeTakeFirst()
  if (!ordered) return fromJson((await getCertificate(db, id)).names)
  // What a renewal went on without is still wanted.
  const leftOut = fromJson<{ name: string }[]>(ordered.leftOut ?? '[]')
  return [...new Set([...fromJson<string[]>(ordered.names), ...leftOut.map(({ name }) => name)])]
}
export async function versionFacts(db: Db | Tx, ids: readonly VersionId[]): Promise<Map<VersionId, Pick<VersionRow, 'id' | 'ordinal' | 'source' | 'names' | 'issuer' | 'fingerprint' | 'notAfter'>>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('certificateVersion').select(['id', 'ordinal', 'source', 'names', 'issuer', 'fingerprint', 'notAfter']).where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, row]))
}
export const toVersion = (row: VersionRow, revocation: Revocation | null): CertificateVersion => {
  const { spkiDigest: _spki, keyId: _key, ordinal: _ordinal, revocation: _revocation, ...rest } = row
  const chainPem = fromJson<string[]>(row.chainPem)
  return { ...rest, names: fromJson(row.names), chainPem, revocation, findings: fromJsonOrNull<CertificateVersion['findings']>(row.findings) ?? findingsOf(chainPem[0] ?? '') }
}

export async function installationsOf(db: Db | Tx, id: CertificateId): Promise<InstallationRow[]> {
  return db.selectFrom('installation').selectAll().where('certificateId', '=', id).orderBy('id').execute()
}
export async function installationCounts(db: Db | Tx, ids: readonly CertificateId[]): Promise<Map<CertificateId, number>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('installation').select((eb) => ['certificateId', eb.fn.countAll<number>().as('count')]).where('certificateId', 'in', ids).groupBy('certificateId').execute()
  return new Map(rows.map((row) => [row.certificateId, Number(row.count)]))
}
export async function installationsOn(db: Db | Tx, botId: BotId): Promise<InstallationRow[]> {
  return db.selectFrom('installation').selectAll().where('botId', '=', botId).orderBy('id').execute()
}
export async function updateInstallation(tx: Tx, id: InstallationId, changes: Partial<InstallationTable>): Promise<void> {
  await tx.updateTable('installation').set(changes).where('id', '=', id).execute()
}

export async function removeInstallation(tx: Tx, id: InstallationId): Promise<void> {
  await tx.deleteFrom('installation').where('id', '=', id).execute()
}

export interface Sighting {
  certificateId: CertificateId
  botId: BotId
  serverType: string
  placeKey: string
  /** As machineOf has it. */
  machine: string
  title: string
  fields: Record<string, unknown>
  names: readonly string[] | null
  versionId: VersionId | null
  fingerprint: string | null
  state: InstallationState
  served: readonly ServedCertificate[]
}

/** Writes what was seen at one place; the place is known by bot, server type and place key. */
export async function recordSighting(tx: Tx, s: Sighting, now: Date): Promise<void> {
  const at = iso(now)
  const seen = { certificateId: s.certificateId, versionId: s.versionId, fingerprint: s.fingerprint, state: s.state, served: toJson(s.served), lastSeenAt: at }
  await tx.insertInto('installation')
    .values({ ...seen, id: newId('ins', now), botId: s.botId, serverType: s.serverType, placeKey: s.placeKey, machine: s.machine, title: s.title, fields: toJson(s.fields), names: toJson(s.names ?? []), firstSeenAt: at })
    .onConflict((c) => c.columns(['botId', 'serverType', 'placeKey']).doUpdateSet({ ...seen, title: s.title, fields: toJson(s.fields), ...(s.names ? { names: toJson(s.names) } : {}) }))
    .execute()
}
