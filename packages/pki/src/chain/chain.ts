import { CertloopError } from '@certloop/contract'
import { certificateParts, type CertificateFacts } from '../certificate/certificate.ts'
import { signatureFits } from '../key/signature.ts'

/** Names and, where both certificates carry them, key identifiers fit; no signature is checked. */
function namesIssuer(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  if (certificate.issuer !== issuer.subject) return false
  return certificate.authorityKeyId === null || issuer.subjectKeyId === null || certificate.authorityKeyId === issuer.subjectKeyId
}

/**
 * Whether `issuer` signed `certificate`: name, key identifiers and signature. Where the algorithm is unknown here,
 * name and key identifiers decide. Dates and constraints are not looked at.
 */
export function isIssuedBy(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  if (!namesIssuer(certificate, issuer)) return false
  return signatureFits(certificateParts(certificate.pem), certificateParts(issuer.pem).spki.raw) ?? true
}

export const isSelfSigned = (certificate: CertificateFacts): boolean => isIssuedBy(certificate, certificate)

const maxPool = 100

/**
 * Orders certificates as servers send them: leaf first, each signed by the next, a root dropped (RFC 8446, 4.4.2).
 * The leaf is the first that issued none of the others, one that is not a CA before one that is. Certificates that
 * don't belong to its chain are left out; a self-signed leaf stays.
 * @throws CertloopError CERTIFICATE_INVALID for an empty list or one of more than 100
 */
export function orderChain(certificates: readonly CertificateFacts[]): CertificateFacts[] {
  const pool = [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()]
  if (pool.length > maxPool) throw new CertloopError('CERTIFICATE_INVALID', `The chain has ${pool.length} certificates; at most ${maxPool} are looked at.`)
  const ends = pool.filter((candidate) => !pool.some((other) => other !== candidate && isIssuedBy(other, candidate)))
  const leaf = ends.find(({ isCa }) => !isCa) ?? ends[0] ?? pool[0]
  if (!leaf) throw new CertloopError('CERTIFICATE_INVALID', 'The chain is empty.')
  const chain = [leaf]
  for (let current = leaf; !isSelfSigned(current);) {
    const issuer = pool.find((candidate) => !chain.includes(candidate) && isIssuedBy(current, candidate))
    if (!issuer || isSelfSigned(issuer)) break
    chain.push(issuer)
    current = issuer
  }
  return chain
}
