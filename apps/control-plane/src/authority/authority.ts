import type { AuthorityId, KeyAlgorithm } from '@certloop/contract'
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
}
export interface IssueRequest {
  reference: string
  csrPem: string
  names: readonly string[]
  commonName: string | null
  keyAlgorithm: KeyAlgorithm
  validityDays: number | null
}
/** PEM, leaf first, without the root. */
export interface Issued { chainPem: string[] }
