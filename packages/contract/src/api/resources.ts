import { Type, type Static } from 'typebox'
import { ServedCertificate, DetectedServer, HostFacts } from '../bot/detection.ts'
import { CsrRequest, DeployLogEntry } from '../bot/messages.ts'
import { Endpoint, Plan } from '../plan.ts'
import { DeploymentTiming, RenewalInput, RenewalSettings, ScheduledRun } from '../schedule.ts'
import { actionKinds, actionStates, botStatuses, certificateTypes, deploymentStates, installationStates, keyCustodies, managements, orderStates } from '../states.ts'
import { certificateStatus, Fingerprint, idText, instant, keyAlgorithm, literals, nullable, pem, Wire } from '../text.ts'
import { Finding, revocationReasonsToGive } from './ca-resources.ts'
import { permissions, roles, type Permission, type Role } from './access.ts'
import { CsrInput, CsrSettings, RolloutSettings, ValidationInput, ValidationSettings } from './provisioning-resources.ts'
import { Reach } from '../target.ts'
import { Target, TargetInput } from './target-resources.ts'

const strict = { additionalProperties: false } as const
const text = (maxLength = 500) => Type.String({ maxLength })
const Requester = Type.String({ description: '"user:admin", "token:laptop", "schedule" or "discovery"' })

/** The five parts of a provisioning configuration. `complete: false` keeps a draft. */
export const ConfigurationInput = Type.Object({
  complete: Type.Boolean(),
  targets: Type.Array(TargetInput, { maxItems: 100 }),
  authorityId: nullable(idText('ath')),
  fallbackAuthorityIds: Type.Optional(Type.Array(idText('ath'), { maxItems: 10, uniqueItems: true, description: 'Asked one after the other when those before can not issue for a reason of their own' })),
  csr: CsrInput,
  validation: Type.Optional(ValidationInput),
  renewal: RenewalInput,
  deployAfterRenewal: Type.Boolean({ description: 'false: what is renewed by itself is issued and not deployed' }),
  deployment: Type.Optional(DeploymentTiming),
  rollout: Type.Optional(RolloutSettings),
  rollback: Type.Boolean({ description: 'Put the old certificate back when a deployment fails' }),
  approval: literals(['automatic', 'manual'] as const, { description: 'manual: every plan waits for a person' }),
}, { $id: 'ConfigurationInput', ...strict })
export type ConfigurationInput = Static<typeof ConfigurationInput>
export const Configuration = Type.Object({ ...ConfigurationInput.properties, targets: Type.Array(Target), fallbackAuthorityIds: Type.Array(idText('ath')), csr: CsrSettings, validation: ValidationSettings, renewal: RenewalSettings, deployment: DeploymentTiming, rollout: RolloutSettings, updatedAt: instant }, { $id: 'Configuration', ...strict })
export type Configuration = Static<typeof Configuration>

export const CertificateVersion = Type.Object({
  id: idText('ver'), fingerprint: Fingerprint, serialNumber: Type.String(), subject: Type.String(), issuer: Type.String(), names: Type.Array(Type.String()),
  notBefore: instant, notAfter: instant, keyAlgorithm: Type.String(), signatureAlgorithm: Type.String(), custody: literals(keyCustodies), keyBotId: nullable(idText('bot')),
  orderId: nullable(idText('ord')), source: literals(['order', 'discovery'] as const), chainPem: Type.Array(Type.String()), findings: Type.Array(Finding, { description: 'What is wrong or odd with it and its key' }),
  revocation: nullable(Type.Object({ status: literals(['revoked', 'held'] as const), at: instant, reason: Type.String() }, { ...strict, description: 'What its authority has made of it, as far as is known here; held: suspended' })), createdAt: instant,
}, { $id: 'CertificateVersion', ...strict })
export type CertificateVersion = Static<typeof CertificateVersion>

export const Installation = Type.Object({
  id: idText('ins'), botId: idText('bot'), botName: Type.String(), serverType: Type.String(), title: Type.String(), versionId: nullable(idText('ver')),
  fingerprint: nullable(Fingerprint), state: literals(installationStates), served: Type.Array(ServedCertificate), fields: Type.Record(Type.String(), Type.Unknown()),
  firstSeenAt: instant, lastSeenAt: instant,
}, { $id: 'Installation', ...strict })
export type Installation = Static<typeof Installation>

export const ActionAvailability = Type.Object({ action: literals([...actionKinds, 'delete'] as const), possible: Type.Boolean(), why: nullable(Type.String({ description: 'Why not' })) }, strict)
export type ActionAvailability = Static<typeof ActionAvailability>
export const Action = Type.Object({
  id: idText('act'), certificateId: idText('crt'), kind: literals(actionKinds), state: literals(actionStates), requester: Requester,
  orderIds: Type.Array(idText('ord')), deploymentIds: Type.Array(idText('dep')), rolloutId: nullable(idText('rol')), batchId: nullable(idText('bat')), childId: nullable(idText('crt')),
  reason: nullable(Type.String()), nextAction: nullable(Type.String()), waitsUntil: nullable(instant), deadline: nullable(instant), error: nullable(Wire), createdAt: instant, endedAt: nullable(instant),
}, { $id: 'Action', ...strict })
export type Action = Static<typeof Action>

export const StartActionInput = Type.Object({
  csrPem: Type.Optional(pem), versionId: Type.Optional(idText('ver')),
  targetIds: Type.Optional(Type.Array(idText('tgt'), { minItems: 1, maxItems: 100, uniqueItems: true })),
  reason: Type.Optional(literals(revocationReasonsToGive)),
}, { ...strict, description: 'csrPem: only with "order", a request made elsewhere; for other names than those of the certificate it takes certificate:write as well, and in the mode "full" the rules of the template hold for it. versionId: with "deploy", "revoke", "suspend" and "resume", default the current version. targetIds: with "deploy" and "recheck-pinning", default all. reason: only with "revoke" (RFC 5280, 5.3.1), default unspecified' })
export type StartActionInput = Static<typeof StartActionInput>

export const configurationSteps = ['deployment', 'authority', 'csr', 'validation', 'schedule'] as const
export type ConfigurationStep = (typeof configurationSteps)[number]
/** What is wrong with a configuration, by step; each problem begins with the path of its field. */
export const ConfigurationCheck = Type.Object({
  complete: Type.Boolean({ description: 'It could be saved complete as it is' }),
  steps: Type.Array(Type.Object({ step: literals(configurationSteps), problems: Type.Array(Type.Object({ field: Type.String({ description: 'e.g. "csr/names"' }), problem: Type.String() }, strict)) }, strict)),
  warnings: Type.Array(Type.Object({ field: Type.String(), problem: Type.String() }, { ...strict, description: 'Allowed, and worth a second look' })),
  nextRuns: Type.Array(ScheduledRun),
}, { $id: 'ConfigurationCheck', ...strict })
export type ConfigurationCheck = Static<typeof ConfigurationCheck>

export const CertificateSummary = Type.Object({
  id: idText('crt'), name: Type.String(), names: Type.Array(Type.String()), status: certificateStatus,
  statusReason: Type.String({ description: 'Why it has this status and what happens next, in one sentence' }),
  nextAction: nullable(literals([...actionKinds, 'configure'] as const, { description: 'What a person would do now; null: nothing' })),
  management: literals(managements), issuer: nullable(Type.String()), notAfter: nullable(instant), fingerprint: nullable(Fingerprint),
  nextRenewalAt: nullable(instant), installationCount: Type.Integer(), problem: nullable(Wire), createdAt: instant, updatedAt: instant,
}, { $id: 'CertificateSummary', ...strict })
export type CertificateSummary = Static<typeof CertificateSummary>
/** Of a certificate made by enrolling another one again. */
const Relative = Type.Object({ id: idText('crt'), name: Type.String(), status: certificateStatus }, strict)
/** A ready-to-use target made from what a scan saw. */
export const TargetSuggestion = Type.Object({ botId: idText('bot'), botName: Type.String(), serverType: Type.String(), title: Type.String(), reach: Type.Optional(Reach), fields: Type.Record(Type.String(), Type.Unknown()), why: Type.String() }, strict)
export type TargetSuggestion = Static<typeof TargetSuggestion>
export const CertificateDetail = Type.Object({
  ...CertificateSummary.properties,
  currentVersionId: nullable(idText('ver')), versions: Type.Array(CertificateVersion), installations: Type.Array(Installation),
  configuration: nullable(Configuration), suggestions: Type.Array(TargetSuggestion), actions: Type.Array(ActionAvailability), lastAction: nullable(Action),
  nextRenewals: Type.Array(instant, { description: 'What the scheduler will do, as far as it can be known' }),
  nextRuns: Type.Array(ScheduledRun, { description: 'The next five runs of the scheduler' }),
  parent: nullable(Relative), children: Type.Array(Relative),
}, { $id: 'CertificateDetail', ...strict })
export type CertificateDetail = Static<typeof CertificateDetail>
export const CertificateInput = Type.Object({ name: Type.Optional(text(200)), names: Type.Array(text(255), { minItems: 1, maxItems: 1000 }) }, strict)

/** What was asked for besides names and key. */
const OrderedRequest = Type.Object({
  ...CsrRequest.properties, certificateType: literals(certificateTypes), profile: nullable(Type.String()),
  template: nullable(Type.Object({ id: idText('tpl'), version: Type.Integer() }, strict)),
}, strict)
export const Order = Type.Object({
  id: idText('ord'), certificateId: idText('crt'), certificateName: Type.String(), authorityId: idText('ath'), authorityName: Type.String(), state: literals(orderStates),
  names: Type.Array(Type.String()), commonName: nullable(Type.String()), keyAlgorithm, validityDays: nullable(Type.Integer()), request: OrderedRequest, custody: literals(keyCustodies), botId: nullable(idText('bot')), requester: Requester, reason: Type.String(), nextAction: nullable(Type.String()),
  deadline: nullable(instant), versionId: nullable(idText('ver')), leftOut: Type.Array(Type.Object({ name: Type.String(), error: Wire }, strict), { description: 'Names that a renewal went on without, and why; they are among "names"' }), error: nullable(Wire), createdAt: instant, updatedAt: instant,
}, { $id: 'Order', ...strict })
export type Order = Static<typeof Order>
export const OrderCounts = Type.Unsafe<Record<(typeof orderStates)[number], number>>(Type.Object(Object.fromEntries(orderStates.map((state) => [state, Type.Integer()])), { ...strict, description: 'How many there are in each state, whatever state was asked for' }))

export const DeploymentSummary = Type.Object({
  id: idText('dep'), certificateId: idText('crt'), certificateName: Type.String(), versionId: idText('ver'), fingerprint: Fingerprint, targetId: idText('tgt'), targetTitle: Type.String(), serverType: Type.String(),
  botId: idText('bot'), botName: Type.String(), state: literals(deploymentStates), requester: Requester, reason: Type.String(), nextAction: nullable(Type.String()), deadline: nullable(instant),
  error: nullable(Wire), undoes: nullable(idText('dep')), cancelRequestedAt: nullable(instant),
  slow: nullable(Type.Object({ since: instant, usualSeconds: Type.Number() }, { ...strict, description: 'It takes much longer than its like usually do' })),
  can: Type.Array(literals(['approve', 'cancel', 'undo', 'retry'] as const), { description: 'What is possible now' }), createdAt: instant, updatedAt: instant,
}, { $id: 'DeploymentSummary', ...strict })
export type DeploymentSummary = Static<typeof DeploymentSummary>
export const DeploymentDetail = Type.Object({
  ...DeploymentSummary.properties, plan: nullable(Plan), planSteps: Type.Array(Type.String(), { description: 'The steps of the plan, a line each' }), differences: Type.Array(Type.String()), log: Type.Array(DeployLogEntry), served: Type.Array(ServedCertificate), rollback: Type.Boolean(),
}, { $id: 'DeploymentDetail', ...strict })
export type DeploymentDetail = Static<typeof DeploymentDetail>

export const TimelineEvent = Type.Object({
  id: idText('evt'), at: instant, kind: Type.String({ description: 'e.g. order.complete' }), message: Type.String(), requester: nullable(Requester),
  certificateId: nullable(idText('crt')), orderId: nullable(idText('ord')), deploymentId: nullable(idText('dep')), botId: nullable(idText('bot')), error: nullable(Wire),
}, { $id: 'TimelineEvent', ...strict })
export type TimelineEvent = Static<typeof TimelineEvent>

export const Bot = Type.Object({
  id: idText('bot'), name: Type.String(), status: literals(botStatuses), purpose: literals(['discovery', 'provisioning', 'both'] as const), version: nullable(Type.String()), host: nullable(HostFacts),
  lastContactAt: nullable(instant), joinedAt: nullable(instant), tokenExpiresAt: nullable(instant), lastScanAt: nullable(instant), serverCount: Type.Integer(), createdAt: instant,
}, { $id: 'Bot', ...strict })
export type Bot = Static<typeof Bot>
export const BotDetail = Type.Object({ ...Bot.properties, servers: Type.Array(DetectedServer), scanProblems: Type.Array(Wire), events: Type.Array(TimelineEvent), deployments: Type.Array(DeploymentSummary) }, { $id: 'BotDetail', ...strict })
export type BotDetail = Static<typeof BotDetail>
export const BotInput = Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }), purpose: Type.Optional(literals(['discovery', 'provisioning', 'both'] as const)), activeFrom: Type.Optional(instant), expiresAt: Type.Optional(instant) }, strict)
/** The token is shown this once. */
export const BotCreated = Type.Object({ bot: Bot, joinToken: Type.String(), joinCommand: Type.String({ description: 'To paste on the host' }), expiresAt: instant }, { $id: 'BotCreated', ...strict })

export const ServerType = Type.Object({ id: Type.String(), title: Type.String(), category: Type.String(), summary: Type.String(), capabilities: Type.Array(Type.String()), reaches: Type.Array(literals(['local', 'ssh', 'sftp', 'ftp'] as const), { description: 'Ways to a target of this type' }), fields: Type.Unknown({ description: 'JSON Schema of the fields; "x-field" holds label, help and control' }) }, { $id: 'ServerType', ...strict })
export type ServerType = Static<typeof ServerType>

export const Session = Type.Object({ who: Type.String(), name: Type.String(), role: nullable(Type.Unsafe<Role>({ type: 'string', enum: Object.keys(roles) })), permissions: Type.Array(Type.Unsafe<Permission>({ type: 'string', enum: [...permissions] })), mustChangePassword: Type.Boolean() }, { $id: 'Session', ...strict })
export type Session = Static<typeof Session>
export const ApiToken = Type.Object({ id: idText('tok'), name: Type.String(), permissions: Type.Array(Type.Unsafe<Permission>({ type: 'string', enum: [...permissions] })), createdAt: instant, expiresAt: nullable(instant), lastUsedAt: nullable(instant) }, { $id: 'ApiToken', ...strict })
export type ApiToken = Static<typeof ApiToken>
export const AuditEntry = Type.Object({ id: idText('aud'), at: instant, who: Type.String(), what: Type.String(), subject: nullable(Type.String()), outcome: Type.String(), hash: Type.String() }, { $id: 'AuditEntry', ...strict })
export type AuditEntry = Static<typeof AuditEntry>
export const SystemInfo = Type.Object({ version: Type.String(), database: literals(['sqlite', 'postgresql'] as const), startedAt: instant, publicUrl: Type.String() }, { $id: 'SystemInfo', ...strict })
export { Endpoint }
