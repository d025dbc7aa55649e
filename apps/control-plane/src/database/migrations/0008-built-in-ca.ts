import { newId } from '@certloop/contract'
import { certificateParts, readCertificate } from '@certloop/pki'
import { PostgresAdapter, sql, type Kysely } from 'kysely'

interface OldIssuer { id: string; slot: string | null; parentId: string | null; status: string; subject: string; keyAlgorithm: string; notBefore: string; notAfter: string; certificatePem: string; sealedKey: string; createdAt: string }
interface OldIssued { reference: string; issuerId: string; serialNumber: string; status: string; profile: string; commonName: string | null; names: string; spki: string; notBefore: string; notAfter: string; certificatePem: string | null; fingerprint: string | null; createdAt: string; issuedAt: string | null }
interface Tables {
  issuer: OldIssuer
  issued_certificate: OldIssued
  ca_issuer: Record<string, unknown>
  ca_issuer_certificate: Record<string, unknown>
  ca_certificate: Record<string, unknown>
}

/** The built-in CA whole: several issuers with several certificates each, profiles, revocation, lists, responders. */
export async function up(untyped: Kysely<unknown>): Promise<void> {
  const db = untyped as Kysely<Tables>
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter
  await createIssuerTables(db)
  await createIssuedTables(db)
  await createListTables(db, isPostgres)
  for (const old of await db.selectFrom('issuer').selectAll().orderBy('id').execute()) await moveIssuer(db, old)
  for (const old of await db.selectFrom('issued_certificate').selectAll().execute()) await moveIssued(db, old)
  await db.schema.dropTable('issued_certificate').execute()
  await db.schema.dropTable('issuer').execute()
}

async function createIssuerTables(db: Kysely<Tables>): Promise<void> {
  await db.schema.createTable('ca_issuer')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    // What it is used for by default; unique, so that two replicas make one hierarchy.
    .addColumn('slot', 'text', (c) => c.unique())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('keyAlgorithm', 'text', (c) => c.notNull())
    .addColumn('spki', 'text', (c) => c.notNull())
    .addColumn('keySource', 'text', (c) => c.notNull())
    .addColumn('sealedKey', 'text')
    .addColumn('keyReference', 'text')
    .addColumn('settings', 'text', (c) => c.notNull())
    .addColumn('csrPem', 'text')
    .addColumn('certificateId', 'text')
    .addColumn('successorId', 'text')
    // Grows with every revocation, suspension and resumption.
    .addColumn('changeNumber', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .addColumn('retiredAt', 'text')
    .execute()
  await db.schema.createTable('ca_issuer_certificate')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('issuerId', 'text', (c) => c.notNull().references('ca_issuer.id'))
    // The issuer here that signed it; null for one signed elsewhere.
    .addColumn('signedBy', 'text', (c) => c.references('ca_issuer.id'))
    .addColumn('serialNumber', 'text', (c) => c.notNull())
    .addColumn('certificatePem', 'text', (c) => c.notNull())
    .addColumn('fingerprint', 'text', (c) => c.notNull().unique())
    .addColumn('outsideChain', 'text', (c) => c.notNull())
    .addColumn('notBefore', 'text', (c) => c.notNull())
    .addColumn('notAfter', 'text', (c) => c.notNull())
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('ca_issuer_certificate_issuerId').on('ca_issuer_certificate').column('issuerId').execute()
  await db.schema.createTable('ca_profile')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('rules', 'text', (c) => c.notNull())
    .addColumn('revision', 'integer', (c) => c.notNull())
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .addColumn('updatedAt', 'text', (c) => c.notNull())
    .execute()
}

async function createIssuedTables(db: Kysely<Tables>): Promise<void> {
  await db.schema.createTable('ca_certificate')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('reference', 'text', (c) => c.notNull().unique())
    .addColumn('issuerId', 'text', (c) => c.notNull().references('ca_issuer.id'))
    .addColumn('serialNumber', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('profile', 'text', (c) => c.notNull())
    .addColumn('subject', 'text', (c) => c.notNull())
    .addColumn('commonName', 'text')
    .addColumn('names', 'text', (c) => c.notNull())
    .addColumn('request', 'text')
    .addColumn('spki', 'text', (c) => c.notNull())
    .addColumn('notBefore', 'text', (c) => c.notNull())
    .addColumn('notAfter', 'text', (c) => c.notNull())
    // What is to be signed, base64 of the DER; dropped once the certificate is stored.
    .addColumn('tbs', 'text')
    .addColumn('certificatePem', 'text')
    .addColumn('fingerprint', 'text', (c) => c.unique())
    .addColumn('shard', 'integer', (c) => c.notNull())
    .addColumn('revokedAt', 'text')
    .addColumn('revocationReason', 'text')
    .addColumn('invalidityDate', 'text')
    // The issuer's change number at the last change of the status; null when there was none.
    .addColumn('changeNumber', 'integer')
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .addColumn('issuedAt', 'text')
    .addUniqueConstraint('ca_certificate_serial', ['issuerId', 'serialNumber'])
    .execute()
  // All that a list needs: made from the index alone, one of a million takes a tenth of the time.
  await db.schema.createIndex('ca_certificate_revoked').on('ca_certificate').columns(['issuerId', 'serialNumber', 'revokedAt', 'revocationReason', 'invalidityDate', 'notAfter', 'shard']).where(sql.ref('revokedAt'), 'is not', null).execute()
  await db.schema.createIndex('ca_certificate_changed').on('ca_certificate').columns(['issuerId', 'changeNumber']).where(sql.ref('changeNumber'), 'is not', null).execute()
  await db.schema.createIndex('ca_certificate_notAfter').on('ca_certificate').column('notAfter').execute()
  await db.schema.createTable('ca_weak_key')
    .addColumn('spkiDigest', 'text', (c) => c.primaryKey())
    .addColumn('problem', 'text', (c) => c.notNull())
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .execute()
}

async function createListTables(db: Kysely<Tables>, isPostgres: boolean): Promise<void> {
  await db.schema.createTable('ca_crl')
    .addColumn('issuerId', 'text', (c) => c.notNull().references('ca_issuer.id'))
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('number', 'bigint', (c) => c.notNull())
    .addColumn('thisUpdate', 'text', (c) => c.notNull())
    .addColumn('nextUpdate', 'text', (c) => c.notNull())
    .addColumn('entries', 'integer', (c) => c.notNull())
    .addColumn('bytes', 'integer', (c) => c.notNull())
    .addColumn('changeNumber', 'integer', (c) => c.notNull())
    .addColumn('buildMs', 'integer', (c) => c.notNull())
    .addColumn('bodyId', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ca_crl_key', ['issuerId', 'scope'])
    .execute()
  // In slices, so that a list of many megabytes is neither written nor read in one go.
  await db.schema.createTable('ca_crl_slice')
    .addColumn('bodyId', 'text', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('bytes', isPostgres ? sql`bytea` : 'blob', (c) => c.notNull())
    .addColumn('createdAt', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('ca_crl_slice_key', ['bodyId', 'position'])
    .execute()
  await db.schema.createTable('ca_responder')
    .addColumn('issuerId', 'text', (c) => c.primaryKey().references('ca_issuer.id'))
    .addColumn('certificatePem', 'text', (c) => c.notNull())
    .addColumn('sealedKey', 'text', (c) => c.notNull())
    .addColumn('renewAt', 'text', (c) => c.notNull())
    .addColumn('notAfter', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createTable('ca_ledger_mark')
    .addColumn('file', 'text', (c) => c.primaryKey())
    .addColumn('bytes', 'bigint', (c) => c.notNull())
    .execute()
}

/** A sealed key is bound to the id of its issuer, which stays. */
async function moveIssuer(db: Kysely<Tables>, old: OldIssuer): Promise<void> {
  const certificateId = newId('icc', new Date(old.createdAt))
  const { notBefore, notAfter, certificatePem, createdAt } = old
  const kind = old.parentId === null ? 'root' : 'intermediate'
  const name = old.subject.replace(/^CN=/, '')
  await db.insertInto('ca_issuer').values({
    id: old.id, name, slot: old.slot, kind, status: 'active', subject: old.subject, keyAlgorithm: old.keyAlgorithm, spki: certificateParts(certificatePem).spki.raw.toString('base64'), keySource: 'sealed',
    sealedKey: old.sealedKey, settings: '{}', certificateId, createdAt,
  }).execute()
  const { serialNumber, fingerprint } = readCertificate(certificatePem)
  await db.insertInto('ca_issuer_certificate').values({
    id: certificateId, issuerId: old.id, signedBy: old.parentId ?? old.id, serialNumber, certificatePem, fingerprint, outsideChain: '[]', notBefore, notAfter, createdAt,
  }).execute()
}

async function moveIssued(db: Kysely<Tables>, { issuedAt, ...old }: OldIssued): Promise<void> {
  await db.insertInto('ca_certificate').values({
    ...old, issuedAt, id: newId('cac', new Date(old.createdAt)), subject: old.commonName === null ? '' : `CN=${old.commonName}`, shard: 0,
  }).execute()
}
