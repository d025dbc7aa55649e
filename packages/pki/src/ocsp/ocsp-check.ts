import { CertloopError } from '@certloop/contract'
import { certificateParts, type CertificateParts } from '../certificate/certificate.ts'
import { keyUsageBits, purposes } from '../certificate/extensions.ts'
import { hasEnded } from '../certificate/validity.ts'
import { DerError, ifReadable, isSameElement, readChildren, readElement, readIntegerHex, readOid, readTime } from '../der/der-reader.ts'
import { isBrokenDigest, signatureDigest, signatureProves } from '../key/signature.ts'
import { oid } from '../oids.ts'
import type { RevocationReason } from '../crl/revocation-reason.ts'
import { issuerHashes, responderKeyHash, type CertIdHash } from './cert-id.ts'
import type { BasicOcspResponse, OcspResponse, ReadSingleResponse } from './ocsp-response.ts'

export interface OcspQuestion {
  /** PEM or DER. */
  certificate: string | Uint8Array
  /** The certificate of its issuer, PEM or DER. */
  issuer: string | Uint8Array
  at: Date
  /** That of the request, when the response has to repeat it. */
  nonce?: Uint8Array
  /** By how many seconds clocks may differ; default 300. */
  skewSeconds?: number
  /** How old an answer without nextUpdate may be, in seconds; default a week. */
  maxAgeSeconds?: number
}

/** Why a response can't be relied on, or has to be looked at. */
export type OcspFindingCode =
  | 'not-successful' | 'other-certificate' | 'responder-not-authorised' | 'signature-wrong' | 'signature-unknown' | 'signature-broken' | 'signature-weak' | 'critical-extension'
  | 'nonce-missing' | 'nonce-differs' | 'not-yet-valid' | 'stale'
export interface OcspFinding {
  code: OcspFindingCode
  /** error: the response can't be relied on. warning: it can, for now. */
  severity: 'error' | 'warning'
  message: string
}

export interface OcspCheck {
  /** null: nothing that can be relied on; findings that are errors say why. */
  outcome: 'good' | 'revoked' | 'unknown' | null
  findings: OcspFinding[]
  /** What the response says of the certificate, whether or not it can be relied on. */
  answer: ReadSingleResponse | null
  revokedAt: Date | null
  reason: RevocationReason | null
}

const failure = (code: OcspFindingCode, message: string): OcspFinding => ({ code, severity: 'error', message })
const nothing = (finding: OcspFinding): OcspCheck => ({ outcome: null, findings: [finding], answer: null, revokedAt: null, reason: null })

/**
 * What a response says of a certificate, and whether it can be relied on (RFC 6960, 3.2): it answers for this
 * certificate, is signed by the issuer or by a responder that the issuer named, is of this time and repeats the nonce.
 * Whether the responder's own certificate was revoked is not looked at.
 * @throws CertloopError CERTIFICATE_INVALID: the certificate or its issuer can't be read
 */
export function checkOcspResponse(response: OcspResponse, question: OcspQuestion): OcspCheck {
  try {
    return check(response, question)
  } catch (error) {
    if (error instanceof DerError || error instanceof CertloopError) {
      throw new CertloopError('CERTIFICATE_INVALID', `The certificate or that of its issuer can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

function check(response: OcspResponse, question: OcspQuestion): OcspCheck {
  const certificate = certificateParts(question.certificate)
  const issuer = certificateParts(question.issuer)
  if (response.status !== 'successful') return nothing(failure('not-successful', `The responder gave no answer but ${response.status}.`))
  const answer = response.responses.find((single) => isAbout(single, certificate, issuer))
  if (!answer) return nothing(failure('other-certificate', 'The response is about another certificate.'))
  const findings = [
    ...signerFindings(response, issuer, question.at),
    ...response.unknownCritical.map((id) => failure('critical-extension', `The response has a critical extension that is not known here, ${id}.`)),
    ...nonceFindings(response, question.nonce),
    ...timeFindings(answer, question),
  ]
  const { status } = answer
  const revoked = typeof status === 'string' ? null : status
  const outcome = typeof status === 'string' ? status : 'revoked'
  return { outcome: findings.some(({ severity }) => severity === 'error') ? null : outcome, findings, answer, revokedAt: revoked?.revokedAt ?? null, reason: revoked?.reason ?? null }
}

function isAbout({ certId }: ReadSingleResponse, certificate: CertificateParts, issuer: CertificateParts): boolean {
  const hashes = issuerHashes({ subject: issuer.subject.raw, spki: issuer.spki.raw })
  const known = Object.hasOwn(hashes, certId.hashAlgorithm) ? hashes[certId.hashAlgorithm as CertIdHash] : undefined
  return isSameElement(certificate.issuer, issuer.subject) && known?.issuerNameHash === certId.issuerNameHash && known.issuerKeyHash === certId.issuerKeyHash
    && certId.serialNumber === readIntegerHex(certificate.serialNumber)
}

function isNamed(responder: BasicOcspResponse['responder'], candidate: CertificateParts): boolean {
  return 'name' in responder ? responder.name.equals(candidate.subject.raw) : responder.keyHash === responderKeyHash(candidate.spki.raw).toString('hex')
}

/** The issuer itself, or certificates in the response that it named; those that can't be read are passed over. */
function candidates(response: BasicOcspResponse, issuer: CertificateParts): CertificateParts[] {
  const sent = response.certificates.flatMap((der) => ifReadable(() => {
    const parts = certificateParts(der)
    return isNamed(response.responder, parts) ? [parts] : []
  }, []))
  return isNamed(response.responder, issuer) ? [issuer, ...sent] : sent
}

function signerFindings(response: BasicOcspResponse, issuer: CertificateParts, at: Date): OcspFinding[] {
  const all = candidates(response, issuer)
  if (all.length === 0) return [failure('responder-not-authorised', 'The response is signed by a responder that is not the issuer, and its certificate did not come along.')]
  const digest = signatureDigest(response.algorithm)
  if (isBrokenDigest(digest)) return [failure('signature-broken', `The response is signed over ${digest?.toUpperCase()}, which anybody can forge.`)]
  const weak: OcspFinding[] = digest === 'sha1' ? [{ code: 'signature-weak', severity: 'warning', message: 'The response is signed over SHA-1, which no authority may use any more.' }] : []
  const results = all.map((responder) => ({ responder, fits: signatureProves(response, responder.spki.raw) }))
  const signer = results.find(({ fits }) => fits)
  if (signer) {
    const problem = problemOfResponder(signer.responder, issuer, at)
    return problem === null ? weak : [failure('responder-not-authorised', `The responder's certificate ${problem}.`)]
  }
  return results.some(({ fits }) => fits === undefined)
    ? [failure('signature-unknown', 'The signature of the response is of a kind that can not be checked here.')]
    : [failure('signature-wrong', 'The signature of the response does not fit its responder\'s key.')]
}

/** RFC 6960, 4.2.2.2: issued by the issuer itself, for OCSP signing; here also: of this time, and a key for signatures. */
function problemOfResponder(responder: CertificateParts, issuer: CertificateParts, at: Date): string | null {
  if (isSameElement(responder.subject, issuer.subject) && isSameElement(responder.spki, issuer.spki)) return null
  if (!isSameElement(responder.issuer, issuer.subject) || signatureProves(responder, issuer.spki.raw) !== true) return 'was not issued by the issuer of the certificate in question, or signed over MD5, which anybody can forge'
  try {
    if (!hasPurpose(responder, purposes.ocspSigning)) return 'is not for signing OCSP responses'
    if (!maySign(responder)) return 'has a key that is not for signatures'
    if (at < readTime(responder.notBefore) || hasEnded(at, readTime(responder.notAfter))) return 'is expired or not valid yet'
  } catch (error) {
    if (error instanceof DerError) return `can not be read: ${error.message}`
    throw error
  }
  return null
}

function hasPurpose({ extensions }: CertificateParts, purpose: string): boolean {
  const usage = extensions.get(oid.extendedKeyUsage)
  return usage !== undefined && readChildren(readElement(usage)).some((id) => readOid(id) === purpose)
}

function maySign({ extensions }: CertificateParts): boolean {
  const usage = extensions.get(oid.keyUsage)
  return !usage || ((readElement(usage).content[1] ?? 0) & (0x80 >> keyUsageBits.digitalSignature)) !== 0
}

function nonceFindings({ nonce }: BasicOcspResponse, wanted: Uint8Array | undefined): OcspFinding[] {
  if (!wanted || nonce?.equals(wanted)) return []
  return nonce
    ? [failure('nonce-differs', 'The response repeats another nonce: it is not the answer to this request.')]
    : [failure('nonce-missing', 'The response does not repeat the nonce: it may have been made earlier.')]
}

const day = 86_400

function timeFindings({ thisUpdate, nextUpdate }: ReadSingleResponse, { at, skewSeconds = 300, maxAgeSeconds = 7 * day }: OcspQuestion): OcspFinding[] {
  const skew = skewSeconds * 1000
  const end = nextUpdate ?? new Date(thisUpdate.getTime() + maxAgeSeconds * 1000)
  if (thisUpdate.getTime() > at.getTime() + skew) return [failure('not-yet-valid', `The answer is of ${thisUpdate.toISOString()}, which is still to come.`)]
  if (end.getTime() < at.getTime() - skew) return [failure('stale', `The answer was good until ${end.toISOString()}; a newer one is needed.`)]
  return []
}
