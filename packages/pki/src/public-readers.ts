import { CertloopError, type ErrorCode } from '@certloop/contract'
import { certificateParts as partsOf, type CertificateParts } from './certificate/certificate.ts'
import { DerError } from './der/der-reader.ts'
import { keyAlgorithmOfSpki as algorithmOf, keyIdOfSpki as keyIdOf } from './key/spki.ts'
import { textOfName as textOf } from './name/distinguished-name.ts'
import { certIdOf as idOf, issuerHashes as hashesOf, responderKeyHash as keyHashOf, type CertId, type CertIdHash, type IssuerHashes, type IssuerParts } from './ocsp/cert-id.ts'

/**
 * Readers of parts, for use outside of this package: what goes wrong is said as a CertloopError, with a code of its own
 * for each kind of thing. Within the package they throw DerError, which their callers turn into words of their own.
 */

function publicly<T>(code: ErrorCode, what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError(code, `${what} can not be read: ${error.message}.`, {}, error)
    throw error
  }
}

/** Takes a certificate apart. What follows the certificate is not looked at. @throws CertloopError CERTIFICATE_INVALID, PEM_INVALID */
export const certificateParts = (pemOrDer: string | Uint8Array): CertificateParts => publicly('CERTIFICATE_INVALID', 'The certificate', () => partsOf(pemOrDer))

/** Key identifier: the first 160 bits of the SHA-256 of the public key's bits (RFC 7093, method 1). @throws CertloopError KEY_INVALID */
export const keyIdOfSpki = (spki: Uint8Array): Buffer => publicly('KEY_INVALID', 'The public key', () => keyIdOf(spki))

/** Algorithm of a SubjectPublicKeyInfo (DER), without judging whether the key is usable. @throws CertloopError KEY_INVALID */
export const keyAlgorithmOfSpki = (spki: Uint8Array): string => publicly('KEY_INVALID', 'The public key', () => algorithmOf(spki))

/** Text of a Name given as DER (RFC 4514). @throws CertloopError NAME_INVALID */
export const textOfName = (der: Uint8Array): string => publicly('NAME_INVALID', 'The name', () => textOf(der))

/** How each known digest names this issuer. Worth keeping: a responder compares every request with them. @throws CertloopError KEY_INVALID */
export const issuerHashes = (issuer: IssuerParts): Record<CertIdHash, IssuerHashes> => publicly('KEY_INVALID', 'The public key of the issuer', () => hashesOf(issuer))

/** SHA-1 of the public key bits: by it a response names its responder (RFC 6960, 4.2.1, KeyHash). @throws CertloopError KEY_INVALID */
export const responderKeyHash = (spki: Uint8Array): Buffer => publicly('KEY_INVALID', 'The public key of the responder', () => keyHashOf(spki))

/** Which certificate is asked about. @param serialNumber hex of a positive number. @throws CertloopError KEY_INVALID, INPUT_INVALID */
export const certIdOf = (issuer: IssuerParts, serialNumber: string, hash: CertIdHash = 'sha1'): CertId => publicly('KEY_INVALID', 'The public key of the issuer', () => idOf(issuer, serialNumber, hash))
