import { CertloopError } from '@certloop/contract'
import type { Keystore, KeystoreEntry } from './keystore.ts'

/**
 * Changes to a keystore that leave all other entries as they are. Names are compared without regard to case, as Java
 * and Windows do; where a store has several such names, the one written exactly so is meant.
 */

const shown = 50

function indexOf({ entries }: Keystore, alias: string | null): number {
  const fold = alias?.toLowerCase()
  const alike = entries.flatMap((entry, index) => (entry.alias?.toLowerCase() === fold ? [index] : []))
  const exact = alike.filter((index) => entries[index]?.alias === alias)
  const found = exact.length > 0 ? exact : alike
  if (found.length > 1) throw new CertloopError('INPUT_INVALID', `The keystore has ${found.length} entries ${alias === null ? 'without a name' : `called "${alias}"`}; it is not clear which is meant.`)
  return found[0] ?? -1
}

function missing(keystore: Keystore, alias: string | null): CertloopError {
  const names = keystore.entries.map((entry) => entry.alias ?? '(no name)')
  const list = names.length === 0 ? 'It is empty.' : `It has: ${names.slice(0, shown).join(', ')}${names.length > shown ? ` and ${names.length - shown} more` : ''}.`
  return new CertloopError('ENTRY_NOT_FOUND', `The keystore has no entry ${alias === null ? 'without a name' : `called "${alias}"`}. ${list}`, { aliases: names.slice(0, shown) })
}

/** @throws CertloopError ENTRY_NOT_FOUND with the names that there are; INPUT_INVALID when several entries have this name */
export function findEntry(keystore: Keystore, alias: string | null): KeystoreEntry {
  const entry = keystore.entries[indexOf(keystore, alias)]
  if (!entry) throw missing(keystore, alias)
  return entry
}

/**
 * A keystore with this entry in the place of the one of the same name, or at the end when there is none.
 * @throws CertloopError INPUT_INVALID when several entries have this name
 */
export function putEntry(keystore: Keystore, entry: KeystoreEntry): Keystore {
  const index = indexOf(keystore, entry.alias)
  return { ...keystore, entries: index < 0 ? [...keystore.entries, entry] : keystore.entries.with(index, entry) }
}

/** A keystore without the entry of this name. @throws CertloopError ENTRY_NOT_FOUND, INPUT_INVALID as {@link findEntry} */
export function removeEntry(keystore: Keystore, alias: string | null): Keystore {
  const index = indexOf(keystore, alias)
  if (index < 0) throw missing(keystore, alias)
  return { ...keystore, entries: keystore.entries.toSpliced(index, 1) }
}
