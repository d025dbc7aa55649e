import { bitString, explicit, integer, sequence, smallInteger, time } from '../der/der-writer.ts'
import type { Signer } from '../key/signature.ts'

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
  /** Extensions, DER, as made by the functions of extensions.ts. */
  extensions: readonly Uint8Array[]
}

/** The part of a certificate that is signed, DER (RFC 5280, 4.1). Writes what it is told: whether that may be issued is the caller's to decide. */
export function buildTbsCertificate(template: CertificateTemplate, signatureAlgorithm: Uint8Array): Buffer {
  return sequence(
    explicit(0, smallInteger(2)),
    integer(Buffer.from(template.serialNumber.padStart(Math.ceil(template.serialNumber.length / 2) * 2, '0'), 'hex')),
    signatureAlgorithm,
    template.issuer,
    sequence(time(template.notBefore), time(template.notAfter)),
    template.subject,
    template.spki,
    explicit(3, sequence(...template.extensions)),
  )
}

/** Signs a TBSCertificate, CertificationRequestInfo, TBSCertList or ResponseData that names the signer's algorithm: the signed whole, DER. */
export const signTbs = async (tbs: Uint8Array, signer: Signer): Promise<Buffer> => sequence(tbs, signer.algorithm, bitString(await signer.sign(tbs)))

/** A signed X.509 version 3 certificate, DER. */
export const buildCertificate = (template: CertificateTemplate, signer: Signer): Promise<Buffer> =>
  signTbs(buildTbsCertificate(template, signer.algorithm), signer)
