import { CertloopError } from '@certloop/contract'
import { readCertificate, type CertificateFacts } from '../certificate/index.ts'
import { splitPem } from '../pem.ts'
import { readPkcs7 } from '../container/pkcs7.ts'
import { checkPool, rankPaths } from './build-paths.ts'
import { leafOf } from './check-chain.ts'
import { isProven, isSelfSignedLink, signatureChecks, type SignatureChecks } from './issuing.ts'
import { linkOf, type Link } from './link.ts'
import { searchPaths } from './path-search.ts'

const maxLength = 10
const maxSignatureChecks = 150
/** One address gives one certificate, or a few issuers (RFC 5280, 4.2.2.1). */
const maxBytesOfUrl = 1_000_000
const maxCertificatesOfUrl = 50

export interface CompleteChainOptions {
  /** What is there: the leaf, and whatever came with it, in any order. The first is the leaf unless it issued another of them. */
  certificates: readonly CertificateFacts[]
  /** Further issuers at hand. */
  pool?: readonly CertificateFacts[]
  /** A chain that reaches one of these is complete. Without them only one that reaches a self-signed certificate is. */
  anchors?: readonly CertificateFacts[]
  /** What was fetched so far: address to content, DER, PEM or PKCS#7. */
  aia?: ReadonlyMap<string, Uint8Array>
  at: Date
  /** Keep the root, or the anchor, at the end; dropped unless true. */
  withRoot?: boolean
}

export interface CompletedChain {
  /** Leaf first. */
  chain: CertificateFacts[]
  /** It reaches an anchor, or without anchors a self-signed certificate, and every signature on the way was checked. */
  isComplete: boolean
  /** Addresses where the next issuer may be, not among those already fetched. Empty when the chain has its end, or when nothing more can be done. */
  wanted: string[]
  /** Contents that are of no use, with the reason. */
  unusable: { url: string; reason: string }[]
}

/**
 * The chain of a leaf, completed from what is at hand. Nothing is fetched here: the caller fetches what is `wanted`,
 * adds the contents to `aia` and calls again, until nothing is wanted. That ends after at most ten certificates.
 * @throws CertloopError LIMIT_EXCEEDED for more than 10,000 certificates; CHAIN_INVALID for no certificate; CERTIFICATE_INVALID
 */
export function completeChain(options: CompleteChainOptions): CompletedChain {
  const { certificates, pool = [], anchors = [], aia = new Map<string, Uint8Array>(), at } = options
  const unusable: CompletedChain['unusable'] = []
  const fetched = [...aia].flatMap(([url, bytes]) => certificatesOf(url, bytes, unusable))
  checkPool(certificates.length + pool.length + anchors.length + fetched.length)
  const checks = signatureChecks(maxSignatureChecks)
  const given = certificates.map(linkOf)
  const leaf = leafOf(given, checks)
  if (!leaf) throw new CertloopError('CHAIN_INVALID', 'There is no certificate to complete a chain for.')
  const all = [...given, ...pool.map(linkOf), ...fetched.map(linkOf)]
  const { path, hasEnd, isComplete } = bestPath(leaf, all, anchors.map(linkOf), at, checks)
  const last = path.at(-1) ?? leaf
  const dropsLast = hasEnd && path.length > 1 && options.withRoot !== true
  const wanted = hasEnd || path.length >= maxLength ? [] : last.issuerUrls.filter((url) => !aia.has(url))
  return { chain: (dropsLast ? path.slice(0, -1) : path).map(({ facts }) => facts), isComplete, wanted, unusable }
}

function bestPath(leaf: Link, all: readonly Link[], anchors: readonly Link[], at: Date, checks: SignatureChecks): { path: Link[]; hasEnd: boolean; isComplete: boolean } {
  const anchored = new Set(anchors.map(({ facts }) => facts.fingerprint))
  const best = (paths: readonly Link[][]) => rankPaths(paths, { at, purpose: undefined, anchored, checks })[0]?.certificates.map(linkOf)
  const search = { leaf, pool: all, anchors, at, maxPaths: 20, maxLength, checks }
  const trusted = anchors.length > 0 ? best(searchPaths({ ...search, deadEnds: false }).paths) : undefined
  if (trusted) return { path: trusted, hasEnd: true, isComplete: isProven(trusted, checks) }
  const { paths } = searchPaths({ ...search, anchors: [], deadEnds: true })
  const ended = best(paths.filter((path) => path.at(-1) !== undefined && isSelfSignedLink(path.at(-1) ?? leaf, checks)))
  if (ended) return { path: ended, hasEnd: anchors.length === 0, isComplete: anchors.length === 0 && isProven(ended, checks) }
  // Of those that break off, one that can go on is worth more than one that can't.
  return { path: best(paths.filter((path) => (path.at(-1)?.issuerUrls.length ?? 0) > 0)) ?? best(paths) ?? [leaf], hasEnd: false, isComplete: false }
}

/** The certificates of what an address gave. What can't be read is reported, for the other addresses may do. */
function certificatesOf(url: string, bytes: Uint8Array, unusable: CompletedChain['unusable']): CertificateFacts[] {
  try {
    if (bytes.length > maxBytesOfUrl) throw new CertloopError('LIMIT_EXCEEDED', `It is longer than ${maxBytesOfUrl} bytes.`)
    const found = dersOf(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (found.length > maxCertificatesOfUrl) throw new CertloopError('LIMIT_EXCEEDED', `It has more than ${maxCertificatesOfUrl} certificates.`)
    return found.map((der) => readCertificate(der))
  } catch (thrown) {
    if (!(thrown instanceof CertloopError)) throw thrown
    unusable.push({ url, reason: thrown.message })
    return []
  }
}

/** PEM by its mark; else DER, a certificate or PKCS#7 told apart by what it begins with. */
function dersOf(bytes: Buffer): Buffer[] {
  if (!bytes.includes('-----BEGIN ')) return isCertificate(bytes) ? [bytes] : readPkcs7(bytes).certificates
  const found = splitPem(bytes.toString('latin1')).flatMap(({ label, der }) => (label.endsWith('CERTIFICATE') && isCertificate(der) ? [der] : /PKCS ?#?7|CMS|CERTIFICATE/.test(label) ? readPkcs7(der).certificates : []))
  if (found.length === 0) throw new CertloopError('CERTIFICATE_INVALID', 'It has no certificate.')
  return found
}

/** A certificate begins with two SEQUENCEs, a PKCS#7 file with one and an identifier. */
function isCertificate(bytes: Buffer): boolean {
  const first = bytes[1] ?? 0
  return bytes[0] === 0x30 && bytes[first > 0x80 ? 2 + (first & 0x7f) : 2] === 0x30
}
