import { DerError, readBits, readChildren, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { oid } from '../oids.ts'

/** What some DER is, judged by its members and never by what a label says. */
export type KeyForm =
  | { kind: 'pkcs8'; algorithm: DerElement; key: Buffer; publicKey: Buffer | undefined }
  | { kind: 'encrypted'; algorithm: DerElement; encrypted: Buffer }
  | { kind: 'sec1'; scalar: Buffer; curve: string | undefined; point: Buffer | undefined }
  | { kind: 'pkcs1'; numbers: Buffer[] }
  | { kind: 'curve'; curve: string }
  /** No private key that can be read: what it seems to be instead, with its article. */
  | { kind: 'other'; title: string }

const other = (title: string): KeyForm => ({ kind: 'other', title })
const isNamedCurve = (element: DerElement): boolean => element.tag === 0x06

type Reader = (members: DerElement[]) => KeyForm
const at = (members: DerElement[], place: number): DerElement => {
  const member = members[place]
  if (!member) throw new DerError('it has too few members')
  return member
}
/** Forms by the tags of their members, in hex; the first that fits counts. */
const shapes: [RegExp, Reader][] = [
  [/^02 30 04( a0)?( 81)?$/, (members) => readPkcs8(members)],
  [/^30 04$/, (members) => ({ kind: 'encrypted', algorithm: at(members, 0), encrypted: at(members, 1).content })],
  [/^02 04( a0)?( a1)?$/, (members) => readSec1(members)],
  [/^02( 02){8}$/, (members) => ({ kind: 'pkcs1', numbers: members.slice(1).map((member) => member.content) })],
  [/^02( 02){8} 30$/, () => other('an RSA key of more than two primes, which is not used for certificates')],
  [/^02( 02){5}$/, () => other('a DSA key, which can not be used for certificates here')],
  [/^02 02$/, () => other('an RSA public key')],
  [/^02 30( 30)?$/, () => other('a PKCS#12 keystore')],
  [/^30 03$/, () => other('a public key')],
  [/^30 30 03$/, (members) => other(recogniseSigned(at(members, 0)))],
  [/^06 a0$/, () => other('a PKCS#7 file or another container')],
]

/** @throws DerError when it is no DER at all, or none of the forms that are known here */
export function recogniseKey(der: Buffer): KeyForm {
  const whole = readElement(der)
  if (isNamedCurve(whole)) return { kind: 'curve', curve: readOid(whole) }
  if (whole.tag !== 0x30) throw new DerError('it does not begin like a key')
  const members = readChildren(whole)
  // More members than any key has: their tags need not be compared.
  const tags = members.slice(0, 16).map((member) => member.tag.toString(16).padStart(2, '0')).join(' ')
  const read = shapes.find(([pattern]) => pattern.test(tags))?.[1]
  if (!read) throw new DerError('it has members that no key has')
  return read(members)
}

/** PrivateKeyInfo or OneAsymmetricKey (RFC 5958, 2). */
function readPkcs8(members: DerElement[]): KeyForm {
  const publicKey = members.find((member) => member.tag === 0x81)?.content.subarray(1)
  return { kind: 'pkcs8', algorithm: at(members, 1), key: at(members, 2).content, publicKey }
}

/** ECPrivateKey (RFC 5915, 3). */
function readSec1(members: DerElement[]): KeyForm {
  const curve = members.find((member) => member.tag === 0xa0)
  const point = members.find((member) => member.tag === 0xa1)
  return { kind: 'sec1', scalar: at(members, 1).content, curve: curve && namedCurve(readElement(curve.content)), point: point && readBits(readElement(point.content)) }
}

/** @throws DerError for a curve that is written out instead of named */
export function namedCurve(parameters: DerElement): string {
  if (!isNamedCurve(parameters)) throw new DerError('its curve is written out in numbers instead of named')
  return readOid(parameters)
}

/** SIGNED{…}: certificate, request or revocation list. */
function recogniseSigned(signed: DerElement): string {
  const members = readChildren(signed)
  if (members[0]?.tag === 0x02 && members[3]?.tag === 0xa0 && members.length <= 4) return 'a certificate request'
  return members.length >= 6 && members.some((member) => member.tag === 0x30 && holdsPublicKey(member)) ? 'a certificate' : 'a revocation list or another signed file'
}

function holdsPublicKey(element: DerElement): boolean {
  const members = readChildren(element)
  return members.length === 2 && members[0]?.tag === 0x30 && members[1]?.tag === 0x03
}

const magics: [RegExp, string][] = [
  [/-----BEGIN OPENSSH PRIVATE KEY-----|^openssh-key-v1/, 'an OpenSSH key; "ssh-keygen -p -m PKCS8 -f <file>" rewrites it as PKCS#8'],
  [/^PuTTY-User-Key-File-/m, 'a PuTTY key; PuTTYgen can export it in another form'],
  [/-----BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----/, 'an SSH2 key of another form'],
  [/^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S{1,30}) AAAA/m, 'an SSH public key'],
  [/-----BEGIN PGP /, 'an OpenPGP key'],
  [/-----BEGIN (?:RSA )?PUBLIC KEY-----/, 'a public key'],
  [/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/, 'a certificate request'],
  [/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/, 'a certificate'],
  [/-----BEGIN PKCS7-----/, 'a PKCS#7 file'],
  [/^\s{0,100}\{[^]{0,1000}"kty"/, 'a JSON web key'],
]
/** What a text seems to be that has no readable private key; undefined when there is no telling. */
export const seemsToBe = (text: string): string | undefined => magics.find(([pattern]) => pattern.test(text))?.[1]

/** The same for bytes that are no DER. */
export function bytesSeemToBe(bytes: Buffer): string | undefined {
  const magic = bytes.length >= 4 ? bytes.readUInt32BE(0) : 0
  if (magic === 0xfeedfeed) return 'a Java keystore (JKS)'
  return magic === 0xcececece ? 'a Java keystore (JCEKS)' : undefined
}

/** Kinds of PKCS#8 keys that are not for certificates, for the message. */
export const unusedKinds: Record<string, string> = {
  '1.2.840.10040.4.1': 'a DSA key, which can not be used for certificates here', '1.3.101.111': 'an X448 key, which can not sign',
  '1.2.840.113549.1.3.1': 'a Diffie-Hellman key, which can not sign',
}

export const isRsa = (id: string): boolean => id === oid.rsa || id === oid.rsaPss
