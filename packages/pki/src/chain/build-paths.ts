import { CertloopError } from '@certloop/contract'
import type { CertificateFacts } from '../certificate/certificate.ts'
import { placed, type ChainFinding } from './findings.ts'
import { signatureChecks, type SignatureChecks } from './issuing.ts'
import { linkOf, type Link } from './link.ts'
import { pathFindings } from './path-findings.ts'
import { newerFirst, searchPaths } from './path-search.ts'

/** Certificates that a pool, with anchors, may have. */
export const maxPool = 10_000
const maxSignatureChecks = 150
const mostPaths = 100

export interface BuildPathsOptions {
  leaf: CertificateFacts
  /** Whatever is at hand, in any order; may hold the leaf, anchors, strangers and doubles. */
  pool: readonly CertificateFacts[]
  /** What is trusted: roots, or intermediates that are to be trusted as they are. A path ends at the first it meets. */
  anchors: readonly CertificateFacts[]
  at: Date
  /** A name of `purposes` ("serverAuth") or a dotted identifier. */
  purpose?: string
  /** 1 to 100; 10 unless said otherwise. */
  maxPaths?: number
  /** Certificates in a path, leaf and anchor included: 1 to 50; 10 unless said otherwise. */
  maxLength?: number
}

export interface CertificatePath {
  /** Leaf first, the anchor last. */
  certificates: CertificateFacts[]
  /** No finding is an error: a validator accepts it at that time. */
  isValid: boolean
  /** `index` is the place in `certificates`. */
  findings: ChainFinding[]
}

export interface BuiltPaths {
  /** Best first: valid (a broken hash makes a path invalid), with fewer errors, shorter, newer. */
  paths: CertificatePath[]
  /** There may be more paths than these: a limit was reached. */
  truncated: boolean
}

/**
 * All paths from a certificate through a pool to trust anchors (RFC 4158, RFC 5280, 6). Work is bounded whatever the
 * pool: some 4,000 steps and 150 signatures, then `truncated` is true. The order of pool and anchors makes no difference.
 * Revocation and certificate policies are not looked at.
 * @throws CertloopError LIMIT_EXCEEDED for more than 10,000 certificates or numbers out of range; CERTIFICATE_INVALID
 */
export function buildPaths(options: BuildPathsOptions): BuiltPaths {
  const { at, purpose, maxPaths = 10, maxLength = 10 } = options
  checkRange('maxPaths', maxPaths, mostPaths)
  checkRange('maxLength', maxLength, 50)
  checkPool(options.pool.length + options.anchors.length)
  const checks = signatureChecks(maxSignatureChecks)
  const anchors = options.anchors.map(linkOf)
  const { paths, truncated } = searchPaths({ leaf: linkOf(options.leaf), pool: options.pool.map(linkOf), anchors, at, maxPaths: maxPaths * 3, maxLength, deadEnds: false, checks })
  const ranked = rankPaths(paths, { at, purpose, anchored: new Set(anchors.map(({ facts }) => facts.fingerprint)), checks })
  return { paths: ranked.slice(0, maxPaths), truncated: truncated || ranked.length > maxPaths }
}

function checkRange(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most) throw new CertloopError('LIMIT_EXCEEDED', `${name} has to be a whole number from 1 to ${most}.`, { limit: most })
}

/** @throws CertloopError LIMIT_EXCEEDED */
export function checkPool(size: number, most = maxPool): void {
  if (size > most) throw new CertloopError('LIMIT_EXCEEDED', `${size} certificates were given; at most ${most} are looked at.`, { given: size, limit: most })
}

/** Paths with their findings, best first. */
export function rankPaths(paths: readonly Link[][], context: { at: Date; purpose: string | undefined; anchored: ReadonlySet<string>; checks: SignatureChecks }): CertificatePath[] {
  return paths
    .map((links) => {
      const findings = placed(pathFindings(links, context), links)
      return { links, findings, errors: findings.filter(({ severity }) => severity === 'error').length }
    })
    .toSorted((a, b) => a.errors - b.errors || a.links.length - b.links.length || newerPath(a.links, b.links))
    .map(({ links, findings, errors }) => ({ certificates: links.map(({ facts }) => facts), isValid: errors === 0, findings }))
}

function newerPath(a: readonly Link[], b: readonly Link[]): number {
  for (const [i, link] of a.entries()) {
    const other = b[i]
    const order = other ? newerFirst(link, other) : 0
    if (order !== 0) return order
  }
  return 0
}
