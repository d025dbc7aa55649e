import { CertloopError } from '@certloop/contract'
import { berToDer } from '../der/ber.ts'
import { DerCursor, DerError, readChildren, readElement, readOid, readText, type DerElement } from '../der/der-reader.ts'
import { oid } from '../oids.ts'
import type { ReadLimits } from './keystore.ts'
import { readMac, type Mac } from './pkcs12-mac.ts'
import type { Sealed } from './pkcs12-protection.ts'

/** Nesting of bags within bags; nobody is known to write any. */
const maxBagDepth = 8

/** PFX (RFC 7292, 4), one level deep: nothing is opened yet. */
export interface Pfx {
  /** What the integrity check is over. */
  contents: Buffer
  parts: Part[]
  mac: Mac | undefined
}

export type Part =
  | { kind: 'plain'; bytes: Buffer }
  | { kind: 'encrypted'; sealed: Sealed; raw: Buffer }
  /** Encrypted to a public key, or of an unknown type. */
  | { kind: 'unknown'; raw: Buffer }

/** SafeBag (RFC 7292, 4.2). */
export interface Bag { id: string; value: DerElement; attributes: DerElement[]; raw: Buffer }

/** @throws DerError; CertloopError LIMIT_EXCEEDED */
export function readPfx(bytes: Uint8Array, limits: ReadLimits): Pfx {
  const der = berToDer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits.maxBytes)
  const cursor = new DerCursor(readElement(der))
  cursor.take(0x02)
  const info = new DerCursor(cursor.take(0x30))
  const type = readOid(info.take(0x06))
  if (type === oid.signedData) throw new DerError('it is signed with a key instead of protected with a password, which Certloop does not read')
  if (type !== oid.pkcs7Data) throw new DerError(`it holds contents of the type ${type}`)
  const contents = octets(readElement(info.take(0xa0).content))
  const mac = cursor.takeIf(0x30)
  const safe = readElement(berToDer(contents, limits.maxBytes))
  if (safe.tag !== 0x30) throw new DerError('an element with tag 48 is missing')
  return { contents, parts: readChildren(safe).map(readPart), mac: mac && readMac(mac) }
}

function readPart(info: DerElement): Part {
  const cursor = new DerCursor(info)
  const type = readOid(cursor.take(0x06))
  if (type === oid.pkcs7Data) return { kind: 'plain', bytes: octets(readElement(cursor.take(0xa0).content)) }
  if (type !== oid.encryptedData) return { kind: 'unknown', raw: info.raw }
  const data = new DerCursor(readElement(cursor.take(0xa0).content))
  data.take(0x02)
  const encrypted = new DerCursor(data.take(0x30))
  encrypted.take(0x06)
  return { kind: 'encrypted', sealed: { algorithm: encrypted.take(0x30), encrypted: octets(encrypted.take()) }, raw: info.raw }
}

/** Contents of an OCTET STRING; an implicitly tagged one may come in segments. */
function octets(element: DerElement): Buffer {
  if (element.tag === 0x04 || element.tag === 0x80) return element.content
  if (element.tag !== 0xa0) throw new DerError('an octet string is missing')
  return Buffer.concat(readChildren(element).map((segment) => {
    if (segment.tag !== 0x04) throw new DerError('an octet string is missing')
    return segment.content
  }))
}

/** Adds the bags of SafeContents to a list, those within bags as well. @throws DerError; CertloopError LIMIT_EXCEEDED */
export function collectBags(safeContents: Buffer, limits: ReadLimits, bags: Bag[]): void {
  const open = [{ element: readElement(berToDer(safeContents, limits.maxBytes)), depth: 0 }]
  for (let next = open.pop(); next; next = open.pop()) {
    if (next.depth > maxBagDepth) throw new CertloopError('LIMIT_EXCEEDED', `Bags are within bags more than ${maxBagDepth} times.`, { allowed: maxBagDepth })
    if (next.element.tag !== 0x30) throw new DerError('an element with tag 48 is missing')
    for (const child of readChildren(next.element)) {
      const bag = readBag(child)
      if (bag.id === oid.safeContentsBag) open.push({ element: bag.value, depth: next.depth + 1 })
      else bags.push(bag)
      if (bags.length + open.length > limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The file has more than ${limits.maxEntries} entries.`, { allowed: limits.maxEntries })
    }
  }
}

function readBag(element: DerElement): Bag {
  const cursor = new DerCursor(element)
  const id = readOid(cursor.take(0x06))
  const value = readElement(cursor.take(0xa0).content)
  const attributes = cursor.takeIf(0x31)
  return { id, value, attributes: attributes ? readChildren(attributes) : [], raw: element.raw }
}

/** The bag of an entry that was carried along, or undefined for a part of its own. @throws DerError */
export function bagOf(raw: Buffer): Bag | undefined {
  const element = readElement(raw)
  return readOid(new DerCursor(element).take(0x06)).startsWith('1.2.840.113549.1.7.') ? undefined : readBag(element)
}

/** Identifier of an attribute (RFC 7292, 4.2). @throws DerError */
export const attributeId = (attribute: DerElement): string => readOid(new DerCursor(attribute).take(0x06))

function attributeValue(bag: Bag, id: string): DerElement | undefined {
  const found = bag.attributes.find((attribute) => attributeId(attribute) === id)
  if (!found) return undefined
  const cursor = new DerCursor(found)
  cursor.take()
  return readChildren(cursor.take(0x31))[0]
}

export function friendlyNameOf(bag: Bag): string | null {
  const value = attributeValue(bag, oid.friendlyName)
  return value ? readText(value) ?? null : null
}

/** As hex, for comparing; null without one. */
export const localKeyIdOf = (bag: Bag): string | null => attributeValue(bag, oid.localKeyId)?.content.toString('hex') ?? null

export const isJavaTrusted = (bag: Bag): boolean => bag.attributes.some((attribute) => attributeId(attribute) === oid.javaTrustedKeyUsage)

/** Java keeps the time of an entry as text in its localKeyId: "Time 1763740800000". */
export function createdAtOf(bag: Bag): Date | null {
  const text = /^Time (\d{1,15})$/.exec(attributeValue(bag, oid.localKeyId)?.content.toString('latin1') ?? '')?.[1]
  return text === undefined ? null : new Date(Number(text))
}
