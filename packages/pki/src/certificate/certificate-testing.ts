import { element, explicit, integer, objectIdentifier, octetString, sequence, smallInteger } from '../der/der-writer.ts'
import { authorityKeyIdentifier, basicConstraints, extendedKeyUsage, keyUsage, subjectAltName, subjectKeyIdentifier } from './extensions.ts'

/** Parts of a certificate that no tool would make, DER each; what is left out is as in a good leaf. */
export interface OddParts {
  version?: Buffer | null
  serial?: Buffer
  innerAlgorithm?: Buffer
  outerAlgorithm?: Buffer
  issuer?: Buffer
  notBefore?: Buffer
  notAfter?: Buffer
  subject?: Buffer
  spki?: Buffer
  /** Extension elements; null for none at all. */
  extensions?: readonly Buffer[] | null
  after?: Buffer
}

export const utf8 = (value: string): Buffer => element(0x0c, Buffer.from(value))
export const utcTime = (text: string): Buffer => element(0x17, Buffer.from(text))
export const generalizedTime = (text: string): Buffer => element(0x18, Buffer.from(text))
/** A Name of one common name, given as the DER of its string. */
export const nameOf = (value: Buffer): Buffer => sequence(element(0x31, sequence(objectIdentifier('2.5.4.3'), value)))
export const rawExtension = (id: string, value: Buffer, critical = false): Buffer => sequence(objectIdentifier(id), ...(critical ? [element(0x01, Buffer.of(0xff))] : []), octetString(value))
export const rsaSpki = (modulusBits: number, exponent: Buffer = Buffer.from('010001', 'hex')): Buffer => {
  const modulus = Buffer.alloc(modulusBits / 8, 0xa5)
  return sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), element(5)), element(3, Buffer.of(0), sequence(integer(modulus), integer(exponent))))
}
export const ecSpki = (curve = '1.2.840.10045.3.1.7'): Buffer => sequence(sequence(objectIdentifier('1.2.840.10045.2.1'), objectIdentifier(curve)), element(3, Buffer.of(0, 4), Buffer.alloc(64, 0x5a)))
export const ecdsaSha256 = (): Buffer => sequence(objectIdentifier('1.2.840.10045.4.3.2'))

export const goodExtensions = (names: readonly string[] = ['www.example.com']): Buffer[] => [
  keyUsage(['digitalSignature']), extendedKeyUsage('serverAuth'), basicConstraints(false), subjectKeyIdentifier(Buffer.alloc(20, 1)), authorityKeyIdentifier(Buffer.alloc(20, 2)), subjectAltName(names, false),
]

const good = (): Required<Omit<OddParts, 'innerAlgorithm' | 'outerAlgorithm'>> => ({
  version: explicit(0, smallInteger(2)), serial: integer(Buffer.from('1234567890abcdef', 'hex')), issuer: nameOf(utf8('Some CA')), notBefore: utcTime('260401000000Z'), notAfter: utcTime('260517235959Z'),
  subject: nameOf(utf8('www.example.com')), spki: ecSpki(), extensions: goodExtensions(), after: Buffer.alloc(0),
})

/** A certificate that nobody signed: readers do not check signatures. */
export function oddCertificate(parts: OddParts = {}): Buffer {
  const { version, serial, innerAlgorithm = ecdsaSha256(), outerAlgorithm = innerAlgorithm, issuer, notBefore, notAfter, subject, spki, extensions, after } = { ...good(), ...parts }
  const tbs = sequence(...(version ? [version] : []), serial, innerAlgorithm, issuer, sequence(notBefore, notAfter), subject, spki, ...(extensions ? [explicit(3, sequence(...extensions))] : []))
  return Buffer.concat([sequence(tbs, outerAlgorithm, element(3, Buffer.of(0, 1, 2))), after])
}
