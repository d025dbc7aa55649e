import type { AuthorityId, CsrRequest, KeyAlgorithm, RevocationReasonToGive, ValidationMethod } from '@certloop/contract'
import type { Db, Tx } from '../database/database.ts'

/** The connector of a configured authority, read with this transaction when one is under way. @throws CertloopError NOT_FOUND */
export type AuthorityOf = (db: Db | Tx, id: AuthorityId) => Promise<Authority>

/** A configured connector to a certificate authority. Further abilities (revoke, renewal window, …) are optional additions. */
export interface Authority {
  kind: string
  keyAlgorithms: readonly KeyAlgorithm[]
  /**
   * Asks for one certificate. `reference` is the order's own id: asked twice with the same one, the authority
   * is not to issue twice.
   * @throws CertloopError AUTHORITY_REJECTED, AUTHORITY_UNREACHABLE, ISSUER_EXPIRED, KEY_ALGORITHM_UNSUPPORTED
   */
  issue(request: IssueRequest): Promise<Issued>
  /** What was issued for this reference; undefined when nothing was. Asked after a crash, before asking again. */
  find(reference: string): Promise<Issued | undefined>
  /** How the authority wants to see that the names are ours. "none" alone: it asks for no proof. */
  validationMethods: readonly ValidationMethod[]
  /** Known to everybody's browser: what is lost with a key is lost everywhere. */
  isPublic?: boolean
  /** What it would refuse of a request, or give otherwise, each at the field of the configuration ("csr/validityDays"); nothing is asked for. */
  review?(request: ReviewedRequest): Promise<{ refused: { field: string; problem: string }[]; otherwise: { field: string; problem: string }[] }>
  /** Types of certificates it issues. */
  certificateTypes: readonly ('dv' | 'ov' | 'ev' | 'other')[]
  /**
   * For ever. Asked again for what is revoked already, it succeeds.
   * @throws CertloopError AUTHORITY_REJECTED, AUTHORITY_UNREACHABLE
   */
  revoke?(certificate: IssuedBefore, reason: RevocationReasonToGive): Promise<void>
  /** certificateHold (RFC 5280, 5.3.1), and taking it back. Repeating is harmless. */
  suspend?(certificate: IssuedBefore): Promise<void>
  resume?(certificate: IssuedBefore): Promise<void>
  /** When the authority would like to see it renewed (RFC 9773); undefined: it has no wish. */
  renewalWindow?(certificate: IssuedBefore): Promise<{ start: Date; end: Date } | undefined>
}
/** What was issued by this authority. */
export interface IssuedBefore { certificatePem: string; fingerprint: string; serialNumber: string; /** Of the order. */ reference: string | null }
export type ReviewedRequest = Pick<IssueRequest, 'names' | 'commonName' | 'keyAlgorithm' | 'validityDays' | 'request' | 'profile'>
export interface IssueRequest {
  reference: string
  csrPem: string
  names: readonly string[]
  commonName: string | null
  keyAlgorithm: KeyAlgorithm
  validityDays: number | null
  /** What the request holds besides names and key. */
  request?: CsrRequest
  /** Which of its profiles it is to issue by; default the one it issues by otherwise. */
  profile?: string | null
  /** What a renewal takes the place of. */
  replaces?: IssuedBefore
}
/** PEM, leaf first, without the root. */
export interface Issued { chainPem: string[] }
