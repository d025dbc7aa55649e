import { signatureFits } from '../key/signature.ts'
import { titleOf, type Link } from './link.ts'

/** Signature checks made once per certificate and key, up to a number: they are what hostile pools make dear. */
export interface SignatureChecks {
  /** yes or no; unknown where algorithm or key can't be used here, spent when the number is reached. */
  check(link: Link, issuer: Link): SignatureAnswer
  readonly isSpent: boolean
}
export type SignatureAnswer = 'yes' | 'no' | 'unknown' | 'spent'

export function signatureChecks(most: number): SignatureChecks {
  const answers = new Map<string, SignatureAnswer>()
  let left = most
  return {
    get isSpent() { return left < 0 },
    check(link, issuer) {
      const id = `${link.facts.fingerprint} ${issuer.facts.spkiDigest}`
      const known = answers.get(id)
      if (known) return known
      if (--left < 0) return 'spent'
      const answer = answerOf(link, issuer)
      answers.set(id, answer)
      return answer
    },
  }
}

/** No authority has a longer RSA key; with 16384 bits one check takes 7 ms, and others wait meanwhile. */
const mostRsaBits = 8192

function answerOf(link: Link, issuer: Link): SignatureAnswer {
  if (issuer.facts.key.kind.startsWith('rsa') && (issuer.facts.key.bits ?? 0) > mostRsaBits) return 'unknown'
  const fits = signatureFits(link.parts, issuer.parts.spki.raw)
  return fits === undefined ? 'unknown' : fits ? 'yes' : 'no'
}

/** Whether each certificate of a path was shown to be signed by the next: checked, and over a digest that nobody can forge. */
export const isProven = (path: readonly Link[], checks: SignatureChecks): boolean => path.every((link, place) => {
  const issuer = path[place + 1]
  return !issuer || (link.algorithmsAgree && !link.hasBrokenHash && checks.check(link, issuer) === 'yes')
})

/** Whether the authority key identifier of `link` speaks of another certificate than `issuer` (RFC 5280, 4.2.1.1). */
export function authorityDiffers({ authority }: Link, issuer: Link): boolean {
  const { subjectKeyId, serialNumber } = issuer.facts
  if (authority.keyId !== null && subjectKeyId !== null && authority.keyId !== subjectKeyId) return true
  if (authority.serial !== null && authority.serial !== serialNumber) return true
  return authority.issuerKey !== null && authority.issuerKey !== issuer.issuerKey
}

/** Signed with its own key, or at least not shown to be otherwise. */
export const isSelfSignedLink = (link: Link, checks: SignatureChecks): boolean =>
  link.isSelfIssued && !authorityDiffers(link, link) && ['yes', 'unknown'].includes(checks.check(link, link))

const smallest: Record<string, number> = { 'rsa': 2048, 'rsa-pss': 2048, 'ec': 224 }

/** RSA below 2048 bits, curves below 224 (NIST SP 800-131A), and curves written out in numbers, which can be chosen to be weak. */
export function hasWeakKey({ facts }: Link): boolean {
  if (facts.keyAlgorithm === 'ec-explicit') return true
  const [, kind = '', bits = ''] = /^(rsa-pss|rsa|ec)-(\d+)$/.exec(facts.keyAlgorithm) ?? []
  if (kind !== '') return Number(bits) < (smallest[kind] ?? 0)
  return facts.key.kind === 'ec' && facts.key.bits !== null && facts.key.bits < (smallest['ec'] ?? 0)
}

/** Why no validator takes this certificate as an issuer, whatever the rest of the path; undefined when it may be one. */
export function notAnIssuer(link: Link, isAnchor: boolean): string | undefined {
  // Old roots of version 1 have no extensions at all; who trusts them does so knowingly.
  if (isAnchor && link.version === 1 && link.isSelfIssued) return undefined
  return link.basic?.isCa ? undefined : `${titleOf(link)} is used as an issuer but is not a CA certificate: its basic constraints do not say so.`
}
