import { keyUsageBits, purposes, type Purpose } from '../certificate/extensions.ts'
import { hasEnded } from '../certificate/validity.ts'
import { error, moment, notice, warning, type LinkFinding } from './findings.ts'
import { authorityDiffers, hasWeakKey, notAnIssuer, type SignatureChecks } from './issuing.ts'
import { allowsPurpose, shortly, titleOf, type Link } from './link.ts'
import { constraintBreach, maxComparisons, type ComparisonCount } from './name-constraints.ts'

export interface PathContext {
  at: Date
  /** Fingerprints of certificates that are trusted as they are. */
  anchored: ReadonlySet<string>
  /** A name of `purposes` or a dotted identifier. */
  purpose: string | undefined
  checks: SignatureChecks
}

/**
 * What RFC 5280, 6.1 finds wrong with a path, leaf first. The last certificate is judged like the rest, as OpenSSL
 * and Go do with roots. Certificate policies are not followed; where rules on them exist, a finding says so.
 */
export function pathFindings(path: readonly Link[], context: PathContext): LinkFinding[] {
  const leaf = path[0]
  if (!leaf) return []
  return [
    ...path.flatMap((link, i) => ownFindings(link, context, i === path.length - 1)),
    ...path.slice(1).flatMap((issuer, i) => linkFindings(path[i] ?? leaf, issuer, context)),
    ...lengthFindings(path), ...constraintFindings(path), ...purposeFindings(path, context.purpose),
    ...path.slice(1).filter((issuer) => issuer.facts.notAfter < leaf.facts.notAfter && !hasEnded(context.at, issuer.facts.notAfter))
      .map((issuer) => warning('EXPIRES_BEFORE_LEAF', issuer, `${titleOf(issuer)} ends on ${moment(issuer.facts.notAfter)}, before ${titleOf(leaf)} does (${moment(leaf.facts.notAfter)}). From then on the chain fails although the leaf is still valid.`)),
  ]
}

/** What is wrong with a certificate wherever it stands. */
function ownFindings(link: Link, { at, anchored }: PathContext, isLast: boolean): LinkFinding[] {
  const { facts } = link
  const found: LinkFinding[] = []
  const title = titleOf(link)
  if (hasEnded(at, facts.notAfter)) found.push(error('EXPIRED', link, `${title} expired on ${moment(facts.notAfter)}. Renew it or replace it.`))
  if (at < facts.notBefore) found.push(error('NOT_YET_VALID', link, `${title} is valid from ${moment(facts.notBefore)} on, not yet. Check the clock of this machine too.`))
  if (hasWeakKey(link)) found.push(error('KEY_WEAK', link, `The key of ${title} is too weak (${facts.keyAlgorithm}). Clients want RSA of 2048 bits or more, or an elliptic curve by its name.`))
  if (link.hasWeakHash && !anchored.has(facts.fingerprint) && !(isLast && link.isSelfIssued)) found.push(error('SIGNATURE_WEAK', link, `${title} is signed with ${facts.signatureAlgorithm}, which can be forged and is refused. Have it issued again with SHA-256.`))
  if (!link.algorithmsAgree) found.push(error('SIGNATURE_WRONG', link, `${title} names two different signature algorithms, so its signature counts for nothing.`))
  if (link.hasPolicyRules) found.push(notice('POLICY_NOT_CHECKED', link, `${title} sets rules on certificate policies, which were not checked here.`))
  return [...found, ...extensionFindings(link)]
}

function extensionFindings(link: Link): LinkFinding[] {
  return [
    ...link.criticalUnknown.slice(0, 5).map((id) => error('CRITICAL_EXTENSION_UNKNOWN', link, `${titleOf(link)} has an extension marked critical (${id}) that clients do not know and so have to refuse.`)),
    ...link.repeated.slice(0, 5).map((id) => error('EXTENSION_REPEATED', link, `${titleOf(link)} has the extension ${id} more than once, which is forbidden.`)),
    ...link.damaged.map((id) => error('EXTENSION_DAMAGED', link, `An extension of ${titleOf(link)} can not be read (${id}). The certificate is damaged or was made wrongly.`)),
  ]
}

/** What is wrong between a certificate and the one above it. */
function linkFindings(link: Link, issuer: Link, { anchored, checks }: PathContext): LinkFinding[] {
  const found: LinkFinding[] = []
  const unfit = notAnIssuer(issuer, anchored.has(issuer.facts.fingerprint))
  if (unfit !== undefined) found.push(error('NOT_A_CA', issuer, unfit))
  if (issuer.keyUsage && !issuer.keyUsage.has(keyUsageBits.keyCertSign)) found.push(error('KEY_CERT_SIGN_MISSING', issuer, `${titleOf(issuer)} signed ${titleOf(link)}, but its key usage does not include signing certificates (keyCertSign).`))
  if (authorityDiffers(link, issuer)) found.push(error('KEY_ID_MISMATCH', link, `${titleOf(link)} says that another key or certificate of its issuer signed it (authority key identifier) than the one of ${titleOf(issuer)} at hand. Many clients stop here.`))
  const answer = checks.check(link, issuer)
  if (answer === 'no') found.push(error('SIGNATURE_WRONG', link, `The signature of ${titleOf(link)} was not made by the key of ${titleOf(issuer)}. One of the two is not the right file.`))
  if (answer === 'unknown' || answer === 'spent') found.push(error('SIGNATURE_NOT_CHECKED', link, `The signature of ${titleOf(link)} could not be checked (${link.facts.signatureAlgorithm}, key of the issuer: ${issuer.facts.keyAlgorithm}).`))
  return found
}

/** Self-issued certificates do not count (RFC 5280, 4.2.1.9). */
function lengthFindings(path: readonly Link[]): LinkFinding[] {
  const found: LinkFinding[] = []
  let below = 0
  for (const link of path.slice(1)) {
    const allowed = link.basic?.isCa ? link.basic.pathLength : Infinity
    if (below > allowed) found.push(error('PATH_LENGTH_EXCEEDED', link, `${titleOf(link)} allows ${allowed === 0 ? 'no' : `at most ${allowed}`} further CA certificate${allowed === 1 ? '' : 's'} below it, but there ${below === 1 ? 'is' : 'are'} ${below}.`))
    if (!link.isSelfIssued) below++
  }
  return found
}

/** Every CA's constraints hold for every certificate below it, which is what intersecting them down the path comes to (RFC 5280, 6.1.4 g). */
function constraintFindings(path: readonly Link[]): LinkFinding[] {
  const found: LinkFinding[] = []
  const count: ComparisonCount = { made: 0 }
  for (const [place, ca] of path.entries()) {
    if (place === 0 || !ca.constraints) continue
    for (const [below, link] of path.slice(0, place).entries()) {
      if (below > 0 && link.isSelfIssued) continue
      const breach = constraintBreach(below === 0 ? withCommonNames(link) : link, ca.constraints, count)
      if (breach?.kind === 'too-many') return [...found, error('NAME_CONSTRAINT_NOT_CHECKED', ca, `${titleOf(ca)} has so many name constraints that checking them would take more than ${maxComparisons} comparisons.`)]
      if (breach) found.push(error(breach.kind === 'unsupported' ? 'NAME_CONSTRAINT_NOT_CHECKED' : 'NAME_CONSTRAINT_VIOLATED', link, breachText(breach, link, ca)))
    }
  }
  return found
}

const commonNameOid = '2.5.4.3'
/** OpenSSL holds DNS constraints against all common names of a leaf without DNS names, and so do the many clients built on it. */
function withCommonNames(leaf: Link): Link {
  if (leaf.names.some(({ type }) => type === 'dns')) return leaf
  const hosts = leaf.facts.subjectFields.filter(({ oid, value }) => oid === commonNameOid && /^(?:[a-z0-9_-]+\.)+[a-z0-9_-]+$/i.test(value))
  return { ...leaf, names: [...leaf.names, ...hosts.map(({ value }) => ({ type: 'dns' as const, value: value.toLowerCase() }))] }
}

function breachText(breach: { kind: 'excluded' | 'not-permitted' | 'unsupported'; name: string }, link: Link, ca: Link): string {
  const name = shortly(breach.name)
  if (breach.kind === 'unsupported') return `${titleOf(ca)} restricts names of a kind that can not be checked here, and ${titleOf(link)} has one: ${name}.`
  return breach.kind === 'excluded'
    ? `${titleOf(ca)} excludes the name ${name} in certificates below it, and ${titleOf(link)} has it.`
    : `${titleOf(link)} has the name ${name}, which is not among those that ${titleOf(ca)} permits below it.`
}

const usagesFor: Partial<Record<string, readonly (keyof typeof keyUsageBits)[]>> = {
  [purposes.serverAuth]: ['digitalSignature', 'keyEncipherment', 'keyAgreement'],
  [purposes.clientAuth]: ['digitalSignature', 'keyAgreement'],
  [purposes.codeSigning]: ['digitalSignature'],
}

export const purposeOid = (purpose: string): string => (Object.hasOwn(purposes, purpose) ? purposes[purpose as Purpose] : purpose)
const purposeWord = (dotted: string): string => Object.entries(purposes).find(([, id]) => id === dotted)?.[0] ?? dotted

function purposeFindings(path: readonly Link[], wanted: string | undefined): LinkFinding[] {
  const leaf = path[0]
  if (!leaf) return []
  return wanted === undefined ? nestingFindings(path, leaf) : [...usageFindings(leaf, purposeOid(wanted)), ...path.flatMap((link, i) => purposeFinding(link, i === 0, purposeOid(wanted)))]
}

function purposeFinding(link: Link, isLeaf: boolean, wanted: string): LinkFinding[] {
  const word = purposeWord(wanted)
  if (!allowsPurpose(link, wanted)) {
    return [isLeaf
      ? error('PURPOSE_NOT_ALLOWED', link, `${titleOf(link)} is not for ${word}: its extended key usage lists ${shownPurposes(link)}.`)
      : error('PURPOSE_NOT_NESTED', link, `${titleOf(link)} does not let certificates below it be used for ${word}: its extended key usage lists ${shownPurposes(link)}.`)]
  }
  if (link.purposes === null || link.purposes.includes(wanted)) return []
  return [warning(isLeaf ? 'PURPOSE_NOT_ALLOWED' : 'PURPOSE_NOT_NESTED', link, `${titleOf(link)} is for any purpose rather than for ${word} by name. OpenSSL and Firefox refuse that for TLS.`)]
}
const shownPurposes = (link: Link): string => (link.purposes ?? []).slice(0, 6).map(purposeWord).join(', ')

function usageFindings(leaf: Link, wanted: string): LinkFinding[] {
  const needed = Object.hasOwn(usagesFor, wanted) ? usagesFor[wanted] : undefined
  if (!needed || !leaf.keyUsage || needed.some((usage) => leaf.keyUsage?.has(keyUsageBits[usage]))) return []
  return [error('KEY_USAGE_UNFIT', leaf, `The key usage of ${titleOf(leaf)} has none of ${needed.join(', ')}, one of which ${purposeWord(wanted)} needs.`)]
}

/** Without a purpose in view: the purposes of the leaf that its issuers don't pass on; an error when none is left. */
function nestingFindings(path: readonly Link[], leaf: Link): LinkFinding[] {
  const own = (leaf.purposes ?? []).filter((purpose) => purpose !== purposes.anyExtendedKeyUsage).slice(0, 50)
  const lost = (purpose: string) => path.find((link) => !allowsPurpose(link, purpose))
  const gone = own.filter((purpose) => lost(purpose) !== undefined)
  const breaker = gone[0] === undefined ? undefined : lost(gone[0])
  if (!breaker) return []
  const text = `${titleOf(breaker)} does not let certificates below it be used for ${gone.slice(0, 6).map(purposeWord).join(', ')}, which ${titleOf(leaf)} is made for.`
  return [gone.length === own.length && !leaf.purposes?.includes(purposes.anyExtendedKeyUsage) ? error('PURPOSE_NOT_NESTED', breaker, text) : warning('PURPOSE_NOT_NESTED', breaker, text)]
}
