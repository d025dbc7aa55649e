import { ifReadable, readChildren, readElement, type DerElement } from '../der/der-reader.ts'
import { jceksMagic, jksMagic } from './jks.ts'

/**
 * What a file is, by its content. 'der-key' is a private key (PKCS#8, PKCS#1, SEC1), 'der-encrypted-key' an encrypted
 * PKCS#8 key, 'base64' one of the binary forms without its PEM lines, 'openssh-key' and 'putty-key' private keys in
 * forms of their own.
 */
export type ContainerFormat =
  | 'pem' | 'der-certificate' | 'der-key' | 'der-encrypted-key' | 'der-public-key' | 'csr' | 'crl' | 'pkcs7' | 'pkcs12'
  | 'jks' | 'jceks' | 'base64' | 'openssh-key' | 'openssh-public-key' | 'putty-key' | 'unknown'

/** Tells by content, never by name. Looks at the outline only: a recognised file may still be damaged. Never throws. */
export function recognise(bytes: Uint8Array): ContainerFormat {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = buffer.length >= 4 ? buffer.readUInt32BE() : 0
  if (magic === jksMagic) return 'jks'
  if (magic === jceksMagic) return 'jceks'
  const binary = recogniseDer(buffer)
  return binary === 'unknown' ? recogniseText(textOf(buffer)) : binary
}

/** Of the binary forms, those in ASN.1. */
export function recogniseDer(bytes: Buffer): ContainerFormat {
  if (bytes[0] !== 0x30) return 'unknown'
  // Before anything else, since these two may be BER with lengths that are not known in advance.
  const inside = afterHeader(bytes, 0)
  if (isPkcs7Oid(bytes, inside)) return 'pkcs7'
  if (bytes.subarray(inside, inside + 3).equals(versionThree) && bytes[inside + 3] === 0x30 && isPkcs7Oid(bytes, afterHeader(bytes, inside + 3))) return 'pkcs12'
  return ifReadable(() => byMembers(readChildren(readElement(bytes))), 'unknown')
}

const versionThree = Buffer.of(0x02, 0x01, 0x03)
/** 1.2.840.113549.1.7, whatever follows */
const pkcs7Arc = Buffer.from('2a864886f70d0107', 'hex')
const isPkcs7Oid = (bytes: Buffer, at: number): boolean => bytes[at] === 0x06 && bytes[at + 1] === 9 && bytes.subarray(at + 2, at + 10).equals(pkcs7Arc)

function afterHeader(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] ?? 0
  return at + 2 + (first > 0x80 ? first & 0x7f : 0)
}

const isOid = (element: DerElement | undefined): boolean => element?.tag === 0x06
const isAlgorithm = (element: DerElement | undefined): boolean => element?.tag === 0x30 && isOid(readChildren(element)[0])
const tagsOf = (members: readonly DerElement[]): string => members.map(({ tag }) => tag.toString(16).padStart(2, '0')).join(' ')

function byMembers(members: readonly DerElement[]): ContainerFormat {
  const [first, second] = members
  const tags = tagsOf(members.slice(0, 9))
  if (first && tags.startsWith('30 30 03')) return bySigned(readChildren(first))
  if (tags === '30 03' && isAlgorithm(first)) return 'der-public-key'
  if (tags === '30 04' && isAlgorithm(first)) return 'der-encrypted-key'
  if (tags.startsWith('02 30 04') && isAlgorithm(second)) return 'der-key'
  // SEC1; PKCS#1 with its nine numbers; the six of a DSA key as openssl used to write it.
  if (tags.startsWith('02 04') || tags === '02 02 02 02 02 02 02 02 02' || tags === '02 02 02 02 02 02') return 'der-key'
  return 'unknown'
}

/** Certificate, request and list are all "what is signed, algorithm, signature". */
function bySigned(members: readonly DerElement[]): ContainerFormat {
  const tags = tagsOf(members.slice(0, 6))
  if (/^(?:a0 )?02 30 30 30 30 30/.test(`${tags} ${tagsOf(members.slice(6, 7))}`) && isAlgorithm(members.find(({ tag }) => tag === 0x30))) return 'der-certificate'
  if (/^(?:02 )?30 30 1[78]/.test(tags)) return 'crl'
  if (/^02 30 30(?: a0)?$/.test(tags)) return 'csr'
  return 'unknown'
}

/** Bytes as text: UTF-8 with or without its mark, and UTF-16 as Windows tools write it. Other bytes become other characters. */
export function textOf(bytes: Buffer): string {
  const start = bytes.toString('hex', 0, 4)
  if (start.startsWith('fffe')) return bytes.toString('utf16le', 2)
  if (start.startsWith('feff')) return swapped(bytes.subarray(2))
  if (start.startsWith('efbbbf')) return bytes.toString('utf8', 3)
  // Without a mark: ASCII text in UTF-16 has a zero in every other byte.
  if (/^(?!00)..00..00$/.test(start)) return bytes.toString('utf16le')
  return /^00(?!00)..00/.test(start) ? swapped(bytes) : bytes.toString('utf8')
}
const swapped = (bytes: Buffer): string => Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16().toString('utf16le')

function recogniseText(text: string): ContainerFormat {
  const label = /^[ \t]*-----BEGIN ([A-Z0-9][A-Z0-9 #]{0,60})-----/m.exec(text)?.[1]
  if (label === 'OPENSSH PRIVATE KEY') return 'openssh-key'
  if (label !== undefined) return 'pem'
  if (text.startsWith('PuTTY-User-Key-File-')) return 'putty-key'
  if (text.startsWith('openssh-key-v1\0')) return 'openssh-key'
  if (/^(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3}) AAAA/.test(text)) return 'openssh-public-key'
  return unarmoured(text) ? 'base64' : 'unknown'
}

/** The bytes of base64 text that lost its BEGIN and END lines; undefined when it is something else. */
export function unarmoured(text: string): Buffer | undefined {
  // "MI" is how the outer SEQUENCE of all but the smallest begins, "MH", "MF", "MC" small keys.
  if (!/^\s*M[A-Za-z0-9+/]/.test(text) || /[^A-Za-z0-9+/=\s]/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return recogniseDer(bytes) === 'unknown' ? undefined : bytes
}
