/**
 * What PKCS#12, JKS and JCEKS have in common: named entries. Readers give it, writers take it, so that an update is
 * read, change, write, and the entries that were not meant stay as they were.
 */
export interface Keystore { entries: KeystoreEntry[] }

export type KeystoreEntry = KeyEntry | LockedKeyEntry | CertificateEntry | OpaqueEntry
export type KeystoreFormat = 'pkcs12' | 'jks' | 'jceks'

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
  /** The key as the file had it; an update writes it back unchanged. Absent for a key that comes from elsewhere. */
  sealed?: SealedKey
}

/** A key under its own encryption. */
export interface SealedKey {
  format: KeystoreFormat
  /** EncryptedPrivateKeyInfo, DER. */
  bytes: Buffer
  /** The PrivateKeyInfo it opens to: where the entry's `privateKey` differs, the seal is out of date and not used. */
  opensTo: Buffer
}

/** A key that is there but was not opened: listed with its certificates, and carried along byte for byte. */
export interface LockedKeyEntry {
  kind: 'locked-key'
  alias: string | null
  /** DER, leaf first; certificates are not encrypted where keys have passwords of their own. */
  certificates: Buffer[]
  createdAt: Date | null
  /** "unreadable": damaged, or protected in a way that is not known here. */
  reason: 'no-password' | 'password-wrong' | 'unreadable'
  /** Only this format can write it back. */
  format: KeystoreFormat
  /** The key as the file has it (EncryptedPrivateKeyInfo, DER, where it is readable at all). */
  raw: Buffer
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
  /** Only this format can write it back. */
  format: KeystoreFormat
  /** The bytes as the format has them. */
  raw: Buffer
}

/** What reading may cost. Everything beyond is refused with LIMIT_EXCEEDED before the work is done. */
export interface ReadLimits {
  /** Bytes of the file. */
  maxBytes: number
  /**
   * Password iterations of all parts of the file and all tries of passwords together. A file of OpenSSL costs 10,000,
   * one of Java 40,000, one of NSS or GnuTLS with its 600,000 for each part 1,800,000, or 4,200,000 with 3DES.
   */
  maxIterations: number
  /** Memory that a password function may ask for, in bytes (scrypt). */
  maxMemory: number
  maxEntries: number
}
export const defaultReadLimits: ReadLimits = { maxBytes: 20_000_000, maxIterations: 6_000_000, maxMemory: 256 << 20, maxEntries: 20_000 }
