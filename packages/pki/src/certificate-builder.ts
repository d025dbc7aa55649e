import { bitString, boolean, explicit, implicit, integer, namedBits, objectIdentifier, octetString, sequence, smallInteger, time } from './der-writer.ts'
import { oid } from './oids.ts'
import type { Signer } from './signature.ts'
import { generalNames } from './subject-alt-name.ts'

export interface CertificateTemplate {
  /** Lower-case hex of a positive number, at most 20 bytes (RFC 5280, 4.1.2.2). */
  serialNumber: string
  /** Name, DER: the subject of the issuing certificate byte for byte. */
  issuer: Uint8Array
  /** Name, DER. */
  subject: Uint8Array
  /** Whole seconds; both ends belong to the lifetime. */
  notBefore: Date
  notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  spki: Uint8Array
  /** Extensions, DER, as made by the functions below. */
  extensions: readonly Uint8Array[]
}

/** A signed X.509 version 3 certificate, DER. Writes what it is told: whether that may be issued is the caller's to decide. */
export async function buildCertificate(template: CertificateTemplate, signer: Signer): Promise<Buffer> {
  const tbs = sequence(
    explicit(0, smallInteger(2)),
    integer(Buffer.from(template.serialNumber.padStart(Math.ceil(template.serialNumber.length / 2) * 2, '0'), 'hex')),
    signer.algorithm,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.spki,
    explicit(3, sequence(...template.extensions)),
  )
  return sequence(tbs, signer.algorithm, bitString(await signer.sign(tbs)))
}

const extension = (id: string, critical: boolean, value: Uint8Array): Buffer =>
  sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value))

/** Critical. An end entity has an empty one (RFC 5280, 4.2.1.9). */
export const basicConstraints = (isCa: boolean, pathLength?: number): Buffer =>
  extension(oid.basicConstraints, true, sequence(...(isCa ? [boolean(true)] : []), ...(isCa && pathLength !== undefined ? [smallInteger(pathLength)] : [])))

const keyUsageBits = {
  digitalSignature: 0, nonRepudiation: 1, keyEncipherment: 2, dataEncipherment: 3, keyAgreement: 4, keyCertSign: 5, cRLSign: 6,
} as const
export type KeyUsage = keyof typeof keyUsageBits

/** Critical (RFC 5280, 4.2.1.3). */
export const keyUsage = (usages: readonly KeyUsage[]): Buffer => extension(oid.keyUsage, true, namedBits(usages.map((usage) => keyUsageBits[usage])))

const purposes = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const
export type Purpose = keyof typeof purposes

export const extendedKeyUsage = (...wanted: readonly Purpose[]): Buffer =>
  extension(oid.extendedKeyUsage, false, sequence(...wanted.map((purpose) => objectIdentifier(purposes[purpose]))))

/** DNS names and IP addresses that have passed checkNames. Critical when the subject is empty (RFC 5280, 4.2.1.6). */
export const subjectAltName = (names: readonly string[], critical: boolean): Buffer => extension(oid.subjectAltName, critical, generalNames(names))

export const subjectKeyIdentifier = (keyId: Uint8Array): Buffer => extension(oid.subjectKeyIdentifier, false, octetString(keyId))
export const authorityKeyIdentifier = (keyId: Uint8Array): Buffer => extension(oid.authorityKeyIdentifier, false, sequence(implicit(0, keyId)))
