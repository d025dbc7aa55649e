import { CertloopError } from '@certloop/contract'
import type { CertificateParts } from '../certificate/certificate.ts'
import { DerCursor, ifReadable, isSameElement, readElement, readIntegerHex } from '../der/der-reader.ts'
import { explicit } from '../der/der-writer.ts'
import { isBrokenDigest, signatureDigest, signatureFits } from '../key/signature.ts'
import { oid } from '../oids.ts'
import type { ReadCrlEntry } from './crl-entries.ts'
import { readPointsOfCertificate, type CrlScope, type PointOfCertificate } from './crl-scope.ts'
import { checkTogether, findInCrl, maySignLists, partsOf } from './crl-use.ts'
import type { Crl } from './crl.ts'
import type { RevocationReason } from './revocation-reason.ts'

export interface CrlQuestion {
  /** A complete list: of all certificates of the issuer, or of those that this one is among. */
  crl: Crl
  /** PEM or DER. */
  certificate: string | Uint8Array
  /** The certificate of its issuer, which has to have signed the list; PEM or DER. */
  issuer: string | Uint8Array
  at: Date
  /** A delta CRL that goes with the complete one: then that one may be past its end. */
  delta?: Crl
  /** By how many seconds clocks may differ; default 300. */
  skewSeconds?: number
  /** How old a list without nextUpdate may be, in seconds; default a week. */
  maxAgeSeconds?: number
}

/** Why a list decides nothing, or has to be looked at. */
export type CrlFindingCode =
  | 'other-issuer' | 'issuer-may-not-sign' | 'signature-wrong' | 'signature-unknown' | 'signature-broken' | 'signature-weak' | 'critical-extension'
  | 'not-yet-valid' | 'stale' | 'other-certificates' | 'some-reasons' | 'delta-alone' | 'delta-unfit' | 'entry-contradictory'
export interface CrlFinding {
  code: CrlFindingCode
  /** error: nothing is decided. warning: it is, for now. */
  severity: 'error' | 'warning'
  message: string
}

export interface CrlCheck {
  /** null: not decided by this list; findings that are errors say why. */
  outcome: 'good' | 'revoked' | null
  findings: CrlFinding[]
  /** What the list says of the certificate, whether or not that can be relied on. */
  entry: ReadCrlEntry | null
  revokedAt: Date | null
  reason: RevocationReason | null
}

const failure = (code: CrlFindingCode, message: string): CrlFinding => ({ code, severity: 'error', message })
type Question = Omit<CrlQuestion, 'certificate' | 'issuer'> & { certificate: CertificateParts; issuer: CertificateParts }

/**
 * Whether a certificate is revoked, as far as a list of its issuer can say (RFC 5280, 6.3.3): the list is signed by
 * that issuer, of this time, about this certificate and all reasons, and has nothing critical that is not known here.
 * Lists signed by another than the issuer (RFC 5280, 4.2.1.13, cRLIssuer) are not decided. The issuer's own certificate
 * and whether it issued this one are for the chain; of entries only that of this certificate is read.
 * @throws CertloopError CERTIFICATE_INVALID: the certificate or its issuer can't be read; CRL_INVALID: the list is damaged
 */
export function checkCrl({ certificate, issuer, ...rest }: CrlQuestion): CrlCheck {
  const question = { ...rest, certificate: partsOf(certificate, 'The certificate'), issuer: partsOf(issuer, 'The certificate of the issuer') }
  const entry = entryOf(question)
  const isRevoked = entry !== null && entry.reason !== 'removeFromCRL'
  const findings = [
    ...signerFindings(question.crl, question), ...(rest.delta ? signerFindings(rest.delta, question) : []),
    ...deltaFindings(question), ...timeFindings(question), ...criticalFindings(question, entry), ...scopeFindings(question, isRevoked),
  ]
  const isDecided = findings.every(({ severity }) => severity !== 'error')
  return {
    outcome: !isDecided ? null : isRevoked ? 'revoked' : 'good', findings: findings.filter(({ message }, place) => findings.findIndex((other) => other.message === message) === place),
    entry, revokedAt: isRevoked ? entry.revokedAt : null, reason: isRevoked ? entry.reason ?? null : null,
  }
}

/** What the delta says goes before what the complete list says. */
function entryOf({ crl, delta, certificate }: Question): ReadCrlEntry | null {
  const serial = readIntegerHex(certificate.serialNumber)
  const find = (list: Crl): ReadCrlEntry | null => findInCrl(list, serial, certificate.issuer.raw)
  return (delta && find(delta)) ?? find(crl)
}

function signerFindings({ parts }: Crl, { certificate, issuer }: Question): CrlFinding[] {
  if (!isSameElement(certificate.issuer, issuer.subject)) return [failure('other-issuer', 'The certificate names another issuer than the one given.')]
  if (!isSameElement(parts.issuer, issuer.subject)) return [failure('other-issuer', 'The list is of another issuer than the certificate.')]
  if (!maySignLists(issuer.extensions)) return [failure('issuer-may-not-sign', 'The key usage of the issuer does not let it sign lists (cRLSign).')]
  if (!isSameElement(parts.innerAlgorithm, parts.algorithm)) return [failure('signature-wrong', 'The list names two different signature algorithms.')]
  const digest = signatureDigest(parts.algorithm)
  if (isBrokenDigest(digest)) return [failure('signature-broken', `The list is signed over ${digest?.toUpperCase()}, which anybody can forge.`)]
  const fits = signatureFits(parts, issuer.spki.raw)
  if (fits === undefined) return [failure('signature-unknown', 'The signature of the list is of a kind that can not be checked here.')]
  if (!fits) return [failure('signature-wrong', 'The signature of the list does not fit the key of the issuer.')]
  return digest === 'sha1' ? [{ code: 'signature-weak', severity: 'warning', message: 'The list is signed over SHA-1, which no authority may use any more.' }] : []
}

function deltaFindings({ crl, delta }: Question): CrlFinding[] {
  if (crl.baseNumber !== null) return [failure('delta-alone', 'The list has changes alone, and the complete list that it goes with was not given.')]
  if (!delta) return []
  try {
    checkTogether(crl, delta)
    return []
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'CRL_INVALID') return [failure('delta-unfit', error.message)]
    throw error
  }
}

const day = 86_400

function timeFindings({ crl, delta, at, skewSeconds = 300, maxAgeSeconds = 7 * day }: Question): CrlFinding[] {
  const skew = skewSeconds * 1000
  const early = [crl, ...(delta ? [delta] : [])].find(({ thisUpdate }) => thisUpdate.getTime() > at.getTime() + skew)
  if (early) return [failure('not-yet-valid', `The list is of ${early.thisUpdate.toISOString()}, which is still to come.`)]
  const { thisUpdate, nextUpdate } = delta ?? crl
  const end = nextUpdate ?? new Date(thisUpdate.getTime() + maxAgeSeconds * 1000)
  return end.getTime() < at.getTime() - skew ? [failure('stale', `The list was good until ${end.toISOString()}; a newer one is needed.`)] : []
}

function criticalFindings({ crl, delta }: Question, entry: ReadCrlEntry | null): CrlFinding[] {
  const findings = [...crl.unknownCritical, ...(delta?.unknownCritical ?? [])].map((id) => failure('critical-extension', `The list has a critical extension that is not known here, ${id}.`))
  for (const id of entry?.unknownCritical ?? []) findings.push(failure('critical-extension', `The entry of the certificate has a critical extension that is not known here, ${id}.`))
  if (entry?.reason === 'removeFromCRL' && !delta) findings.push(failure('entry-contradictory', 'The list says that the certificate was taken off it, which only one of changes can.'))
  return findings
}

/** RFC 5280, 6.3.3 b. */
function scopeFindings({ crl: { scope }, certificate, issuer }: Question, isRevoked: boolean): CrlFinding[] {
  if (!scope) return []
  const points = scope.names.length === 0 ? [] : pointsOf(certificate).filter((point) => isAt(point, scope, issuer))
  if (!isKindMeant(scope, certificate)) return [failure('other-certificates', 'The list is about certificates of another kind: only about those of CAs, of others, or about attribute certificates.')]
  const isOfIssuer = scope.names.length === 0 || scope.names.includes(nameAsGeneral(issuer))
  if (!isOfIssuer && points.length === 0) return [failure('other-certificates', 'The list is one of several, and the certificate names another one as its own.')]
  const isOfSomeReasons = scope.onlySomeReasons !== null || (!isOfIssuer && points.every(({ hasReasons }) => hasReasons))
  return isOfSomeReasons && !isRevoked ? [failure('some-reasons', 'The list is about some reasons of revocation only: the certificate may be revoked for another.')] : []
}

function isKindMeant({ onlyContainsUserCerts, onlyContainsCaCerts, onlyContainsAttributeCerts }: CrlScope, certificate: CertificateParts): boolean {
  const kind = kindOf(certificate)
  return !onlyContainsAttributeCerts && !(onlyContainsUserCerts && kind !== 'user') && !(onlyContainsCaCerts && kind !== 'ca')
}

const isAt = ({ names, issuers }: PointOfCertificate, scope: CrlScope, issuer: CertificateParts): boolean =>
  names.some((name) => scope.names.includes(name)) && (issuers.length === 0 || issuers.includes(nameAsGeneral(issuer)))

/** The name of the issuer as a GeneralName, hex of its DER. */
function nameAsGeneral({ subject }: CertificateParts): string {
  return explicit(4, subject.raw).toString('hex')
}

// What can't be read names no list and is of no kind.
const pointsOf = ({ extensions }: CertificateParts): PointOfCertificate[] => {
  const points = extensions.get(oid.crlDistributionPoints)
  return points ? ifReadable(() => readPointsOfCertificate(readElement(points)), []) : []
}
const kindOf = ({ extensions }: CertificateParts): 'ca' | 'user' | 'unknown' => {
  const basic = extensions.get(oid.basicConstraints)
  return basic ? ifReadable(() => ((new DerCursor(readElement(basic)).takeIf(0x01)?.content[0] ?? 0) !== 0 ? 'ca' : 'user'), 'unknown') : 'user'
}
