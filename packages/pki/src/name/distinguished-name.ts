import { CertloopError } from '@certloop/contract'
import { DerCursor, readChildren, readElement, readOid, readText, type DerElement } from '../der/der-reader.ts'
import { objectIdentifier, sequence, setOf, utf8String } from '../der/der-writer.ts'
import { attributeNames, oid } from '../oids.ts'

/** One attribute of a Name as it is found. */
export interface NameAttribute {
  oid: string
  /** "CN", "O", …; the dotted identifier where there is no word. */
  type: string
  /** Text; "#" and the DER of the value in hex when it is of no string type. */
  value: string
  readable: boolean
  /** The value, DER. */
  raw: Buffer
}

/** Attributes of a Name in the order of the certificate, one list per relative name. @throws DerError */
export function readName(element: DerElement): NameAttribute[][] {
  return readChildren(element).map((set) => readChildren(set).map((pair) => {
    const cursor = new DerCursor(pair)
    const id = readOid(cursor.take())
    const value = cursor.take()
    const text = readText(value)
    return { oid: id, type: attributeNames[id] ?? id, value: text ?? hexValue(value.raw), readable: text !== undefined, raw: value.raw }
  }))
}

/** Upper case, as openssl has it. */
const hexValue = (raw: Buffer) => `#${raw.toString('hex').toUpperCase()}`

const escaped = (value: string) => value
  .replace(/[\\",+<>;]/g, '\\$&')
  .replace(/^[ #]| $/g, '\\$&')
  // oxlint-disable-next-line no-control-regex -- control characters are what is to be made visible
  .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`)

/**
 * Text of a Name: most specific part first, "CN=www.example.com,O=Example" (RFC 4514). The value of an attribute
 * without a word is the hex of its DER (2.4).
 */
export function nameText(name: readonly (readonly NameAttribute[])[]): string {
  return name.toReversed().map((set) => set.toReversed().map(({ oid: id, type, value, readable, raw }) => (
    `${type}=${readable && type !== id ? escaped(value) : hexValue(raw)}`
  )).join('+')).join(',')
}

/** The most specific common name. */
export function commonNameOf(name: readonly (readonly NameAttribute[])[]): string | null {
  return name.flat().findLast((attribute) => attribute.oid === oid.commonName)?.value ?? null
}

/** A subject of one common name, or an empty one. @throws CertloopError NAME_INVALID beyond 64 characters (RFC 5280, A.1) */
export function nameOfCommonName(commonName: string | null): Buffer {
  if (commonName === null) return sequence()
  if (commonName === '' || commonName.length > 64) {
    throw new CertloopError('NAME_INVALID', `A common name has 1 to 64 characters; "${commonName.slice(0, 80)}" has ${commonName.length}.`, { fields: ['commonName: has to have 1 to 64 characters'] })
  }
  return sequence(setOf(sequence(objectIdentifier(oid.commonName), utf8String(commonName))))
}

/** Text of a Name given as DER (RFC 4514). @throws DerError */
export const textOfName = (der: Uint8Array): string => nameText(readName(readElement(Buffer.from(der.buffer, der.byteOffset, der.byteLength))))
