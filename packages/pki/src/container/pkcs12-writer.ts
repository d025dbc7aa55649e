import { createHash } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { readElement, type DerElement } from '../der/der-reader.ts'
import { element, explicit, implicit, objectIdentifier, octetString, sequence, setOf, smallInteger } from '../der/der-writer.ts'
import { encryptPbes2 } from '../key/pbes.ts'
import { oid } from '../oids.ts'
import { defaultReadLimits, type CertificateEntry, type KeyEntry, type Keystore, type LockedKeyEntry, type OpaqueEntry, type ReadLimits } from './keystore.ts'
import type { Pkcs12 } from './pkcs12.ts'
import { attributeId, bagOf, friendlyNameOf, isJavaTrusted, localKeyIdOf, type Bag } from './pkcs12-bags.ts'
import { entriesOf } from './pkcs12-entries.ts'
import { bmpPassword } from './pkcs12-kdf.ts'
import { makeMac } from './pkcs12-mac.ts'
import { openPkcs12, readably, type Item, type Pkcs12Protection } from './pkcs12-opening.ts'
import { contentsPassword, macPassword, type Pkcs12Password } from './pkcs12-password.ts'
import { encryptTripleDes } from './pkcs12-protection.ts'

export interface WritePkcs12Options {
  /**
   * modern: AES-256-CBC with PBKDF2 and HMAC-SHA-256, for all that is younger than 2019 or so; old: 3DES and SHA-1,
   * for Windows up to Server 2016, Java 8 before 8u301 and appliances. Default modern.
   */
  style?: 'modern' | 'old'
  /** Password iterations of every encrypted part; default 100,000, with the old style 10,000. */
  iterations?: number
  /** Those of the integrity check; default as above. Guessing goes by the cheaper of both. */
  macIterations?: number
}

/** The forms of the password that are written, each as its use wants it. */
interface Secret { mac: Buffer; bmp: Buffer; pbes: Buffer }
const noPassword: Secret = { mac: Buffer.alloc(0), bmp: Buffer.alloc(0), pbes: Buffer.alloc(0) }
/**
 * Every reader of PBES2 takes any number, and 100,000 cost a bot less than a second for a whole file. The old way costs
 * three times its number for each part, in digests made one by one here, and is weak whatever the number.
 */
const defaultIterations = { modern: 100_000, old: 10_000 } as const

/**
 * Writes a PKCS#12 file (RFC 7292), DER: keys one by one and all certificates together encrypted, and an integrity
 * check. Every certificate of a chain is written once; certificates of their own carry the mark by which Java 9 and
 * later takes them as trusted. A key and its certificate are tied by the SHA-1 of the certificate.
 *
 * @param password '' is an empty password; null writes nothing encrypted and no integrity check, as `openssl pkcs12
 *   -nomac -keypbe NONE -certpbe NONE` does (Java reads such a file, but not the keys in it)
 * @throws CertloopError INPUT_INVALID: iterations that can't be, an entry carried along from another format
 */
export async function writePkcs12(keystore: Keystore, password: string | null, options: WritePkcs12Options = {}): Promise<Buffer> {
  const secret = password === null ? null : secretOf(password)
  return readably(async () => new Pkcs12Writer([], secret, options).write(keystore))
}

/**
 * Changes a PKCS#12 file: reads it, lets `change` answer with the keystore as it shall be, and writes that, protected
 * as it was (style, password, at least as many iterations) unless the options say otherwise. Entries that stay keep
 * their attributes, known or not; so does an entry whose key or certificate is replaced under the same alias. What
 * could not be opened or understood is carried along byte for byte. Bags within bags are laid flat.
 * @throws CertloopError as readPkcs12 and writePkcs12; PASSWORD_NEEDED when something in it was not opened for want of a password; whatever `change` throws
 */
export async function updatePkcs12(
  bytes: Uint8Array, password: Pkcs12Password, change: (keystore: Pkcs12) => Keystore | Promise<Keystore>,
  { limits = defaultReadLimits, ...options }: WritePkcs12Options & { limits?: ReadLimits } = {},
): Promise<Buffer> {
  const { items, protection } = await openPkcs12(bytes, password, limits)
  if (protection.password === 'unknown') throw new CertloopError('PASSWORD_NEEDED', 'The PKCS#12 file has a password, which is needed to change it.')
  const entries = await readably(async () => entriesOf(items))
  const changed = await change({ entries, protection })
  const style = options.style ?? (protection.style === 'old' ? 'old' : 'modern')
  const iterations = Math.max(protection.iterations, defaultIterations[style])
  const writer = new Pkcs12Writer(items, secretAsBefore(protection, password), { style, iterations, macIterations: iterations, ...options })
  return readably(async () => writer.write(changed))
}

const secretOf = (contents: string, mac = contents): Secret => ({ mac: bmpPassword(mac), bmp: bmpPassword(contents), pbes: Buffer.from(contents, 'utf8') })

function secretAsBefore({ password, mac, style }: Pkcs12Protection, given: Pkcs12Password): Secret | null {
  if (password === 'none') return mac === 'none' && style === 'none' ? null : noPassword
  return secretOf(contentsPassword(given) ?? '', macPassword(given) ?? '')
}

const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest()
const bmpString = (text: string): Buffer => element(0x1e, Buffer.from(text, 'utf16le').swap16())
const attribute = (id: string, value: Uint8Array): Buffer => sequence(objectIdentifier(id), setOf(value))
const trusted = (): Buffer => attribute(oid.javaTrustedKeyUsage, objectIdentifier('2.5.29.37.0'))
const safeBag = (id: string, value: Uint8Array, attributes: readonly Uint8Array[]): Buffer =>
  sequence(objectIdentifier(id), explicit(0, value), ...(attributes.length > 0 ? [setOf(...attributes)] : []))
const plainPart = (contents: Uint8Array): Buffer => sequence(objectIdentifier(oid.pkcs7Data), explicit(0, octetString(contents)))
const rawAttributes = (bag: Bag | undefined, ...without: readonly string[]): Buffer[] =>
  (bag?.attributes ?? []).filter((one: DerElement) => !without.includes(attributeId(one))).map(({ raw }) => raw)

class Pkcs12Writer {
  readonly #before: readonly Item[]
  readonly #secret: Secret | null
  readonly #options: Required<WritePkcs12Options>
  readonly #certificateBags: Buffer[] = []
  readonly #keyBags: Buffer[] = []
  readonly #otherBags: Buffer[] = []
  readonly #parts: Buffer[] = []
  /** localKeyId to the certificate that it names. */
  readonly #keyIds = new Map<string, string>()
  readonly #written = new Set<string>()
  /** Certificates that belong to a key. */
  #chained = new Set<string>()
  readonly #bagsBefore = new Map<string, Bag>()

  constructor(before: readonly Item[], secret: Secret | null, options: WritePkcs12Options) {
    this.#before = before
    this.#secret = secret
    const usual = defaultIterations[options.style ?? 'modern']
    this.#options = { style: 'modern', iterations: usual, macIterations: usual, ...options }
    for (const count of [this.#options.iterations, this.#options.macIterations]) {
      if (!Number.isInteger(count) || count < 1 || count > 0x7fffffff) throw new CertloopError('INPUT_INVALID', 'The number of iterations has to be a whole number from 1.')
    }
    for (const { content, bag } of before.flatMap(contentOf)) if (!this.#bagsBefore.has(content)) this.#bagsBefore.set(content, bag)
  }

  async write({ entries }: Keystore): Promise<Buffer> {
    this.#chained = new Set(entries.flatMap((entry) => (entry.kind === 'key' || entry.kind === 'locked-key' ? entry.certificates.map(keyOf) : [])))
    for (const entry of entries) {
      switch (entry.kind) {
        case 'key': case 'locked-key': await this.#key(entry); break
        case 'certificate': this.#certificate(entry); break
        case 'opaque': this.#opaque(entry); break
      }
    }
    const hidden = [...this.#certificateBags, ...this.#otherBags]
    const contents = sequence(
      ...(hidden.length > 0 ? [await this.#hiddenPart(sequence(...hidden))] : []),
      ...(this.#keyBags.length > 0 ? [plainPart(sequence(...this.#keyBags))] : []),
      ...this.#parts,
    )
    const mac = this.#secret ? [await makeMac(contents, this.#secret.mac, this.#options.style === 'old' ? 'sha1' : 'sha256', this.#options.macIterations)] : []
    return sequence(smallInteger(3), plainPart(contents), ...mac)
  }

  #seal(plain: Uint8Array, secret: Secret): Promise<{ algorithm: Buffer; encrypted: Buffer }> {
    const { style, iterations } = this.#options
    return style === 'old' ? encryptTripleDes(plain, secret.bmp, iterations) : encryptPbes2(plain, secret.pbes, { iterations })
  }

  async #hiddenPart(contents: Buffer): Promise<Buffer> {
    if (!this.#secret) return plainPart(contents)
    const { algorithm, encrypted } = await this.#seal(contents, this.#secret)
    const info = sequence(objectIdentifier(oid.pkcs7Data), algorithm, implicit(0, encrypted))
    return sequence(objectIdentifier(oid.encryptedData), explicit(0, sequence(smallInteger(0), info)))
  }

  async #key(entry: KeyEntry | LockedKeyEntry): Promise<void> {
    const same = this.#bagsBefore.get(keyOf(entry.kind === 'key' ? entry.privateKey : entry.raw))
    const before = same ?? this.#keyNamed(entry.alias)
    const [leaf, ...issuers] = entry.certificates
    const keyId = leaf ? [this.#keyId(leaf, same)] : []
    const attributes = [...nameAttribute(entry.alias, before), ...keyId, ...rawAttributes(before, oid.friendlyName, oid.localKeyId)]
    this.#keyBags.push(await this.#keyBag(entry, attributes))
    if (leaf) this.#leaf(leaf, entry.alias, keyId)
    for (const issuer of issuers) this.#issuer(issuer)
  }

  async #keyBag(entry: KeyEntry | LockedKeyEntry, attributes: Buffer[]): Promise<Buffer> {
    if (entry.kind === 'locked-key') {
      checkFormat(entry)
      return safeBag(oid.shroudedKeyBag, entry.raw, attributes)
    }
    if (!this.#secret) return safeBag(oid.keyBag, entry.privateKey, attributes)
    const { algorithm, encrypted } = await this.#seal(entry.privateKey, this.#secret)
    return safeBag(oid.shroudedKeyBag, sequence(algorithm, octetString(encrypted)), attributes)
  }

  #keyNamed(alias: string | null): Bag | undefined {
    if (alias === null) return undefined
    for (const item of this.#before) if ((item.kind === 'key' || item.kind === 'locked-key') && friendlyNameOf(item.bag) === alias) return item.bag
    return undefined
  }

  /** localKeyId of a key and its certificate: as before when both are the same, for Java keeps the time of the entry in it. */
  #keyId(leaf: Buffer, sameKey: Bag | undefined): Buffer {
    const leafKey = keyOf(leaf)
    const known = sameKey && localKeyIdOf(sameKey)
    const certificate = this.#bagsBefore.get(leafKey)
    const kept = known && certificate && localKeyIdOf(certificate) === known && (this.#keyIds.get(known) ?? leafKey) === leafKey ? known : sha1(leaf).toString('hex')
    this.#keyIds.set(kept, leafKey)
    return attribute(oid.localKeyId, octetString(Buffer.from(kept, 'hex')))
  }

  #leaf(leaf: Buffer, alias: string | null, keyId: Buffer[]): void {
    const place = `${keyId[0]?.toString('hex')} ${keyOf(leaf)}`
    if (this.#written.has(place)) return
    this.#written.add(place).add(keyOf(leaf))
    const before = this.#bagsBefore.get(keyOf(leaf))
    this.#addCertificate(leaf, [...nameAttribute(alias, before), ...keyId, ...rawAttributes(before, oid.friendlyName, oid.localKeyId)])
  }

  #issuer(issuer: Buffer): void {
    if (this.#written.has(keyOf(issuer))) return
    this.#written.add(keyOf(issuer))
    this.#addCertificate(issuer, rawAttributes(this.#bagsBefore.get(keyOf(issuer)), oid.localKeyId))
  }

  /** A certificate of its own gets the mark of trust, unless it was there without one and can't be taken for an issuer in a chain. */
  #certificate({ alias, certificate }: CertificateEntry): void {
    const trustedBefore = this.#bagsBefore.get(trustedMark + keyOf(certificate))
    const before = trustedBefore ?? this.#bagsBefore.get(keyOf(certificate))
    const staysUnmarked = before && !trustedBefore && !this.#chained.has(keyOf(certificate))
    this.#addCertificate(certificate, [
      ...nameAttribute(alias, before), ...rawAttributes(before, oid.friendlyName, oid.localKeyId, oid.javaTrustedKeyUsage),
      ...(staysUnmarked ? [] : [trusted()]),
    ])
  }

  #addCertificate(certificate: Buffer, attributes: Buffer[]): void {
    this.#certificateBags.push(safeBag(oid.certBag, sequence(objectIdentifier(oid.x509Certificate), explicit(0, octetString(certificate))), attributes))
  }

  #opaque(entry: OpaqueEntry): void {
    checkFormat(entry)
    const bag = bagOf(entry.raw)
    if (!bag) this.#parts.push(entry.raw)
    else if (friendlyNameOf(bag) === entry.alias) this.#otherBags.push(entry.raw)
    else this.#otherBags.push(safeBag(bag.id, bag.value.raw, [...nameAttribute(entry.alias, bag), ...rawAttributes(bag, oid.friendlyName)]))
  }
}

const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** What an item is found again by; trusted certificates apart from the same ones in a chain. */
function contentOf(item: Item): { content: string; bag: Bag }[] {
  switch (item.kind) {
    case 'key': return [{ content: keyOf(item.privateKey), bag: item.bag }]
    case 'locked-key': return [{ content: keyOf(item.bag.value.raw), bag: item.bag }]
    case 'certificate': return [{ content: `${isJavaTrusted(item.bag) ? trustedMark : ''}${keyOf(item.certificate)}`, bag: item.bag }]
    default: return []
  }
}
const trustedMark = 'trusted '

/** friendlyName; the one before when it says the same. */
function nameAttribute(alias: string | null, before: Bag | undefined): Buffer[] {
  if (alias === null) return []
  const same = before && friendlyNameOf(before) === alias ? before.attributes.find((one) => attributeId(one) === oid.friendlyName) : undefined
  return [same?.raw ?? attribute(oid.friendlyName, bmpString(alias))]
}

function checkFormat(entry: LockedKeyEntry | OpaqueEntry): void {
  if (entry.format !== 'pkcs12') throw new CertloopError('INPUT_INVALID', `The entry "${entry.alias ?? ''}" was carried along from a ${entry.format} keystore and can not be written as PKCS#12.`)
  readElement(entry.raw)
}
