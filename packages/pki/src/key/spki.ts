import { createHash, hash, createPublicKey, type KeyObject } from 'node:crypto'
import { DerCursor, DerError, readBits, readElement, readOid } from '../der/der-reader.ts'
import { curveWords, oid, plainKeyWords } from '../oids.ts'

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const sha256Hex = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex')

/** SubjectPublicKeyInfo (DER) of a private or public key. */
export const spkiOfKey = (key: KeyObject): Buffer => (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })

/** Key identifier: the first 160 bits of the SHA-256 of the public key's bits (RFC 7093, method 1). */
export function keyIdOfSpki(spki: Uint8Array): Buffer {
  const cursor = new DerCursor(readElement(asBuffer(spki)))
  cursor.take(0x30)
  return createHash('sha256').update(readBits(cursor.take(0x03))).digest().subarray(0, 20)
}

/** Algorithm of a SubjectPublicKeyInfo (DER), without judging whether the key is usable. @throws DerError */
export function keyAlgorithmOfSpki(spki: Uint8Array): string {
  const cursor = new DerCursor(readElement(asBuffer(spki)))
  const algorithm = new DerCursor(cursor.take(0x30))
  const id = readOid(algorithm.take())
  if (id === oid.rsa || id === oid.rsaPss) {
    const modulus = new DerCursor(readElement(readBits(cursor.take()))).take(0x02).content
    return `${id === oid.rsaPss ? 'rsa-pss' : 'rsa'}-${bitLength(modulus)}`
  }
  if (id !== oid.ecPublicKey) return plainKeyWords[id] ?? id
  const curve = algorithm.takeIf(0x06)
  return curve ? (curveWords[readOid(curve)] ?? `ec-${readOid(curve)}`) : 'ec-explicit'
}

function bitLength(bytes: Buffer): number {
  const start = bytes.findIndex((byte) => byte !== 0)
  if (start < 0) throw new DerError('an RSA modulus is zero')
  return (bytes.length - start) * 8 - (Math.clz32(bytes[start] ?? 0) - 24)
}
