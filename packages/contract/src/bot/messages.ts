import { Type, type Static } from 'typebox'
import { SubjectAttributes } from '../api/provisioning-resources.ts'
import { Plan } from '../plan.ts'
import { idText, instant, keyAlgorithm, literals, nullable, pem, Wire } from '../text.ts'
import { Reach, SshReach, TargetOptions } from '../target.ts'
import { HostFacts, HostScan, TargetInspection } from './detection.ts'

const strict = { additionalProperties: false } as const

/** A prove step names each of its endpoints in one line. */
const longText = Type.String({ maxLength: 200_000 })

/** Lower bound that a control plane still works with; one minor version behind. */
export const botProtocolVersion = 1

export const TrustAnchor = Type.Object({ certificatePem: pem }, strict)

export const JoinRequest = Type.Object({
  tokenId: idText('jtk'),
  secret: Type.String({ minLength: 20, maxLength: 200 }),
  publicKeyPem: pem,
  name: Type.String({ minLength: 1, maxLength: 200 }),
  version: Type.String({ maxLength: 50 }),
  host: HostFacts,
}, strict)
export type JoinRequest = Static<typeof JoinRequest>
export const JoinResponse = Type.Object({ botId: idText('bot'), name: Type.String(), purpose: literals(['discovery', 'provisioning', 'both'] as const), identityPem: pem }, strict)
export type JoinResponse = Static<typeof JoinResponse>

/** Sent at each start. The tasks of an earlier boot of this bot become ready again. */
export const HelloRequest = Type.Object({
  bootId: Type.String({ minLength: 8, maxLength: 64 }), version: Type.String({ maxLength: 50 }), protocol: Type.Integer(), host: HostFacts,
  /** X25519, SPKI: what the secrets of targets are sealed for. Older bots tell none and get no secrets. */
  encryptionKeyPem: Type.Optional(Type.String({ maxLength: 1000 })),
}, strict)
export type HelloRequest = Static<typeof HelloRequest>
export const HelloResponse = Type.Object({ now: instant, name: Type.String() }, strict)
export type HelloResponse = Static<typeof HelloResponse>

export const BotTarget = Type.Object({
  serverType: Type.String(),
  reach: Reach,
  fields: Type.Record(Type.String(), Type.Unknown()),
  /** Secret fields, and what the reach needs: TargetSecrets as compact JWE for the bot's own key. Opened by the bot as it takes the task. */
  sealed: Type.Optional(nullable(Type.String({ maxLength: 100_000 }))),
  ...TargetOptions.properties,
}, strict)
export type BotTarget = Static<typeof BotTarget>

/** What is to be installed. The key stays on the host and is named by its id. */
export const Material = Type.Object({ keyId: idText('key'), chainPem: Type.Array(pem, { minItems: 1, description: 'Leaf first, no root' }), fingerprint: Type.String() }, strict)
export type Material = Static<typeof Material>

/** Empty: the bot's own host. Else the host at the end of this way in. */
export const ScanHostPayload = Type.Object({
  reach: Type.Optional(SshReach),
  /** As in BotTarget: the secrets of the way in. */
  sealed: Type.Optional(nullable(Type.String({ maxLength: 100_000 }))),
}, strict)
/** Parts of a request that a configuration or a CSR template asks for. */
export const CsrRequest = Type.Object({
  subject: Type.Optional(SubjectAttributes),
  signatureAlgorithm: Type.Optional(nullable(literals(['sha256', 'sha384', 'sha512'] as const))),
  keyUsages: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { maxItems: 9 })),
  extendedKeyUsages: Type.Optional(Type.Array(Type.String({ maxLength: 60 }), { maxItems: 20 })),
  mustStaple: Type.Optional(Type.Boolean()),
}, strict)
export type CsrRequest = Static<typeof CsrRequest>
export const MakeCsrPayload = Type.Object({
  orderId: idText('ord'),
  commonName: nullable(Type.String()),
  names: Type.Array(Type.String(), { minItems: 1 }),
  keyAlgorithm,
  reuseKeyId: nullable(idText('key')),
  /** What the request holds besides names and key. */
  request: Type.Optional(CsrRequest),
}, strict)
export const MakeCsrResult = Type.Object({ keyId: idText('key'), csrPem: pem }, strict)
export type MakeCsrResult = Static<typeof MakeCsrResult>
export const PlanDeploymentPayload = Type.Object({ deploymentId: idText('dep'), target: BotTarget, material: Material }, strict)
export const DeployPayload = Type.Object({ deploymentId: idText('dep'), target: BotTarget, material: Material, plan: Plan, rollback: Type.Boolean() }, strict)
/** Puts back what a deployment of this bot replaced, as long as what it left is still there. The result is that of a deployment. */
export const UndoDeploymentPayload = Type.Object({ deploymentId: idText('dep'), undoes: idText('dep'), target: BotTarget }, strict)
/** Places what proves a name to an authority, until it is removed or has expired; the bot removes what has expired by itself. Repeating changes nothing. */
export const PlaceProofPayload = Type.Object({
  validationId: idText('val'), expires: instant,
  proof: Type.Union([
    Type.Object({ kind: Type.Literal('file'), folder: Type.String({ maxLength: 4096, description: 'That the domain serves as its root; it has to be there' }), path: Type.String({ pattern: '^/\\.well-known/[A-Za-z0-9._/-]{1,300}$', description: 'Below the folder; missing folders are made, and removed again when they are empty' }), content: Type.String({ maxLength: 10_000 }) }, strict),
    Type.Object({ kind: Type.Literal('tls-alpn'), type: literals(['dns', 'ip'] as const), name: Type.String({ maxLength: 255 }), digest: Type.String({ pattern: '^[0-9a-f]{64}$' }), listenOn: Type.String({ maxLength: 60, description: 'Address and port' }) }, strict),
  ]),
}, strict)
export type PlaceProofPayload = Static<typeof PlaceProofPayload>
export const PlaceProofResult = Type.Object({ where: Type.String({ maxLength: 5000, description: 'The file, or the address and port that answer' }) }, strict)
/** Removes it. What is not there is fine; a file with other content is left alone and told. */
export const RemoveProofPayload = Type.Object({ validationId: idText('val'), proof: PlaceProofPayload.properties.proof }, strict)
export const RemoveProofResult = Type.Object({ removed: Type.Boolean(), left: nullable(Type.String({ maxLength: 5000, description: 'What was left there, and why' })) }, strict)
export const InspectTargetPayload = Type.Object({ target: BotTarget }, strict)

/** One line of a deployment's log. `output` is capped and carries no secrets. */
export const DeployLogEntry = Type.Object({
  at: instant,
  step: nullable(Type.Integer()),
  phase: literals(['plan', 'backup', 'do', 'undo', 'prove', 'recover', 'commit'] as const),
  ok: Type.Boolean(),
  message: longText,
  output: nullable(longText),
  durationMs: nullable(Type.Number()),
}, strict)
export type DeployLogEntry = Static<typeof DeployLogEntry>

export const DeployResult = Type.Object({
  /** deployed: proven new. rolled-back: wholly old and proven. failed: see error; with touched=false nothing was changed. */
  outcome: literals(['deployed', 'rolled-back', 'failed'] as const),
  touched: Type.Boolean(),
  error: nullable(Wire),
  differences: Type.Array(longText, { maxItems: 10_000, description: 'Between the approved plan and the host as it is, when refused' }),
  inspection: nullable(TargetInspection),
  log: Type.Array(DeployLogEntry, { maxItems: 10_000 }),
}, strict)
export type DeployResult = Static<typeof DeployResult>

/** Every kind of work a bot can be given: payload and result. */
export const botTaskKinds = {
  'scan-host': { payload: ScanHostPayload, result: HostScan },
  'make-csr': { payload: MakeCsrPayload, result: MakeCsrResult },
  'plan-deployment': { payload: PlanDeploymentPayload, result: Plan },
  'deploy': { payload: DeployPayload, result: DeployResult },
  'undo-deployment': { payload: UndoDeploymentPayload, result: DeployResult },
  'place-proof': { payload: PlaceProofPayload, result: PlaceProofResult },
  'remove-proof': { payload: RemoveProofPayload, result: RemoveProofResult },
  'inspect-target': { payload: InspectTargetPayload, result: TargetInspection },
} as const
export type BotTaskKind = keyof typeof botTaskKinds
export type BotTaskPayload<K extends BotTaskKind> = Static<(typeof botTaskKinds)[K]['payload']>
export type BotTaskResult<K extends BotTaskKind> = Static<(typeof botTaskKinds)[K]['result']>

export const BotTask = Type.Object({
  id: idText('tsk'),
  kind: Type.Unsafe<BotTaskKind>({ type: 'string', enum: Object.keys(botTaskKinds) }),
  fence: Type.Integer({ description: 'Goes back with every word about the task; a newer lease makes it void' }),
  leaseUntil: instant,
  deadline: instant,
  payload: Type.Unknown(),
}, strict)
export type BotTask = Static<typeof BotTask>

/** Long poll: answers as soon as there is work, at the latest after waitSeconds with an empty list. */
export const LeaseRequest = Type.Object({ bootId: Type.String({ maxLength: 64 }), waitSeconds: Type.Integer({ minimum: 0, maximum: 60 }), max: Type.Integer({ minimum: 1, maximum: 20 }) }, strict)
export type LeaseRequest = Static<typeof LeaseRequest>
export const LeaseResponse = Type.Object({ tasks: Type.Array(BotTask) }, strict)
export type LeaseResponse = Static<typeof LeaseResponse>
/** The same as a bot reads it first: each task is then checked by itself, so that one of a newer kind doesn't hold up the others. */
export const LeasedTasks = Type.Object({ tasks: Type.Array(Type.Unknown(), { maxItems: 20 }) }, strict)

/** Renews the lease and shows what is going on. */
export const ProgressRequest = Type.Object({
  fence: Type.Integer(), log: Type.Array(DeployLogEntry, { maxItems: 200 }),
  waiting: Type.Optional(Type.Boolean({ description: 'It is not begun yet: something else on that machine comes first' })),
}, strict)
export type ProgressRequest = Static<typeof ProgressRequest>
export const ProgressResponse = Type.Object({ leaseUntil: instant, cancel: Type.Optional(Type.Boolean({ description: 'A person asked to stop: end what runs, take back what was done, and tell how it ended' })) }, strict)
export type ProgressResponse = Static<typeof ProgressResponse>

/** Asked when a deployment is taken up after a restart, and from time to time while it is ended or undone. */
export const StopsRequest = Type.Object({ deploymentIds: Type.Array(idText('dep'), { maxItems: 100 }) }, strict)
export type StopsRequest = Static<typeof StopsRequest>
export const StopsResponse = Type.Object({
  cancel: Type.Array(Type.String(), { description: 'Those that a person asked to stop' }),
  again: Type.Array(Type.String(), { description: 'Those of them that a person asked to stop again: a reload that runs with the old files is not waited for' }),
}, strict)
export type StopsResponse = Static<typeof StopsResponse>

export const ResultRequest = Type.Object({
  fence: Type.Integer(),
  result: Type.Union([
    Type.Object({ ok: Type.Literal(true), data: Type.Unknown() }, strict),
    Type.Object({ ok: Type.Literal(false), error: Wire }, strict),
  ]),
}, strict)
export type ResultRequest = Static<typeof ResultRequest>
