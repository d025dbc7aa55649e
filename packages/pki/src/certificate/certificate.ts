import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, readBits, readChildren, readElement, readIntegerHex, readOid, readTime, type DerElement } from '../der/der-reader.ts'
import { commonNameOf, nameText, readName } from '../name/distinguished-name.ts'
import { oid } from '../oids.ts'
import { splitPem, toPem } from '../pem.ts'
import { signatureName, type Signed } from '../key/signature.ts'
import { keyAlgorithmOfSpki, sha256Hex } from '../key/spki.ts'
import { readGeneralNames } from '../name/general-names.ts'

/** What is known of one X.509 certificate. Plain data: it can be stored and sent. */
export interface CertificateFacts {
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string
  /** Lower-case hex, whole bytes, no leading zero bytes; "-" before the negative ones that exist. */
  serialNumber: string
  /** RFC 4514, most specific part first: "CN=www.example.com,O=Example". Empty for an empty subject. */
  subject: string
  issuer: string
  commonName: string | null
  /** DNS names (lower case) and IP addresses (canonical) of the subject alternative name, in order. Not the common name. */
  names: string[]
  notBefore: Date
  /** Last second in which the certificate is valid. */
  notAfter: Date
  /** A KeyAlgorithm, or a word like it for other keys. */
  keyAlgorithm: string
  /** As openssl writes it: "ecdsa-with-SHA256". */
  signatureAlgorithm: string
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  spkiDigest: string
  isCa: boolean
  /** Hex; null when the certificate has none. */
  subjectKeyId: string | null
  authorityKeyId: string | null
  pem: string
}

/** The parts of a certificate as bytes, for checking signatures and building on it. */
export interface CertificateParts extends Signed {
  der: Buffer
  serialNumber: DerElement
  issuer: DerElement
  notBefore: DerElement
  notAfter: DerElement
  subject: DerElement
  spki: DerElement
  /** Content of each extension by its dotted identifier; the first wins when one comes twice. */
  extensions: Map<string, Buffer>
}

/** Longest certificate that is read, in bytes of DER. */
export const maxCertificateBytes = 1_000_000

function derOf(pemOrDer: string | Uint8Array): Buffer {
  if (typeof pemOrDer !== 'string') return Buffer.from(pemOrDer.buffer, pemOrDer.byteOffset, pemOrDer.byteLength)
  const block = splitPem(pemOrDer).find(({ label }) => certificateLabels.has(label))
  if (!block) throw new DerError('the text has no block "CERTIFICATE"')
  return block.der
}
const certificateLabels = new Set(['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])

/** Takes a certificate apart. What follows the certificate is not looked at. @throws DerError; CertloopError PEM_INVALID */
export function certificateParts(pemOrDer: string | Uint8Array): CertificateParts {
  const bytes = derOf(pemOrDer)
  if (bytes.length > maxCertificateBytes) throw new DerError(`it is longer than ${maxCertificateBytes} bytes`)
  const whole = readElement(bytes)
  const outer = new DerCursor(whole)
  const tbs = outer.take(0x30)
  const algorithm = outer.take(0x30)
  const signature = readBits(outer.take(0x03))
  const inner = new DerCursor(tbs)
  inner.takeIf(0xa0)
  const serialNumber = inner.take(0x02)
  inner.take(0x30)
  const issuer = inner.take(0x30)
  const validity = new DerCursor(inner.take(0x30))
  const [notBefore, notAfter] = [validity.take(), validity.take()]
  const subject = inner.take(0x30)
  const spki = inner.take(0x30)
  inner.takeIf(0x81)
  inner.takeIf(0x82)
  const extensions = readExtensions(inner.takeIf(0xa3))
  return { der: whole.raw, signed: tbs.raw, algorithm, signature, serialNumber, issuer, notBefore, notAfter, subject, spki, extensions }
}

/** @param wrapper element whose content is the SEQUENCE OF Extension */
export function readExtensions(wrapper: DerElement | undefined): Map<string, Buffer> {
  const extensions = new Map<string, Buffer>()
  if (!wrapper) return extensions
  for (const extension of readChildren(readElement(wrapper.content))) {
    const cursor = new DerCursor(extension)
    const id = readOid(cursor.take())
    cursor.takeIf(0x01)
    const value = cursor.take(0x04).content
    if (!extensions.has(id)) extensions.set(id, value)
  }
  return extensions
}

/** Reads one extension; one that is damaged counts as absent, for the rest of the certificate is still worth knowing. */
function tolerant<T>(extensions: Map<string, Buffer>, id: string, read: (element: DerElement) => T, otherwise: T): T {
  const value = extensions.get(id)
  if (!value) return otherwise
  try {
    return read(readElement(value))
  } catch (error) {
    if (error instanceof DerError) return otherwise
    throw error
  }
}

const isTrue = (element: DerElement): boolean => {
  const first = readChildren(element)[0]
  return first?.tag === 0x01 && first.content[0] !== 0
}
const keyIdOf = (element: DerElement): string | null => readChildren(element).find(({ tag }) => tag === 0x80)?.content.toString('hex') ?? null

/**
 * Reads a certificate, DER or the first one of a PEM text. Odd but real ones are read as well: version 1,
 * negative serial numbers, unusual strings, damaged extensions, keys and algorithms that Node refuses.
 * @throws CertloopError CERTIFICATE_INVALID, and nothing else, whatever the input
 */
export function readCertificate(pemOrDer: string | Uint8Array): CertificateFacts {
  try {
    return factsOf(certificateParts(pemOrDer))
  } catch (error) {
    if (error instanceof DerError || error instanceof CertloopError) {
      throw new CertloopError('CERTIFICATE_INVALID', `The certificate can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

function factsOf(parts: CertificateParts): CertificateFacts {
  const subject = readName(parts.subject)
  return {
    fingerprint: sha256Hex(parts.der),
    serialNumber: readIntegerHex(parts.serialNumber),
    subject: nameText(subject),
    issuer: nameText(readName(parts.issuer)),
    commonName: commonNameOf(subject),
    names: tolerant(parts.extensions, oid.subjectAltName, readGeneralNames, []),
    notBefore: readTime(parts.notBefore),
    notAfter: readTime(parts.notAfter),
    keyAlgorithm: keyAlgorithmOfSpki(parts.spki.raw),
    signatureAlgorithm: signatureName(parts.algorithm),
    spkiDigest: sha256Hex(parts.spki.raw),
    isCa: tolerant(parts.extensions, oid.basicConstraints, isTrue, false),
    subjectKeyId: tolerant<string | null>(parts.extensions, oid.subjectKeyIdentifier, (element) => element.content.toString('hex'), null),
    authorityKeyId: tolerant(parts.extensions, oid.authorityKeyIdentifier, keyIdOf, null),
    pem: toPem('CERTIFICATE', parts.der),
  }
}

/** All certificates of a PEM text, in order; other blocks are passed over. @throws CertloopError CERTIFICATE_INVALID, PEM_INVALID */
export function readCertificates(pemText: string): CertificateFacts[] {
  return splitPem(pemText).filter(({ label }) => certificateLabels.has(label)).map(({ der }) => readCertificate(der))
}
