import { timingSafeEqual } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { skipSerialisedObject } from './jceks-object.ts'
import { damaged, JavaCursor } from './jks-bytes.ts'
import { IterationBudget } from './iteration-budget.ts'
import { keyProtection, storeDigest } from './jks-protection.ts'
import { defaultReadLimits, type Keystore, type KeystoreEntry, type KeystoreFormat, type ReadLimits } from './keystore.ts'

export const jksMagic = 0xfeedfeed
export const jceksMagic = 0xcececece

/** Passwords of single keys by alias; upper and lower case are not told apart, as Java does. */
export type KeyPasswords = ReadonlyMap<string, string> | ((alias: string) => string | undefined)

export interface ReadJksOptions {
  /** Passwords of the keys: by alias, or a list to be tried in order. The password of the store is always tried last. */
  keyPasswords?: KeyPasswords | readonly string[]
  limits?: ReadLimits
  /** What is left of the iterations, when several passwords are tried on one file. */
  budget?: IterationBudget
}

/**
 * Reads a JKS or JCEKS keystore, told apart by their first bytes. Without a password (null) nothing is checked and no
 * key opened, as with keytool: certificates are readable then, and keys are 'locked-key'. A key that neither its own
 * password nor the store's opens is 'locked-key' as well. Secret keys of JCEKS are 'opaque'.
 * Aliases are as the file has them.
 * @throws CertloopError KEYSTORE_INVALID, PASSWORD_WRONG (the store's), LIMIT_EXCEEDED, and nothing else
 */
export async function readJks(bytes: Uint8Array, password: string | null, { keyPasswords, limits = defaultReadLimits, budget = new IterationBudget(limits.maxIterations) }: ReadJksOptions = {}): Promise<Keystore> {
  if (bytes.length > limits.maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The Java keystore has ${bytes.length} bytes; at most ${limits.maxBytes} are read.`)
  const { format, rough, body, digest } = readBody(Buffer.from(bytes), limits)
  if (password !== null && !timingSafeEqual(storeDigest(password, body), digest)) {
    throw new CertloopError('PASSWORD_WRONG', 'The password does not fit the Java keystore, or the file is damaged.')
  }
  const entries: KeystoreEntry[] = []
  for (const entry of rough) {
    if (entry.kind !== 'sealed-key') entries.push(entry)
    else entries.push(await opened(entry, candidatesFor(entry.alias, password, keyPasswords), { format, budget }))
  }
  return { entries }
}

interface SealedEntry { kind: 'sealed-key'; alias: string; sealed: Buffer; certificates: Buffer[]; createdAt: Date | null }
type RoughEntry = SealedEntry | Exclude<KeystoreEntry, { kind: 'key' | 'locked-key' }>
interface Body { format: 'jks' | 'jceks'; rough: RoughEntry[]; body: Buffer; digest: Buffer }

function readBody(bytes: Buffer, limits: ReadLimits): Body {
  const cursor = new JavaCursor(bytes)
  const magic = cursor.int() >>> 0
  if (magic !== jksMagic && magic !== jceksMagic) throw damaged('it does not begin like a JKS or JCEKS file')
  const format = magic === jksMagic ? 'jks' : 'jceks'
  const version = cursor.int()
  if (version !== 1 && version !== 2) throw damaged(`it has version ${version}, and only 1 and 2 are known`)
  const count = cursor.count('entries', smallestEntry)
  if (count > limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The Java keystore has ${count} entries; at most ${limits.maxEntries} are read.`)
  const reader = new EntryReader(cursor, { format, version, certificatesLeft: limits.maxEntries * certificatesPerEntry })
  const rough: RoughEntry[] = []
  while (rough.length < count) rough.push(reader.next())
  const body = cursor.since(0)
  return { format, rough, body, digest: cursor.take(20) }
}

/** Tag, empty alias, date and one length. */
const smallestEntry = 18
/** On average; a single chain may be longer. */
const certificatesPerEntry = 10

class EntryReader {
  readonly #cursor: JavaCursor
  readonly #store: { format: 'jks' | 'jceks'; version: number; certificatesLeft: number }
  constructor(cursor: JavaCursor, store: { format: 'jks' | 'jceks'; version: number; certificatesLeft: number }) {
    this.#cursor = cursor
    this.#store = store
  }

  next(): RoughEntry {
    const cursor = this.#cursor
    const tag = cursor.int()
    const alias = cursor.text()
    const createdAt = cursor.date()
    const start = cursor.at
    if (tag === 1) {
      const sealed = cursor.sized()
      const certificates = this.#chain()
      if (certificates) return { kind: 'sealed-key', alias, sealed, certificates, createdAt }
    } else if (tag === 2) {
      const certificate = this.#certificate()
      if (certificate) return { kind: 'certificate', alias, certificate, createdAt }
    } else if (tag === 3 && this.#store.format === 'jceks') skipSerialisedObject(cursor)
    else throw damaged(`it has an entry of the unknown kind ${tag}`)
    return { kind: 'opaque', alias, title: opaqueTitles[tag] ?? '', createdAt, format: this.#store.format, raw: Buffer.concat([tagBytes(tag), cursor.since(start)]) }
  }

  /** undefined when one of them is no X.509 certificate: the entry is carried along as it is then. */
  #chain(): Buffer[] | undefined {
    const found: (Buffer | undefined)[] = []
    for (let left = this.#cursor.count('certificates', 4); left > 0; left--) found.push(this.#certificate())
    return found.every((certificate) => certificate !== undefined) ? found : undefined
  }

  #certificate(): Buffer | undefined {
    if (this.#store.certificatesLeft-- <= 0) throw new CertloopError('LIMIT_EXCEEDED', 'The Java keystore has more certificates than allowed.')
    const type = this.#store.version === 1 ? 'X.509' : this.#cursor.text()
    const certificate = this.#cursor.sized()
    return type === 'X.509' || type === 'X509' ? certificate : undefined
  }
}

const opaqueTitles: Record<number, string> = { 1: 'private key with a certificate that is not X.509', 2: 'certificate that is not X.509', 3: 'secret key' }
const tagBytes = (tag: number): Buffer => Buffer.of(0, 0, 0, tag)

interface OpeningContext { format: KeystoreFormat; budget: IterationBudget }

async function opened({ alias, sealed, certificates, createdAt }: SealedEntry, candidates: string[], { format, budget }: OpeningContext): Promise<KeystoreEntry> {
  const protection = keyProtection(sealed)
  const locked = { kind: 'locked-key', alias, certificates, createdAt, raw: sealed } as const
  if (!protection) return { ...locked, reason: 'unreadable', format }
  for (const candidate of candidates) {
    const privateKey = await protection.open(candidate, budget)
    if (privateKey) return { kind: 'key', alias, privateKey, certificates, createdAt, sealed: { format: protection.format, bytes: sealed, opensTo: privateKey } }
  }
  return { ...locked, reason: candidates.length === 0 ? 'no-password' : 'password-wrong', format: protection.format }
}

function candidatesFor(alias: string, password: string | null, keyPasswords: ReadJksOptions['keyPasswords']): string[] {
  const own = Array.isArray(keyPasswords) ? keyPasswords as readonly string[] : [passwordOf(alias, keyPasswords as KeyPasswords | undefined)]
  return [...new Set([...own, password])].filter((candidate) => typeof candidate === 'string')
}

/** The password of one key, if it has its own. */
export function passwordOf(alias: string, keyPasswords: KeyPasswords | undefined): string | undefined {
  if (typeof keyPasswords === 'function') return keyPasswords(alias)
  const wanted = alias.toLowerCase()
  for (const [name, password] of keyPasswords ?? []) if (name.toLowerCase() === wanted) return password
  return undefined
}
