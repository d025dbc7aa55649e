import { CertloopError, type RevocationReasonToGive } from '@certloop/contract'
import { splitPem } from '@certloop/pki'
import type { Accounts } from './account.ts'
import type { Directory } from './directory.ts'
import type { Wire } from './wire.ts'

/** RFC 5280, 5.3.1 */
const reasons: Readonly<Record<RevocationReasonToGive, number>> = {
  unspecified: 0, keyCompromise: 1, cACompromise: 2, affiliationChanged: 3, superseded: 4, cessationOfOperation: 5, privilegeWithdrawn: 9, aACompromise: 10,
}

/** For ever. What is revoked already counts as done. */
export async function revoke({ name, accounts, wire }: { name: string; accounts: Accounts; wire: Wire }, directory: Directory, certificatePem: string, reason: RevocationReasonToGive): Promise<void> {
  const [certificate] = splitPem(certificatePem)
  if (!certificate) throw new CertloopError('CERTIFICATE_INVALID', 'There is no certificate to be revoked.')
  // "unspecified" is said by saying nothing (RFC 5280, 5.3.1).
  const answer = await accounts.post(directory.revokeCert, { certificate: certificate.der.toString('base64url'), ...(reason === 'unspecified' ? {} : { reason: reasons[reason] }) })
  if (answer.ok || answer.problem?.type === 'alreadyRevoked') return
  if (answer.problem?.type === 'badRevocationReason') throw new CertloopError('AUTHORITY_REJECTED', `${name} does not take the reason "${reason}": ${answer.problem.detail}. Choose another one.`, { acmeError: 'badRevocationReason' })
  throw wire.refusal(answer, 'other')
}
