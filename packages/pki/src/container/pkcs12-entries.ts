import { createPrivateKey } from 'node:crypto'
import { certificateParts, type CertificateParts } from '../certificate/certificate.ts'
import { DerError } from '../der/der-reader.ts'
import { signatureFits } from '../key/signature.ts'
import { spkiOfKey } from '../key/spki.ts'
import type { KeystoreEntry } from './keystore.ts'
import { createdAtOf, friendlyNameOf, isJavaTrusted, localKeyIdOf } from './pkcs12-bags.ts'
import type { Item } from './pkcs12-opening.ts'

const maxChain = 20
/** Signatures that are checked to find chains; after that names decide. */
const maxSignatureChecks = 1_000

type CertificateItem = Extract<Item, { kind: 'certificate' }>
type KeyItem = Extract<Item, { kind: 'key' | 'locked-key' }>
type Unchained = CertificateItem & { parts: CertificateParts | undefined }

const bytesKey = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** A certificate that can't be read stays in the list; it just has no issuer and no key. */
function partsOf(certificate: Buffer): CertificateParts | undefined {
  try {
    return certificateParts(certificate)
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

function spkiOf(privateKey: Buffer): string | undefined {
  try {
    return bytesKey(spkiOfKey(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })))
  } catch {
    return undefined // a key that node:crypto can't use: only localKeyId can say whose it is
  }
}

function indexed(certificates: readonly Unchained[], keyOf: (certificate: Unchained) => string | null | undefined): Map<string, Unchained[]> {
  const index = new Map<string, Unchained[]>()
  for (const certificate of certificates) {
    const key = keyOf(certificate)
    if (key === null || key === undefined) continue
    const list = index.get(key)
    if (list) list.push(certificate)
    else index.set(key, [certificate])
  }
  return index
}

/** Finds which certificate belongs to a key, and which issued which. */
class Matching {
  readonly #byKeyId: Map<string, Unchained[]>
  readonly #bySpki: Map<string, Unchained[]>
  readonly #bySubject: Map<string, Unchained[]>
  readonly #issuers = new Map<Unchained, Unchained | undefined>()
  #checks = 0

  constructor(certificates: readonly Unchained[]) {
    this.#byKeyId = indexed(certificates, ({ bag }) => localKeyIdOf(bag))
    this.#bySpki = indexed(certificates, ({ parts }) => parts && bytesKey(parts.spki.raw))
    this.#bySubject = indexed(certificates, ({ parts }) => parts && bytesKey(parts.subject.raw))
  }

  /** By localKeyId; where several certificates have it, as some tools write, the one of this key. Then by the key itself. */
  leafOf(key: KeyItem): Unchained | undefined {
    const named = this.#byKeyId.get(localKeyIdOf(key.bag) ?? '') ?? []
    if (named.length === 1) return named[0]
    const spki = key.kind === 'key' ? spkiOf(key.privateKey) : undefined
    const fitting = spki === undefined ? [] : this.#bySpki.get(spki) ?? []
    return fitting.find((certificate) => named.includes(certificate)) ?? named[0] ?? fitting[0]
  }

  chainOf(leaf: Unchained): Unchained[] {
    const chain = [leaf]
    for (let next = this.#issuerOf(leaf); next && chain.length < maxChain && !chain.includes(next); next = this.#issuerOf(next)) chain.push(next)
    return chain
  }

  #issuerOf(certificate: Unchained): Unchained | undefined {
    if (this.#issuers.has(certificate)) return this.#issuers.get(certificate)
    const { parts } = certificate
    const candidates = parts && !parts.issuer.raw.equals(parts.subject.raw) ? this.#bySubject.get(bytesKey(parts.issuer.raw)) ?? [] : []
    const issuer = candidates.find((candidate) => candidate !== certificate && this.#signed(candidate, certificate))
    this.#issuers.set(certificate, issuer)
    return issuer
  }

  #signed({ parts: issuer }: Unchained, { parts }: Unchained): boolean {
    if (!issuer || !parts) return false
    if (++this.#checks > maxSignatureChecks) return true
    try {
      return signatureFits(parts, issuer.spki.raw) ?? true
    } catch (error) {
      if (error instanceof DerError) return false // an algorithm that can't be read proves nothing
      throw error
    }
  }
}

/**
 * Puts keys, certificates and the rest together: a key with its certificate (by localKeyId, then by public key) and
 * that one's issuers as far as the file has them, roots included. Certificates that belong to no key, or that Java
 * marked as trusted, are entries of their own. Keys first, each kind in the order of the file.
 */
export function entriesOf(items: readonly Item[]): KeystoreEntry[] {
  const certificates = items.flatMap((item) => (item.kind === 'certificate' ? [{ ...item, parts: partsOf(item.certificate) }] : []))
  const matching = new Matching(certificates)
  const chained = new Set<string>()
  const keys = items.flatMap((item) => (item.kind === 'key' || item.kind === 'locked-key' ? [keyEntry(item, matching, chained)] : []))
  const alone = certificates.filter(({ bag, certificate }) => isJavaTrusted(bag) || !chained.has(bytesKey(certificate)))
  return [
    ...keys,
    ...alone.map(({ bag, certificate }): KeystoreEntry => ({ kind: 'certificate', alias: friendlyNameOf(bag), certificate, createdAt: null })),
    ...items.flatMap(opaqueEntry),
  ]
}

function keyEntry(item: KeyItem, matching: Matching, chained: Set<string>): KeystoreEntry {
  const leaf = matching.leafOf(item)
  const chain = leaf ? matching.chainOf(leaf) : []
  for (const { certificate } of chain) chained.add(bytesKey(certificate))
  const common = {
    alias: friendlyNameOf(item.bag) ?? (leaf ? friendlyNameOf(leaf.bag) : null),
    certificates: chain.map(({ certificate }) => certificate),
    createdAt: createdAtOf(item.bag),
  }
  if (item.kind === 'key') return { kind: 'key', ...common, privateKey: item.privateKey }
  return { kind: 'locked-key', ...common, reason: item.reason, format: 'pkcs12', raw: item.bag.value.raw }
}

function opaqueEntry(item: Item): KeystoreEntry[] {
  if (item.kind === 'other') return [{ kind: 'opaque', alias: friendlyNameOf(item.bag), title: item.title, createdAt: createdAtOf(item.bag), format: 'pkcs12', raw: item.bag.raw }]
  return item.kind === 'part' ? [{ kind: 'opaque', alias: null, title: item.title, createdAt: null, format: 'pkcs12', raw: item.raw }] : []
}
