import { revocationReasonsToGive, type IssuedCertificate, type Issuer, type KeyAlgorithm, type ProfileRules, type RevocationReasonToGive } from '@certloop/api-client'

/** The built-in CA in plain words; each table is total, so that a new value of the API fails the type check here. */

const keyNames: Record<KeyAlgorithm, string> = {
  'rsa-2048': 'RSA 2048', 'rsa-3072': 'RSA 3072', 'rsa-4096': 'RSA 4096', 'ec-256': 'EC P-256', 'ec-384': 'EC P-384', 'ec-521': 'EC P-521', 'ed25519': 'Ed25519',
  'ml-dsa-44': 'ML-DSA 44 (post-quantum)', 'ml-dsa-65': 'ML-DSA 65 (post-quantum)', 'ml-dsa-87': 'ML-DSA 87 (post-quantum)',
}
export const keyName = (algorithm: string): string => keyNames[algorithm as KeyAlgorithm] ?? algorithm

export const keyPlaces: Record<Issuer['keySource'], string> = { sealed: 'sealed in the database', pkcs11: 'in the PKCS#11 token', outside: 'not here' }

export type Reason = RevocationReasonToGive
/** Each reason of RFC 5280, 5.3.1 with what it tells others. */
export const reasonWords: Record<Reason, { label: string; means: string }> = {
  unspecified: { label: 'No reason given', means: 'It shall not be trusted any more; others are not told why.' },
  keyCompromise: { label: 'Private key compromised', means: 'Somebody else has the private key, or may have it. Clients must not trust it at all.' },
  cACompromise: { label: 'CA key compromised', means: 'It is the certificate of a CA, and somebody else may have that CA\'s private key.' },
  affiliationChanged: { label: 'Subject changed', means: 'The name or organisation in it is no longer right; the key is not in doubt.' },
  superseded: { label: 'Superseded', means: 'Another certificate has taken its place; the key is not in doubt.' },
  cessationOfOperation: { label: 'No longer in use', means: 'What it was for is switched off or belongs to somebody else now.' },
  privilegeWithdrawn: { label: 'Right withdrawn', means: 'Its holder may no longer use it, for example after breaking the terms.' },
  aACompromise: { label: 'Attribute authority compromised', means: 'What an authority vouched for in it can not be relied on any more. Rarely used.' },
}
const publicReasons: readonly Reason[] = ['unspecified', 'keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn']
/** Which reasons fit: public style knows fewer (Baseline Requirements, 7.2.2). */
export function reasonsFor(style: Issuer['style'], isCa: boolean): readonly Reason[] {
  if (style === 'private') return revocationReasonsToGive
  return isCa ? [...publicReasons.filter((reason) => reason !== 'unspecified'), 'cACompromise'] : publicReasons
}
export const reasonLabel = (reason: string): string => (reason === 'certificateHold' ? 'Suspended for the time being' : reasonWords[reason as Reason]?.label ?? reason)

/** What an issuer is there for, in one line. */
export function purposeOf({ status, slot, kind, keySource, style }: Issuer): string {
  if (status === 'pending') return 'Nothing yet: it waits for its certificate'
  if (status === 'revoked') return 'Nothing: its certificate is revoked'
  if (keySource === 'outside') return 'To be trusted and shown; its key is elsewhere'
  if (status === 'retired') return 'Its lists and answers only; it signs nothing new'
  if (slot === 'root') return 'The anchor that bots pin; signs CAs'
  if (slot === 'intermediate') return 'In use: signs what names no other issuer'
  if (kind === 'root' && style === 'public') return 'Signs CAs'
  return kind === 'root' ? 'Signs CAs, and what names it' : 'Signs what names it'
}

/** Whether it can have CAs below it. */
export const canSign = ({ status, keySource, pathLength }: Issuer): boolean => status === 'active' && keySource !== 'outside' && pathLength !== 0

/** Those that could certify its key. */
export const signersOf = ({ id, style }: Pick<Issuer, 'id' | 'style'>, all: readonly Issuer[]): Issuer[] => all.filter((one) => one.id !== id && one.style === style && canSign(one))

export const issuerStatusMeaning: Record<Issuer['status'], string> = {
  pending: 'It waits for a certificate signed elsewhere.',
  active: 'It can sign.',
  retired: 'It signs nothing new. Its revocation lists and OCSP answers go on until all it signed has ended.',
  revoked: 'Its own certificate is revoked, so it signs nothing any more and clients refuse what it signed.',
}

type IssuedState = IssuedCertificate['status'] | 'expired'
export const issuedMeaning: Record<IssuedState, string> = {
  intended: 'Its serial number is spent, and nobody has got the certificate.',
  good: 'OCSP answers good.',
  held: 'Clients that check refuse it until it is resumed.',
  revoked: 'Clients that check refuse it, for ever.',
  expired: 'Its time is over.',
}
/** One state for the badge: what ended counts as ended, unless it was revoked before. */
export const issuedState = ({ status, isExpired }: Pick<IssuedCertificate, 'status' | 'isExpired'>): IssuedState => (isExpired && status !== 'revoked' ? 'expired' : status)

export const profileKinds: Record<ProfileRules['kind'], string> = { 'end-entity': 'Servers, people, programs', 'ca': 'CAs', 'ocsp-responder': 'OCSP responders' }
export const profileStyles: Record<ProfileRules['style'], string> = { private: 'Private', public: 'As public authorities' }

export const keyUsageWords: Record<ProfileRules['keyUsage'][number], string> = {
  digitalSignature: 'Digital signature', nonRepudiation: 'Non-repudiation', keyEncipherment: 'Key encipherment', dataEncipherment: 'Data encipherment', keyAgreement: 'Key agreement', keyCertSign: 'Sign certificates', cRLSign: 'Sign revocation lists',
}
/** Purposes that have a name; any other is a dotted identifier. */
export const purposeWords: Record<string, string> = {
  serverAuth: 'TLS server', clientAuth: 'TLS client', codeSigning: 'Code signing', emailProtection: 'E-mail', timeStamping: 'Time stamping', ocspSigning: 'OCSP signing', anyExtendedKeyUsage: 'Any purpose',
}
export const purposeName = (purpose: string): string => purposeWords[purpose] ?? purpose

export const nameTypeWords: Record<ProfileRules['names']['types'][number], string> = { dns: 'DNS names', ip: 'IP addresses', email: 'E-mail addresses', uri: 'URIs', upn: 'User principal names' }

/** Attributes of a subject beside the common name, as people call them. */
export const attributeWords: Record<string, string> = {
  O: 'Organisation', OU: 'Organisational unit', C: 'Country (two letters)', ST: 'State or province', L: 'Locality', street: 'Street', postalCode: 'Postal code', serialNumber: 'Serial number of the subject', emailAddress: 'E-mail address',
  UID: 'User id', DC: 'Domain component', GN: 'Given name', SN: 'Surname', title: 'Title', organizationIdentifier: 'Organisation identifier', businessCategory: 'Business category',
}
export const attributeName = (type: string): string => attributeWords[type] ?? type

/** "CN=R11, O=Let's Encrypt" as "R11"; without a common name the whole. */
export const commonNameOf = (distinguishedName: string): string => /(?:^|,\s*)CN=((?:[^,\\]|\\.)+)/.exec(distinguishedName)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? distinguishedName
