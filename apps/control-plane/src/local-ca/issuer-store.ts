import { CertloopError, type IssuerCertificateId, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import type { Selectable } from 'kysely'
import { fromJson, iso, toJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { defaultIssuerSettings, type Issuer, type IssuerCertificate, type IssuerKind, type IssuerSettings, type IssuerSlot, type IssuerStatus, type KeySource } from './issuer.ts'

export interface IssuerTable {
  id: IssuerId
  name: string
  slot: IssuerSlot | null
  kind: IssuerKind
  status: IssuerStatus
  /** RFC 4514 text. */
  subject: string
  keyAlgorithm: KeyAlgorithm
  /** SubjectPublicKeyInfo, base64 of the DER. */
  spki: string
  keySource: KeySource
  /** PKCS#8 PEM, sealed with the binding "issuer:<id>:key". */
  sealedKey: string | null
  /** Where a token holds the key: JSON of a KeyReference. */
  keyReference: string | null
  settings: string
  csrPem: string | null
  certificateId: IssuerCertificateId | null
  successorId: IssuerId | null
  changeNumber: number
  createdAt: string
  retiredAt: string | null
}
export interface IssuerCertificateTable {
  id: IssuerCertificateId
  issuerId: IssuerId
  signedBy: IssuerId | null
  serialNumber: string
  certificatePem: string
  fingerprint: string
  outsideChain: string
  notBefore: string
  notAfter: string
  createdAt: string
}
export interface IssuerTables { ca_issuer: IssuerTable; ca_issuer_certificate: IssuerCertificateTable }
export type IssuerRow = Selectable<IssuerTable>
export type IssuerCertificateRow = Selectable<IssuerCertificateTable>

/** Where a token holds a key. */
export interface KeyReference { label: string; id: string }

const certificateOf = (row: IssuerCertificateRow): IssuerCertificate => ({
  id: row.id, signedBy: row.signedBy, certificatePem: row.certificatePem, outsideChain: fromJson<string[]>(row.outsideChain), notBefore: new Date(row.notBefore), notAfter: new Date(row.notAfter),
})
export const settingsOf = (row: IssuerRow): IssuerSettings => ({ ...defaultIssuerSettings, ...fromJson<Partial<IssuerSettings>>(row.settings) })

function issuerOf(row: IssuerRow, rows: readonly IssuerCertificateRow[]): Issuer {
  const certificates = rows.filter(({ issuerId }) => issuerId === row.id).map(certificateOf)
  const { id, name, slot, kind, status, subject, keyAlgorithm, keySource, csrPem, successorId } = row
  return {
    id, name, slot, kind, status, subject, keyAlgorithm, keySource, csrPem, successorId, settings: settingsOf(row), certificates,
    certificate: certificates.find((one) => one.id === row.certificateId) ?? null, createdAt: new Date(row.createdAt), retiredAt: row.retiredAt === null ? null : new Date(row.retiredAt),
  }
}

/** All issuers, oldest first: there are few. */
export async function listIssuers(db: Db | Tx): Promise<Issuer[]> {
  const rows = await db.selectFrom('ca_issuer').selectAll().orderBy('id').execute()
  const certificates = await db.selectFrom('ca_issuer_certificate').selectAll().orderBy('id').execute()
  return rows.map((row) => issuerOf(row, certificates))
}

/** @throws CertloopError NOT_FOUND */
export async function issuerRow(db: Db | Tx, id: IssuerId): Promise<IssuerRow> {
  const row = await db.selectFrom('ca_issuer').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new CertloopError('NOT_FOUND', `There is no issuer ${id}.`, { issuerId: id })
  return row
}

/** SubjectPublicKeyInfo of its key, DER. @throws CertloopError NOT_FOUND */
export const spkiOf = async (db: Db | Tx, id: IssuerId): Promise<Buffer> => Buffer.from((await issuerRow(db, id)).spki, 'base64')

/** @throws CertloopError NOT_FOUND */
export async function getIssuer(db: Db | Tx, id: IssuerId): Promise<Issuer> {
  const row = await issuerRow(db, id)
  return issuerOf(row, await db.selectFrom('ca_issuer_certificate').selectAll().where('issuerId', '=', id).orderBy('id').execute())
}

/** @returns false when the slot is taken, as when two replicas start at once; waits for the other's transaction */
export async function insertIssuer(tx: Tx, row: IssuerRow): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await tx.insertInto('ca_issuer').values(row).onConflict((c) => c.column('slot').doNothing()).executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

export async function isNameTaken(db: Db | Tx, name: string): Promise<boolean> {
  return (await db.selectFrom('ca_issuer').select('id').where('name', '=', name).executeTakeFirst()) !== undefined
}

export interface NewIssuerCertificate { id: IssuerCertificateId; issuerId: IssuerId; signedBy: IssuerId | null; serialNumber: string; certificatePem: string; fingerprint: string; outsideChain: readonly string[]; notBefore: Date; notAfter: Date }

/** Stores a certificate of an issuer; the same one again changes nothing. @returns the id under which it is kept */
export async function insertIssuerCertificate(tx: Tx, row: NewIssuerCertificate, now: Date): Promise<IssuerCertificateId> {
  await tx.insertInto('ca_issuer_certificate')
    .values({ ...row, outsideChain: toJson(row.outsideChain), notBefore: iso(row.notBefore), notAfter: iso(row.notAfter), createdAt: iso(now) })
    .onConflict((c) => c.column('fingerprint').doNothing()).execute()
  return (await tx.selectFrom('ca_issuer_certificate').select('id').where('fingerprint', '=', row.fingerprint).executeTakeFirstOrThrow()).id
}

/** Whether a certificate of an issuer was issued here and revoked. */
export async function isRevoked(tx: Tx, id: IssuerCertificateId): Promise<boolean> {
  const row = await tx.selectFrom('ca_issuer_certificate').innerJoin('ca_certificate', 'ca_certificate.fingerprint', 'ca_issuer_certificate.fingerprint').select('ca_certificate.status').where('ca_issuer_certificate.id', '=', id).executeTakeFirst()
  return row?.status === 'revoked'
}

export type IssuerChange = Partial<Pick<IssuerRow, 'status' | 'slot' | 'certificateId' | 'successorId' | 'csrPem' | 'retiredAt' | 'settings' | 'name'>>
export async function updateIssuer(tx: Tx, id: IssuerId, change: IssuerChange): Promise<void> {
  await tx.updateTable('ca_issuer').set(change).where('id', '=', id).execute()
}

/** Its row as it is once nobody else changes it, until the transaction ends. @throws CertloopError NOT_FOUND */
export async function lockIssuer(tx: Tx, id: IssuerId): Promise<IssuerRow> {
  await tx.updateTable('ca_issuer').set((eb) => ({ changeNumber: eb.ref('changeNumber') })).where('id', '=', id).execute()
  return issuerRow(tx, id)
}

/** Gives the next change number of an issuer; concurrent callers wait for each other. */
export async function nextChangeNumber(tx: Tx, id: IssuerId): Promise<number> {
  const { changeNumber } = await tx.updateTable('ca_issuer').set((eb) => ({ changeNumber: eb('changeNumber', '+', 1) })).where('id', '=', id).returning('changeNumber').executeTakeFirstOrThrow()
  return changeNumber
}
