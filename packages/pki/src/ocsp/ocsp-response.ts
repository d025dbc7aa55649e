import { CertloopError } from '@certloop/contract'
import { reasonOfNumber } from '../crl/revocation-reason.ts'
import { DerCursor, DerError, readBits, readChildren, readElement, readInner, readOid, readTime, type DerElement } from '../der/der-reader.ts'
import { signatureName, type Signed } from '../key/signature.ts'
import { oid } from '../oids.ts'
import { readCertId, type CertId } from './cert-id.ts'
import { readOcspExtensions } from './ocsp-extensions.ts'
import { ocspErrors, type OcspErrorStatus, type OcspStatus } from './ocsp-response-builder.ts'

/** What a responder says of one certificate. */
export interface ReadSingleResponse {
  certId: CertId
  status: OcspStatus
  thisUpdate: Date
  /** null: newer news may be there at any time. */
  nextUpdate: Date | null
  archiveCutoff: Date | null
}

export interface BasicOcspResponse extends Signed {
  /** As openssl writes it: "ecdsa-with-SHA256". */
  signatureAlgorithm: string
  /** Key hash (SHA-1) as hex, or Name (DER). */
  responder: { keyHash: string } | { name: Buffer }
  producedAt: Date
  responses: ReadSingleResponse[]
  nonce: Buffer | null
  /** DER, as they came. */
  certificates: Buffer[]
  /** Dotted identifiers of critical extensions that are not known here. */
  unknownCritical: string[]
}

/** A responder that has no answer says why, unsigned. */
export type OcspResponse = ({ status: 'successful' } & BasicOcspResponse) | { status: OcspErrorStatus }

export interface OcspResponseLimits {
  /** Bytes of the response with its certificates. */
  maxBytes: number
  maxResponses: number
  maxCertificates: number
}
const defaultLimits: OcspResponseLimits = { maxBytes: 100_000, maxResponses: 100, maxCertificates: 10 }

/**
 * Reads an OCSP response of the basic kind (RFC 6960, 4.2.1), DER. Signature and times are not checked: see checkOcspResponse.
 * @throws CertloopError OCSP_INVALID; LIMIT_EXCEEDED
 */
export function readOcspResponse(bytes: Uint8Array, limits: Partial<OcspResponseLimits> = {}): OcspResponse {
  const all = { ...defaultLimits, ...limits }
  if (bytes.length > all.maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The OCSP response is longer than ${all.maxBytes} bytes.`)
  try {
    return readResponse(readElement(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)), all)
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError('OCSP_INVALID', `The OCSP response can not be read: ${error.message}.`, {}, error)
    throw error
  }
}

function readResponse(whole: DerElement, limits: OcspResponseLimits): OcspResponse {
  const outer = new DerCursor(whole)
  const { content } = outer.take(0x0a)
  const number = content.length === 1 ? content[0] : undefined
  const failure = (Object.keys(ocspErrors) as OcspErrorStatus[]).find((status) => ocspErrors[status] === number)
  if (failure) return { status: failure }
  if (number !== 0) throw new DerError('it has a status that does not exist')
  const response = new DerCursor(readInner(outer.take(0xa0)))
  if (readOid(response.take()) !== oid.ocspBasic) throw new DerError('it is not of the basic kind')
  return { status: 'successful', ...readBasic(readInner(response.take(0x04)), limits) }
}

/** Refused before anything is made of them. */
function bounded(list: DerElement, most: number, what: string): DerElement[] {
  const members = readChildren(list)
  if (members.length > most) throw new CertloopError('LIMIT_EXCEEDED', `The OCSP response has more than ${most} ${what}.`)
  return members
}

function readBasic(basic: DerElement, limits: OcspResponseLimits): BasicOcspResponse {
  const cursor = new DerCursor(basic)
  const tbs = cursor.take(0x30)
  const [algorithm, signature] = [cursor.take(0x30), readBits(cursor.take(0x03))]
  const certificates = cursor.takeIf(0xa0)
  const data = new DerCursor(tbs)
  data.takeIf(0xa0)
  const unknownCritical: string[] = []
  const read = {
    signed: tbs.raw, algorithm, signature,
    signatureAlgorithm: signatureName(algorithm),
    responder: readResponder(data.take()),
    producedAt: readTime(data.take(0x18)),
    responses: bounded(data.take(0x30), limits.maxResponses, 'answers').map((single) => readSingle(single, unknownCritical)),
    certificates: certificates ? bounded(readInner(certificates), limits.maxCertificates, 'certificates').map(({ raw }) => raw) : [],
  }
  const extensions = readOcspExtensions(data.takeIf(0xa1))
  return { ...read, nonce: extensions.nonce, unknownCritical: [...unknownCritical, ...extensions.unknownCritical] }
}

function readResponder(element: DerElement): { keyHash: string } | { name: Buffer } {
  if (element.tag === 0xa1) return { name: readInner(element).raw }
  if (element.tag !== 0xa2) throw new DerError('it does not name its responder')
  const hash = readInner(element)
  if (hash.tag !== 0x04) throw new DerError('it does not name its responder')
  return { keyHash: hash.content.toString('hex') }
}

function readSingle(element: DerElement, unknownCritical: string[]): ReadSingleResponse {
  const cursor = new DerCursor(element)
  const certId = readCertId(cursor.take(0x30))
  const status = readStatus(cursor.take())
  const thisUpdate = readTime(cursor.take(0x18))
  const next = cursor.takeIf(0xa0)
  const extensions = readOcspExtensions(cursor.takeIf(0xa1))
  unknownCritical.push(...extensions.unknownCritical)
  return { certId, status, thisUpdate, nextUpdate: next ? readTime(readInner(next)) : null, archiveCutoff: extensions.archiveCutoff ? readTime(extensions.archiveCutoff) : null }
}

function readStatus(element: DerElement): OcspStatus {
  if (element.tag === 0x80) return 'good'
  if (element.tag === 0x82) return 'unknown'
  const revoked = new DerCursor(element, 0xa1)
  const revokedAt = readTime(revoked.take(0x18))
  const wrapper = revoked.takeIf(0xa0)
  const { content } = wrapper ? readInner(wrapper) : { content: Buffer.alloc(0) }
  const reason = content.length === 1 ? reasonOfNumber(content[0]) : undefined
  return reason ? { revokedAt, reason } : { revokedAt }
}
