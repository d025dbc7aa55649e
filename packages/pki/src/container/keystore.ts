/**
 * What PKCS#12, JKS and JCEKS have in common: named entries. Readers give it, writers take it, so that an update is
 * read, change, write, and the entries that were not meant stay as they were.
 */
export interface Keystore { entries: KeystoreEntry[] }

export type KeystoreEntry = KeyEntry | CertificateEntry | OpaqueEntry

export interface KeyEntry {
  kind: 'key'
  /** Alias or friendly name; null where the format lets it be absent. */
  alias: string | null
  /** PrivateKeyInfo (PKCS#8), DER, not encrypted. */
  privateKey: Buffer
  /** DER, leaf first; empty when the store has a key alone. */
  certificates: Buffer[]
  /** Whole milliseconds; null where the format has no date. */
  createdAt: Date | null
}

/** A certificate without a key: a trust anchor or an additional issuer. */
export interface CertificateEntry { kind: 'certificate'; alias: string | null; certificate: Buffer; createdAt: Date | null }

/** Secret keys, CRLs and whatever else a store may hold: carried along byte for byte. */
export interface OpaqueEntry {
  kind: 'opaque'
  alias: string | null
  /** What it is, for people: "secret key", "CRL". */
  title: string
  createdAt: Date | null
  /** The bytes as the format has them; only the format that read them can write them. */
  raw: Buffer
}

/** What reading may cost. Everything beyond is refused with LIMIT_EXCEEDED before the work is done. */
export interface ReadLimits {
  /** Bytes of the file. */
  maxBytes: number
  /** Password iterations of all parts of the file together. */
  maxIterations: number
  /** Memory that a password function may ask for, in bytes (scrypt). */
  maxMemory: number
  maxEntries: number
}
export const defaultReadLimits: ReadLimits = { maxBytes: 20_000_000, maxIterations: 5_000_000, maxMemory: 256 << 20, maxEntries: 20_000 }
