import { Type, type Static } from 'typebox'
import { certificateTypes, csrModes, rolloutModes, validationMethods } from '../states.ts'
import { idText, keyAlgorithm, literals, nullable } from '../text.ts'

const strict = { additionalProperties: false } as const
const text = (maxLength = 500) => Type.String({ maxLength })
const part = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 128, description }))

/** Parts of the subject besides the common name. */
export const SubjectAttributes = Type.Object({
  organization: part('O'), organizationalUnit: part('OU'), country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$', description: 'C, two capital letters' })),
  stateOrProvince: part('ST'), locality: part('L'), street: part('street'), postalCode: part('postalCode'), serialNumber: part('serialNumber'), emailAddress: part('emailAddress'),
}, strict)
export type SubjectAttributes = Static<typeof SubjectAttributes>

/** What the request looks like. */
export const CsrSettings = Type.Object({
  mode: literals(csrModes, { description: 'existing: as the certificate now in care. partial: the same, except for what is said here. full: from a template' }),
  commonName: nullable(text(255)),
  names: Type.Array(text(255), { maxItems: 1000, description: 'DNS names and IP addresses. Empty: those of the present version' }),
  keyAlgorithm,
  keyReuse: Type.Boolean({ description: 'Keep the key at renewal, for pinned keys' }),
  validityDays: nullable(Type.Integer({ minimum: 1, maximum: 3650, description: 'null: what the authority gives' })),
  certificateType: literals(certificateTypes, { description: 'existing: as the present version' }),
  signatureAlgorithm: nullable(literals(['sha256', 'sha384', 'sha512'] as const, { description: 'Digest the request is signed with; null: what suits the key' })),
  subject: Type.Unsafe<SubjectAttributes>(SubjectAttributes),
  templateId: nullable(idText('tpl')),
  templateVersion: nullable(Type.Integer({ minimum: 1, description: 'null: the newest, also when it changes later' })),
  profile: nullable(Type.String({ minLength: 1, maxLength: 100, description: 'Which of its profiles the authority is to issue by; null: the one it issues by otherwise' })),
}, strict)
export type CsrSettings = Static<typeof CsrSettings>
export const CsrInput = Type.Object({
  ...Type.Partial(CsrSettings).properties,
  commonName: CsrSettings.properties.commonName, names: CsrSettings.properties.names, keyAlgorithm: CsrSettings.properties.keyAlgorithm, keyReuse: CsrSettings.properties.keyReuse, validityDays: CsrSettings.properties.validityDays,
}, strict)
export type CsrInput = Static<typeof CsrInput>
export const csrDefaults = { mode: 'partial', certificateType: 'existing', signatureAlgorithm: null, subject: {}, templateId: null, templateVersion: null, profile: null } as const satisfies Partial<CsrSettings>

/** How the authority sees that the names are ours. */
export const ValidationSettings = Type.Object({
  method: literals(validationMethods, { description: 'none: the authority asks for no proof. file: the bot places a file below the path. http: the control plane answers below /.well-known/acme-challenge/. dns: a record through a DNS provider. dns-persist: a record that stays. tls-alpn: the bot answers a TLS handshake. manual: a person does what the authority asks for' }),
  path: nullable(Type.String({ pattern: '^/', maxLength: 4096, description: 'For "file": folder on the host that the domain serves as its root' })),
  /** For "file" and "tls-alpn": the bot that does it; null: the bot of the first target. */
  botId: nullable(idText('bot')),
  listenOn: nullable(Type.String({ maxLength: 60, pattern: '^(\\[[0-9A-Fa-f:]+\\]|[0-9.]+):[0-9]{1,5}$', description: 'For "tls-alpn": address and port on which the bot answers; null: 0.0.0.0:443' })),
  /** For "dns" and "dns-persist"; null: the one that holds the zone of the name. */
  dnsProviderId: nullable(idText('dnp')),
  place: literals(['dns', 'file'] as const, { description: 'For "manual": what the person places' }),
  notify: Type.Array(Type.String({ maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' }), { maxItems: 20, description: 'For "manual": e-mail addresses that get the instructions' }),
  leaveOut: Type.Boolean({ description: 'A renewal goes on without names that can not be validated, and says so at once; false: one bad name stops all' }),
}, strict)
export type ValidationSettings = Static<typeof ValidationSettings>
export const ValidationInput = Type.Object({ ...Type.Partial(ValidationSettings).properties, method: ValidationSettings.properties.method }, strict)
export type ValidationInput = Static<typeof ValidationInput>
export const validationDefaults: ValidationSettings = { method: 'none', path: null, botId: null, listenOn: null, dnsProviderId: null, place: 'dns', notify: [], leaveOut: false }

const share = Type.Integer({ minimum: 1, maximum: 100 })
/** In which order the targets of one certificate get a new version. */
export const RolloutSettings = Type.Object({
  mode: literals(rolloutModes, { description: 'together: all at once. in-order: one after the other, as listed. waves: as the waves say' }),
  canary: Type.Integer({ minimum: 0, maximum: 100, description: 'So many targets go first, by themselves' }),
  waves: Type.Array(Type.Object({ share: nullable(share), label: nullable(Type.String({ minLength: 1, maxLength: 60 })) }, { ...strict, description: 'Of what is left, that percentage, or all with that label. What no wave takes goes last' }), { maxItems: 20 }),
  gate: Type.Object({
    soakSeconds: Type.Integer({ minimum: 0, maximum: 604_800, description: 'So long a wave is watched after its proof before the next begins' }),
    httpCheck: nullable(Type.Object({ url: Type.String({ maxLength: 2000, pattern: '^https?://', description: '"{host}" stands for the address of the target' }), status: Type.Integer({ minimum: 100, maximum: 599 }), timeoutSeconds: Type.Integer({ minimum: 1, maximum: 60 }) }, strict)),
    approval: Type.Boolean({ description: 'After the first wave, a person lets it go on' }),
  }, strict),
  stopAfterFailures: Type.Integer({ minimum: 1, maximum: 1000, description: 'No further wave begins after so many failures' }),
  onStop: literals(['keep', 'undo'] as const, { description: 'keep: what was deployed stays. undo: it is taken back everywhere' }),
}, strict)
export type RolloutSettings = Static<typeof RolloutSettings>
export const rolloutDefault: RolloutSettings = { mode: 'together', canary: 0, waves: [], gate: { soakSeconds: 0, httpCheck: null, approval: false }, stopAfterFailures: 1, onStop: 'keep' }

/** Where a target stands in a rollout. */
export const TargetPlacement = Type.Object({
  labels: Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { maxItems: 20, uniqueItems: true }),
  pair: nullable(Type.String({ minLength: 1, maxLength: 60, description: 'Of targets with the same word here, only one is worked on at a time' })),
}, strict)
export type TargetPlacement = Static<typeof TargetPlacement>
export const placementDefault: TargetPlacement = { labels: [], pair: null }
