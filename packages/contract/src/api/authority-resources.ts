import { Type, type Static } from 'typebox'
import { attemptStates, certificateTypes, cleanupStates, healthStates, validationMethods, validationStates } from '../states.ts'
import { idText, instant, keyAlgorithm, literals, nullable, Wire } from '../text.ts'

const strict = { additionalProperties: false } as const
const name = Type.String({ minLength: 1, maxLength: 200 })
/** JSON Schema of typed fields, as a form needs it. */
const Fields = Type.Unknown({ description: 'JSON Schema of the fields; "x-field" holds label, help and control' })
/** What the fields of a plug-in hold, without secrets. */
const FieldValues = Type.Record(Type.String(), Type.Unknown(), { maxProperties: 100 })
/** Write-only; null deletes, what is left out stays. */
const SecretValues = Type.Record(Type.String(), nullable(Type.String({ maxLength: 10_000 })), { maxProperties: 30 })

/** What an authority can do beyond issuing. */
export const authorityAbilities = ['revoke', 'suspend', 'resume', 'renewal-window', 'templates', 'products', 'find', 'account-key-rollover'] as const
export type AuthorityAbility = (typeof authorityAbilities)[number]

/** So many in so long, and of what. order: new orders of the account. domain: certificates per registered domain. same-names: certificates with just the same names. failure: failed validations per name. */
export const RateLimit = Type.Object({
  kind: literals(['order', 'domain', 'same-names', 'failure'] as const), count: Type.Integer({ minimum: 1, maximum: 10_000_000 }), seconds: Type.Integer({ minimum: 1, maximum: 31_536_000 }),
  renewalsCount: Type.Boolean({ description: 'false: renewals that the authority has been told of by renewal information do not count' }),
}, strict)
export type RateLimit = Static<typeof RateLimit>

/** A ready-made entry: a known public authority with what its form needs. */
export const AuthorityPreset = Type.Object({
  id: Type.String(), title: Type.String(), note: Type.String(), fields: FieldValues, isPublic: Type.Boolean(), limits: Type.Array(RateLimit),
  ended: nullable(Type.String({ description: 'Why it is no longer to be chosen' })),
}, strict)
export type AuthorityPreset = Static<typeof AuthorityPreset>

/** A kind of connector. */
export const AuthorityType = Type.Object({
  kind: Type.String(), title: Type.String(), summary: Type.String(), fields: Fields, presets: Type.Array(AuthorityPreset), abilities: Type.Array(literals(authorityAbilities)),
  validationMethods: Type.Array(literals(validationMethods)), single: Type.Boolean({ description: 'There is one of it, made by itself; none can be added' }),
}, { $id: 'AuthorityType', ...strict })
export type AuthorityType = Static<typeof AuthorityType>

/** What one test tried and saw. */
export const TestReport = Type.Object({
  at: instant, ok: Type.Boolean(), steps: Type.Array(Type.Object({ title: Type.String(), ok: Type.Boolean(), seen: Type.String({ description: 'In plain words' }), milliseconds: Type.Integer() }, strict)), error: nullable(Wire),
}, { $id: 'TestReport', ...strict })
export type TestReport = Static<typeof TestReport>

export const Health = Type.Object({ state: literals(healthStates), since: nullable(instant), lastReport: nullable(TestReport), nextCheckAt: nullable(instant) }, strict)
export type Health = Static<typeof Health>

export const Authority = Type.Object({
  id: idText('ath'), name: Type.String(), kind: Type.String({ description: '"local-ca", "acme"' }), title: Type.String(), preset: nullable(Type.String()), isPublic: Type.Boolean(),
  fields: FieldValues, secretsSet: Type.Array(Type.String(), { description: 'Names of the secret fields that have a value' }),
  abilities: Type.Array(literals(authorityAbilities)), keyAlgorithms: Type.Array(keyAlgorithm), validationMethods: Type.Array(literals(validationMethods)), certificateTypes: Type.Array(literals(certificateTypes)),
  limits: Type.Array(RateLimit), concurrency: Type.Integer({ minimum: 1, maximum: 1000, description: 'So many calls to it at a time' }), health: Health,
  facts: Type.Record(Type.String(), Type.String(), { description: 'What is known of it and of the account there, for people, e.g. the address of the ACME account' }),
  issuerSubject: nullable(Type.String()), issuerNotAfter: nullable(instant), chainPem: Type.Array(Type.String(), { description: 'Issuing certificate first, root last; empty where it is not known beforehand' }),
  createdAt: instant, updatedAt: instant,
}, { $id: 'Authority', ...strict })
export type Authority = Static<typeof Authority>

export const AuthorityInput = Type.Object({
  name, kind: Type.String({ maxLength: 60 }), preset: Type.Optional(nullable(Type.String({ maxLength: 60 }))), fields: FieldValues, secrets: Type.Optional(SecretValues),
  limits: Type.Optional(Type.Array(RateLimit, { maxItems: 20, description: 'Default: those of the preset' })), concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
}, strict)
export type AuthorityInput = Static<typeof AuthorityInput>
/** How much of its limits is used. */
export const AuthorityUse = Type.Object({
  items: Type.Array(Type.Object({ limit: RateLimit, subject: nullable(Type.String({ description: 'The registered domain, name or set of names; null: the account' })), used: Type.Integer(), fitsAgainAt: nullable(instant) }, strict), { description: 'The fullest first' }),
}, { $id: 'AuthorityUse', ...strict })
export type AuthorityUse = Static<typeof AuthorityUse>

export const DnsProviderType = Type.Object({ kind: Type.String(), title: Type.String(), summary: Type.String(), docsUrl: nullable(Type.String()), fields: Fields }, { $id: 'DnsProviderType', ...strict })
export type DnsProviderType = Static<typeof DnsProviderType>
export const DnsProvider = Type.Object({
  id: idText('dnp'), name: Type.String(), kind: Type.String(), title: Type.String(), fields: FieldValues, secretsSet: Type.Array(Type.String()),
  zones: Type.Array(Type.String(), { description: 'As found at the last test, or as the fields name them' }), health: Health, createdAt: instant, updatedAt: instant,
}, { $id: 'DnsProvider', ...strict })
export type DnsProvider = Static<typeof DnsProvider>
export const DnsProviderInput = Type.Object({ name, kind: Type.String({ maxLength: 60 }), fields: FieldValues, secrets: Type.Optional(SecretValues) }, strict)
export type DnsProviderInput = Static<typeof DnsProviderInput>

/** One authority that an order asked. */
export const OrderAttempt = Type.Object({
  id: idText('att'), orderId: idText('ord'), authorityId: idText('ath'), authorityName: Type.String(), state: literals(attemptStates), reason: Type.String({ description: 'Why this authority, and what became of it' }),
  error: nullable(Wire), startedAt: instant, endedAt: nullable(instant),
}, { $id: 'OrderAttempt', ...strict })
export type OrderAttempt = Static<typeof OrderAttempt>

/** What has to be seen from outside: a file at an address, a DNS record, or the answer to a TLS handshake. */
export const ProofExpected = Type.Union([
  Type.Object({ kind: Type.Literal('http'), url: Type.String(), path: Type.String({ description: 'Below the root of the site' }), content: Type.String() }, strict),
  Type.Object({ kind: Type.Literal('dns'), recordName: Type.String({ description: 'Without a dot at the end' }), recordType: literals(['TXT', 'CNAME'] as const), value: Type.String() }, strict),
  Type.Object({ kind: Type.Literal('tls-alpn'), name: Type.String(), port: Type.Integer(), digest: Type.String({ description: 'SHA-256 of the key authorization, hex' }) }, strict),
])
export type ProofExpected = Static<typeof ProofExpected>
/** One look from outside, before the authority is told. */
export const OutsideLook = Type.Object({
  at: instant, visible: Type.Boolean(),
  findings: Type.Array(Type.Object({ ok: Type.Boolean(), title: Type.String({ description: 'e.g. "ns1.example.net" or "port 80 at 192.0.2.7"' }), seen: Type.String(), error: nullable(Wire) }, strict)),
}, strict)
export type OutsideLook = Static<typeof OutsideLook>

/** One name to be proven to one authority. */
export const Validation = Type.Object({
  id: idText('val'), orderId: idText('ord'), certificateId: idText('crt'), certificateName: Type.String(), authorityId: idText('ath'), authorityName: Type.String(), name: Type.String(), wildcard: Type.Boolean(), method: literals(validationMethods), state: literals(validationStates),
  expected: nullable(ProofExpected), instructions: Type.Array(Type.String({ description: 'For a person, a step each: what to place, where, how to check' })), botId: nullable(idText('bot')), dnsProviderId: nullable(idText('dnp')), lastLook: nullable(OutsideLook), cleanup: literals(cleanupStates),
  reason: Type.String(), nextAction: nullable(Type.String()), deadline: nullable(instant), error: nullable(Wire), createdAt: instant, updatedAt: instant,
}, { $id: 'Validation', ...strict })
export type Validation = Static<typeof Validation>
