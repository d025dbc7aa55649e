import { CertloopError } from '@certloop/contract'
import type { CertificateFacts } from '../certificate/certificate.ts'
import { checkPool, rankPaths, type CertificatePath } from './build-paths.ts'
import { error, issuerTitle, notice, ofIssuer, placed, warning, type ChainFinding, type LinkFinding } from './findings.ts'
import { hostIsCovered } from './host-name.ts'
import { authorityDiffers, isProven, isSelfSignedLink, signatureChecks, type SignatureChecks } from './issuing.ts'
import { linkOf, shortly, titleOf, type Link } from './link.ts'
import { searchPaths } from './path-search.ts'
import { orderFindings, type Judged } from './served-order.ts'

export const maxChain = 100
const maxSignatureChecks = 150

export interface CheckChainOptions {
  at: Date
  /** What is trusted. Without it nothing is said about trust, and a chain may end where its root was left out. */
  anchors?: readonly CertificateFacts[]
  /** What the leaf is used for: a name of `purposes` or a dotted identifier. */
  purpose?: string
  /** Host name or IP address that the leaf has to cover. */
  hostName?: string
}

export interface ChainReport {
  /** No finding is an error. */
  isValid: boolean
  /** Whether the chain ends in an anchor and every signature on the way there fits and is not over MD2 or MD5, whatever else is wrong with it; null when no anchors were given. */
  isTrusted: boolean | null
  /** The path that was judged, leaf first, with an anchor that was not in the list as the last. */
  path: CertificateFacts[]
  /** Errors first, then by place. */
  findings: ChainFinding[]
  /** http addresses where the missing issuer can be fetched, as the certificate says (AIA). */
  missingFrom: string[]
}

/**
 * Looks at a chain as a server sent it or a person gave it, and says everything that is wrong with it (RFC 5280, 6;
 * RFC 8446, 4.4.2; RFC 9525). Of several paths within it the best is judged, as a client would. Revocation and
 * certificate policies are not looked at.
 * @param chain in the order served
 * @throws CertloopError LIMIT_EXCEEDED for more than 100 certificates or 10,000 anchors; CHAIN_INVALID for none; CERTIFICATE_INVALID
 */
export function checkChain(chain: readonly CertificateFacts[], options: CheckChainOptions): ChainReport {
  checkPool(chain.length, maxChain)
  checkPool(options.anchors?.length ?? 0)
  const served = chain.map(linkOf)
  const checks = signatureChecks(maxSignatureChecks)
  const leaf = leafOf(served, checks)
  if (!leaf) throw new CertloopError('CHAIN_INVALID', 'The chain is empty.')
  const anchors = (options.anchors ?? []).map(linkOf)
  const { best, isTrusted, truncated } = bestPath(leaf, served, anchors, options, checks)
  const path = best.certificates.map(linkOf)
  const judged: Judged = { served, leaf, path, isTrusted, checks, anchors }
  const last = path.at(-1) ?? leaf
  const hasEnd = isTrusted === true || isSelfSignedLink(last, checks)
  const extra = [...leafFindings(judged, options), ...orderFindings(judged), ...(hasEnd ? untrustedFindings(judged) : endFindings(judged))]
  if (truncated) extra.push(notice('CHECK_CUT_SHORT', leaf, 'There are so many ways through this list that not all were looked at.'))
  const findings = [...placed(linkFindingsOf(best, path), served), ...placed(extra, served)].toSorted(byWeight)
  return { isValid: findings.every(({ severity }) => severity !== 'error'), isTrusted: isTrusted && isProven(path, checks), path: best.certificates, findings, missingFrom: hasEnd ? [] : [...last.issuerUrls] }
}

/** Findings of a path, without the places they have in it. */
function linkFindingsOf({ findings }: CertificatePath, path: readonly Link[]): LinkFinding[] {
  return findings.flatMap(({ code, severity, index, text }) => { const link = path[index ?? 0]; return link ? [{ code, severity, link, text }] : [] })
}

const weights = { error: 0, warning: 1, notice: 2 }
const byWeight = (a: ChainFinding, b: ChainFinding): number => weights[a.severity] - weights[b.severity] || (a.index ?? maxChain) - (b.index ?? maxChain)

/** Whether a certificate covers a host name or IP address (RFC 9525): by its alternative names, never by its common name. @throws CertloopError CERTIFICATE_INVALID */
export const coversHost = (certificate: CertificateFacts, host: string): boolean => hostIsCovered(linkOf(certificate).names, host)

/** The first certificate, unless it issued another one here: then the first that issued none, rather not a CA. */
export function leafOf(served: readonly Link[], checks: SignatureChecks): Link | undefined {
  const issued = (issuer: Link) => served.some((link) => link.facts.fingerprint !== issuer.facts.fingerprint && link.issuerKey === issuer.subjectKey && checks.check(link, issuer) === 'yes')
  const first = served[0]
  if (!first || !issued(first)) return first
  const ends = served.filter((link) => !issued(link))
  return ends.find(({ basic }) => !basic?.isCa) ?? ends[0] ?? first
}

/** The best path to an anchor; without one, or without anchors, the best to a self-signed certificate or to where it breaks off. */
function bestPath(leaf: Link, pool: readonly Link[], anchors: readonly Link[], { at, purpose, anchors: given }: CheckChainOptions, checks: SignatureChecks): { best: CertificatePath; isTrusted: boolean | null; truncated: boolean } {
  const context = { at, purpose, anchored: new Set(anchors.map(({ facts }) => facts.fingerprint)), checks }
  const search = { leaf, pool, anchors, at, maxPaths: 20, maxLength: 50, checks }
  const trusted = searchPaths({ ...search, deadEnds: false })
  const [best] = rankPaths(trusted.paths, context)
  if (best) return { best, isTrusted: true, truncated: false }
  const partial = searchPaths({ ...search, anchors: [], deadEnds: true })
  // Rather one that reaches a root than one that breaks off.
  const ended = partial.paths.filter((path) => isSelfSignedLink(path.at(-1) ?? leaf, checks))
  const [end] = rankPaths(ended.length > 0 ? ended : [...partial.paths, [leaf]].slice(0, Math.max(1, partial.paths.length)), context)
  return { best: end ?? { certificates: [leaf.facts], isValid: false, findings: [] }, isTrusted: given ? false : null, truncated: trusted.truncated || partial.truncated }
}

function leafFindings({ leaf, path, isTrusted, checks }: Judged, { hostName }: CheckChainOptions): LinkFinding[] {
  const found: LinkFinding[] = []
  const isSelfSigned = isSelfSignedLink(leaf, checks)
  if (isSelfSigned && isTrusted !== true) found.push((isTrusted === false ? error : warning)('LEAF_SELF_SIGNED', leaf, `${titleOf(leaf)} is self-signed: no authority vouches for it, and only clients that were told to trust this very certificate accept it.`))
  else if (leaf.basic?.isCa && path.length > 1) found.push(warning('LEAF_IS_CA', leaf, `${titleOf(leaf)} is a CA certificate in the place of a server's or user's own certificate.`))
  if (hostName !== undefined && !hostIsCovered(leaf.names, hostName)) found.push(error('HOST_NAME_NOT_COVERED', leaf, hostText(leaf, hostName)))
  return found
}

function hostText(leaf: Link, hostName: string): string {
  const names = leaf.names.filter(({ type }) => type === 'dns' || type === 'ip').map(({ value }) => value)
  const listed = names.length === 0 ? 'It has no DNS names or IP addresses' : `It has ${names.slice(0, 5).map(shortly).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`
  const isCommonName = leaf.facts.commonName?.toLowerCase() === hostName.toLowerCase()
  return `The certificate does not cover ${shortly(hostName)}. ${listed}.${isCommonName ? ' The name stands as the common name alone, which clients do not look at.' : ''}`
}

/** The path breaks off: an issuer by name is there but did not sign, or none is there. */
function endFindings({ served, path, leaf, isTrusted, checks, anchors }: Judged): LinkFinding[] {
  const last = path.at(-1) ?? leaf
  const didNotSign = (link: Link) => link.subjectKey === last.issuerKey && !authorityDiffers(last, link) && checks.check(last, link) === 'no'
  const namesake = [...served, ...anchors].find((link) => link.identity !== last.identity && didNotSign(link))
  if (namesake) return [error('SIGNATURE_WRONG', last, `The signature of ${titleOf(last)} was not made by the key of ${titleOf(namesake)}, though the names fit. One of the two was altered or is another certificate of the same name.`)]
  if (didNotSign(last)) return [error('SIGNATURE_WRONG', last, `${titleOf(last)} names itself as its issuer, but its signature was not made by its own key.`)]
  const from = last.issuerUrls.length > 0 ? ` It can be fetched from ${last.issuerUrls.join(' or ')}.` : ''
  if (isTrusted === false) return [error('INTERMEDIATE_MISSING', last, `Missing: ${ofIssuer(last)} is neither in the list nor among the trusted ones.${from}`)]
  if (path.length === 1 && !last.basic?.isCa) return [warning('INTERMEDIATE_MISSING', last, `Missing: ${ofIssuer(last)} is not in the list. Clients that do not trust it directly refuse the chain.${from}`)]
  return []
}

function untrustedFindings({ path, leaf, isTrusted }: Judged): LinkFinding[] {
  const last = path.at(-1) ?? leaf
  if (isTrusted !== false || path.length === 1) return [] // a self-signed leaf is said as LEAF_SELF_SIGNED
  return [error('ROOT_NOT_TRUSTED', last, `The chain ends in the root ${issuerTitle(last)}, which is not among the trusted ones. Trust that root, or use a certificate of a trusted authority.`)]
}
