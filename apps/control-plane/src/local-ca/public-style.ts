import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { readCertificate, type CertificateFacts, type RevocationReason, type SubjectAttribute } from '@certloop/pki'
import type { Asked } from './profile-check.ts'
import { defaultIssuerSettings, type Issuer, type IssuerKind, type IssuerSettings } from './issuer.ts'
import { isReservedAddress } from './network.ts'
import type { ProfileRules } from './profiles.ts'
import { publicKeys } from './public-rules.ts'

/**
 * What the CA/Browser Forum's Baseline Requirements for TLS (numbers in brackets are its sections) ask beyond RFC 5280.
 * An issuer of public style signs by profiles of public style alone, and they are signed by no other: its own name,
 * key, lists and answers are part of what relying parties see.
 */

/** Order in which attributes of a name have to stand (7.1.4.2); others come after them. */
const attributeOrder = ['DC', 'C', 'ST', 'L', 'postalCode', 'street', 'O', 'SN', 'GN', 'OU', 'CN']
const place = ({ type }: SubjectAttribute) => (attributeOrder.includes(type) ? attributeOrder.indexOf(type) : attributeOrder.length)

/** The attributes in the order that is asked of public authorities; as they were for others. */
export const inOrderOf = (style: ProfileRules['style'], subject: readonly SubjectAttribute[]): readonly SubjectAttribute[] => (style === 'public' ? subject.toSorted((a, b) => place(a) - place(b)) : subject)

/** Never delegated, or set aside for use within a site (4.2.2). The list of all top-level domains is not kept here. */
const internal = /(^|\.)(local|localdomain|localhost|internal|intranet|private|workgroup|test|example|invalid|onion|alt|arpa|lan|home|corp|mail)$/

function problemOfName(name: string): string | undefined {
  if (isIP(name) !== 0) return isReservedAddress(name) ? 'is a reserved address' : undefined
  const host = name.replace(/^\*\./, '')
  if (!host.includes('.') || internal.test(host)) return 'is an internal name'
  // Labels with hyphens in third and fourth place are set aside, but for A-labels (7.1.2.7.12).
  return host.split('.').some((label) => /^(?!xn)..--/.test(label)) ? 'has a label with hyphens in third and fourth place' : undefined
}

/** Lines "field: problem" where what is asked is not to be had in public style. */
export function checkPublicRequest({ names, commonName, subject }: Pick<Asked, 'names' | 'commonName' | 'subject'>, { kind }: ProfileRules): string[] {
  const types = subject.map(({ type }) => type)
  return [
    ...names.flatMap((name, i) => {
      const problem = problemOfName(name)
      return problem === undefined ? [] : [`names[${i}]: ${JSON.stringify(name)} ${problem}`]
    }),
    // Character for character one of the names (7.1.4.3).
    ...(kind === 'end-entity' && commonName !== null && !names.includes(commonName) ? ['commonName: has to be written just as one of the names'] : []),
    ...subject.flatMap(({ type, value }, i) => {
      if (/^(jurisdiction)?C$/.test(type) && !/^[A-Z]{2}$/.test(value)) return [`subject[${i}]: ${type} has to be a country code in capital letters`]
      return type !== 'street' && types.indexOf(type) < i ? [`subject[${i}]: ${type} is there twice`] : []
    }),
  ]
}

/** Lists of server certificates live at most 10 days, those of CA certificates 12 months (4.9.7, 7.2); answers 8 hours to 10 days (4.9.10). */
const mostCrlHours: Record<IssuerKind, number> = { intermediate: 240, root: 8760 }
const leastOcspMinutes = 480
/** What an issuer has unless it is said otherwise. */
export const defaultSettings = (style: IssuerSettings['style']): IssuerSettings => ({ ...defaultIssuerSettings, style, ...(style === 'public' ? { ocspMinutes: 2880 } : {}) })

/** @throws CertloopError INPUT_INVALID when an issuer of public style could not publish so */
export function checkPublishing({ style, crlHours, ocspMinutes }: Pick<IssuerSettings, 'style' | 'crlHours' | 'ocspMinutes'>, kind: IssuerKind): void {
  if (style !== 'public') return
  const fields = [
    ...(crlHours > mostCrlHours[kind] ? [`crlHours: at most ${mostCrlHours[kind]} for ${kind === 'root' ? 'a root' : 'an intermediate'} of public style`] : []),
    ...(ocspMinutes < leastOcspMinutes ? [`ocspMinutes: at least ${leastOcspMinutes} for an issuer of public style`] : []),
  ]
  if (fields.length > 0) throw new CertloopError('INPUT_INVALID', `An issuer of public style can not publish so: ${fields.join('; ')}.`, { fields })
}

/** A root lasts 8 to 25 years (7.1.2.1.1); an EC key signs with the digest of its size (7.1.3.2.2); constraints would need directory names too (7.1.2.10.8). @throws CertloopError PROFILE_VIOLATION */
export function checkPublicIssuer({ validityDays, keyAlgorithm }: { validityDays: number; keyAlgorithm: string }, { hash, nameConstraints, pathLength }: IssuerSettings, kind: IssuerKind): void {
  const digest = { 'ec-256': 'sha256', 'ec-384': 'sha384', 'ec-521': 'sha512' }[keyAlgorithm]
  const fields = [
    ...(kind === 'root' && (validityDays < 2922 || validityDays > 9132) ? ['validityDays: 2922 to 9132 for a root'] : []),
    ...(kind === 'root' && pathLength !== null ? ['pathLength: a root has none'] : []),
    ...(hash !== null && digest !== undefined && hash !== digest ? [`hash: has to be ${digest} for ${keyAlgorithm}`] : []),
    ...(nameConstraints ? ['nameConstraints: are not possible in public style'] : []),
  ]
  if (fields.length > 0) throw new CertloopError('PROFILE_VIOLATION', `An issuer of public style can not be made so: ${fields.join('; ')}.`, { fields })
}

/** What the certificate of an issuer of public style says when others signed it (7.1.2.1, 7.1.2.6). @throws CertloopError ISSUER_MISMATCH, naming everything that differs */
export function checkPublicCertificate(certificate: CertificateFacts, kind: IssuerKind): void {
  const { subjectFields, keyAlgorithm, basicConstraints, keyUsage } = certificate
  const problems = [
    ...['C', 'O', 'CN'].filter((type) => !subjectFields.some((field) => field.type === type)).map((type) => `its subject has no ${type}`),
    ...(publicKeys.includes(keyAlgorithm) ? [] : [`keys of the kind ${keyAlgorithm} are not allowed`]),
    ...(basicConstraints?.critical && keyUsage?.critical ? [] : ['its basic constraints and key usage are not critical']),
    ...(kind === 'intermediate' ? problemsOfSubordinate(certificate) : []),
  ]
  if (problems.length > 0) throw new CertloopError('ISSUER_MISMATCH', `The certificate is not one of public style: ${problems.join('; ')}.`, { fields: problems.map((problem) => `certificatesPem: ${problem}`) })
}

const problemsOfSubordinate = ({ extendedKeyUsage, policies }: CertificateFacts): string[] => [
  ...(extendedKeyUsage?.usages.includes('serverAuth') ? [] : ['it does not have the extended key usage serverAuth']),
  ...(policies.length > 0 ? [] : ['it has no policies']),
]

const anyPolicy = '2.5.29.32.0'

/**
 * @throws CertloopError PROFILE_VIOLATION when issuer and profile are not of one style, the issuer may not sign such
 * certificates, or nobody could reach what they have to name
 */
export function checkStyle({ name: issuer, kind, certificate, settings: { style } }: Pick<Issuer, 'name' | 'kind' | 'certificate' | 'settings'>, { name, rules }: { name: string; rules: ProfileRules }, hasAddresses: boolean): void {
  const violation = (message: string, field: string) => new CertloopError('PROFILE_VIOLATION', message, { profile: name, issuer, fields: [field] })
  if (style !== rules.style && rules.kind !== 'ocsp-responder') {
    throw violation(`The issuer "${issuer}" is of ${style} style and the profile "${name}" of ${rules.style} style; what public style asks of a certificate it asks of its issuer too.`, `issuerId: has to be an issuer of ${rules.style} style`)
  }
  if (rules.style === 'private') return
  if (!hasAddresses) throw violation(`Certificates of the profile "${name}" name where lists, OCSP and issuer are to be had, and no address that others could reach is set (pki-url).`, 'profile: needs an address that others can reach')
  // A root's key signs CAs and responders alone (6.1.7).
  if (kind === 'root') {
    if (rules.kind === 'end-entity') throw violation(`"${issuer}" is a root; what is no CA has to be signed by a subordinate CA.`, 'issuerId: is a root')
    return
  }
  // A policy that its issuer does not have counts for nothing (RFC 5280, 6.1.3).
  const held = certificate ? readCertificate(certificate.certificatePem).policies.map(({ oid }) => oid) : []
  const missing = held.includes(anyPolicy) ? [] : rules.policies.filter((policy) => !held.includes(policy))
  if (missing.length > 0) throw violation(`The certificate of "${issuer}" does not have the policy ${missing.join(', ')}; it can certify by ${held.join(', ') || 'none'} alone.`, `issuerId: has not the policy ${missing.join(', ')}`)
}

/** Reasons for certificates of public style (7.2.2); without one none is written. */
const publicReasons: readonly RevocationReason[] = ['unspecified', 'keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn']
/** A CA certificate has to have one. */
const publicCaReasons: readonly RevocationReason[] = [...publicReasons.filter((reason) => reason !== 'unspecified'), 'cACompromise']

/** @throws CertloopError INPUT_INVALID for a reason that certificates of public style can't have, suspension among them */
export function checkPublicReason(reason: RevocationReason, isCa: boolean): void {
  const reasons = isCa ? publicCaReasons : publicReasons
  if (reasons.includes(reason)) return
  if (reason === 'certificateHold') throw new CertloopError('ACTION_NOT_POSSIBLE', 'Certificates of public style can not be suspended, only revoked.')
  throw new CertloopError('INPUT_INVALID', `"${reason}" is not a reason to revoke ${isCa ? 'a CA' : 'a'} certificate of public style.`, { fields: [`reason: has to be one of ${reasons.join(', ')}`] })
}
