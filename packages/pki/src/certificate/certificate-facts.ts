import type { GeneralName } from '../name/general-names.ts'
import type { KeyUsage } from './extensions.ts'

/** One attribute of a subject or issuer. */
export interface NameField {
  oid: string
  /** "CN", "O", …; the dotted identifier where there is no word. */
  type: string
  /** Text; "#" and the DER in hex when the value is no text. */
  value: string
}

export interface KeyFacts {
  /** "rsa", "rsa-pss", "ec", "ed25519", "ml-dsa-65", …; the dotted identifier when it is unknown. */
  kind: string
  /** RSA: length of the modulus. EC: of the field, from the named curve; of one without a name here, in whole bytes where it is below 224. Null elsewhere. */
  bits: number | null
  /** Word of a named curve ("P-256", "brainpoolP256r1"), dotted when it is unknown, "explicit" for parameters written out; null when not EC. */
  curve: string | null
  /** Decimal; null when not RSA. */
  exponent: string | null
}

export interface SignatureFacts {
  oid: string
  /** As openssl writes it: "ecdsa-with-SHA256", "rsassaPss"; the dotted identifier when it is unknown. */
  name: string
  /** "sha256"; null where the algorithm has its own or is unknown. */
  hash: string | null
  /** Parameters of RSASSA-PSS (RFC 4055, 3.1), defaults filled in; salt in bytes. Null for other algorithms. */
  pss: { hash: string; mgfHash: string; saltLength: number } | null
}

/** A signed certificate timestamp (RFC 6962, 3.2). Its signature is not checked. */
export interface TimestampFacts {
  /** 0 is v1, the only one there is. */
  version: number
  /** Lower-case hex of 32 bytes. */
  logId: string
  time: Date
}

export interface PolicyFacts {
  oid: string
  /** Addresses of certification practice statements. */
  statements: string[]
}

export interface ConstraintFacts {
  critical: boolean
  /** ip is "10.0.0.0/8", or "address/mask" for a mask with gaps. */
  permitted: GeneralName[]
  excluded: GeneralName[]
}

export interface ExtensionFacts { oid: string; critical: boolean }

/** Something about the encoding that the other members no longer show; the codes are those of certificateFindings. */
export interface Oddity { code: OddityCode; detail: string }
export const oddityCodes = [
  'trailing-bytes', 'length-not-minimal', 'string-type-old', 'algorithms-differ', 'extension-damaged', 'time-form', 'serial-not-minimal',
] as const
export type OddityCode = (typeof oddityCodes)[number]

/** Who was validated, by the policies the certificate names: domain, organization, extended (organization), individual. */
export type ValidationKind = 'DV' | 'OV' | 'EV' | 'IV'

/** What is known of one X.509 certificate. Plain data: it can be stored and sent. */
export interface CertificateFacts {
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string
  /** SHA-1 of the DER, lower-case hex: the "thumbprint" of Windows. */
  fingerprintSha1: string
  /** 1, 2 or 3 as people count; one more than what is encoded. */
  version: number
  /** Lower-case hex, whole bytes, no leading zero bytes; "-" before the negative ones that exist. */
  serialNumber: string
  /** RFC 4514, most specific part first: "CN=www.example.com,O=Example". Empty for an empty subject. */
  subject: string
  issuer: string
  /** In the order of the certificate, most general part first; parts of one relative name follow each other. */
  subjectFields: NameField[]
  issuerFields: NameField[]
  /** Whether subject and issuer are the same bytes. */
  isSelfIssued: boolean
  commonName: string | null
  /** DNS names (lower case) and IP addresses (canonical) of the subject alternative name, in order. Not the common name. */
  names: string[]
  /** The same with U-labels: "bücher.example" for "xn--bcher-kva.example". */
  unicodeNames: string[]
  /** Subject alternative names of every kind, in order. */
  alternativeNames: GeneralName[]
  notBefore: Date
  /** Last second in which the certificate is valid. */
  notAfter: Date
  /** A KeyAlgorithm, or a word like it for other keys. */
  keyAlgorithm: string
  key: KeyFacts
  /** As openssl writes it: "ecdsa-with-SHA256". */
  signatureAlgorithm: string
  signature: SignatureFacts
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  spkiDigest: string
  isCa: boolean
  /** Null without the extension; pathLength null when it sets no limit. */
  basicConstraints: { critical: boolean; isCa: boolean; pathLength: number | null } | null
  keyUsage: { critical: boolean; usages: KeyUsage[] } | null
  /** Words of `purposes`, dotted identifiers for others. */
  extendedKeyUsage: { critical: boolean; usages: string[] } | null
  /** Hex; null when the certificate has none. */
  subjectKeyId: string | null
  authorityKeyId: string | null
  /** Addresses of the OCSP responders and of the issuer's certificate (RFC 5280, 4.2.2.1). */
  ocspUrls: string[]
  issuerUrls: string[]
  /** Addresses of the revocation lists and of the delta lists (RFC 5280, 4.2.1.13 and 4.2.1.15). */
  crlUrls: string[]
  freshestCrlUrls: string[]
  policies: PolicyFacts[]
  /** Null when no policy says so: private CAs, and public ones for other purposes. */
  validation: ValidationKind | null
  nameConstraints: ConstraintFacts | null
  timestamps: TimestampFacts[]
  /** TLS feature status_request (RFC 7633). */
  mustStaple: boolean
  /** RFC 6960, 4.2.2.2.1. */
  ocspNoCheck: boolean
  /** Carries the poison of RFC 6962, 3.1: no certificate to be used. */
  isPrecertificate: boolean
  /** All, in order. */
  extensions: ExtensionFacts[]
  /** Critical ones that this package does not know. */
  unknownCritical: string[]
  oddities: Oddity[]
  pem: string
}
