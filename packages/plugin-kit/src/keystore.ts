import { asSentence, CertloopError, type ErrorCode, type KeystoreEntryStep, sha256Hex } from '@certloop/contract'
import { type KeystoreEntry, readJks, readPkcs12, recognise, toPem } from '@certloop/pki'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { PlanMaterial } from './driver.ts'
import { materialText } from './material.ts'

export type KeystoreFormat = KeystoreEntryStep['format']

/** One entry as drivers see it: no private key. */
export interface KeystoreFileEntry {
  /** As a Java server calls it: what has no name in a PKCS#12 file is "1", "2", …; null for certificates without one. */
  alias: string | null
  /** locked-key: neither of the passwords opens it. certificate: a trusted one. opaque: secret keys and the like. */
  kind: KeystoreEntry['kind']
  /** Leaf first, as far as the file has it. Of a PKCS#12 file also issuers that other entries brought. */
  chainPem: string[]
  /** SHA-256 of the SPKI of the private key, hex; null for what is no key, stays closed or can't be used here. */
  spkiDigest: string | null
}

export interface KeystoreFile {
  format: KeystoreFormat
  /** SHA-256 of the bytes: `replaces` of a step. */
  digest: string
  entries: KeystoreFileEntry[]
}

export interface ReadKeystoreOptions {
  /** Of keys that have one of their own (JKS, JCEKS). */
  keyPassword?: string | undefined
  /** Names the file in errors. */
  path?: string
}

/** An opened keystore with its keys, for writing it again. `entries` and `aliases` go together. */
export interface OpenedKeystore { format: KeystoreFormat; entries: KeystoreEntry[]; aliases: (string | null)[] }

/**
 * Reads a PKCS#12, JKS or JCEKS file, whichever it is.
 * @throws CertloopError KEYSTORE_PASSWORD_WRONG, KEYSTORE_UNREADABLE
 */
export async function readKeystoreFile(content: Uint8Array, password: string, options: ReadKeystoreOptions = {}): Promise<KeystoreFile> {
  const { format, entries, aliases } = await openKeystoreFile(content, password, options)
  return { format, digest: sha256Hex(content), entries: entries.map((entry, i) => factsOf(entry, aliases[i] ?? null)) }
}

/** The same with the private keys: for the engine alone. @throws as readKeystoreFile */
export async function openKeystoreFile(content: Uint8Array, password: string, { keyPassword, path = 'The keystore' }: ReadKeystoreOptions = {}): Promise<OpenedKeystore> {
  const format = recognise(content)
  try {
    if (format === 'pkcs12') {
      const { entries } = await readPkcs12(content, password)
      return { format, entries, aliases: javaAliases(entries) }
    }
    if (format === 'jks' || format === 'jceks') {
      const { entries } = await readJks(content, password, keyPassword === undefined ? {} : { keyPasswords: [keyPassword] })
      return { format, entries, aliases: entries.map(({ alias }) => alias) }
    }
  } catch (thrown) {
    throw keystoreError(thrown, path)
  }
  throw new CertloopError('KEYSTORE_UNREADABLE', `${path} is neither PKCS#12 nor JKS nor JCEKS${format === 'unknown' ? '' : `: it seems to be ${format}`}.`, { path })
}

const codes: Partial<Record<ErrorCode, ErrorCode>> = { PASSWORD_WRONG: 'KEYSTORE_PASSWORD_WRONG', PASSWORD_NEEDED: 'KEYSTORE_PASSWORD_WRONG' }

/** What the readers and writers of keystores throw, with the code that a deployment has for it. */
export function keystoreError(thrown: unknown, path: string): CertloopError {
  if (!(thrown instanceof CertloopError)) return new CertloopError('KEYSTORE_UNREADABLE', `${path} can not be read: its form is not the expected one.`, { path }, thrown)
  const code = codes[thrown.code] ?? 'KEYSTORE_UNREADABLE'
  return new CertloopError(code, code === 'KEYSTORE_PASSWORD_WRONG' ? `The password does not open ${path}, or the file is damaged.` : `${path}: ${asSentence(thrown.message)}`, { path }, thrown)
}

/** Java numbers keys without a name from 1, in their order. */
function javaAliases(entries: readonly KeystoreEntry[]): (string | null)[] {
  let unnamed = 0
  return entries.map(({ kind, alias }) => alias ?? (kind === 'key' || kind === 'locked-key' ? String(++unnamed) : null))
}

function factsOf(entry: KeystoreEntry, alias: string | null): KeystoreFileEntry {
  const certificates = entry.kind === 'key' || entry.kind === 'locked-key' ? entry.certificates : entry.kind === 'certificate' ? [entry.certificate] : []
  return { alias, kind: entry.kind, chainPem: certificates.map((der) => toPem('CERTIFICATE', der)), spkiDigest: entry.kind === 'key' ? spkiDigestOf(entry.privateKey) : null }
}

function spkiDigestOf(pkcs8: Buffer): string | null {
  try {
    return sha256Hex(createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({ type: 'spki', format: 'der' }))
  } catch {
    return null // a kind of key that can't be used here: it is another one than that of the material
  }
}

const sameAlias = (a: string | null, b: string) => a?.toLowerCase() === b.toLowerCase()

/** Where the entry of an alias is, upper and lower case being the same as in Java, the exact one first; -1: nowhere. */
export function placeOfAlias(aliases: readonly (string | null)[], alias: string): number {
  const exact = aliases.indexOf(alias)
  return exact >= 0 ? exact : aliases.findIndex((one) => sameAlias(one, alias))
}

/**
 * The key entry of an alias.
 * @throws CertloopError ALIAS_NOT_FOUND with the aliases that there are; KEYSTORE_PASSWORD_WRONG when its key has another
 * password; PLAN_FAILED when it is no key
 */
export function keystoreKey({ entries }: KeystoreFile, alias: string, path = 'the keystore'): KeystoreFileEntry {
  const entry = entries[placeOfAlias(entries.map((one) => one.alias), alias)]
  if (entry === undefined) {
    const aliases = entries.map((one) => one.alias ?? '(no name)').slice(0, 50)
    throw new CertloopError('ALIAS_NOT_FOUND', `There is no entry "${alias}" in ${path}. ${aliases.length === 0 ? 'It is empty.' : `It has: ${aliases.join(', ')}.`}`, { path, alias, aliases })
  }
  if (entry.kind === 'locked-key') throw new CertloopError('KEYSTORE_PASSWORD_WRONG', `The key "${alias}" in ${path} has a password of its own, and not the one that is known.`, { path, alias })
  if (entry.kind !== 'key') throw new CertloopError('PLAN_FAILED', `The entry "${alias}" in ${path} is ${entry.kind === 'certificate' ? 'a trusted certificate' : 'something else'} and no key, so it is not replaced. Choose another alias.`, { path, alias })
  return entry
}

/** `contentDigest` of the step that puts the material under this alias. Hex. */
export const keystoreDigest = (alias: string, { chainPem, spkiDigest }: PlanMaterial): string => sha256Hex(`${alias} ${sha256Hex(materialText('full-chain', chainPem))} ${spkiDigest}`)

/**
 * Whether the entry is this key with this chain. A PKCS#12 file does not say where a chain ends: issuers that other
 * entries brought may follow.
 */
export function holdsMaterial({ format, entries }: KeystoreFile, alias: string, { chainPem, spkiDigest }: PlanMaterial): boolean {
  const entry = entries[placeOfAlias(entries.map((one) => one.alias), alias)]
  if (entry?.kind !== 'key' || entry.spkiDigest !== spkiDigest) return false
  const present = format === 'pkcs12' ? entry.chainPem.slice(0, chainPem.length) : entry.chainPem
  return materialText('full-chain', present) === materialText('full-chain', chainPem)
}

/**
 * The step that puts the material under an alias, or undefined when it is there already.
 * @param place `format` is for a new file; one that is there keeps its own. `password` and `keyPassword` are names of secrets of the draft.
 * @param present the file as it is; undefined: there is none
 * @throws CertloopError KEYSTORE_PASSWORD_WRONG when the key of the alias stays closed; PLAN_FAILED when the alias is no key's
 */
export function keystoreStep(place: Omit<KeystoreEntryStep, 'kind' | 'contentDigest' | 'replaces'>, material: PlanMaterial, present: KeystoreFile | undefined): KeystoreEntryStep | undefined {
  const { alias, path } = place
  if (present !== undefined && placeOfAlias(present.entries.map((one) => one.alias), alias) >= 0) {
    keystoreKey(present, alias, path)
    if (holdsMaterial(present, alias, material)) return undefined
  }
  return { kind: 'keystore-entry', ...place, format: present?.format ?? place.format, contentDigest: keystoreDigest(alias, material), replaces: present?.digest ?? null }
}
