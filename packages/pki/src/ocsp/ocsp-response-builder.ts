import { extension } from '../certificate/extensions.ts'
import { bitString, enumerated, explicit, generalizedTime, implicit, objectIdentifier, octetString, sequence, element } from '../der/der-writer.ts'
import { revocationReasons, type RevocationReason } from '../crl/revocation-reason.ts'
import type { Signer } from '../key/signature.ts'
import { oid } from '../oids.ts'
import { nonceExtension } from './ocsp-extensions.ts'

/** "unknown" also for what was never issued here. A suspended certificate is revoked with the reason certificateHold. */
export type OcspStatus = 'good' | 'unknown' | { revokedAt: Date; reason?: RevocationReason }

export interface SingleOcspResponse {
  /** CertID as the request had it, DER: CertId.raw. */
  certId: Uint8Array
  status: OcspStatus
  /** When the status was known to be so; whole seconds. */
  thisUpdate: Date
  /** When newer news will be there at the latest; left out: always at once (RFC 6960, 4.2.2.1). */
  nextUpdate?: Date
  /** How far back expired certificates are still answered for (RFC 6960, 4.4.4). */
  archiveCutoff?: Date
}

export interface OcspResponseTemplate {
  /** How the responder names itself: by responderKeyHash of its key, or its subject (Name, DER). */
  responder: { keyHash: Uint8Array } | { name: Uint8Array }
  /** Whole seconds. */
  producedAt: Date
  responses: readonly SingleOcspResponse[]
  /** As the request had it. */
  nonce?: Uint8Array | null
  /** DER. The delegated responder's own; none when the issuing key itself signs. */
  certificates?: readonly Uint8Array[]
}

const good = implicit(0, Buffer.alloc(0))
const unknown = implicit(2, Buffer.alloc(0))

function certStatus(status: OcspStatus): Buffer {
  if (status === 'good') return good
  if (status === 'unknown') return unknown
  const reason = status.reason === undefined || status.reason === 'unspecified' ? [] : [explicit(0, enumerated(revocationReasons[status.reason]))]
  return element(0xa1, generalizedTime(status.revokedAt), ...reason)
}

function singleResponse({ certId, status, thisUpdate, nextUpdate, archiveCutoff }: SingleOcspResponse): Buffer {
  const parts: Uint8Array[] = [certId, certStatus(status), generalizedTime(thisUpdate)]
  if (nextUpdate) parts.push(explicit(0, generalizedTime(nextUpdate)))
  if (archiveCutoff) parts.push(explicit(1, sequence(extension(oid.ocspArchiveCutoff, false, generalizedTime(archiveCutoff)))))
  return sequence(...parts)
}

function responseData({ responder, producedAt, responses, nonce }: OcspResponseTemplate): Buffer {
  const parts = [
    'keyHash' in responder ? explicit(2, octetString(responder.keyHash)) : explicit(1, responder.name),
    generalizedTime(producedAt),
    sequence(...responses.map(singleResponse)),
  ]
  if (nonce) parts.push(explicit(1, sequence(nonceExtension(nonce))))
  return sequence(...parts)
}

const basicType = objectIdentifier(oid.ocspBasic)
const successful = enumerated(0)

/** A signed basic OCSP response of the status successful (RFC 6960, 4.2.1), DER. Says what it is told. */
export async function buildOcspResponse(template: OcspResponseTemplate, signer: Signer): Promise<Buffer> {
  const data = responseData(template)
  const { certificates = [] } = template
  const signature = bitString(await signer.sign(data))
  const basic = sequence(data, signer.algorithm, signature, ...(certificates.length > 0 ? [explicit(0, sequence(...certificates))] : []))
  return sequence(successful, explicit(0, sequence(basicType, octetString(basic))))
}

/** OCSPResponseStatus other than successful (RFC 6960, 4.2.1); 4 is not used. */
export const ocspErrors = { malformedRequest: 1, internalError: 2, tryLater: 3, sigRequired: 5, unauthorized: 6 } as const
export type OcspErrorStatus = keyof typeof ocspErrors

const errorResponses = Object.fromEntries(Object.entries(ocspErrors).map(([status, number]) => [status, sequence(enumerated(number))])) as Record<OcspErrorStatus, Buffer>

/** The response that says no more than that there is none, DER, not signed (RFC 6960, 2.3). The same bytes every time: not to be changed. */
export const ocspError = (status: OcspErrorStatus): Buffer => errorResponses[status]
