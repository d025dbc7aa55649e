import { CertloopError, type KeystoreEntryStep } from '@certloop/contract'
import { type KeyEntry, type Keystore, type KeystoreEntry, splitPem, updatePkcs12, writeJceks, writeJks, writePkcs12, type WritePkcs12Options } from '@certloop/pki'
import { createPrivateKey } from 'node:crypto'
import { keystoreError, openKeystoreFile, type OpenedKeystore, placeOfAlias } from './keystore.ts'

export interface KeystorePasswords { password: string; keyPassword?: string | undefined }

export interface KeystoreChange {
  step: Pick<KeystoreEntryStep, 'path' | 'format' | 'alias' | 'protection'>
  /** The file as it is; undefined: a new one is made. */
  present: Uint8Array | undefined
  /** PEM, leaf first. */
  chainPem: readonly string[]
  /** PKCS#8 PEM. */
  keyPem: string
  passwords: KeystorePasswords
  now: Date
}

/**
 * The bytes of a keystore with key and chain under the alias. All other entries stay what they are: keys under their
 * passwords, chains, trusted certificates, names, and what is not understood.
 * @throws CertloopError KEYSTORE_PASSWORD_WRONG, KEYSTORE_UNREADABLE; PLAN_FAILED for a PKCS#12 file whose key is to have another password
 */
export async function writeKeystoreEntry(change: KeystoreChange): Promise<Buffer> {
  const { step, present, passwords } = change
  if (step.format === 'pkcs12' && passwords.keyPassword !== undefined && passwords.keyPassword !== passwords.password) {
    throw new CertloopError('PLAN_FAILED', `${step.path} is a PKCS#12 keystore, whose keys have the password of the store. Give no other for the key.`, { path: step.path })
  }
  const opened = present === undefined ? undefined : await openKeystoreFile(present, passwords.password, { keyPassword: passwords.keyPassword, path: step.path })
  if (opened !== undefined && opened.format !== step.format) throw new CertloopError('KEYSTORE_UNREADABLE', `${step.path} is a keystore of the format ${opened.format}, not ${step.format}.`, { path: step.path })
  try {
    return await (step.format === 'pkcs12' ? writePkcs12With(change, opened) : writeJavaWith(change, opened))
  } catch (thrown) {
    throw keystoreError(thrown, step.path)
  }
}

function entryOf({ chainPem, keyPem, now }: KeystoreChange, alias: string): KeyEntry {
  return {
    kind: 'key', alias, createdAt: now,
    privateKey: createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' }),
    certificates: chainPem.flatMap((pem) => splitPem(pem).map(({ der }) => der)),
  }
}

/** The entries with the new one in the place of the one of the alias, which keeps the spelling of its name. */
function entriesWith(change: KeystoreChange, opened: OpenedKeystore | undefined): KeystoreEntry[] {
  const { alias, format } = change.step
  const { entries = [], aliases = [] } = opened ?? {}
  const at = placeOfAlias(aliases, alias)
  const name = aliases[at] ?? (format === 'pkcs12' ? alias : alias.toLowerCase())
  return at < 0 ? [...entries, entryOf(change, name)] : entries.with(at, entryOf(change, name))
}

function writePkcs12With(change: KeystoreChange, opened: OpenedKeystore | undefined): Promise<Buffer> {
  const { step: { protection }, present, passwords: { password } } = change
  const options: WritePkcs12Options = protection === undefined ? {} : { style: protection === 'legacy' ? 'old' : 'modern' }
  const keystore: Keystore = { entries: entriesWith(change, opened) }
  return present === undefined ? writePkcs12(keystore, password, options) : updatePkcs12(present, password, () => keystore, options)
}

function writeJavaWith(change: KeystoreChange, opened: OpenedKeystore | undefined): Promise<Buffer> {
  const { step: { alias, format }, passwords: { password, keyPassword }, now } = change
  const write = format === 'jks' ? writeJks : writeJceks
  // The names of the others stay as the file has them, though Java would look them up in lower case.
  const options = { now, caseExact: true, ...(keyPassword === undefined ? {} : { keyPasswords: new Map([[alias, keyPassword]]) }) }
  return write({ entries: entriesWith(change, opened) }, password, options)
}
