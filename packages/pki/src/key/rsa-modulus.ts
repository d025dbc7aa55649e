import { DerCursor, ifReadable, readBits, readElement, readOid } from '../der/der-reader.ts'
import { oid } from '../oids.ts'

/** Numbers of more bits are no keys that anybody uses, and cost too much to work with. */
const mostBytes = 1025 + 8

/** The modulus of an RSA key (SubjectPublicKeyInfo, DER; RFC 8017, A.1.1); undefined for keys of another kind and damaged or absurd ones. */
export function rsaModulus(spki: Uint8Array): bigint | undefined {
  return ifReadable(() => {
    const cursor = new DerCursor(readElement(Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength)))
    const id = readOid(new DerCursor(cursor.take(0x30)).take(0x06))
    if (id !== oid.rsa && id !== oid.rsaPss) return undefined
    const { content } = new DerCursor(readElement(readBits(cursor.take(0x03)))).take(0x02)
    const isUsable = content.length > 8 && content.length <= mostBytes && (content[0] ?? 0x80) < 0x80
    return isUsable ? BigInt(`0x${content.toString('hex')}`) : undefined
  }, undefined)
}
