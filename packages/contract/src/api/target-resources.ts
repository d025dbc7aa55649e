import { Type, type Static } from 'typebox'
import { DetectedServer, HostFacts } from '../bot/detection.ts'
import { HostKeyPin, Reach, SshReach, TargetOptions } from '../target.ts'
import { TargetPlacement } from './provisioning-resources.ts'
import { idText, instant, literals, nullable, Wire } from '../text.ts'

const strict = { additionalProperties: false } as const
const secret = (maxLength: number) => Type.Optional(nullable(Type.String({ maxLength, writeOnly: true })))

const LoginSecretsInput = Type.Object({ password: secret(1000), privateKey: secret(10_000), passphrase: secret(1000) }, strict)
/** A secret that is left out stays as it was, as long as it would go to the place it was given for; null deletes it. */
export const TargetSecretsInput = Type.Object({
  fields: Type.Optional(Type.Record(Type.String(), nullable(Type.String({ maxLength: 10_000, writeOnly: true })), { description: 'Values of secret fields, by name' })),
  login: Type.Optional(LoginSecretsInput),
  jumps: Type.Optional(Type.Array(LoginSecretsInput, { maxItems: 5, description: 'In the order of the jump hosts' })),
}, { writeOnly: true, ...strict })
export type TargetSecretsInput = Static<typeof TargetSecretsInput>

export const TargetInput = Type.Object({
  /** The target of this certificate that is meant: its secrets stay as far as they may when its place changes. Without it: the one at the same place. */
  id: Type.Optional(idText('tgt')),
  botId: idText('bot'),
  serverType: Type.String({ maxLength: 60 }),
  reach: Type.Optional(Reach),
  fields: Type.Record(Type.String(), Type.Unknown()),
  ...TargetOptions.properties,
  placement: Type.Optional(TargetPlacement),
  secrets: Type.Optional(TargetSecretsInput),
}, strict)
export type TargetInput = Static<typeof TargetInput>

/** A key that a host showed and nobody confirmed yet. */
export const SeenHostKey = Type.Object({ host: Type.String(), port: Type.Integer(), fingerprint: HostKeyPin, at: instant }, strict)
export type SeenHostKey = Static<typeof SeenHostKey>

export const Target = Type.Object({
  id: idText('tgt'), botId: idText('bot'), botName: Type.String(), serverType: Type.String(), reach: Reach,
  fields: Type.Record(Type.String(), Type.Unknown()), title: Type.String(), placement: TargetPlacement,
  ...TargetOptions.properties,
  secretsSet: Type.Array(Type.String(), { description: 'Which secrets are kept, e.g. "fields.keystorePassword", "login.password", "jumps.0.privateKey". Values are never given out' }),
  seenHostKey: nullable(SeenHostKey),
}, { $id: 'Target', ...strict })
export type Target = Static<typeof Target>

export const ConfirmHostKeyInput = Type.Object({ fingerprint: HostKeyPin }, strict)

export const remoteScanStates = ['running', 'done', 'failed'] as const
/** The secrets are for this scan alone and forgotten when it has ended. */
export const RemoteScanInput = Type.Object({ reach: SshReach, secrets: Type.Optional(Type.Omit(TargetSecretsInput, ['fields'])) }, strict)
export type RemoteScanInput = Static<typeof RemoteScanInput>
export const RemoteScan = Type.Object({
  id: idText('scn'), botId: idText('bot'), state: literals(remoteScanStates), reach: SshReach, requester: Type.String(),
  host: nullable(HostFacts), servers: Type.Array(DetectedServer), problems: Type.Array(Wire), error: nullable(Wire),
  createdAt: instant, deadline: instant, endedAt: nullable(instant),
}, { $id: 'RemoteScan', ...strict })
export type RemoteScan = Static<typeof RemoteScan>
