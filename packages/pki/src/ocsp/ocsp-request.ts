import { randomBytes } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, readElement, type DerElement } from '../der/der-reader.ts'
import { explicit, sequence } from '../der/der-writer.ts'
import { readCertId, type CertId } from './cert-id.ts'
import { nonceExtension, readOcspExtensions } from './ocsp-extensions.ts'

export interface OcspRequest {
  /** At least one. */
  certIds: CertId[]
  /** 1 to 128 bytes (RFC 9654); null when none came. */
  nonce: Buffer | null
  /** Whether it carries a signature. That is not checked: answers are public. */
  signed: boolean
}

export interface OcspRequestLimits {
  /** Bytes of the request. */
  maxBytes: number
  /** Certificates asked about at once. */
  maxCertIds: number
}
const defaultLimits: OcspRequestLimits = { maxBytes: 8192, maxCertIds: 20 }

/**
 * Reads an OCSP request (RFC 6960, 4.1.1), DER.
 * @throws CertloopError OCSP_INVALID, also for a critical extension that is not known here (4.4); LIMIT_EXCEEDED.
 *   A responder answers both with malformedRequest.
 */
export function readOcspRequest(bytes: Uint8Array, limits: Partial<OcspRequestLimits> = {}): OcspRequest {
  const { maxBytes, maxCertIds } = { ...defaultLimits, ...limits }
  if (bytes.length > maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The OCSP request is longer than ${maxBytes} bytes.`)
  try {
    return readRequest(readElement(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)), bytes.length, maxCertIds)
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError('OCSP_INVALID', `The OCSP request can not be read: ${error.message}.`, {}, error)
    throw error
  }
}

function readRequest(whole: DerElement, size: number, maxCertIds: number): OcspRequest {
  if (whole.raw.length !== size) throw new DerError('something follows its end')
  const outer = new DerCursor(whole)
  const inner = new DerCursor(outer.take(0x30))
  const signed = outer.takeIf(0xa0) !== undefined
  inner.takeIf(0xa0)
  inner.takeIf(0xa1)
  const list = new DerCursor(inner.take(0x30))
  const certIds: CertId[] = []
  for (let request = list.takeIf(0x30); request; request = list.takeIf(0x30)) {
    if (certIds.length === maxCertIds) throw new CertloopError('LIMIT_EXCEEDED', `The OCSP request asks about more than ${maxCertIds} certificates.`)
    const cursor = new DerCursor(request)
    certIds.push(readCertId(cursor.take(0x30)))
    refuseUnknown(readOcspExtensions(cursor.takeIf(0xa0)).unknownCritical)
  }
  if (certIds.length === 0) throw new DerError('it asks about no certificate')
  const { nonce, unknownCritical } = readOcspExtensions(inner.takeIf(0xa2))
  refuseUnknown(unknownCritical)
  return { certIds, nonce, signed }
}

function refuseUnknown(unknownCritical: readonly string[]): void {
  if (unknownCritical.length > 0) throw new DerError(`it has a critical extension that is not known here, ${unknownCritical[0]}`)
}

export interface OcspRequestTemplate {
  /** As made by certIdOf. */
  certIds: readonly CertId[]
  /** 1 to 128 bytes; 32 random ones when left out (RFC 9654, 2.1). null for none: answers then may come from a cache. */
  nonce?: Uint8Array | null
}

/** An OCSP request, not signed, DER. The nonce is given back for the comparison with the response. */
export function buildOcspRequest({ certIds, nonce = randomBytes(32) }: OcspRequestTemplate): { request: Buffer; nonce: Buffer | null } {
  const list = sequence(...certIds.map(({ raw }) => sequence(raw)))
  const extensions = nonce ? [explicit(2, sequence(nonceExtension(nonce)))] : []
  return { request: sequence(sequence(list, ...extensions)), nonce: nonce ? Buffer.from(nonce) : null }
}
