import type { Id, KeyAlgorithm } from '@certloop/contract'
import { iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'

export type IssuerId = Id<'iss'>
/** The built-in hierarchy: the root signs the intermediate, the intermediate signs everything else. */
export type IssuerSlot = 'root' | 'intermediate'
export type Profile = 'server' | 'bot-identity' | 'control-plane'
/** intended: a serial number is spent and may have been signed. good: signed and stored. */
export type IssuedStatus = 'intended' | 'good'

export interface IssuerTable {
  id: IssuerId
  slot: IssuerSlot | null
  parentId: IssuerId | null
  status: 'active'
  subject: string
  keyAlgorithm: KeyAlgorithm
  notBefore: string
  notAfter: string
  certificatePem: string
  /** PKCS#8 PEM, sealed with the binding "issuer:<id>:key". */
  sealedKey: string
  createdAt: string
}
export interface IssuedCertificateTable {
  reference: string
  issuerId: IssuerId
  serialNumber: string
  status: IssuedStatus
  profile: Profile
  commonName: string | null
  names: string
  /** SubjectPublicKeyInfo, base64 of the DER. */
  spki: string
  notBefore: string
  notAfter: string
  certificatePem: string | null
  fingerprint: string | null
  createdAt: string
  issuedAt: string | null
}
export interface LocalCaTables { issuer: IssuerTable; issued_certificate: IssuedCertificateTable }

export async function listIssuers(db: Db | Tx): Promise<IssuerTable[]> {
  return db.selectFrom('issuer').selectAll().orderBy('id').execute()
}

/** @returns false when the slot is taken, as when two replicas start at once; waits for the other's transaction */
export async function insertIssuer(tx: Tx, row: IssuerTable): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx.insertInto('issuer').values(row).onConflict((c) => c.column('slot').doNothing()).executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export interface Intent {
  reference: string
  issuerId: IssuerId
  serialNumber: string
  profile: Profile
  commonName: string | null
  names: readonly string[]
  spki: Buffer
  notBefore: Date
  notAfter: Date
}

/** Records what is about to be signed; keeps what is there when the reference was used before. */
export async function insertIntent(db: Db | Tx, intent: Intent, now: Date): Promise<void> {
  await db.insertInto('issued_certificate').values({
    ...intent, status: 'intended', names: toJson(intent.names), spki: intent.spki.toString('base64'), notBefore: iso(intent.notBefore), notAfter: iso(intent.notAfter),
    certificatePem: null, fingerprint: null, createdAt: iso(now), issuedAt: null,
  }).onConflict((c) => c.column('reference').doNothing()).execute()
}

export async function findIssued(db: Db | Tx, reference: string): Promise<IssuedCertificateTable | undefined> {
  return db.selectFrom('issued_certificate').selectAll().where('reference', '=', reference).executeTakeFirst()
}

/** Stores the certificate of an intent once. @returns false when another call stored its own first */
export async function storeIssued(db: Db | Tx, reference: string, certificatePem: string, fingerprint: string, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('issued_certificate').set({ certificatePem, fingerprint, status: 'good', issuedAt: iso(now) })
    .where('reference', '=', reference).where('certificatePem', 'is', null).executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
