import { CertloopError } from '@certloop/contract'
import { boolean, element, explicit, implicit, integer, namedBits, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { generalName, generalNames, ipBytes, type GeneralName } from '../name/general-names.ts'
import { oid } from '../oids.ts'

/** One Extension, DER (RFC 5280, 4.1). */
export const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value))

/** Critical. An end entity has an empty one (RFC 5280, 4.2.1.9). @throws CertloopError INPUT_INVALID for a path length that is no whole number from 0 to 255 */
export function basicConstraints(isCa: boolean, pathLength?: number): Buffer {
  if (!isCa) return extension(oid.basicConstraints, true, sequence())
  if (pathLength !== undefined && !(Number.isInteger(pathLength) && pathLength >= 0 && pathLength <= 255)) throw new CertloopError('INPUT_INVALID', `A path length is a whole number from 0 to 255; ${pathLength} is not.`)
  return extension(oid.basicConstraints, true, sequence(boolean(true), ...(pathLength === undefined ? [] : [integer(Buffer.of(pathLength))])))
}

/** Bits of KeyUsage by name (RFC 5280, 4.2.1.3). */
export const keyUsageBits = {
  digitalSignature: 0, nonRepudiation: 1, keyEncipherment: 2, dataEncipherment: 3, keyAgreement: 4, keyCertSign: 5, cRLSign: 6, encipherOnly: 7, decipherOnly: 8,
} as const
export type KeyUsage = keyof typeof keyUsageBits

/** Critical (RFC 5280, 4.2.1.3). */
export const keyUsage = (usages: readonly KeyUsage[]): Buffer => extension(oid.keyUsage, true, namedBits(usages.map((usage) => keyUsageBits[usage])))

/** Extended key usages by name; others go by their dotted identifier. */
export const purposes = {
  serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2', codeSigning: '1.3.6.1.5.5.7.3.3', emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8', ocspSigning: '1.3.6.1.5.5.7.3.9', anyExtendedKeyUsage: '2.5.29.37.0',
} as const
export type Purpose = keyof typeof purposes

/** Critical for time stamping, which stands alone (RFC 3161, 2.3). @param wanted names of `purposes`, or dotted identifiers */
export function extendedKeyUsage(...wanted: readonly string[]): Buffer {
  const ids = wanted.map((purpose) => (Object.hasOwn(purposes, purpose) ? purposes[purpose as Purpose] : purpose))
  return extension(oid.extendedKeyUsage, ids.length === 1 && ids[0] === purposes.timeStamping, sequence(...ids.map((id) => objectIdentifier(id))))
}

/** Plain texts are DNS names and IP addresses that have passed checkNames. Critical when the subject is empty (RFC 5280, 4.2.1.6). */
export const subjectAltName = (names: readonly (GeneralName | string)[], critical: boolean): Buffer => extension(oid.subjectAltName, critical, generalNames(names))

export const subjectKeyIdentifier = (keyId: Uint8Array): Buffer => extension(oid.subjectKeyIdentifier, false, octetString(keyId))
export const authorityKeyIdentifier = (keyId: Uint8Array): Buffer => extension(oid.authorityKeyIdentifier, false, sequence(implicit(0, keyId)))

/** Where the issuer's certificate is and its OCSP responder answers; http addresses (RFC 5280, 4.2.2.1). */
export const authorityInformationAccess = ({ ocsp = [], issuers = [] }: { ocsp?: readonly string[]; issuers?: readonly string[] }): Buffer =>
  extension(oid.authorityInfoAccess, false, sequence(
    ...ocsp.map((value) => sequence(objectIdentifier(oid.ocspAccess), generalName({ type: 'uri', value }))),
    ...issuers.map((value) => sequence(objectIdentifier(oid.caIssuersAccess), generalName({ type: 'uri', value }))),
  ))

/** One DistributionPoint with all addresses of the same list (RFC 5280, 4.2.1.13). */
export const crlDistributionPoints = (addresses: readonly string[]): Buffer =>
  extension(oid.crlDistributionPoints, false, sequence(sequence(explicit(0, explicit(0, ...addresses.map((value) => generalName({ type: 'uri', value })))))))

/** Dotted policy identifiers, without qualifiers (RFC 5280, 4.2.1.4). */
export const certificatePolicies = (policies: readonly string[]): Buffer =>
  extension(oid.certificatePolicies, false, sequence(...policies.map((policy) => sequence(objectIdentifier(policy)))))

export interface NameConstraints {
  /** DNS "example.com" covers it and all below; ip "10.0.0.0/8"; email "example.com" or ".example.com". */
  permitted: readonly ConstrainedName[]
  excluded: readonly ConstrainedName[]
}
export interface ConstrainedName { type: 'dns' | 'ip' | 'email' | 'uri'; value: string }

function subtree(name: ConstrainedName): Buffer {
  if (name.type !== 'ip') return sequence(generalName(name))
  const [address = '', bits = ''] = name.value.split('/')
  const bytes = ipBytes(address)
  if (!bytes || !/^\d{1,3}$/.test(bits) || Number(bits) > bytes.length * 8) throw new CertloopError('NAME_INVALID', `${JSON.stringify(name.value.slice(0, 100))} is no network such as 10.0.0.0/8.`)
  const mask = Array.from(bytes, (_, i) => 256 - 2 ** (8 - Math.min(8, Math.max(0, Number(bits) - i * 8))))
  return sequence(implicit(7, Buffer.concat([bytes, Buffer.from(mask)])))
}

/** Critical (RFC 5280, 4.2.1.10). Networks are "address/bits". @throws CertloopError NAME_INVALID */
export const nameConstraints = ({ permitted, excluded }: NameConstraints): Buffer => extension(oid.nameConstraints, true, sequence(
  ...(permitted.length > 0 ? [element(0xa0, ...permitted.map(subtree))] : []),
  ...(excluded.length > 0 ? [element(0xa1, ...excluded.map(subtree))] : []),
))

/** TLS feature status_request: the server has to staple an OCSP response (RFC 7633). */
export const mustStaple = (): Buffer => extension(oid.tlsFeature, false, sequence(smallInteger(5)))

/** The responder's certificate is not to be asked for itself (RFC 6960, 4.2.2.2.1). */
export const ocspNoCheck = (): Buffer => extension(oid.ocspNoCheck, false, Buffer.of(0x05, 0x00))

/** Critical: what proves a name to an ACME server over TLS (RFC 8737, 3). @param digest SHA-256 of the key authorization, 32 bytes */
export const acmeIdentifier = (digest: Uint8Array): Buffer => extension(oid.acmeIdentifier, true, octetString(digest))
