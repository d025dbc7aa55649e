import { Type, type Static } from 'typebox'
import { idText, instant, keyAlgorithm, literals, nullable, pem } from '../text.ts'

const strict = { additionalProperties: false } as const
const short = (maxLength = 200) => Type.String({ minLength: 1, maxLength })

/** Reasons a person can give (RFC 5280, 5.3.1). Suspension is an action of its own. */
export const revocationReasonsToGive = ['unspecified', 'keyCompromise', 'cACompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn', 'aACompromise'] as const
export type RevocationReasonToGive = (typeof revocationReasonsToGive)[number]
export const issuedStatuses = ['intended', 'good', 'held', 'revoked'] as const
export const issuerStatuses = ['pending', 'active', 'retired', 'revoked'] as const

export const SubjectAttribute = Type.Object({ type: Type.String({ minLength: 1, maxLength: 80, description: '"CN", "O", "OU", "C", … or a dotted identifier' }), value: Type.String({ minLength: 1, maxLength: 1000 }) }, strict)
/** DNS names and IP addresses stand in "names". */
export const OtherName = Type.Object({ type: literals(['email', 'uri', 'upn'] as const), value: Type.String({ minLength: 1, maxLength: 1000 }) }, strict)
const ConstrainedName = Type.Object({ type: literals(['dns', 'ip', 'email', 'uri'] as const), value: Type.String({ maxLength: 255, description: 'dns: "example.com" covers it and all below. ip: "10.0.0.0/8"' }) }, strict)
export const NameConstraintsInput = Type.Object({ permitted: Type.Array(ConstrainedName, { maxItems: 100 }), excluded: Type.Array(ConstrainedName, { maxItems: 100 }) }, strict)

const publishing = {
  crlShards: Type.Integer({ minimum: 0, maximum: 1024, description: 'Lists beside the full one, among which new certificates are spread; 0: only the full one' }),
  crlHours: Type.Integer({ minimum: 1, maximum: 8784, description: 'How long a list is valid; a new one comes at half of it' }),
  deltaCrl: Type.Boolean({ description: 'Delta lists beside the full one' }),
  ocspMinutes: Type.Integer({ minimum: 1, maximum: 10_080, description: 'How long an OCSP answer may be kept by others' }),
}

export const IssuerCertificate = Type.Object({
  id: idText('icc'), signedBy: nullable(idText('iss')), subject: Type.String(), issuer: Type.String(), serialNumber: Type.String(), fingerprint: Type.String(), notBefore: instant, notAfter: instant,
  certificatePem: Type.String(), outsideChain: Type.Array(Type.String(), { description: 'PEM of outside CAs above it, root last' }),
}, { $id: 'IssuerCertificate', ...strict })
export type IssuerCertificate = Static<typeof IssuerCertificate>

export const CrlFacts = Type.Object({ scope: Type.String({ description: '"full", "delta" or "shard:0"' }), number: Type.Integer(), thisUpdate: instant, nextUpdate: instant, entries: Type.Integer(), bytes: Type.Integer(), path: Type.String({ description: 'Where it is served on this control plane' }) }, { $id: 'CrlFacts', ...strict })

export const Issuer = Type.Object({
  id: idText('iss'), name: Type.String(), slot: nullable(literals(['root', 'intermediate'] as const, { description: 'root: the anchor that bots pin. intermediate: signs what names no issuer' })),
  kind: literals(['root', 'intermediate'] as const), status: literals(issuerStatuses), subject: Type.String(), keyAlgorithm: Type.String(),
  keySource: literals(['sealed', 'pkcs11', 'outside'] as const, { description: 'sealed: in the database, encrypted. pkcs11: in a token. outside: only its certificate is here' }),
  style: literals(['private', 'public'] as const, { description: 'public: signs by profiles of public style alone, and publishes and revokes as the CA/Browser Forum demands of public authorities' }),
  ...publishing, pathLength: nullable(Type.Integer()), nameConstraints: nullable(NameConstraintsInput),
  csrPem: nullable(Type.String()), certificateId: nullable(idText('icc')), certificates: Type.Array(IssuerCertificate), successorId: nullable(idText('iss')), notAfter: nullable(instant),
  crls: Type.Array(CrlFacts), addresses: nullable(Type.Object({ issuer: Type.String(), crl: Type.String(), ocsp: Type.String() }, { description: 'What certificates name; null: none, since others could not reach it', ...strict })), createdAt: instant, retiredAt: nullable(instant),
}, { $id: 'Issuer', ...strict })
export type Issuer = Static<typeof Issuer>

export const IssuerInput = Type.Object({
  name: short(100), commonName: Type.String({ minLength: 1, maxLength: 64 }), subject: Type.Optional(Type.Array(SubjectAttribute, { maxItems: 20 })), keyAlgorithm,
  hash: Type.Optional(literals(['sha256', 'sha384', 'sha512'] as const, { description: 'RSA and EC keys; default as strong as the key' })),
  pkcs11Label: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Makes the key in the PKCS#11 token, under this label. Without: sealed in the database' })),
  signedBy: Type.Union([literals(['self', 'outside'] as const), idText('iss')], { description: 'self: a root. outside: waits with its CSR for a certificate. Or an issuer here' }),
  profile: Type.Optional(Type.String({ maxLength: 100, description: 'Of kind ca; default "subordinate-ca". One of public style makes an issuer, also a root, of public style' })),
  validityDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 9132, description: 'Default ten years for a root, five for an intermediate; an outside authority decides itself' })),
  pathLength: Type.Optional(nullable(Type.Integer({ minimum: 0, maximum: 10, description: 'null: not limited. Default 0 below a root: no CA under it' }))), nameConstraints: Type.Optional(NameConstraintsInput),
  crlShards: Type.Optional(publishing.crlShards), crlHours: Type.Optional(publishing.crlHours), deltaCrl: Type.Optional(publishing.deltaCrl), ocspMinutes: Type.Optional(publishing.ocspMinutes),
}, { $id: 'IssuerInput', ...strict })
export type IssuerInput = Static<typeof IssuerInput>

export const IssuerImport = Type.Object({
  name: short(100), certificatesPem: Type.Optional(Type.String({ maxLength: 500_000, description: 'The CA certificate and those above it' })), keyPem: Type.Optional(pem),
  keystore: Type.Optional(Type.String({ maxLength: 1_000_000, description: 'Instead: PKCS#12, JKS or PEM file as base64' })), password: Type.Optional(Type.String({ maxLength: 1000, description: 'Of the keystore or the key' })), style: Type.Optional(literals(['private', 'public'] as const, { description: 'public: its certificate is by the Baseline Requirements, and it is to sign by profiles of public style. Default private' })), alias: Type.Optional(Type.String({ maxLength: 200, description: 'Entry of the keystore; needed when it has several keys' })),
}, { $id: 'IssuerImport', ...strict })
export type IssuerImport = Static<typeof IssuerImport>

export const IssuerSettingsInput = Type.Partial(Type.Object(publishing), strict)

const names = Type.Object({
  required: Type.Boolean(), types: Type.Array(literals(['dns', 'ip', 'email', 'uri', 'upn'] as const), { uniqueItems: true }), maximum: Type.Integer({ minimum: 0, maximum: 1000 }), wildcards: Type.Boolean(),
  permitted: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 1000, description: '"example.com" covers it and all below, "10.0.0.0/8" its addresses; empty: anything' }), excluded: Type.Array(Type.String({ maxLength: 255 }), { maxItems: 1000 }),
}, strict)
export const ProfileRules = Type.Object({
  title: short(200), style: literals(['private', 'public'] as const, { description: 'public: as the CA/Browser Forum demands of public authorities' }), kind: literals(['end-entity', 'ca', 'ocsp-responder'] as const),
  defaultValidityDays: Type.Integer({ minimum: 1, maximum: 9132 }), maximumValidityDays: Type.Integer({ minimum: 1, maximum: 9132 }), backdateMinutes: Type.Integer({ minimum: 0, maximum: 2880 }),
  keyAlgorithms: Type.Array(keyAlgorithm, { minItems: 1, uniqueItems: true }), keyUsage: Type.Array(literals(['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement', 'keyCertSign', 'cRLSign'] as const), { uniqueItems: true }),
  extendedKeyUsage: Type.Array(Type.String({ maxLength: 80, description: '"serverAuth", … or a dotted identifier' }), { maxItems: 20, uniqueItems: true }), names,
  subjectAttributes: Type.Array(Type.String({ maxLength: 80 }), { maxItems: 50, uniqueItems: true }), requiredAttributes: Type.Array(Type.String({ maxLength: 80 }), { maxItems: 50, uniqueItems: true }),
  commonName: literals(['none', 'allowed', 'required'] as const), policies: Type.Array(Type.String({ maxLength: 80 }), { maxItems: 20, uniqueItems: true }), mustStaple: literals(['never', 'asked', 'always'] as const), pathLength: nullable(Type.Integer({ minimum: 0, maximum: 10 })),
}, { $id: 'ProfileRules', ...strict })
export type ProfileRules = Static<typeof ProfileRules>
export const IssuanceProfile = Type.Object({ name: Type.String(), builtIn: Type.Boolean(), internal: Type.Boolean({ description: 'Only the control plane itself issues by it' }), revision: Type.Integer(), rules: ProfileRules, updatedAt: nullable(instant) }, { $id: 'IssuanceProfile', ...strict })
export type IssuanceProfile = Static<typeof IssuanceProfile>

export const IssuedCertificate = Type.Object({
  id: idText('cac'), reference: Type.String({ description: 'The order, bot or other thing it was issued for' }), issuerId: idText('iss'), issuerName: Type.String(), serialNumber: Type.String(),
  status: literals(issuedStatuses, { description: 'intended: its number is spent, and nobody has it. held: suspended' }), isExpired: Type.Boolean(), profile: Type.String(), subject: Type.String(), names: Type.Array(Type.String()),
  notBefore: instant, notAfter: instant, fingerprint: nullable(Type.String()), revokedAt: nullable(instant), revocationReason: nullable(Type.String()), invalidityDate: nullable(instant), createdAt: instant,
}, { $id: 'IssuedCertificate', ...strict })
export type IssuedCertificate = Static<typeof IssuedCertificate>
export const IssuedCertificateDetail = Type.Object({ ...IssuedCertificate.properties, certificatePem: nullable(Type.String()), chainPem: Type.Array(Type.String(), { description: 'Leaf first, without the root; empty while it is only intended' }), rootPem: nullable(Type.String()) }, { $id: 'IssuedCertificateDetail', ...strict })
export type IssuedCertificateDetail = Static<typeof IssuedCertificateDetail>

export const IssueInput = Type.Object({
  csrPem: pem, profile: short(100), issuerId: Type.Optional(idText('iss')), names: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 1000, description: 'Default: those of the CSR' })), otherNames: Type.Optional(Type.Array(OtherName, { maxItems: 100 })),
  commonName: Type.Optional(nullable(Type.String({ maxLength: 64 }))), subject: Type.Optional(Type.Array(SubjectAttribute, { maxItems: 50 })), validityDays: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 9132 }))), mustStaple: Type.Optional(Type.Boolean()),
}, { $id: 'IssueInput', description: 'What is left out is taken from the CSR; what is given has to be what the CSR says', ...strict })
export type IssueInput = Static<typeof IssueInput>

export const Finding = Type.Object({ code: Type.String(), severity: literals(['notice', 'warning', 'error'] as const), message: Type.String() }, { $id: 'Finding', ...strict })
export const CsrReport = Type.Object({
  commonName: nullable(Type.String()), subject: Type.String(), subjectAttributes: Type.Array(SubjectAttribute), names: Type.Array(Type.String()), otherNames: Type.Array(Type.Object({ type: Type.String(), value: Type.String() }, strict)), keyAlgorithm: Type.String(), signatureAlgorithm: Type.String(), spkiDigest: Type.String(),
  keyUsage: Type.Array(Type.String()), extendedKeyUsage: Type.Array(Type.String()), mustStaple: Type.Boolean(), hasChallengePassword: Type.Boolean(), isCaRequest: Type.Boolean(), findings: Type.Array(Finding),
}, { $id: 'CsrReport', ...strict })
export type CsrReport = Static<typeof CsrReport>
