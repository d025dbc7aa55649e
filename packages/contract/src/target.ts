import { Type, type Static } from 'typebox'
import { Fingerprint, literals, nullable } from './text.ts'

const strict = { additionalProperties: false } as const
const hostName = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\s/@]+$', description: 'Name or IP address' })
const port = Type.Integer({ minimum: 1, maximum: 65535 })

/** OpenSSH's way to name a host key: "SHA256:" and the unpadded Base64 of the SHA-256 of the key blob (RFC 4255, 4716 with SHA-256). */
export const HostKeyPin = Type.String({ pattern: '^SHA256:[A-Za-z0-9+/]{43}$' })

const login = {
  host: hostName,
  port,
  user: Type.String({ minLength: 1, maxLength: 100 }),
  /** password: also asked for by keyboard-interactive. key: a private key kept in the platform. bot-key: a key file on the bot's own machine. */
  authentication: literals(['password', 'key', 'bot-key'] as const),
  /** bot-key: absolute path on the bot's machine. */
  keyPath: Type.Optional(Type.String({ maxLength: 4096 })),
  /** null: not known yet; the first look says which one is there, and a person confirms it. */
  hostKey: nullable(HostKeyPin),
}

/** A machine on the way. Its secrets come by its place in the list. */
export const JumpHost = Type.Object(login, strict)
export type JumpHost = Static<typeof JumpHost>

export const SshReach = Type.Object({
  kind: Type.Literal('ssh'),
  ...login,
  /** sudo: every command and file goes through "sudo -n". */
  privilege: literals(['none', 'sudo'] as const),
  jumps: Type.Array(JumpHost, { maxItems: 5 }),
}, strict)
export type SshReach = Static<typeof SshReach>

/** Files alone, over SFTP: the other side needs no shell. */
export const SftpReach = Type.Object({ kind: Type.Literal('sftp'), ...login, jumps: Type.Array(JumpHost, { maxItems: 5 }) }, strict)
export type SftpReach = Static<typeof SftpReach>

/** Files alone, over FTP with TLS (RFC 4217); the password comes with the secrets. */
export const FtpReach = Type.Object({
  kind: Type.Literal('ftp'),
  host: hostName,
  port,
  user: Type.String({ minLength: 1, maxLength: 200 }),
  /** none: everything, keys too, goes over the network in the clear. */
  security: literals(['explicit-tls', 'implicit-tls', 'none'] as const),
  /** SHA-256 of the certificate that the server is to show; null: the roots of the bot's system decide. */
  pin: nullable(Fingerprint),
}, strict)
export type FtpReach = Static<typeof FtpReach>

/** How the bot gets at a target: on its own machine, over SSH, or by the transfer of files alone. */
export const Reach = Type.Union([Type.Literal('local'), SshReach, SftpReach, FtpReach])
export type Reach = Static<typeof Reach>
export type ReachKind = 'local' | Exclude<Reach, string>['kind']
export const reachKind = (reach: Reach): ReachKind => (reach === 'local' ? 'local' : reach.kind)

const LoginSecrets = Type.Object({
  password: Type.Optional(Type.String({ maxLength: 1000 })),
  /** OpenSSH or PEM form, as ssh-keygen writes it. */
  privateKey: Type.Optional(Type.String({ maxLength: 10_000 })),
  passphrase: Type.Optional(Type.String({ maxLength: 1000 })),
}, strict)
export type LoginSecrets = Static<typeof LoginSecrets>

/** What is secret about a target: by the names of its secret fields, and of its ways in. */
export const TargetSecrets = Type.Object({
  fields: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 10_000 }))),
  login: Type.Optional(LoginSecrets),
  jumps: Type.Optional(Type.Array(LoginSecrets, { maxItems: 5 })),
}, strict)
export type TargetSecrets = Static<typeof TargetSecrets>

/** A script before the first change or after the proof: kept in the platform, or a program that is on the device. */
export const TargetScript = Type.Object({
  source: Type.Union([
    Type.Object({ from: Type.Literal('device'), argv: Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 100 }) }, strict),
    Type.Object({ from: Type.Literal('platform'), interpreter: Type.String({ pattern: '^/', maxLength: 4096 }), text: Type.String({ minLength: 1, maxLength: 100_000 }) }, strict),
  ]),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, strict)
export type TargetScript = Static<typeof TargetScript>

/** What holds for targets of every server type. */
export const TargetOptions = Type.Object({
  /** false: only what this platform itself put there is replaced. Absent: true. */
  overwrite: Type.Optional(Type.Boolean()),
  scripts: Type.Optional(Type.Object({ before: Type.Optional(TargetScript), after: Type.Optional(TargetScript) }, strict)),
}, strict)
export type TargetOptions = Static<typeof TargetOptions>

const nameOf = ({ host, port }: { host: string; port: number }) => `${host.toLowerCase()}:${port}`

/**
 * Names the machine a target lives on: work on one machine is done in turn, on several side by side. An address behind
 * other machines is meant as they see it, so that the same one behind others is another machine.
 */
export function machineOf({ reach }: { reach: Reach }): string {
  if (reach === 'local') return 'local'
  if (reach.kind === 'ftp') return `ftp ${nameOf(reach)}`
  return ['ssh', nameOf(reach), ...reach.jumps.toReversed().map((jump) => `via ${nameOf(jump)}`)].join(' ')
}
