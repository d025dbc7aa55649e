import { Type, type Static } from 'typebox'
import { FreezePeriod } from '../schedule.ts'
import { actionKinds, batchItemStates, batchStates, bulkItemStates, bulkStates, rolloutStates, rolloutTargetStates } from '../states.ts'
import { idText, instant, keyAlgorithm, literals, nullable, Wire } from '../text.ts'
import { ConfigurationInput } from './resources.ts'
import { SubjectAttributes } from './provisioning-resources.ts'

const strict = { additionalProperties: false } as const
const text = (maxLength = 500) => Type.String({ maxLength })
const Requester = Type.String({ description: '"user:admin", "token:laptop", "schedule" or "discovery"' })

// CSR templates

/** What requests made from a template look like. null: the template says nothing about it. */
export const CsrTemplateRules = Type.Object({
  keyAlgorithm: nullable(keyAlgorithm),
  /** What else may be chosen in its place; empty: nothing else. */
  allowedKeyAlgorithms: Type.Array(keyAlgorithm, { maxItems: 20 }),
  subject: Type.Object(SubjectAttributes.properties, { ...strict, description: 'Fixed parts of the subject' }),
  requiredSubject: Type.Array(Type.String({ maxLength: 60 }), { maxItems: 20, description: 'Names of subject parts that the configuration has to give' }),
  names: Type.Object({
    required: Type.Integer({ minimum: 0, maximum: 1000, description: 'So many names at least' }),
    most: Type.Integer({ minimum: 1, maximum: 1000 }),
    allowed: Type.Array(text(255), { maxItems: 200, description: 'Domains that names must belong to, e.g. "example.com"; empty: any' }),
    wildcards: Type.Boolean(), addresses: Type.Boolean({ description: 'IP addresses as names' }), commonName: literals(['required', 'allowed', 'none'] as const),
  }, strict),
  keyUsages: Type.Array(literals(['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement'] as const), { maxItems: 9 }),
  extendedKeyUsages: Type.Array(Type.String({ maxLength: 60, description: 'serverAuth, clientAuth, … or a dotted OID' }), { maxItems: 20 }),
  mustStaple: Type.Boolean(),
  keyReuse: literals(['allowed', 'never'] as const),
  longestValidityDays: nullable(Type.Integer({ minimum: 1, maximum: 3650 })),
}, strict)
export type CsrTemplateRules = Static<typeof CsrTemplateRules>
export const CsrTemplateInput = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }), description: text(), rules: CsrTemplateRules }, { $id: 'CsrTemplateInput', ...strict })
export type CsrTemplateInput = Static<typeof CsrTemplateInput>
export const CsrTemplate = Type.Object({
  id: idText('tpl'), name: Type.String(), description: Type.String(), version: Type.Integer({ description: 'Counts from 1 with each change; earlier versions are kept' }), rules: CsrTemplateRules,
  usedBy: Type.Integer({ description: 'How many configurations name it' }), createdAt: instant, updatedAt: instant,
}, { $id: 'CsrTemplate', ...strict })
export type CsrTemplate = Static<typeof CsrTemplate>
export const CsrTemplateVersion = Type.Object({ version: Type.Integer(), rules: CsrTemplateRules, changedBy: Requester, at: instant }, { $id: 'CsrTemplateVersion', ...strict })
export type CsrTemplateVersion = Static<typeof CsrTemplateVersion>

// Freeze periods of the whole platform

export const FreezeInput = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }), ...FreezePeriod.properties, zone: Type.String({ minLength: 1, maxLength: 64 }) }, { $id: 'FreezeInput', ...strict })
export type FreezeInput = Static<typeof FreezeInput>
export const Freeze = Type.Object({ id: idText('frz'), ...FreezeInput.properties, isNow: Type.Boolean(), createdAt: instant }, { $id: 'Freeze', ...strict })
export type Freeze = Static<typeof Freeze>

// Rollouts

export const RolloutTarget = Type.Object({
  targetId: idText('tgt'), title: Type.String(), botName: Type.String(), labels: Type.Array(Type.String()), wave: Type.Integer({ description: 'From 0; the canary is wave 0 where there is one. -1: in none, left out from the start' }),
  state: literals(rolloutTargetStates), deploymentId: nullable(idText('dep')), undoId: nullable(idText('dep')), reason: nullable(Type.String()), error: nullable(Wire),
}, strict)
export type RolloutTarget = Static<typeof RolloutTarget>
export const Rollout = Type.Object({
  id: idText('rol'), certificateId: idText('crt'), certificateName: Type.String(), actionId: idText('act'), state: literals(rolloutStates), wave: Type.Integer(), waveCount: Type.Integer(),
  failures: Type.Integer(), targets: Type.Array(RolloutTarget), requester: Requester, reason: Type.String(), nextAction: nullable(Type.String()), deadline: nullable(instant),
  can: Type.Array(literals(['pause', 'resume', 'stop', 'undo'] as const), { description: 'What is possible now' }), createdAt: instant, updatedAt: instant, endedAt: nullable(instant),
}, { $id: 'Rollout', ...strict })
export type Rollout = Static<typeof Rollout>

// Many certificates at once

/** Which certificates: named one by one, or all that a search finds at that moment. */
export const Selection = Type.Object({
  certificateIds: Type.Optional(Type.Array(idText('crt'), { minItems: 1, maxItems: 10_000, uniqueItems: true })),
  search: Type.Optional(Type.String({ maxLength: 200 })),
  status: Type.Optional(Type.String({ maxLength: 40 })),
}, { ...strict, description: 'certificateIds, or a search' })
export type Selection = Static<typeof Selection>

/** The parts of a configuration that are to be the same everywhere. What is absent stays as it is with each certificate. */
export const BulkParts = Type.Object({
  ...Type.Partial(Type.Omit(ConfigurationInput, ['targets', 'complete', 'csr', 'renewal', 'validation'])).properties,
  complete: Type.Optional(Type.Literal(true, { description: 'Drafts are completed too' })),
  csr: Type.Optional(Type.Partial(Type.Omit(ConfigurationInput.properties.csr, ['names', 'commonName']))),
  renewal: Type.Optional(Type.Partial(ConfigurationInput.properties.renewal)),
  validation: Type.Optional(ConfigurationInput.properties.validation),
}, strict)
export type BulkParts = Static<typeof BulkParts>
export const BulkChangeInput = Type.Object({ selection: Selection, parts: BulkParts }, { $id: 'BulkChangeInput', ...strict })
export type BulkChangeInput = Static<typeof BulkChangeInput>
const counts = (states: readonly string[]) => Type.Object(Object.fromEntries(states.map((state) => [state, Type.Integer()])), strict)
export const BulkChange = Type.Object({
  id: idText('blk'), state: literals(bulkStates), parts: BulkParts, total: Type.Integer(), counts: Type.Unsafe<Record<(typeof bulkItemStates)[number], number>>(counts(bulkItemStates)),
  requester: Requester, createdAt: instant, updatedAt: instant, endedAt: nullable(instant),
}, { $id: 'BulkChange', ...strict })
export type BulkChange = Static<typeof BulkChange>
export const BulkItem = Type.Object({
  certificateId: idText('crt'), certificateName: Type.String(), state: literals(bulkItemStates),
  changes: Type.Array(Type.Object({ field: Type.String({ description: 'e.g. "renewal.daysBefore"' }), before: Type.Unknown(), after: Type.Unknown() }, strict)),
  error: nullable(Wire),
}, { $id: 'BulkItem', ...strict })
export type BulkItem = Static<typeof BulkItem>

/** How much of a batch runs at the same time. */
export const BatchLimits = Type.Object({
  total: Type.Integer({ minimum: 1, maximum: 1000 }), perAuthority: Type.Integer({ minimum: 1, maximum: 1000 }), perBot: Type.Integer({ minimum: 1, maximum: 1000 }), perHost: Type.Integer({ minimum: 1, maximum: 1000, description: 'A host is the machine of a target, also one reached over SSH' }),
}, strict)
export type BatchLimits = Static<typeof BatchLimits>
export const batchLimitDefaults = { total: 50, perAuthority: 20, perBot: 10, perHost: 4 } as const satisfies BatchLimits
export const BatchInput = Type.Object({
  action: literals([...actionKinds, 'delete'] as const), selection: Selection, limits: Type.Optional(Type.Partial(BatchLimits)),
  stopAfterFailures: Type.Optional(nullable(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Pauses the batch after so many; null: never' }))),
  reason: Type.Optional(Type.String({ maxLength: 40, description: 'Only with "revoke": the reason of RFC 5280' })),
}, { $id: 'BatchInput', ...strict })
export type BatchInput = Static<typeof BatchInput>
export const Batch = Type.Object({
  id: idText('bat'), action: literals([...actionKinds, 'delete'] as const), state: literals(batchStates), limits: BatchLimits, stopAfterFailures: nullable(Type.Integer()), total: Type.Integer(),
  counts: Type.Unsafe<Record<(typeof batchItemStates)[number], number>>(counts(batchItemStates)), requester: Requester, reason: Type.String(), nextAction: nullable(Type.String()),
  createdAt: instant, updatedAt: instant, endedAt: nullable(instant),
}, { $id: 'Batch', ...strict })
export type Batch = Static<typeof Batch>
export const BatchItem = Type.Object({
  certificateId: idText('crt'), certificateName: Type.String(), state: literals(batchItemStates), actionId: nullable(idText('act')), attempts: Type.Integer(),
  reason: nullable(Type.String({ description: 'What it waits for, or how it ended' })), error: nullable(Wire), startedAt: nullable(instant), endedAt: nullable(instant),
}, { $id: 'BatchItem', ...strict })
export type BatchItem = Static<typeof BatchItem>
