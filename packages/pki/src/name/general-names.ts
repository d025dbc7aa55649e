import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, ifReadable, readChildren, readElement, readOid, readText, readWhole, type DerElement } from '../der/der-reader.ts'
import { element, explicit, implicit, objectIdentifier, sequence, utf8String } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { isDottedOid } from './attribute-types.ts'
import { nameText, readName } from './distinguished-name.ts'
import { shown } from './problems.ts'
import { subjectName, type SubjectPart } from './subject.ts'

/**
 * One GeneralName (RFC 5280, 4.2.1.6). `dns` in lower case as A-labels, `ip` canonical, `email` and `uri` as written,
 * `upn` the Microsoft user principal name (an otherName), `directory` as RFC 4514 text with the Name's DER in hex,
 * `registered-id` dotted. Everything else is `other`: its identifier, and in hex the DER of the value (for kinds
 * that this package has no word for: the whole element, with identifier null).
 */
export type GeneralName =
  | { type: 'dns' | 'ip' | 'email' | 'uri' | 'upn' | 'registered-id'; value: string }
  | { type: 'directory'; value: string; der: string }
  | { type: 'other'; oid: string | null; value: string }

function ipv6Bytes(address: string): Buffer {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1) // hex groups only
  const [head = '', tail] = canonical.split('::')
  const groups = (part: string) => part.split(':').filter((group) => group !== '').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

/** The 4 or 16 bytes of an address; undefined when the text is none, or has a zone, which certificates can not. */
export function ipBytes(address: string): Buffer | undefined {
  const kind = address.includes('%') ? 0 : isIP(address)
  if (kind === 4) return Buffer.from(address.split('.').map(Number))
  return kind === 6 ? ipv6Bytes(address) : undefined
}

/** Canonical text of 4 or 16 bytes; undefined for another length. */
export function ipText(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return [...bytes].join('.')
  if (bytes.length !== 16) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

const notValid = (value: string, problem: string) => new CertloopError('NAME_INVALID', `The name ${shown(value)} ${problem}.`, { fields: [`names: ${shown(value)} ${problem}`] })

function asciiName(tag: number, text: string): Buffer {
  if (!/^[\x21-\x7e]+$/.test(text)) throw notValid(text, 'is not in its ASCII form')
  return implicit(tag, Buffer.from(text, 'latin1'))
}

function ipName(value: string): Buffer {
  const bytes = ipBytes(value)
  if (!bytes) throw notValid(value, 'is not an IP address')
  return implicit(7, bytes)
}

const hexBytes = (hex: string): Buffer | undefined => (/^(?:[0-9a-f]{2})+$/i.test(hex) ? Buffer.from(hex, 'hex') : undefined)

/** What `read` makes of hex that holds one whole element; undefined when it does not. */
function fromHex<T>(hex: string, read: (element: DerElement) => T): T | undefined {
  const bytes = hexBytes(hex)
  return bytes && readWhole(bytes, read)
}

/** Whether a text is the hex of one whole DER element. */
export const isOneElement = (hex: string): boolean => fromHex(hex, () => true) ?? false

/** RFC 4514 text of a Name given as the hex of its DER; undefined when it is none. */
export const directoryText = (hex: string): string | undefined => fromHex(hex, (name) => (name.tag === 0x30 ? nameText(readName(name)) : undefined))

/** A directory name of these attributes. @throws CertloopError NAME_INVALID */
export function directoryName(parts: readonly SubjectPart[]): GeneralName {
  const name = subjectName(parts)
  return { type: 'directory', value: nameText(readName(readElement(name))), der: name.toString('hex') }
}

function otherKind(id: string | null, value: string): Buffer {
  const bytes = hexBytes(value)
  if (!bytes || !isOneElement(value)) throw notValid(value, 'is not one DER element in hex')
  if (id === null) return bytes
  if (!isDottedOid(id)) throw notValid(id, 'is not a dotted object identifier')
  return element(0xa0, objectIdentifier(id), explicit(0, bytes))
}

function registeredId(value: string): Buffer {
  if (!isDottedOid(value)) throw notValid(value, 'is not a dotted object identifier')
  return element(0x88, readElement(objectIdentifier(value)).content)
}

function directory(name: { value: string; der: string }): Buffer {
  if (directoryText(name.der) === undefined) throw notValid(name.value, 'is not the DER of a name')
  return explicit(4, Buffer.from(name.der, 'hex'))
}

/** One GeneralName, DER. @throws CertloopError NAME_INVALID */
export function generalName(name: GeneralName): Buffer {
  switch (name.type) {
    case 'email': return asciiName(1, name.value)
    case 'dns': return asciiName(2, name.value)
    case 'uri': return asciiName(6, name.value)
    case 'ip': return ipName(name.value)
    case 'upn': return element(0xa0, objectIdentifier(oid.userPrincipalName), explicit(0, utf8String(name.value)))
    case 'registered-id': return registeredId(name.value)
    case 'directory': return directory(name)
    case 'other': return otherKind(name.oid, name.value)
  }
}

/** A DNS name or IP address, as checkNames gives them, with its kind. */
export const hostName = (name: string): GeneralName => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })

/** GeneralNames (RFC 5280, 4.2.1.6). Plain texts are DNS names and IP addresses that have passed checkNames. @throws CertloopError NAME_INVALID */
export function generalNames(names: readonly (GeneralName | string)[]): Buffer {
  return sequence(...names.map((name) => generalName(typeof name === 'string' ? hostName(name) : name)))
}

function otherName(element: DerElement): GeneralName {
  const cursor = new DerCursor(element, 0xa0)
  const id = readOid(cursor.take(0x06))
  const wrapper = cursor.take(0xa0)
  const inner = readElement(wrapper.content)
  if (inner.raw.length !== wrapper.content.length) throw new DerError('an other name has more than one value')
  const text = id === oid.userPrincipalName ? readText(inner) : undefined
  return text === undefined ? { type: 'other', oid: id, value: inner.raw.toString('hex') } : { type: 'upn', value: text }
}

function directoryOf(element: DerElement): GeneralName {
  const name = readElement(element.content)
  if (name.tag !== 0x30 || name.raw.length !== element.content.length) throw new DerError('a directory name is not a name')
  return { type: 'directory', value: nameText(readName(name)), der: name.raw.toString('hex') }
}

/** Text outside of ASCII is not allowed here but found: it is shown as Latin 1. */
function known(element: DerElement): GeneralName | undefined {
  const text = () => element.content.toString('latin1')
  switch (element.tag) {
    case 0x81: return { type: 'email', value: text() }
    case 0x82: return { type: 'dns', value: text().toLowerCase() }
    case 0x86: return { type: 'uri', value: text() }
    case 0x88: return { type: 'registered-id', value: readOid({ tag: 0x06, content: element.content, raw: element.raw }) }
    case 0xa0: return otherName(element)
    case 0xa4: return directoryOf(element)
    case 0x87: {
      const ip = ipText(element.content)
      return ip === undefined ? undefined : { type: 'ip', value: ip }
    }
  }
  return undefined
}

/** Reads one GeneralName of any kind; one that is damaged within is `other`, so that the names beside it are still seen. */
export function readGeneralName(element: DerElement): GeneralName {
  return ifReadable(() => known(element), undefined) ?? { type: 'other', oid: null, value: element.raw.toString('hex') }
}

/** Reads GeneralNames, in order, all kinds. @throws DerError */
export const readAllGeneralNames = (names: DerElement): GeneralName[] => readChildren(names).map(readGeneralName)
