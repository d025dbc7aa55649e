import { CertloopError } from '@certloop/contract'
import { jceksMagic, jksMagic, passwordOf, type KeyPasswords } from './jks.ts'
import { writeDate, writeInt, writeSized, writeText } from './jks-bytes.ts'
import { sealJceksKey, sealJksKey, storeDigest } from './jks-protection.ts'
import type { KeyEntry, Keystore, KeystoreEntry } from './keystore.ts'

export interface WriteJksOptions {
  /**
   * Own passwords of keys. A key without one is left as it was sealed when it comes from such a store, and is sealed
   * with the password of the store otherwise.
   */
  keyPasswords?: KeyPasswords
  /** Date of entries without one; else they get 1970-01-01. */
  now?: Date
  /** Aliases as they are, for Java's "CaseExactJKS". Otherwise in lower case, as Java looks them up. */
  caseExact?: boolean
  /** Password iterations for keys in JCEKS; 200,000 as Java has it unless said otherwise. */
  iterations?: number
}

/**
 * A JKS file (version 2) that Java reads with this password. Only for servers that can't do PKCS#12: its protection
 * is weak. What came out of a JKS file goes back in byte for byte: keys that need not be sealed again, locked and opaque entries.
 * @throws CertloopError INPUT_INVALID: an entry without a name, two of the same name, a key without certificate, or an
 * entry that only another format can hold
 */
export const writeJks = (keystore: Keystore, password: string, options: WriteJksOptions = {}): Promise<Buffer> => write('jks', keystore, password, options)

/** A JCEKS file, so that one that is in use can be updated. Like {@link writeJks}, but key passwords have to be ASCII. */
export const writeJceks = (keystore: Keystore, password: string, options: WriteJksOptions = {}): Promise<Buffer> => write('jceks', keystore, password, options)

type JavaFormat = 'jks' | 'jceks'

async function write(format: JavaFormat, { entries }: Keystore, password: string, options: WriteJksOptions): Promise<Buffer> {
  const parts: Buffer[] = [writeInt((format === 'jks' ? jksMagic : jceksMagic) | 0), writeInt(2), writeInt(entries.length)]
  const seen = new Set<string>()
  for (const entry of entries) {
    const alias = aliasFor(entry, options.caseExact ?? false)
    if (seen.has(alias)) throw new CertloopError('INPUT_INVALID', `Two entries are called "${alias}"; a Java keystore does not tell upper case from lower case.`)
    seen.add(alias)
    const [tag, body] = await entryParts(format, entry, { alias, password, options })
    parts.push(tag, writeText(alias), writeDate(entry.createdAt ?? options.now ?? new Date(0)), ...body)
  }
  const whole = Buffer.concat(parts)
  return Buffer.concat([whole, storeDigest(password, whole)])
}

function aliasFor({ alias, kind }: KeystoreEntry, caseExact: boolean): string {
  if (alias === null) throw new CertloopError('INPUT_INVALID', `Every entry of a Java keystore needs an alias; one of the kind "${kind}" has none.`)
  return caseExact ? alias : alias.toLowerCase()
}

interface EntryContext { alias: string; password: string; options: WriteJksOptions }

/** The tag, and what follows alias and date. */
async function entryParts(format: JavaFormat, entry: KeystoreEntry, context: EntryContext): Promise<[Buffer, Buffer[]]> {
  switch (entry.kind) {
    case 'certificate': return [writeInt(2), certificateParts(entry.certificate)]
    case 'key': return [writeInt(1), keyParts(await sealedKey(format, entry, context), entry.certificates)]
    case 'locked-key':
      if (!canHold(format, entry.format)) throw notHere(context.alias, 'locked key', format)
      return [writeInt(1), keyParts(entry.raw, entry.certificates)]
    case 'opaque':
      if (entry.format !== format) throw notHere(context.alias, entry.title, format)
      return [entry.raw.subarray(0, 4), [entry.raw.subarray(4)]]
  }
}

const notHere = (alias: string, what: string, format: JavaFormat): CertloopError =>
  new CertloopError('INPUT_INVALID', `The entry "${alias}" (${what}) can not be written to a ${format.toUpperCase()} keystore: it comes from another format and stays closed.`)

/** Keys in a JCEKS file may be sealed the JKS way; Java opens both there. */
const canHold = (format: JavaFormat, sealedAs: string): boolean => sealedAs === format || (format === 'jceks' && sealedAs === 'jks')

async function sealedKey(format: JavaFormat, entry: KeyEntry, { alias, password, options }: EntryContext): Promise<Buffer> {
  const own = passwordOf(alias, options.keyPasswords)
  const { sealed } = entry
  if (own === undefined && sealed && canHold(format, sealed.format) && sealed.opensTo.equals(entry.privateKey)) return sealed.bytes
  if (entry.certificates.length === 0) throw new CertloopError('INPUT_INVALID', `The key "${alias}" has no certificate; Java keystores hold keys only together with theirs.`)
  return format === 'jks' ? sealJksKey(entry.privateKey, own ?? password) : sealJceksKey(entry.privateKey, own ?? password, options.iterations ?? 200_000)
}

const certificateParts = (certificate: Buffer): Buffer[] => [writeText('X.509'), writeSized(certificate)]
const keyParts = (sealed: Buffer, certificates: readonly Buffer[]): Buffer[] => [writeSized(sealed), writeInt(certificates.length), ...certificates.flatMap(certificateParts)]
