import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { DerCursor, readChildren, readElement, readOid, readText, type DerElement } from '../der/der-reader.ts'
import { element, explicit, implicit, objectIdentifier, sequence, utf8String } from '../der/der-writer.ts'
import { oid } from '../oids.ts'
import { nameText, readName } from './distinguished-name.ts'

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

/** The 4 or 16 bytes of an address; undefined when the text is none. */
export function ipBytes(address: string): Buffer | undefined {
  const kind = isIP(address)
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

const isAscii = (text: string) => /^[\x21-\x7e]+$/.test(text)
function asciiName(tag: number, text: string): Buffer {
  if (!isAscii(text)) throw new CertloopError('NAME_INVALID', `The name ${JSON.stringify(text)} is not in its ASCII form.`)
  return implicit(tag, Buffer.from(text, 'latin1'))
}

function ipName(value: string): Buffer {
  const bytes = ipBytes(value)
  if (!bytes) throw new CertloopError('NAME_INVALID', `The name ${JSON.stringify(value)} is not an IP address.`)
  return implicit(7, bytes)
}

/** One GeneralName, DER. @throws CertloopError NAME_INVALID */
export function generalName(name: GeneralName): Buffer {
  switch (name.type) {
    case 'email': return asciiName(1, name.value)
    case 'dns': return asciiName(2, name.value)
    case 'uri': return asciiName(6, name.value)
    case 'ip': return ipName(name.value)
    case 'upn': return element(0xa0, objectIdentifier(oid.userPrincipalName), explicit(0, utf8String(name.value)))
    case 'registered-id': return implicit(8, objectIdentifier(name.value).subarray(2))
    case 'directory': return explicit(4, Buffer.from(name.der, 'hex'))
    case 'other': return name.oid === null ? Buffer.from(name.value, 'hex') : element(0xa0, objectIdentifier(name.oid), explicit(0, Buffer.from(name.value, 'hex')))
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
  const inner = readElement(cursor.take(0xa0).content)
  const text = id === oid.userPrincipalName ? readText(inner) : undefined
  return text === undefined ? { type: 'other', oid: id, value: inner.raw.toString('hex') } : { type: 'upn', value: text }
}

/** Reads one GeneralName of any kind. @throws DerError */
export function readGeneralName(element: DerElement): GeneralName {
  const text = () => element.content.toString('latin1')
  switch (element.tag) {
    case 0x81: return { type: 'email', value: text() }
    case 0x82: return { type: 'dns', value: text().toLowerCase() }
    case 0x86: return { type: 'uri', value: text() }
    case 0x88: return { type: 'registered-id', value: readOid({ tag: 0x06, content: element.content, raw: element.raw }) }
    case 0xa0: return otherName(element)
    case 0xa4: {
      const name = readElement(element.content)
      return { type: 'directory', value: nameText(readName(name)), der: name.raw.toString('hex') }
    }
    case 0x87: {
      const ip = ipText(element.content)
      if (ip !== undefined) return { type: 'ip', value: ip }
    }
  }
  return { type: 'other', oid: null, value: element.raw.toString('hex') }
}

/** Reads GeneralNames, in order, all kinds. @throws DerError */
export const readAllGeneralNames = (names: DerElement): GeneralName[] => readChildren(names).map(readGeneralName)

/** DNS names (lower case) and IP addresses (canonical) of GeneralNames, in order; other kinds are left out. */
export function readGeneralNames(element: DerElement): string[] {
  return readChildren(element).flatMap((name) => {
    if (name.tag === 0x82) return [name.content.toString('latin1').toLowerCase()]
    const ip = name.tag === 0x87 ? ipText(name.content) : undefined
    return ip === undefined ? [] : [ip]
  })
}
