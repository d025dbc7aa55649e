import { createPublicKey } from 'node:crypto'
import { CertloopError, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import { checkNames, compareCsr, keyAlgorithmOfSpki, readCsr, sha256Hex, spkiOfKey, type CsrDifference, type CsrFacts, type GeneralName, type KeyUsage, type SubjectAttribute, type WantedCsr } from '@certloop/pki'
import { checkAgainstProfile } from './profile-check.ts'
import type { Profile } from './profile-store.ts'

export interface IssueOptions {
  /** The order, bot or other thing the certificate is for. One reference, one certificate, for ever. */
  reference: string
  csrPem?: string
  /** Instead of a CSR, where the requester proves otherwise that it holds the key (a joining bot signs its requests). */
  publicKeyPem?: string
  /** Have to be the DNS names and IP addresses of the CSR, in any order. */
  names: readonly string[]
  /** Names of other kinds, likewise; default none. */
  otherNames?: readonly GeneralName[]
  /** Has to be that of the CSR; for profiles with host names also one of the names. */
  commonName: string | null
  /** The subject besides the common name, as wanted; the CSR may have it or not. Default none. */
  subject?: readonly SubjectAttribute[]
  /** When given, the key of the CSR has to be of this kind. */
  keyAlgorithm?: KeyAlgorithm
  /** null: the default of the profile. */
  validityDays: number | null
  /** Name of an issuance profile. */
  profile: string
  /** Default: the intermediate in use. */
  issuerId?: IssuerId
  mustStaple?: boolean
  /** Fewer usages than the profile has; what it has not is refused. Default: all that it has. */
  keyUsage?: readonly KeyUsage[] | undefined
  extendedKeyUsage?: readonly string[] | undefined
}

/** The profile with no more usages than were asked for. @throws CertloopError PROFILE_VIOLATION */
export function narrowed(profile: Profile, { keyUsage, extendedKeyUsage }: Pick<IssueOptions, 'keyUsage' | 'extendedKeyUsage'>): Profile {
  const fields = usageProblems(profile.rules, { keyUsage, extendedKeyUsage })
  if (fields.length > 0) throw new CertloopError('PROFILE_VIOLATION', `The profile "${profile.name}" does not allow this: ${fields.join('; ')}.`, { profile: profile.name, fields })
  return { ...profile, rules: { ...profile.rules, ...(keyUsage ? { keyUsage } : {}), ...(extendedKeyUsage ? { extendedKeyUsage } : {}) } }
}
/** Lines "field: problem". */
export const usageProblems = (rules: Pick<Profile['rules'], 'keyUsage' | 'extendedKeyUsage'>, { keyUsage = [], extendedKeyUsage = [] }: Pick<IssueOptions, 'keyUsage' | 'extendedKeyUsage'>): string[] => [
  ...keyUsage.filter((usage) => !rules.keyUsage.includes(usage)).map((usage) => `keyUsage: ${usage} is not allowed`),
  ...extendedKeyUsage.filter((usage) => !rules.extendedKeyUsage.includes(usage)).map((usage) => `extendedKeyUsage: ${usage} is not allowed`),
]

/** What was asked, after its CSR was found to be just that. */
export interface IssueRequest { /** SubjectPublicKeyInfo, DER. */ spki: Buffer; spkiDigest: string; keyAlgorithm: string; names: string[]; otherNames: readonly GeneralName[]; subject: readonly SubjectAttribute[]; mustStaple: boolean }

/** What a stranger wrote is quoted and cut. */
const shown = (text: string | null) => (text === null ? 'none' : JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text))

/**
 * Compares the CSR with what was asked, and both with the profile, at the last moment before signing.
 * @throws CertloopError CSR_INVALID, CSR_MISMATCH, NAME_INVALID, TOO_MANY_NAMES, INPUT_INVALID, KEY_ALGORITHM_UNSUPPORTED, PROFILE_VIOLATION
 */
export function checkRequest(options: IssueOptions, profile: Profile): IssueRequest {
  const names = askedNames(options, profile)
  const { commonName, otherNames = [], subject = [], mustStaple = false } = options
  checkAgainstProfile({ names, otherNames, commonName, subject, mustStaple, validityDays: options.validityDays }, profile)
  const key = askedKey(options, profile)
  checkKey(key.keyAlgorithm, options.keyAlgorithm, profile)
  if (key.csr) compare(key.csr, { names, otherNames, options }, profile)
  return { spki: key.spki, spkiDigest: sha256Hex(key.spki), keyAlgorithm: key.keyAlgorithm, names, otherNames, subject, mustStaple: wantsStaple(mustStaple, key.csr, profile) }
}

/** A wish in the request counts where the profile lets requests ask. */
const wantsStaple = (asked: boolean, csr: CsrFacts | undefined, { rules }: Profile): boolean => rules.mustStaple === 'always' || asked || (rules.mustStaple === 'asked' && csr?.mustStaple === true)

interface Wanted { names: string[]; otherNames: readonly GeneralName[]; options: IssueOptions }

/** Requests may be silent on usages: the profile gives them. What they ask for beyond it is refused, not dropped unseen. */
function compare(csr: CsrFacts, { names, otherNames, options: { commonName, subject } }: Wanted, { rules }: Profile): void {
  const wanted: WantedCsr = {
    names, alternativeNames: otherNames, keyUsage: rules.keyUsage, extendedKeyUsage: rules.extendedKeyUsage, ...(subject === undefined ? { commonName } : { commonName, subject }),
    ...(rules.kind === 'ca' ? {} : { certificateAuthority: null }),
  }
  const silent = new Set(['keyUsage', 'extendedKeyUsage'])
  // The order of the subject is ours to choose: what a request says in another order is the same wish.
  const isHarmless = ({ field, kind }: CsrDifference) => (kind === 'missing' && silent.has(field)) || (kind === 'different' && field === 'subject')
  const differences = compareCsr(csr, wanted).filter((difference) => !isHarmless(difference))
  if (differences.length > 0) {
    throw new CertloopError('CSR_MISMATCH', `The CSR is not what was asked: ${differences.slice(0, 5).map(({ message }) => message.replace(/\.$/, '')).join('; ')}.`, { fields: differences.slice(0, 50).map(({ field, message }) => `csrPem (${field}): ${message}`) })
  }
}

interface AskedKey { spki: Buffer; keyAlgorithm: string; csr?: CsrFacts }

function askedKey({ csrPem, publicKeyPem }: IssueOptions, { name }: Profile): AskedKey {
  if (csrPem !== undefined) {
    const csr = readCsr(csrPem)
    return { spki: Buffer.from(csr.publicKeySpki), keyAlgorithm: csr.keyAlgorithm, csr }
  }
  if (publicKeyPem === undefined || name !== 'bot-identity') throw new CertloopError('CSR_INVALID', 'There is no certificate request.')
  const spki = spkiOfKey(createPublicKey(publicKeyPem))
  return { spki, keyAlgorithm: keyAlgorithmOfSpki(spki) }
}

function askedNames({ names: asked, commonName }: IssueOptions, { rules }: Profile): string[] {
  if (asked.length === 0) {
    if (rules.names.required && rules.names.types.includes('dns')) checkNames([]) // says that a name is needed
    return []
  }
  const names = checkNames(asked, rules.names.maximum || undefined)
  if (commonName !== null && rules.names.required && !names.includes(commonName.toLowerCase())) {
    throw new CertloopError('NAME_INVALID', `The common name ${shown(commonName)} is not among the names.`, { fields: ['commonName: has to be one of the names'] })
  }
  return names
}

function checkKey(found: string, asked: KeyAlgorithm | undefined, { name, rules }: Profile): void {
  if (!rules.keyAlgorithms.some((known) => known === found)) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The profile "${name}" does not certify keys of the kind ${found}.`, { keyAlgorithm: found, profile: name })
  if (asked !== undefined && found !== asked) throw new CertloopError('CSR_MISMATCH', `The CSR has a key of the kind ${found}, asked was ${asked}.`)
}
