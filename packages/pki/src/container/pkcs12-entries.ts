import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { certificateParts, type CertificateParts } from '../certificate/certificate.ts'
import { DerCursor, ifReadable, readBits, readElement } from '../der/der-reader.ts'
import { signatureFits } from '../key/signature.ts'
import { spkiOfKey } from '../key/spki.ts'
import type { KeystoreEntry } from './keystore.ts'
import { createdAtOf, friendlyNameOf, isJavaTrusted, localKeyIdOf } from './pkcs12-bags.ts'
import type { Item } from './pkcs12-opening.ts'

const maxChain = 20
/** Signatures that are checked to find chains; after that names decide. */
const maxSignatureChecks = 1_000
const [checksPerTurn, keysPerTurn] = [5, 20]
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

type CertificateItem = Extract<Item, { kind: 'certificate' }>
type KeyItem = Extract<Item, { kind: 'key' | 'locked-key' }>
type Unchained = CertificateItem & { parts: CertificateParts | undefined }

const bytesKey = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** A certificate that can't be read stays in the list; it just has no issuer and no key. */
const partsOf = (certificate: Buffer): CertificateParts | undefined => ifReadable(() => certificateParts(certificate), undefined)

function publicKeyOf(privateKey: Buffer): KeyObject | undefined {
  try {
    return createPublicKey(createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }))
  } catch {
    return undefined // a key that node:crypto can't use: only localKeyId can say whose it is
  }
}

/** The bits of a public key, which are the same however its algorithm is written; undefined when they can't be read. */
const keyBitsOf = (spki: Buffer): string | undefined => ifReadable(() => {
  const cursor = new DerCursor(readElement(spki))
  cursor.take(0x30)
  return bytesKey(readBits(cursor.take(0x03)))
}, undefined)

const bothKey = (bits: string | undefined, id: string | null): string | undefined => (bits === undefined || id === null ? undefined : `${id} ${bits}`)

/** A point of a curve can be written in two ways. What can't be read here is left to localKeyId. */
function mayBeOf(publicKey: KeyObject, { parts }: Unchained): boolean {
  if (!parts) return true
  try {
    return createPublicKey({ key: parts.spki.raw, format: 'der', type: 'spki' }).equals(publicKey)
  } catch {
    return true // a key of a kind that node:crypto doesn't know
  }
}
/** Certificates of the same localKeyId that are looked at more closely; there is one, but for odd tools. */
const maxNamed = 5

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
  readonly #byKeyBits: Map<string, Unchained[]>
  readonly #byBoth: Map<string, Unchained[]>
  readonly #bySubject: Map<string, Unchained[]>
  readonly #issuers = new Map<Unchained, Unchained | undefined>()
  #checks = 0

  constructor(certificates: readonly Unchained[]) {
    this.#byKeyId = indexed(certificates, ({ bag }) => localKeyIdOf(bag))
    this.#byKeyBits = indexed(certificates, ({ parts }) => parts && keyBitsOf(parts.spki.raw))
    this.#byBoth = indexed(certificates, ({ bag, parts }) => parts && bothKey(keyBitsOf(parts.spki.raw), localKeyIdOf(bag)))
    this.#bySubject = indexed(certificates, ({ parts }) => parts && bytesKey(parts.subject.raw))
  }

  /** An open key says itself which certificates are its own, and localKeyId which of them. For a locked one localKeyId has to do. */
  leafOf(key: KeyItem): Unchained | undefined {
    const id = localKeyIdOf(key.bag)
    const named = this.#byKeyId.get(id ?? '') ?? []
    const publicKey = key.kind === 'key' ? publicKeyOf(key.privateKey) : undefined
    if (!publicKey) return named[0]
    const bits = keyBitsOf(spkiOfKey(publicKey))
    return this.#byBoth.get(bothKey(bits, id) ?? '')?.[0] ?? this.#byKeyBits.get(bits ?? '')?.[0] ?? named.slice(0, maxNamed).find((certificate) => mayBeOf(publicKey, certificate))
  }

  async chainOf(leaf: Unchained): Promise<Unchained[]> {
    const chain = [leaf]
    for (let next = await this.#issuerOf(leaf); next && chain.length < maxChain && !chain.includes(next); next = await this.#issuerOf(next)) chain.push(next)
    return chain
  }

  async #issuerOf(certificate: Unchained): Promise<Unchained | undefined> {
    if (this.#issuers.has(certificate)) return this.#issuers.get(certificate)
    const { parts } = certificate
    const candidates = parts && !parts.issuer.raw.equals(parts.subject.raw) ? this.#bySubject.get(bytesKey(parts.issuer.raw)) ?? [] : []
    const issuer = await this.#signerOf(certificate, candidates)
    this.#issuers.set(certificate, issuer)
    return issuer
  }

  async #signerOf(certificate: Unchained, candidates: readonly Unchained[]): Promise<Unchained | undefined> {
    for (const candidate of candidates) {
      if (candidate === certificate) continue
      if (this.#checks % checksPerTurn === 0) await turn()
      if (this.#signed(candidate, certificate)) return candidate
    }
    return undefined
  }

  #signed({ parts: issuer }: Unchained, { parts }: Unchained): boolean {
    if (!issuer || !parts) return false
    if (++this.#checks > maxSignatureChecks) return true
    return signatureFits(parts, issuer.spki.raw) ?? true
  }
}

/**
 * Puts keys, certificates and the rest together: a key with its certificate (by public key, and by localKeyId where that is not enough) and
 * that one's issuers as far as the file has them, roots included. Certificates that belong to no key, or that Java
 * marked as trusted, are entries of their own. Keys first, each kind in the order of the file. Others run meanwhile:
 * looking at a key or a signature takes up to some milliseconds.
 */
export async function entriesOf(items: readonly Item[]): Promise<KeystoreEntry[]> {
  const certificates = items.flatMap((item) => (item.kind === 'certificate' ? [{ ...item, parts: partsOf(item.certificate) }] : []))
  const matching = new Matching(certificates)
  const chained = new Set<string>()
  const keys: KeystoreEntry[] = []
  for (const item of items) {
    if (item.kind !== 'key' && item.kind !== 'locked-key') continue
    if (keys.length % keysPerTurn === keysPerTurn - 1) await turn()
    keys.push(await keyEntry(item, matching, chained))
  }
  const alone = certificates.filter(({ bag, certificate }) => isJavaTrusted(bag) || !chained.has(bytesKey(certificate)))
  return [
    ...keys,
    ...alone.map(({ bag, certificate }): KeystoreEntry => ({ kind: 'certificate', alias: friendlyNameOf(bag), certificate, createdAt: null })),
    ...items.flatMap(opaqueEntry),
  ]
}

async function keyEntry(item: KeyItem, matching: Matching, chained: Set<string>): Promise<KeystoreEntry> {
  const leaf = matching.leafOf(item)
  const chain = leaf ? await matching.chainOf(leaf) : []
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
