import type { AuthorityId } from '@certloop/contract'
import type { AuthorityConnector } from '@certloop/plugin-kit'
import type { Db, Tx } from '../database/database.ts'

export type { IssuedBefore, IssueRequest, ReviewedRequest } from '@certloop/plugin-kit'
/** A configured connector to a certificate authority; what it is and does is the contract of the plug-in kit. */
export type Authority = AuthorityConnector
/** The connector of a configured authority, read with this transaction when one is under way. @throws CertloopError NOT_FOUND */
export type AuthorityOf = (db: Db | Tx, id: AuthorityId) => Promise<Authority>
