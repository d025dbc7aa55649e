import type { ErrorCode } from '@certloop/contract'
import type { ContainerFormat } from './container-recognise.ts'
import type { KeystoreEntry } from './keystore.ts'

/** Everything that was found in one file, whatever its format. Plain data, all of it DER. */
export interface ContainerContents {
  format: ContainerFormat
  /** Every certificate, in order of appearance; one that is there twice is given once. */
  certificates: Buffer[]
  /** PrivateKeyInfo (PKCS#8), not encrypted. */
  keys: FoundKey[]
  /** What is in `certificates` and `keys`, under its names and together as the file has it; also locked and opaque entries. */
  entries: KeystoreEntry[]
  requests: Buffer[]
  crls: Buffer[]
  /** SubjectPublicKeyInfo. */
  publicKeys: Buffer[]
  /** What is there and needs a password, or another one. */
  locked: LockedPart[]
  /** What is damaged or not known. It did not keep the rest from being read. */
  problems: PartProblem[]
  /** Of a keystore as a whole. unchecked: a password would have shown whether it is unchanged, and none was given. */
  integrity: 'checked' | 'unchecked' | 'none'
}

export interface FoundKey { alias: string | null; privateKey: Buffer }
/** `where` is for people: 'the block "CERTIFICATE" that begins in line 12', 'the entry "tomcat"'. */
export interface LockedPart { where: string; alias: string | null; code: 'PASSWORD_NEEDED' | 'PASSWORD_WRONG' }
export interface PartProblem { where: string; code: ErrorCode; message: string }
