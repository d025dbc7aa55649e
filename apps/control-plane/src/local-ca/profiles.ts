import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import type { KeyUsage } from '@certloop/pki'
import { wholeSecond } from './whole-second.ts'

/**
 * What an issuer may put into a certificate. Everything in a certificate that is not the requester's name or key
 * comes from here, so two certificates of one profile differ in nothing else.
 */
export interface ProfileRules {
  /** One line for people. */
  title: string
  /** public: CA/Browser Forum Baseline Requirements in every field. private: as the other fields say. */
  style: 'private' | 'public'
  kind: 'end-entity' | 'ca' | 'ocsp-responder'
  defaultValidityDays: number
  maximumValidityDays: number
  /** How long before now it begins, so that a host whose clock is behind accepts it at once. */
  backdateMinutes: number
  keyAlgorithms: readonly KeyAlgorithm[]
  /** keyEncipherment and dataEncipherment are left out for keys that can't encrypt. */
  keyUsage: readonly KeyUsage[]
  /** Names such as serverAuth, or dotted identifiers. */
  extendedKeyUsage: readonly string[]
  names: NameRules
  /** Attributes of the subject that may be asked for besides the common name; "CN" and "O", or dotted. */
  subjectAttributes: readonly string[]
  /** Those of them that have to be there. */
  requiredAttributes: readonly string[]
  /** Whether a common name may or has to be there. For profiles with names it has to be one of them. */
  commonName: 'none' | 'allowed' | 'required'
  /** Dotted policy identifiers. */
  policies: readonly string[]
  /** always: in each; asked: when the request asks; never. */
  mustStaple: 'never' | 'asked' | 'always'
  /** For kind ca: path length of what is issued; null: not limited. */
  pathLength: number | null
}
export interface NameRules {
  required: boolean
  types: readonly ('dns' | 'ip' | 'email' | 'uri' | 'upn')[]
  maximum: number
  wildcards: boolean
  /** "example.com" covers it and everything below; "10.0.0.0/8"; empty: anything of the types. */
  permitted: readonly string[]
  excluded: readonly string[]
}

const noNames: NameRules = { required: false, types: [], maximum: 0, wildcards: false, permitted: [], excluded: [] }
const hostNames: NameRules = { required: true, types: ['dns', 'ip'], maximum: 250, wildcards: true, permitted: [], excluded: [] }
const base = {
  style: 'private', kind: 'end-entity', backdateMinutes: 60, keyAlgorithms, keyUsage: ['digitalSignature', 'keyEncipherment'], subjectAttributes: [], requiredAttributes: [], commonName: 'allowed', policies: [], mustStaple: 'asked', pathLength: null,
} as const satisfies Partial<ProfileRules>
const identityAttributes = ['O', 'OU', 'L', 'ST', 'C', 'street', 'postalCode', 'serialNumber', 'emailAddress', 'UID', 'DC', 'GN', 'SN', 'title', 'organizationIdentifier', 'businessCategory']

/** There from the first start, under these names; they can't be changed, a copy under another name can. */
export const builtInProfiles = {
  'server': { ...base, title: 'TLS server', defaultValidityDays: 90, maximumValidityDays: 3650, extendedKeyUsage: ['serverAuth'], names: hostNames, subjectAttributes: identityAttributes },
  'client': { ...base, title: 'TLS client', defaultValidityDays: 365, maximumValidityDays: 3650, keyUsage: ['digitalSignature'], extendedKeyUsage: ['clientAuth'], names: { ...noNames, types: ['dns', 'email', 'uri', 'upn'], maximum: 20 }, subjectAttributes: identityAttributes, commonName: 'required', mustStaple: 'never' },
  'server-and-client': { ...base, title: 'TLS server and client', defaultValidityDays: 90, maximumValidityDays: 3650, extendedKeyUsage: ['serverAuth', 'clientAuth'], names: hostNames, subjectAttributes: identityAttributes },
  'email': { ...base, title: 'Signed and encrypted e-mail', defaultValidityDays: 365, maximumValidityDays: 1095, extendedKeyUsage: ['emailProtection'], names: { ...noNames, required: true, types: ['email'], maximum: 10 }, subjectAttributes: identityAttributes, mustStaple: 'never' },
  'code-signing': { ...base, title: 'Code signing', defaultValidityDays: 365, maximumValidityDays: 1095, keyUsage: ['digitalSignature'], extendedKeyUsage: ['codeSigning'], names: noNames, subjectAttributes: identityAttributes, commonName: 'required', mustStaple: 'never' },
  'time-stamping': { ...base, title: 'Time stamping', defaultValidityDays: 1095, maximumValidityDays: 3650, keyUsage: ['digitalSignature'], extendedKeyUsage: ['timeStamping'], names: noNames, subjectAttributes: identityAttributes, commonName: 'required', mustStaple: 'never' },
  // Baseline Requirements 2.x: section 7.1.2.7 (fields), 6.1.5 (keys), 6.3.2 (200 days from March 2026; 199 keeps clear of the edge).
  'public-server': {
    ...base, title: 'TLS server, in the style of public authorities (domain validated)', style: 'public', defaultValidityDays: 90, maximumValidityDays: 199, keyAlgorithms: ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384'],
    extendedKeyUsage: ['serverAuth'], names: { ...hostNames, maximum: 100 }, policies: ['2.23.140.1.2.1'],
  },
  'subordinate-ca': {
    ...base, title: 'Subordinate CA', kind: 'ca', defaultValidityDays: 1826, maximumValidityDays: 7305, keyUsage: ['keyCertSign', 'cRLSign', 'digitalSignature'], extendedKeyUsage: [], names: noNames, subjectAttributes: identityAttributes, commonName: 'required', mustStaple: 'never', pathLength: 0,
  },
  // Also for a root of this style, which has neither extended usages nor policies. Baseline Requirements 7.1.2.6: extended usage, policies, country and organisation are musts.
  'public-subordinate-ca': {
    ...base, title: 'Subordinate CA, in the style of public authorities', style: 'public', kind: 'ca', defaultValidityDays: 1826, maximumValidityDays: 3652, keyAlgorithms: ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384'], keyUsage: ['digitalSignature', 'keyCertSign', 'cRLSign'],
    extendedKeyUsage: ['serverAuth'], names: noNames, subjectAttributes: ['C', 'ST', 'L', 'O'], requiredAttributes: ['C', 'O'], commonName: 'required', policies: ['2.23.140.1.2.1'], mustStaple: 'never', pathLength: 0,
  },
  'ocsp-responder': { ...base, title: 'OCSP responder of an issuer', kind: 'ocsp-responder', defaultValidityDays: 30, maximumValidityDays: 90, keyUsage: ['digitalSignature'], extendedKeyUsage: ['ocspSigning'], names: noNames, subjectAttributes: ['C', 'O'], commonName: 'required', mustStaple: 'never' },
  'control-plane': { ...base, title: 'This control plane', defaultValidityDays: 30, maximumValidityDays: 90, extendedKeyUsage: ['serverAuth'], names: hostNames },
  'bot-identity': { ...base, title: 'Identity of a bot', defaultValidityDays: 365, maximumValidityDays: 3650, keyUsage: ['digitalSignature'], extendedKeyUsage: ['clientAuth'], names: noNames, commonName: 'required', mustStaple: 'never' },
} as const satisfies Record<string, ProfileRules>
export type BuiltInProfile = keyof typeof builtInProfiles

/** Only the control plane itself issues by these. Those of kind ca need the right to make issuers. */
export const internalProfiles: readonly string[] = ['ocsp-responder', 'control-plane', 'bot-identity']

const cannotEncrypt: readonly KeyUsage[] = ['keyEncipherment', 'dataEncipherment']

/** keyEncipherment has a meaning for RSA keys alone (RFC 5480, 3; RFC 8410, 5; RFC 9881, 5). */
export const usagesFor = (keyAlgorithm: string, { keyUsage }: Pick<ProfileRules, 'keyUsage'>): KeyUsage[] =>
  keyUsage.filter((usage) => keyAlgorithm.startsWith('rsa-') || !cannotEncrypt.includes(usage))

const day = 86_400_000

export interface Lifetime { notBefore: Date; notAfter: Date }

/**
 * The lifetime of a certificate that begins a little in the past and lasts exactly `days` times 24 hours: notAfter is
 * its last valid second (RFC 5280, 4.1.2.5). Never reaches beyond the issuer's own lifetime.
 */
export function lifetimeOf(days: number, now: Date, issuer?: Lifetime, backdateMinutes = 60): Lifetime {
  const begin = Math.max(now.getTime() - backdateMinutes * 60_000, issuer?.notBefore.getTime() ?? Number.NEGATIVE_INFINITY)
  const notBefore = wholeSecond(begin)
  const end = notBefore.getTime() + days * day - 1000
  return { notBefore, notAfter: wholeSecond(Math.min(end, issuer?.notAfter.getTime() ?? end)) }
}

/** True when the issuer ends within a day: what it signed now would be of no use. */
export const endsTooSoon = (issuer: Lifetime, now: Date): boolean => issuer.notAfter.getTime() - now.getTime() < day
