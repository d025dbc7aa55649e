import { CertloopError } from '@certloop/contract'
import { certificateParts, type CertificateFacts } from '../certificate/certificate.ts'
import { signatureFits, signatureProves } from '../key/signature.ts'

/** Names and, where both certificates carry them, key identifiers fit; no signature is checked. */
function namesIssuer(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  if (certificate.issuer !== issuer.subject) return false
  return certificate.authorityKeyId === null || issuer.subjectKeyId === null || certificate.authorityKeyId === issuer.subjectKeyId
}


/**
 * Whether `issuer` signed `certificate`: name, key identifiers and signature. False as well where the key or algorithm
 * is not known here, or is MD2 or MD5, so that nothing was shown. Dates and constraints are not looked at.
 */
export const isIssuedBy = (certificate: CertificateFacts, issuer: CertificateFacts): boolean => namesIssuer(certificate, issuer) && signatureProves(certificateParts(certificate.pem), certificateParts(issuer.pem).spki.raw) === true

/** Whether a certificate is its own issuer, or says so and nothing speaks against it: an algorithm that is not known here does not. No ground for trust. */
export function isSelfSigned(certificate: CertificateFacts): boolean {
  if (!namesIssuer(certificate, certificate)) return false
  const parts = certificateParts(certificate.pem)
  return signatureFits(parts, parts.spki.raw) !== false
}

const maxPool = 100
/** A chain takes one or two for each of its certificates; only lists made for it take more. */
const maxSignatureChecks = 200

/** Like isIssuedBy, but names decide where the algorithm is not known; each certificate is read once, and each signature checked once. */
function issuedWithin(pool: readonly CertificateFacts[]): (certificate: CertificateFacts, issuer: CertificateFacts) => boolean {
  const parts = new Map(pool.map((certificate) => [certificate, certificateParts(certificate.pem)]))
  const answers = new Map<string, boolean>()
  return (certificate, issuer) => {
    const [below, above] = [parts.get(certificate), parts.get(issuer)]
    if (!below || !above || !namesIssuer(certificate, issuer)) return false
    const id = `${certificate.fingerprint} ${issuer.spkiDigest}`
    const known = answers.get(id)
    if (known !== undefined || answers.size === maxSignatureChecks) return known ?? false
    const answer = signatureFits(below, above.spki.raw) !== false
    answers.set(id, answer)
    return answer
  }
}

/**
 * Orders certificates as servers send them: leaf first, each signed by the next, a root dropped (RFC 8446, 4.4.2).
 * The leaf is the first that issued none of the others, one that is not a CA before one that is. Certificates that
 * don't belong to its chain are left out; a self-signed leaf stays. After 200 signature checks no certificate counts
 * as the issuer of another.
 * @throws CertloopError CERTIFICATE_INVALID for an empty list or one of more than 100
 */
export function orderChain(certificates: readonly CertificateFacts[]): CertificateFacts[] {
  const pool = [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()]
  if (pool.length > maxPool) throw new CertloopError('CERTIFICATE_INVALID', `The chain has ${pool.length} certificates; at most ${maxPool} are looked at.`)
  const isIssued = issuedWithin(pool)
  const ends = pool.filter((candidate) => !pool.some((other) => other !== candidate && isIssued(other, candidate)))
  const leaf = ends.find(({ isCa }) => !isCa) ?? ends[0] ?? pool[0]
  if (!leaf) throw new CertloopError('CERTIFICATE_INVALID', 'The chain is empty.')
  const chain = [leaf]
  for (let current = leaf; !isIssued(current, current);) {
    const issuer = pool.find((candidate) => !chain.includes(candidate) && isIssued(current, candidate))
    if (!issuer || isIssued(issuer, issuer)) break
    chain.push(issuer)
    current = issuer
  }
  return chain
}
