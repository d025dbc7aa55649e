import { CertloopError } from '@certloop/contract'
import {
  authorityInformationAccess, authorityKeyIdentifier, basicConstraints, buildTbsCertificate, certificatePolicies, crlDistributionPoints, extendedKeyUsage, keyAlgorithmOfSpki, keyIdOfSpki, keyUsage, mustStaple,
  nameConstraints, ocspNoCheck, subjectAltName, subjectKeyIdentifier, subjectName, type GeneralName, type NameConstraints, type SubjectAttribute,
} from '@certloop/pki'
import type { CaAddresses } from './addresses.ts'
import type { OpenIssuer } from './issuer-open.ts'
import { usagesFor, type Lifetime, type ProfileRules } from './profiles.ts'

export interface Content extends Lifetime {
  serialNumber: string
  commonName: string | null
  subject: readonly SubjectAttribute[]
  names: readonly string[]
  otherNames: readonly GeneralName[]
  /** SubjectPublicKeyInfo, DER. */
  spki: Buffer
  mustStaple: boolean
  /** Which of the issuer's lists will name it; null: the full one. */
  shard: number | null
  /** For CAs. */
  pathLength?: number | null
  nameConstraints?: NameConstraints | null
}

/** CN last, as readers of certificates expect: from the general to the particular. */
export const subjectOf = ({ commonName, subject }: Pick<Content, 'commonName' | 'subject'>): Buffer =>
  subjectName([...subject, ...(commonName === null ? [] : [{ type: 'CN', value: commonName }])])

/**
 * TBSCertificate, DER (RFC 5280, 4.1): everything about a certificate but its signature. Decided once, kept with the
 * intent, so that what is signed after a crash is what was decided before it.
 * @param addresses undefined where nobody could reach them; then the certificate names none
 */
export function certificateContent(content: Content, rules: ProfileRules, issuer: OpenIssuer, addresses: CaAddresses | undefined): Buffer {
  const subject = subjectOf(content)
  return buildTbsCertificate({
    serialNumber: content.serialNumber, issuer: issuer.subject, subject, notBefore: content.notBefore, notAfter: content.notAfter, spki: content.spki,
    extensions: [
      ...identity(content, rules, issuer),
      ...(rules.policies.length > 0 ? [certificatePolicies(rules.policies)] : []),
      ...(rules.kind === 'ocsp-responder' ? [ocspNoCheck()] : published(content, issuer, addresses)),
      ...(rules.mustStaple === 'always' || content.mustStaple ? [mustStaple()] : []),
    ],
  }, issuer.signer.algorithm)
}

function identity(content: Content, rules: ProfileRules, issuer: OpenIssuer): Buffer[] {
  const isCa = rules.kind === 'ca'
  const names = [...content.names, ...content.otherNames]
  const hasSubject = content.commonName !== null || content.subject.length > 0
  const usages = usagesFor(keyAlgorithmOfSpki(content.spki), rules)
  if (!hasSubject && names.length === 0) throw new CertloopError('NAME_INVALID', 'A certificate needs a name or a subject.', { fields: ['commonName: is needed where there are no names'] })
  return [
    basicConstraints(isCa, (isCa ? content.pathLength : undefined) ?? undefined),
    ...(usages.length > 0 ? [keyUsage(usages)] : []),
    ...(rules.extendedKeyUsage.length > 0 ? [extendedKeyUsage(...rules.extendedKeyUsage)] : []),
    subjectKeyIdentifier(keyIdOfSpki(content.spki)), authorityKeyIdentifier(issuer.keyId),
    ...(names.length > 0 ? [subjectAltName(names, !hasSubject)] : []),
    ...(isCa && content.nameConstraints ? [nameConstraints(content.nameConstraints)] : []),
  ]
}

function published({ shard }: Content, { issuer }: OpenIssuer, addresses: CaAddresses | undefined): Buffer[] {
  if (!addresses) return []
  return [
    crlDistributionPoints([addresses.crl(issuer.id, shard)]),
    authorityInformationAccess({ ocsp: [addresses.ocsp(issuer.id)], issuers: [addresses.issuer(issuer.id)] }),
  ]
}
