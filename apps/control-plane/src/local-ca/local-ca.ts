import { readCertificate, type KeyBlocklist } from '@certloop/pki'
import type { Database, Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import type { CaAddresses } from './addresses.ts'
import { createCrlPublisher } from './crl-publisher.ts'
import { ensureHierarchy } from './hierarchy.ts'
import { createIssuing, issuerInSlot, type LocalIssued } from './issue.ts'
import type { IssueOptions } from './issue-request.ts'
import type { IssuedRow } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { createIssuerKeys, type TokenKeys } from './issuer-open.ts'
import { createIssuerChanges } from './issuer-changes.ts'
import { createIssuerService } from './issuer-service.ts'
import { listIssuers } from './issuer-store.ts'
import { createKeyStrength } from './key-strength.ts'
import { createMaintenance, maintenanceTaskKind, type MaintenanceDeps } from './maintenance.ts'
import { noLedger, type Ledger } from './ledger.ts'
import { createOcsp } from './ocsp.ts'
import { createOcspCache } from './ocsp-cache.ts'
import { createResponders } from './responder.ts'
import { createRevocation } from './revocation.ts'

export type { LocalIssued } from './issue.ts'

/** The built-in CA. Every call reads what it needs from the database, so replicas agree. */
export interface LocalCa {
  /** To be called at start, before anything else. Safe on several replicas at once. */
  ensureHierarchy(): Promise<void>
  issuers(): Promise<Issuer[]>
  /**
   * Issues once per reference: the serial number and all contents are committed before anything is signed, and a
   * repeated call gives the same certificate.
   * @throws CertloopError CSR_INVALID, CSR_MISMATCH, NAME_INVALID, TOO_MANY_NAMES, INPUT_INVALID, KEY_ALGORITHM_UNSUPPORTED, KEY_WEAK, PROFILE_VIOLATION,
   * ISSUER_EXPIRED, ISSUER_NOT_READY; CONFLICT when the reference was used for another request
   */
  issue(options: IssueOptions): Promise<LocalIssued>
  /** What was issued for this reference; undefined when nothing was, or it was never signed to the end. */
  findByReference(reference: string): Promise<LocalIssued | undefined>
  /** The root, PEM. */
  trustAnchorPem(): Promise<string>
  /** SHA-256 (hex) of the root's SubjectPublicKeyInfo: the pin in join tokens. */
  trustAnchorPin(): Promise<string>
  /** What certificates and lists name; undefined where nobody could reach it. */
  addresses(): CaAddresses | undefined
  issuerService: ReturnType<typeof createIssuerService> & ReturnType<typeof createIssuerChanges>
  revocation: ReturnType<typeof createRevocation>
  crls: ReturnType<typeof createCrlPublisher>
  ocsp: ReturnType<typeof createOcsp>
  maintenance: ReturnType<typeof createMaintenance>
  maintenanceTask: PlaneTaskKind
}

export interface LocalCaDeps {
  database: Database
  secrets: Secrets
  now: () => Date
  /** Default: none is kept. */
  ledger?: Ledger
  /** Where lists, OCSP and issuing certificates are to be had; undefined where nobody could reach it, and then certificates name none. */
  addresses?: () => CaAddresses | undefined
  tokenKeys?: TokenKeys | undefined
  /** Broken keys known one by one. */
  blocklist?: KeyBlocklist | undefined
  log?: MaintenanceDeps['log']
  /** Called in the transaction of each revocation, suspension and resumption. */
  revocationChanged?: (tx: Tx, wake: Wakes, row: IssuedRow) => Promise<void>
}

export function createLocalCa({ database, secrets, now, ledger = noLedger, addresses = () => undefined, tokenKeys, blocklist, revocationChanged, log = () => {} }: LocalCaDeps): LocalCa {
  const { db } = database
  const keys = createIssuerKeys({ secrets, tokenKeys })
  const issuing = createIssuing({ database, keys, ledger, strength: createKeyStrength({ database, now, blocklist }), addresses, now })
  const making = { database, keys, issue: issuing.issue, now, log }
  const crls = createCrlPublisher({ database, keys, addresses, now })
  const ocsp = createOcsp({ database, responders: createResponders({ database, secrets, issue: issuing.issue, now }), cache: createOcspCache(), now })
  const revocation = createRevocation({ database, now, ledger, ...(revocationChanged ? { changed: revocationChanged } : {}) })
  const rootPem = async () => {
    const { certificate, name } = issuerInSlot(await listIssuers(db), 'root')
    if (!certificate) throw new Error(`the root ${name} has no certificate yet`)
    return certificate.certificatePem
  }
  const issuerService = { ...createIssuerService(making), ...createIssuerChanges(making) }
  const maintenance = createMaintenance({ database, now, rollOver: issuerService.rollOver, ensurePublished: crls.ensurePublished, log })
  return {
    ensureHierarchy: () => ensureHierarchy(making),
    addresses,
    issue: (options) => issuing.issue(options),
    issuers: () => listIssuers(db),
    findByReference: issuing.findByReference,
    trustAnchorPem: rootPem,
    trustAnchorPin: async () => readCertificate(await rootPem()).spkiDigest,
    issuerService, revocation, crls, ocsp, maintenance, maintenanceTask: maintenanceTaskKind(maintenance, now),
  }
}
