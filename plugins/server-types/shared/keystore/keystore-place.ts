import { type Account, CertloopError, type KeystoreEntryStep } from '@certloop/contract'
import { type CertificateFacts, readCertificate } from '@certloop/pki'
import { type FileFacts, type Host, type KeystoreFile, type KeystoreFileEntry, keystoreStep, placeOfAlias, type PlanMaterial, readKeystoreFile } from '@certloop/plugin-kit'

/** A keystore that a server names, with what opens it. */
export interface KeystorePlace {
  /** Absolute, as the server names it. */
  path: string
  password: string
  /** Of the keys, where it is another than that of the store. */
  keyPassword?: string | undefined
}

export interface OpenKeystore {
  place: KeystorePlace
  /** The file itself behind all links. */
  realPath: string
  facts: FileFacts
  file: KeystoreFile
  /** Entries with a key. */
  keys: HeldKey[]
}

/** An entry with a key, and what its certificate says. */
export interface HeldKey {
  alias: string
  entry: KeystoreFileEntry
  leaf: CertificateFacts
  keyType: 'rsa' | 'ec' | null
}

const limitBytes = 20_000_000

/**
 * Opens a keystore as the server does.
 * @throws CertloopError KEYSTORE_UNREADABLE, also when it is not there, KEYSTORE_PASSWORD_WRONG, FILE_UNWRITABLE when it may not be read
 */
export async function openKeystore(host: Host, place: KeystorePlace): Promise<OpenKeystore> {
  const realPath = await host.realPath(place.path) ?? place.path
  const [facts, bytes] = await Promise.all([host.stat(realPath), host.readFile(realPath, limitBytes)])
  if (facts === undefined || bytes === undefined) throw new CertloopError('KEYSTORE_UNREADABLE', `The keystore ${place.path} is not there.`, { path: place.path })
  const file = await readKeystoreFile(bytes, place.password, { keyPassword: place.keyPassword, path: place.path })
  return { place, realPath, facts, file, keys: file.entries.flatMap((entry) => heldKey(entry) ?? []) }
}

function heldKey(entry: KeystoreFileEntry): HeldKey | undefined {
  const [first] = entry.chainPem
  if ((entry.kind !== 'key' && entry.kind !== 'locked-key') || entry.alias === null || first === undefined) return undefined
  const leaf = readCertificate(first)
  const keyType = leaf.keyAlgorithm.startsWith('rsa') ? 'rsa' : leaf.keyAlgorithm.startsWith('ec') ? 'ec' : null
  return { alias: entry.alias, entry, leaf, keyType }
}

/** The key of an alias, upper and lower case being the same as in Java; undefined when there is none. */
export const heldKeyOf = ({ keys }: OpenKeystore, alias: string): HeldKey | undefined => keys[placeOfAlias(keys.map((key) => key.alias), alias)]

const [password, keyPassword] = ['keystorePassword', 'keyPassword']

/**
 * Puts the material under an alias: the step, undefined when it is there already, and the passwords that it takes.
 * @throws CertloopError as keystoreStep
 */
export function entryStep({ place, realPath, file }: OpenKeystore, alias: string, material: PlanMaterial): { step: KeystoreEntryStep | undefined; secrets: Record<string, string> } {
  const own = place.keyPassword !== undefined && place.keyPassword !== place.password
  const step = keystoreStep({ path: realPath, format: file.format, alias, password, ...(own ? { keyPassword } : {}), ownership: null }, material, file)
  if (step === undefined) return { step, secrets: {} }
  return { step, secrets: { [password]: place.password, ...(own && place.keyPassword !== undefined ? { [keyPassword]: place.keyPassword } : {}) } }
}

/**
 * A configuration says what its account likes, and root's hand writes: a keystore that the account could not read is
 * not replaced for it. `runAs` is undefined for root's own servers; `groups` are further ones of the account.
 * @throws CertloopError PLAN_FAILED
 */
export function checkKeystoreRight({ facts, realPath }: OpenKeystore, product: string, runAs: Account | undefined, groups: readonly number[] = []): void {
  if (runAs === undefined) return
  const bits = facts.mode >> (facts.uid === runAs.uid ? 6 : [runAs.gid, ...groups].includes(facts.gid) ? 3 : 0)
  if ((bits & 4) === 0) throw new CertloopError('PLAN_FAILED', `${product} runs as user ${runAs.uid}, and ${realPath} can not be read by it. Files that this account could not use are not replaced for it.`, { path: realPath })
}
