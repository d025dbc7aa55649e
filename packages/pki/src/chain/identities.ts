import { createPublicKey, type KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import type { CertificateFacts } from '../certificate/index.ts'
import { DerCursor, ifReadable, readElement, readOid, serialHex } from '../der/der-reader.ts'
import { sha256Hex, spkiOfKey } from '../key/spki.ts'
import { curveWords, oid } from '../oids.ts'
import { checkPool } from './build-paths.ts'
import { isSelfSignedLink, signatureChecks, type SignatureChecks } from './issuing.ts'
import { linkOf, type Link } from './link.ts'

/**
 * Text that is the same for the same public key, however its SubjectPublicKeyInfo is written: compressed points,
 * curves by their parameters, a missing NULL, RSA under its PSS identifier. Not for storing.
 * @throws DerError
 */
function keyIdentity(spki: Buffer): string {
  const cursor = new DerCursor(readElement(spki))
  const algorithm = new DerCursor(cursor.take(0x30))
  const id = readOid(algorithm.take(0x06))
  const bits = cursor.take(0x03).content.subarray(1)
  if (id === oid.rsa || id === oid.rsaPss) {
    const numbers = new DerCursor(readElement(bits))
    return `rsa ${serialHex(numbers.take(0x02).content)} ${serialHex(numbers.take(0x02).content)}`
  }
  if (id !== oid.ecPublicKey) return `${id} ${sha256Hex(bits)}`
  const named = algorithm.takeIf(0x06)
  const isWhole = bits[0] === 4 || bits[0] === 6 || bits[0] === 7
  if (named && isWhole) return `ec ${curveWords[readOid(named)] ?? readOid(named)} ${bits.subarray(1).toString('hex')}`
  return unusualEcIdentity(spki)
}

/** A compressed point or a curve by its parameters: OpenSSL works out the numbers. */
function unusualEcIdentity(spki: Buffer): string {
  try {
    const { crv = '', x = '', y = '' } = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' })
    const word = { 'P-256': 'ec-256', 'P-384': 'ec-384', 'P-521': 'ec-521', 'secp256k1': 'ec-secp256k1' }[crv] ?? crv
    return `ec ${word} ${Buffer.from(x, 'base64url').toString('hex')}${Buffer.from(y, 'base64url').toString('hex')}`
  } catch {
    return `spki ${sha256Hex(spki)}` // a key that OpenSSL can't use either is the same only when it is written the same
  }
}

/** For each key the place of the first that is the same. */
function firstPlaces(keys: readonly KeyObject[]): { places: Map<string, number>; firstOf: number[] } {
  const places = new Map<string, number>()
  const firstOf = keys.map((key, place) => {
    const id = keyIdentity(spkiOfKey(key))
    const first = places.get(id) ?? place
    places.set(id, first)
    return first
  })
  return { places, firstOf }
}

/** No key can be that of a damaged one. */
const identityOfCertificate = ({ parts, facts }: Link): string => ifReadable(() => keyIdentity(parts.spki.raw), `spki ${facts.spkiDigest}`)

export interface KeyMatches {
  /** For each certificate, in order: the place of its key in `keys`; null without. */
  keyOfCertificate: (number | null)[]
  /** For each key, in order: the places of its certificates. */
  certificatesOfKey: number[][]
}

/**
 * Which private key belongs to which certificate, however either writes it. Of a key given twice the first counts.
 * @param keys private or public
 * @throws CertloopError LIMIT_EXCEEDED for more than 10,000 of either; CERTIFICATE_INVALID
 */
export function matchKeys(keys: readonly KeyObject[], certificates: readonly CertificateFacts[]): KeyMatches {
  checkPool(keys.length)
  checkPool(certificates.length)
  return matchPlaces(firstPlaces(keys), certificates)
}

function matchPlaces({ places, firstOf }: ReturnType<typeof firstPlaces>, certificates: readonly CertificateFacts[]): KeyMatches {
  const keyOfCertificate = certificates.map((facts) => places.get(identityOfCertificate(linkOf(facts))) ?? null)
  const certificatesOfKey: number[][] = firstOf.map(() => [])
  keyOfCertificate.forEach((key, place) => { if (key !== null) certificatesOfKey[key]?.push(place) })
  return { keyOfCertificate, certificatesOfKey }
}

export interface Identity {
  leaf: CertificateFacts
  /** Leaf first, without the root; as far as the bag goes. */
  chain: CertificateFacts[]
  /** The root of the chain when it is in the bag, and not the leaf itself. */
  root: CertificateFacts | null
  /** Place in `keys`; null without. */
  key: number | null
}

export interface Grouped {
  /** Those with a key first, then in the order of the bag. */
  identities: Identity[]
  /** Certificates in no identity: issuers of nothing here, without a key. */
  restCertificates: CertificateFacts[]
  /** Places of keys without a certificate. */
  restKeys: number[]
}

const maxSignatureChecks = 2_000

/**
 * Sorts out a bag of certificates and keys as people upload it: any order, several chains, doubles. An identity is a
 * certificate that issued none of the others and is not a CA, or any that a key belongs to, with the issuers that follow.
 * @throws CertloopError LIMIT_EXCEEDED for more than 10,000 certificates or keys, or when they take too many signature checks; CERTIFICATE_INVALID
 */
export function groupIdentities({ certificates, keys = [] }: { certificates: readonly CertificateFacts[]; keys?: readonly KeyObject[] }): Grouped {
  checkPool(certificates.length)
  checkPool(keys.length)
  const links = [...new Map(certificates.map((facts) => [facts.fingerprint, linkOf(facts)])).values()]
  const first = firstPlaces(keys)
  const { keyOfCertificate, certificatesOfKey } = matchPlaces(first, links.map(({ facts }) => facts))
  const issuerOf = findIssuers(links)
  const issuing = new Set([...issuerOf].filter(([link, issuer]) => issuer !== link).map(([, issuer]) => issuer))
  const isLeaf = (link: Link, place: number) => keyOfCertificate[place] !== null || !(issuing.has(link) || link.basic?.isCa)
  const grown = links.flatMap((link, place) => (isLeaf(link, place) ? [{ path: climb(link, issuerOf), key: keyOfCertificate[place] ?? null }] : []))
  const used = new Set(grown.flatMap(({ path }) => path))
  return {
    identities: grown.map(({ path, key }) => identityOf(path, key, issuerOf)).toSorted((a, b) => Number(a.key === null) - Number(b.key === null)),
    restCertificates: links.filter((link) => !used.has(link)).map(({ facts }) => facts),
    restKeys: certificatesOfKey.flatMap((places, key) => (places.length === 0 && first.firstOf[key] === key ? [key] : [])),
  }
}

function identityOf(path: readonly [Link, ...Link[]], key: number | null, issuerOf: ReadonlyMap<Link, Link | undefined>): Identity {
  const last = path.at(-1)
  const root = last && path.length > 1 && issuerOf.get(last) === last ? last : undefined
  return { leaf: path[0].facts, chain: (root ? path.slice(0, -1) : path).map(({ facts }) => facts), root: root?.facts ?? null, key }
}

/** @throws CertloopError LIMIT_EXCEEDED as soon as it takes too many signature checks */
function findIssuers(links: readonly Link[]): Map<Link, Link | undefined> {
  const checks = signatureChecks(maxSignatureChecks)
  const bySubject = Map.groupBy(links.toSorted(byPreference), ({ subjectKey }) => subjectKey)
  const issuerOf = new Map<Link, Link | undefined>()
  for (const link of links) {
    issuerOf.set(link, findIssuer(link, bySubject, checks))
    if (checks.isSpent) throw new CertloopError('LIMIT_EXCEEDED', `Sorting these certificates takes more than ${maxSignatureChecks} signature checks. Give fewer at a time.`, { limit: maxSignatureChecks })
  }
  return issuerOf
}

/** Of several issuers one that is self-issued only where there is no other, the newest first. */
const byPreference = (a: Link, b: Link): number => Number(a.isSelfIssued) - Number(b.isSelfIssued) || b.facts.notAfter.getTime() - a.facts.notAfter.getTime()

/** Itself for a self-signed one. @param bySubject in the order of preference */
function findIssuer(link: Link, bySubject: ReadonlyMap<string, readonly Link[]>, checks: SignatureChecks): Link | undefined {
  if (isSelfSignedLink(link, checks)) return link
  const { keyId } = link.authority
  const isOther = ({ facts }: Link) => keyId !== null && facts.subjectKeyId !== null && keyId !== facts.subjectKeyId
  for (const issuer of bySubject.get(link.issuerKey) ?? []) {
    if (checks.isSpent) return undefined
    if (issuer !== link && !isOther(issuer) && checks.check(link, issuer) === 'yes') return issuer
  }
  return undefined
}

function climb(link: Link, issuerOf: ReadonlyMap<Link, Link | undefined>): [Link, ...Link[]] {
  const above = new Set<Link>()
  for (let issuer = issuerOf.get(link); issuer && issuer !== link && !above.has(issuer); issuer = issuerOf.get(issuer)) above.add(issuer)
  return [link, ...above]
}

/**
 * The leaf of a bag: the first identity, which is one with a key when there is any; without identities the first
 * certificate that issued no other.
 * @throws CertloopError CHAIN_INVALID for an empty bag; those of groupIdentities
 */
export function pickLeaf(bag: { certificates: readonly CertificateFacts[]; keys?: readonly KeyObject[] }): CertificateFacts {
  const { identities } = groupIdentities(bag)
  const links = bag.certificates.map(linkOf)
  const issued = Map.groupBy(new Set(links), ({ issuerKey }) => issuerKey)
  const isIssuer = (link: Link) => (issued.get(link.subjectKey) ?? []).slice(0, 2).some((other) => other !== link)
  const leaf = identities[0]?.leaf ?? (links.find((link) => !isIssuer(link)) ?? links[0])?.facts
  if (!leaf) throw new CertloopError('CHAIN_INVALID', 'There is no certificate.')
  return leaf
}
