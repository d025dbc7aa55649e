import { createHash } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerCursor, readBits, readElement, readIntegerHex, readOid, type DerElement } from '../der/der-reader.ts'
import { integer, nullElement, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { hashByOid } from '../oids.ts'

/** Digests by which an issuer is named. Clients use SHA-1 almost without exception (RFC 5019, 2.1.1; RFC 6960, 4.3). */
export const certIdHashes = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1', sha384: '2.16.840.1.101.3.4.2.2', sha512: '2.16.840.1.101.3.4.2.3' } as const
export type CertIdHash = keyof typeof certIdHashes

/** Which certificate is asked about (RFC 6960, 4.1.1). */
export interface CertId {
  /** A CertIdHash, or the dotted identifier of another digest. */
  hashAlgorithm: string
  /** Digest of the issuer's Name (DER), lower-case hex. */
  issuerNameHash: string
  /** Digest of the issuer's public key bits, lower-case hex. */
  issuerKeyHash: string
  /** Lower-case hex, whole bytes, no leading zero bytes; "-" before a negative one. */
  serialNumber: string
  /** The CertID as it came, DER: what a response has to repeat. */
  raw: Buffer
}

/** What of an issuing certificate goes into a CertID: subject (Name) and public key (SubjectPublicKeyInfo), DER. */
export interface IssuerParts { subject: Uint8Array; spki: Uint8Array }

/** How one digest names an issuer, lower-case hex. */
export interface IssuerHashes { issuerNameHash: string; issuerKeyHash: string }

/** The bits of a SubjectPublicKeyInfo. @throws DerError */
function publicKeyBits(spki: Uint8Array): Buffer {
  const cursor = new DerCursor(readElement(Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength)))
  cursor.take(0x30)
  return readBits(cursor.take(0x03))
}

const digest = (hash: string, bytes: Uint8Array): Buffer => createHash(hash).update(bytes).digest()

/** SHA-1 of the public key bits: by it a response names its responder (RFC 6960, 4.2.1, KeyHash). @throws DerError */
export const responderKeyHash = (spki: Uint8Array): Buffer => digest('sha1', publicKeyBits(spki))

/** How each known digest names this issuer. Worth keeping: a responder compares every request with them. @throws DerError */
export function issuerHashes(issuer: IssuerParts): Record<CertIdHash, IssuerHashes> {
  const bits = publicKeyBits(issuer.spki)
  const by = (hash: CertIdHash): IssuerHashes => ({ issuerNameHash: digest(hash, issuer.subject).toString('hex'), issuerKeyHash: digest(hash, bits).toString('hex') })
  return { sha1: by('sha1'), sha256: by('sha256'), sha384: by('sha384'), sha512: by('sha512') }
}

/** @param serialNumber hex of a positive number. @throws DerError; CertloopError INPUT_INVALID */
export function certIdOf(issuer: IssuerParts, serialNumber: string, hash: CertIdHash = 'sha1'): CertId {
  if (!/^[0-9a-f]+$/i.test(serialNumber)) throw new CertloopError('INPUT_INVALID', `A certificate is asked about by the hex of a positive serial number; "${serialNumber.slice(0, 60)}" is none.`)
  const nameHash = digest(hash, issuer.subject)
  const keyHash = digest(hash, publicKeyBits(issuer.spki))
  const serial = integer(Buffer.from(serialNumber.padStart(Math.ceil(serialNumber.length / 2) * 2, '0'), 'hex'))
  const raw = sequence(sequence(objectIdentifier(certIdHashes[hash]), nullElement()), octetString(nameHash), octetString(keyHash), serial)
  return { hashAlgorithm: hash, issuerNameHash: nameHash.toString('hex'), issuerKeyHash: keyHash.toString('hex'), serialNumber: readIntegerHex(readElement(serial)), raw }
}

/** @throws DerError */
export function readCertId(element: DerElement): CertId {
  const cursor = new DerCursor(element)
  const algorithm = readOid(new DerCursor(cursor.take(0x30)).take(0x06))
  return {
    hashAlgorithm: hashByOid[algorithm] ?? algorithm,
    issuerNameHash: cursor.take(0x04).content.toString('hex'),
    issuerKeyHash: cursor.take(0x04).content.toString('hex'),
    serialNumber: readIntegerHex(cursor.take(0x02)),
    raw: element.raw,
  }
}

/** Whether both mean the same certificate, however the digest's parameters were written. */
export const sameCertId = (one: CertId, other: CertId): boolean =>
  one.hashAlgorithm === other.hashAlgorithm && one.issuerNameHash === other.issuerNameHash && one.issuerKeyHash === other.issuerKeyHash && one.serialNumber === other.serialNumber
