import { DerCursor, DerError, readChildren, readElement, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { explicit, nullElement, objectIdentifier, sequence, smallInteger } from '../der/der-writer.ts'
import { hashByOid, oid } from '../oids.ts'

export type SigningHash = 'sha256' | 'sha384' | 'sha512'
export const hashBytes: Record<SigningHash, number> = { sha256: 32, sha384: 48, sha512: 64 }
const hashOids: Record<SigningHash, string> = { sha256: '2.16.840.1.101.3.4.2.1', sha384: '2.16.840.1.101.3.4.2.2', sha512: '2.16.840.1.101.3.4.2.3' }

/** AlgorithmIdentifier of RSASSA-PSS with MGF1 of the same digest, in the very bytes of BR 7.1.3.2.1 (RFC 4055, 3.1). */
export function pssAlgorithm(hash: SigningHash, saltLength: number): Buffer {
  const digest = sequence(objectIdentifier(hashOids[hash]), nullElement())
  return sequence(objectIdentifier(oid.rsaPss), sequence(explicit(0, digest), explicit(1, sequence(objectIdentifier(oid.mgf1), digest)), explicit(2, smallInteger(saltLength))))
}

/** Digest and salt (bytes) for node:crypto. */
export interface PssParameters { hash: string; saltLength: number }

/**
 * RSASSA-PSS-params (RFC 4055, 3.1): SHA-1, MGF1 with SHA-1 and a salt of 20 bytes unless said otherwise.
 * @returns undefined for what node:crypto can't check: another digest, or one for MGF1 that differs
 * @throws DerError when they are not of their form: order, a negative or absurd salt, another trailer
 */
export function readPssParameters(parameters: DerElement | undefined): PssParameters | undefined {
  if (parameters && parameters.tag !== 0x30) throw new DerError('the PSS parameters are not of their form')
  const parts = parameters ? readChildren(parameters) : []
  if (parts.some((part, index) => part.tag < 0xa0 || part.tag > 0xa3 || part.tag <= (parts[index - 1]?.tag ?? 0))) throw new DerError('the PSS parameters are not of their form')
  const inside = (n: number): DerElement | undefined => {
    const part = parts.find(({ tag }) => tag === (0xa0 | n))
    return part && readElement(part.content)
  }
  const [digest, mask, salt, trailer] = [inside(0), inside(1), inside(2), inside(3)]
  const hash = digest ? hashOf(digest) : 'sha1'
  if (trailer && readIntegerHex(trailer) !== '01') throw new DerError('the PSS parameters ask for another trailer')
  const saltLength = salt ? readSalt(salt) : 20
  return hash !== undefined && hash === (mask ? maskHash(mask) : 'sha1') ? { hash, saltLength } : undefined
}

const hashOf = (algorithm: DerElement): string | undefined => hashByOid[readOid(new DerCursor(algorithm).take())]

function maskHash(algorithm: DerElement): string | undefined {
  const cursor = new DerCursor(algorithm)
  return readOid(cursor.take()) === oid.mgf1 ? hashOf(cursor.take(0x30)) : undefined
}

/** node:crypto gives negative lengths a meaning of their own, and no key of 16384 bits holds more than 2048 bytes. */
function readSalt(element: DerElement): number {
  const hex = readIntegerHex(element)
  const length = Number.parseInt(hex, 16)
  if (hex.startsWith('-') || hex.length > 4 || length > 2048) throw new DerError('the PSS parameters ask for a salt that can not be')
  return length
}
