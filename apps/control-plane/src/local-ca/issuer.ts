import type { IssuerCertificateId, IssuerId, issuerStatuses, KeyAlgorithm } from '@certloop/contract'
import type { NameConstraints, SubjectAttribute } from '@certloop/pki'

/**
 * An issuer is a name and a key that sign certificates: a root, or an intermediate under one. It can have several
 * certificates (its own, cross-certificates of other roots, one that replaced another); the preferred one goes into
 * chains. Its key is sealed in the database or lives in a PKCS#11 token.
 *
 * pending: waits for a certificate signed elsewhere. active: signs. retired: signs nothing new, but its lists and
 * OCSP answers, until all it signed has ended. revoked: like retired, and its own certificate is revoked.
 */
export type IssuerStatus = (typeof issuerStatuses)[number]
export type IssuerKind = 'root' | 'intermediate'
/** root: the anchor that bots pin. intermediate: signs what names no issuer. */
export type IssuerSlot = 'root' | 'intermediate'
/** sealed: in the database, under the master key. pkcs11: in a token. outside: we have its certificate alone. */
export type KeySource = 'sealed' | 'pkcs11' | 'outside'

/** How an issuer publishes and what its own certificates say; kept with it. */
export interface IssuerSettings {
  /** public: in all it signs and publishes as the Baseline Requirements ask (public-style.ts); from the profile it was made by. */
  style: 'private' | 'public'
  /** Lists beside the full one, among which its certificates are spread; 0: only the full one. */
  crlShards: number
  /** The most there ever were: certificates name their list for as long as they live. */
  shardsEver: number
  /** How long a list is valid; a new one comes at half of it. */
  crlHours: number
  /** Delta lists beside the full one, for clients that take them. */
  deltaCrl: boolean
  /** How long an OCSP answer may be kept. */
  ocspMinutes: number
  /** Constraints put into its certificate and checked at each signing. */
  nameConstraints: NameConstraints | null
  /** Greatest number of CAs below it; null: not limited. */
  pathLength: number | null
  /** Digest for RSA and EC keys; null: the usual one of the key. */
  hash: 'sha256' | 'sha384' | 'sha512' | null
  /** How its first certificate comes about, as long as it waits for it. */
  wanted: WantedCertificate | null
}
/** signedBy: itself, an issuer here, or somebody outside (null). takesSlot: it becomes the one in use as soon as it has its certificate. */
export interface WantedCertificate { signedBy: 'self' | IssuerId | null; validityDays: number; commonName: string; subject: readonly SubjectAttribute[]; profile: string; takesSlot?: boolean }

export const defaultIssuerSettings: IssuerSettings = { style: 'private', crlShards: 0, shardsEver: 0, crlHours: 168, deltaCrl: false, ocspMinutes: 60, nameConstraints: null, pathLength: null, hash: null, wanted: null }

export interface IssuerCertificate {
  id: IssuerCertificateId
  signedBy: IssuerId | null
  certificatePem: string
  /** Certificates of CAs outside that lie above it, root last. */
  outsideChain: string[]
  notBefore: Date
  notAfter: Date
}

/** An issuer as the rest of the control plane sees it: no key. */
export interface Issuer {
  id: IssuerId
  name: string
  slot: IssuerSlot | null
  kind: IssuerKind
  status: IssuerStatus
  subject: string
  keyAlgorithm: KeyAlgorithm
  keySource: KeySource
  settings: IssuerSettings
  csrPem: string | null
  /** The preferred one; null while pending. */
  certificate: IssuerCertificate | null
  certificates: IssuerCertificate[]
  successorId: IssuerId | null
  createdAt: Date
  retiredAt: Date | null
}
