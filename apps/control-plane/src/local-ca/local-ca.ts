import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import {
  authorityKeyIdentifier, basicConstraints, buildCertificate, extendedKeyUsage, keyAlgorithmOfSpki, keyIdOfSpki, keyUsage, nameOfCommonName, readCertificate,
  subjectAltName, subjectKeyIdentifier,
} from '@certloop/pki'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { ensureHierarchy, issuerOpener, newSerialNumber, type OpenIssuer } from './hierarchy.ts'
import { checkRequest, type IssueOptions, type IssueRequest } from './issue-request.ts'
import { findIssued, insertIntent, listIssuers, storeIssued, type Intent, type IssuedCertificateTable, type IssuerId, type IssuerSlot, type IssuerTable } from './local-ca-store.ts'
import { endsTooSoon, lifetimeOf, profiles, usagesFor } from './profiles.ts'

/** chainPem: leaf, intermediate. */
export interface LocalIssued { chainPem: string[]; rootPem: string }
export interface IssuerFacts { id: IssuerId; slot: IssuerSlot | null; status: string; subject: string; keyAlgorithm: KeyAlgorithm; notBefore: Date; notAfter: Date; certificatePem: string }

/** The built-in CA. Every call reads what it needs from the database, so replicas agree. */
export interface LocalCa {
  /** To be called at start, before anything else. Safe on several replicas at once. */
  ensureHierarchy(): Promise<void>
  issuers(): Promise<IssuerFacts[]>
  /**
   * Issues once per reference: the serial number and all contents are committed before anything is signed, and a
   * repeated call gives the same certificate.
   * @throws CertloopError CSR_INVALID, CSR_MISMATCH, NAME_INVALID, TOO_MANY_NAMES, INPUT_INVALID, KEY_ALGORITHM_UNSUPPORTED, ISSUER_EXPIRED;
   * CONFLICT when the reference was used for another request
   */
  issue(options: IssueOptions): Promise<LocalIssued>
  /** What was issued for this reference; undefined when nothing was, or it was never signed to the end. */
  findByReference(reference: string): Promise<LocalIssued | undefined>
  /** The root, PEM. */
  trustAnchorPem(): Promise<string>
  /** SHA-256 (hex) of the root's SubjectPublicKeyInfo: the pin in join tokens. */
  trustAnchorPin(): Promise<string>
}

export interface LocalCaDeps { database: Database; secrets: Secrets; now: () => Date }

export function createLocalCa({ database, secrets, now }: LocalCaDeps): LocalCa {
  const { db } = database
  const openIssuer = issuerOpener(secrets)

  /** Signs the intent as it was committed and stores the result; when another call stored first, that one counts. */
  async function signIntent(row: IssuedCertificateTable, issuerRow: IssuerTable): Promise<string> {
    const { pem, fingerprint } = readCertificate(await signedLeaf(row, openIssuer(issuerRow)))
    if (await storeIssued(db, row.reference, pem, fingerprint, now())) return pem
    const stored = (await findIssued(db, row.reference))?.certificatePem
    if (!stored) throw new CertloopError('INTERNAL', `The certificate of ${row.reference} was neither stored nor found.`)
    return stored
  }

  async function issue(options: IssueOptions): Promise<LocalIssued> {
    const request = checkRequest(options)
    const issuers = await listIssuers(db)
    let row = await findIssued(db, options.reference)
    if (!row) {
      await insertIntent(db, intentFor(options, request, openIssuer(issuerWhere(issuers, ({ slot }) => slot === 'intermediate')), now()), now())
      row = await findIssued(db, options.reference)
    }
    if (!row) throw new CertloopError('INTERNAL', `The intent of ${options.reference} was not stored.`)
    if (!isSameRequest(row, options, request)) {
      throw new CertloopError('CONFLICT', `A different certificate was already requested as ${options.reference}.`, { reference: options.reference })
    }
    return answer(row, row.certificatePem ?? await signIntent(row, issuerOf(row, issuers)), issuers)
  }

  const rootPem = async () => issuerWhere(await listIssuers(db), ({ slot }) => slot === 'root').certificatePem

  return {
    ensureHierarchy: () => ensureHierarchy(database, secrets, now()),
    issue,
    async issuers() {
      return (await listIssuers(db)).map(({ id, slot, status, subject, keyAlgorithm, notBefore, notAfter, certificatePem }) =>
        ({ id, slot, status, subject, keyAlgorithm, notBefore: new Date(notBefore), notAfter: new Date(notAfter), certificatePem }))
    },
    async findByReference(reference) {
      const row = await findIssued(db, reference)
      return row?.certificatePem ? answer(row, row.certificatePem, await listIssuers(db)) : undefined
    },
    trustAnchorPem: rootPem,
    trustAnchorPin: async () => readCertificate(await rootPem()).spkiDigest,
  }
}

function issuerWhere(issuers: readonly IssuerTable[], fits: (row: IssuerTable) => boolean): IssuerTable {
  const found = issuers.find(fits)
  if (!found) throw new CertloopError('INTERNAL', 'The built-in CA has no such issuer; its hierarchy was not made yet.')
  return found
}
const issuerOf = (row: IssuedCertificateTable, issuers: readonly IssuerTable[]): IssuerTable => issuerWhere(issuers, ({ id }) => id === row.issuerId)

function answer(row: IssuedCertificateTable, certificatePem: string, issuers: readonly IssuerTable[]): LocalIssued {
  const issuer = issuerOf(row, issuers)
  const root = issuerWhere(issuers, ({ id }) => id === issuer.parentId)
  return { chainPem: [certificatePem, issuer.certificatePem], rootPem: root.certificatePem }
}

function intentFor({ reference, profile, commonName, validityDays }: IssueOptions, { csr, names }: IssueRequest, issuer: OpenIssuer, now: Date): Intent {
  if (endsTooSoon(issuer, now)) throw new CertloopError('ISSUER_EXPIRED', `The issuing certificate "${issuer.row.subject}" ends at ${issuer.row.notAfter}.`, { issuer: issuer.row.subject, notAfter: issuer.row.notAfter })
  const lifetime = lifetimeOf(validityDays ?? profiles[profile].defaultValidityDays, now, issuer)
  return { reference, issuerId: issuer.row.id, serialNumber: newSerialNumber(), profile, commonName, names, spki: Buffer.from(csr.publicKeySpki), ...lifetime }
}

const isSameRequest = (row: IssuedCertificateTable, options: IssueOptions, { csr, names }: IssueRequest): boolean =>
  row.profile === options.profile && row.commonName === options.commonName && row.spki === Buffer.from(csr.publicKeySpki).toString('base64') && row.names === toJson(names)

/** The certificate that an intent describes, DER: everything comes from the committed row, nothing from the clock. */
function signedLeaf(row: IssuedCertificateTable, issuer: OpenIssuer): Promise<Buffer> {
  const rules = profiles[row.profile]
  const spki = Buffer.from(row.spki, 'base64')
  const names = fromJson<string[]>(row.names)
  return buildCertificate({
    serialNumber: row.serialNumber, issuer: issuer.subject, subject: nameOfCommonName(row.commonName), notBefore: new Date(row.notBefore), notAfter: new Date(row.notAfter), spki,
    extensions: [
      basicConstraints(false), keyUsage(usagesFor(keyAlgorithmOfSpki(spki), rules)), extendedKeyUsage(...rules.purposes),
      subjectKeyIdentifier(keyIdOfSpki(spki)), authorityKeyIdentifier(issuer.keyId), ...(names.length > 0 ? [subjectAltName(names, row.commonName === null)] : []),
    ],
  }, issuer.signer)
}
