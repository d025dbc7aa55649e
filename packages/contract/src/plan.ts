import { Type, type Static } from 'typebox'

const path = Type.String({ minLength: 1, maxLength: 4096 })
const fingerprint = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the certificate DER, lower-case hex' })

/** Protocols that begin in the clear and go over to TLS at a request: STARTTLS and its relatives. */
export const StartTls = Type.Union([
  Type.Literal('smtp'), Type.Literal('lmtp'), Type.Literal('imap'), Type.Literal('pop3'), Type.Literal('sieve'), Type.Literal('ftp'), Type.Literal('postgres'), Type.Literal('mysql'),
])
export type StartTls = Static<typeof StartTls>

export const Endpoint = Type.Object({
  address: Type.String({ description: 'IP address to connect to' }),
  port: Type.Integer({ minimum: 1, maximum: 65535 }),
  serverName: Type.Union([Type.String(), Type.Null()], { description: 'SNI; null: none is sent' }),
  keyType: Type.Union([Type.Literal('rsa'), Type.Literal('ec'), Type.Null()], { description: 'Ask for this kind only, where a server holds a pair; null: whatever it serves' }),
  startTls: Type.Optional(Type.Union([StartTls, Type.Null()], { description: 'What is spoken before TLS begins; null or absent: TLS at once' })),
}, { $id: 'Endpoint', additionalProperties: false })
export type Endpoint = Static<typeof Endpoint>

/** Parts of the material a file can hold, in the order of their names. Chain order leaf first, no root; "chain" is the full one without the leaf. */
export const MaterialPart = Type.Union([
  Type.Literal('certificate'), Type.Literal('chain'), Type.Literal('full-chain'), Type.Literal('key'), Type.Literal('full-chain-and-key'), Type.Literal('key-and-full-chain'),
  Type.Literal('certificate-and-key'), Type.Literal('key-and-certificate'), Type.Literal('certificate-key-and-chain'),
])
export type MaterialPart = Static<typeof MaterialPart>

export const Ownership = Type.Object({ mode: Type.Integer({ description: 'Permission bits, e.g. 0o600 = 384' }), uid: Type.Integer(), gid: Type.Integer(), context: Type.Optional(Type.String({ maxLength: 500, pattern: '^[A-Za-z0-9_.:,-]+$', description: 'SELinux context, where SELinux is on; absent: that of the present file, else what the system gives' })) }, { additionalProperties: false })
export type Ownership = Static<typeof Ownership>

/** How a part is written: PEM, DER (one certificate, or the key as PKCS#8), PKCS#7 (certificates alone) in PEM or DER. */
export const Encoding = Type.Union([Type.Literal('pem'), Type.Literal('der'), Type.Literal('pkcs7-pem'), Type.Literal('pkcs7-der')])
export type Encoding = Static<typeof Encoding>

/** Replaces or makes one file by an atomic rename in its folder. `path` is the real file, links resolved. */
export const WriteFileStep = Type.Object({
  kind: Type.Literal('write-file'),
  path,
  part: MaterialPart,
  encoding: Type.Optional(Encoding),
  contentDigest: Type.String({ description: 'certificate parts: SHA-256 of the text; key: SHA-256 of its SPKI; both in one file: SHA-256 of these two. Hex.' }),
  ownership: Type.Union([Ownership, Type.Null()], { description: 'What the file is to have; null: keep what it has' }),
  replaces: Type.Union([Type.String(), Type.Null()], { description: 'SHA-256 of the present content (of the SPKI for a key file), null when there is no file' }),
}, { additionalProperties: false })
export type WriteFileStep = Static<typeof WriteFileStep>

/** The name of a secret of the draft: the driver hands its value to the engine beside the plan, never in it. */
export const SecretName = Type.String({ minLength: 1, maxLength: 100, description: 'Name of a secret that stays on the host, e.g. "keystorePassword"' })

/**
 * Puts key and chain under an alias of a keystore; its other entries stay. Makes the file where there is none.
 * What is written differs at each writing (salts), so the journal keeps the digest of what lies staged.
 */
export const KeystoreEntryStep = Type.Object({
  kind: Type.Literal('keystore-entry'),
  path,
  format: Type.Union([Type.Literal('pkcs12'), Type.Literal('jks'), Type.Literal('jceks')]),
  alias: Type.String({ minLength: 1, maxLength: 1000 }),
  password: SecretName,
  keyPassword: Type.Optional(SecretName),
  protection: Type.Optional(Type.Union([Type.Literal('modern'), Type.Literal('legacy')], { description: 'PKCS#12: AES-256 with SHA-256, or 3DES with SHA-1 for Windows before 2019 and old Java; absent: as the file has it, modern for a new one' })),
  contentDigest: Type.String({ description: 'SHA-256 of "<alias> <SHA-256 of the PEM of the chain> <SHA-256 of the SPKI>". Hex.' }),
  ownership: Type.Union([Ownership, Type.Null()], { description: 'What the file is to have; null: keep what it has' }),
  replaces: Type.Union([Type.String(), Type.Null()], { description: 'SHA-256 of the bytes of the present file, null when there is none' }),
}, { additionalProperties: false })
export type KeystoreEntryStep = Static<typeof KeystoreEntryStep>

export const MakeDirectoryStep = Type.Object({ kind: Type.Literal('make-directory'), path, ownership: Ownership }, { additionalProperties: false })
export type MakeDirectoryStep = Static<typeof MakeDirectoryStep>

/** The account a service runs under, where it is not root: what it loads must not run with more rights than it has. */
export const Account = Type.Object({ uid: Type.Integer({ minimum: 0 }), gid: Type.Integer({ minimum: 0 }) }, { additionalProperties: false })
export type Account = Static<typeof Account>

/** Variables that a program needs besides the usual few. No secrets: plans are read by people. */
export const StepEnvironment = Type.Record(Type.String({ pattern: '^[^=\\0]+$' }), Type.String({ pattern: '^[^\\0]*$' }))

/** argv, no shell. Must not change anything; runs again after an undo. */
export const RunCommandStep = Type.Object({
  kind: Type.Literal('run-command'),
  purpose: Type.Literal('test'),
  argv: Type.Array(Type.String(), { minItems: 1 }),
  environment: Type.Optional(StepEnvironment),
  runAs: Type.Optional(Account),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type RunCommandStep = Static<typeof RunCommandStep>

/**
 * The process that a command names by its id. The id is another's after a restart: when the command runs, it is looked for
 * by the rest, and its id of then takes the place of `pid` in the command.
 */
export const SignalledProcess = Type.Object({
  pid: Type.Integer({ minimum: 2 }),
  uid: Type.Integer({ minimum: 0 }),
  name: Type.String({ minLength: 1, description: 'Short name' }),
  executable: Type.String({ description: 'Path of the program; empty where it can not be read' }),
  arguments: Type.Array(Type.String(), { description: 'Words that its command line has to hold, e.g. the paths of its configuration' }),
}, { additionalProperties: false })
export type SignalledProcess = Static<typeof SignalledProcess>

/** Makes a running service take up new files. Runs again after an undo. */
export const ReloadServiceStep = Type.Object({
  kind: Type.Literal('reload-service'),
  service: Type.String(),
  argv: Type.Array(Type.String(), { minItems: 1 }),
  environment: Type.Optional(StepEnvironment),
  runAs: Type.Optional(Account),
  script: Type.Optional(Type.Literal(true, { description: 'A command that somebody gave with the target, not one the driver knows: limits.scripts of bot.toml has to allow it' })),
  process: Type.Optional(SignalledProcess),
  start: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'Starts it; harmless while it runs. Used only when it answered at planning and is down after files of it were touched' })),
  frees: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 65535 }), { description: 'The command ends a process, and the next step starts one that needs these ports: nothing may listen on them any more' })),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type ReloadServiceStep = Static<typeof ReloadServiceStep>

/**
 * A request to a management interface, from the host itself (through its connection where it is reached over SSH).
 * `test` must not change anything; `activate` makes a service take up what changed; both run again after an undo.
 */
export const HttpRequestStep = Type.Object({
  kind: Type.Literal('http-request'),
  purpose: Type.Union([Type.Literal('test'), Type.Literal('activate')]),
  /** For people: what it does, e.g. "Reload the TLS configuration of Tomcat". */
  title: Type.String({ minLength: 1, maxLength: 500 }),
  method: Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT'), Type.Literal('DELETE')]),
  url: Type.String({ pattern: '^https?://', maxLength: 4000 }),
  headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  body: Type.Optional(Type.String({ maxLength: 100_000 })),
  authorization: Type.Optional(Type.Object({ scheme: Type.Union([Type.Literal('basic'), Type.Literal('digest')]), user: Type.String(), password: SecretName }, { additionalProperties: false })),
  /** https: SHA-256 of leaf certificates that are taken as they are; absent: the roots of the bot's system decide. */
  pins: Type.Optional(Type.Array(fingerprint)),
  expect: Type.Object({ status: Type.Array(Type.Integer()), body: Type.Optional(Type.String({ description: 'Regular expression' })) }, { additionalProperties: false }),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type HttpRequestStep = Static<typeof HttpRequestStep>

/**
 * A conversation with a running server over its own socket (HAProxy's runtime API). Activates, and runs again after an
 * undo: the files that are sent are read when it runs, so that they are the previous ones then.
 */
export const SocketCommandStep = Type.Object({
  kind: Type.Literal('socket-command'),
  title: Type.String({ minLength: 1, maxLength: 500 }),
  socket: Type.Union([Type.Object({ path }, { additionalProperties: false }), Type.Object({ address: Type.String(), port: Type.Integer() }, { additionalProperties: false })]),
  /** Each is sent over a connection of its own: `send`, then the content of `file`, then `end`. The answer has to fit. */
  commands: Type.Array(Type.Object({ send: Type.String(), file: Type.Optional(path), end: Type.Optional(Type.String()), expect: Type.String({ description: 'Regular expression' }) }, { additionalProperties: false }), { minItems: 1 }),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type SocketCommandStep = Static<typeof SocketCommandStep>

/** A script of an operator, before anything is changed or after the proof. Runs once, is neither repeated nor undone. */
export const RunScriptStep = Type.Object({
  kind: Type.Literal('run-script'),
  when: Type.Union([Type.Literal('before'), Type.Literal('after')]),
  source: Type.Union([
    Type.Object({ from: Type.Literal('device'), argv: Type.Array(Type.String(), { minItems: 1 }) }, { additionalProperties: false }),
    Type.Object({ from: Type.Literal('platform'), interpreter: Type.String({ description: 'Absolute path, e.g. /bin/sh' }), text: Type.String({ maxLength: 100_000 }) }, { additionalProperties: false }),
  ]),
  environment: Type.Optional(StepEnvironment),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type RunScriptStep = Static<typeof RunScriptStep>

/** Handshakes until every endpoint serves the expected leaf, or the time is over. */
export const ProveStep = Type.Object({
  kind: Type.Literal('prove'),
  expect: fingerprint,
  endpoints: Type.Array(Type.Object({ endpoint: Endpoint, before: Type.Union([fingerprint, Type.Null()], { description: 'What was served when the plan was made; null: nothing answered' }) }, { additionalProperties: false })),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 600 }),
  steadyMilliseconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: 'How long nothing else may be seen, where a server lets old and new workers answer side by side for a moment; absent: one look is enough' })),
}, { additionalProperties: false })
export type ProveStep = Static<typeof ProveStep>

/** Only of the engine's own plans, when a deployment is taken back: puts a file back as its backup holds it; null: there was none. */
export const RestoreFileStep = Type.Object({
  kind: Type.Literal('restore-file'), path,
  contentDigest: Type.Union([Type.String(), Type.Null()], { description: 'SHA-256 of the bytes that are put back' }),
  ownership: Type.Union([Ownership, Type.Null()]),
  replaces: Type.String({ description: 'SHA-256 of the bytes that the deployment left' }),
}, { additionalProperties: false })
export type RestoreFileStep = Static<typeof RestoreFileStep>

/** Only of the engine's own plans: a folder that the deployment had made, when nothing else lies in it. */
export const RemoveDirectoryStep = Type.Object({ kind: Type.Literal('remove-directory'), path }, { additionalProperties: false })
export type RemoveDirectoryStep = Static<typeof RemoveDirectoryStep>

export const Step = Type.Union([WriteFileStep, KeystoreEntryStep, MakeDirectoryStep, RunCommandStep, ReloadServiceStep, HttpRequestStep, SocketCommandStep, RunScriptStep, ProveStep, RestoreFileStep, RemoveDirectoryStep], { $id: 'Step' })
export type Step = Static<typeof Step>
export type StepKind = Step['kind']

/** Something the plan relies on: changed means a new plan. The text itself stays on the host. */
export const Observation = Type.Object({ name: Type.String({ description: 'e.g. the path of a configuration file' }), digest: Type.String() }, { additionalProperties: false })
export type Observation = Static<typeof Observation>

export const Plan = Type.Object({
  serverType: Type.String(),
  observed: Type.Array(Observation),
  steps: Type.Array(Step),
  digest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
}, { $id: 'Plan', additionalProperties: false })
export type Plan = Static<typeof Plan>

const octal = (mode: number) => mode.toString(8).padStart(4, '0')
const partNames: Record<MaterialPart, string> = {
  certificate: 'the certificate', chain: 'the chain', 'full-chain': 'the certificate and its chain', key: 'the private key', 'full-chain-and-key': 'the certificate, its chain and the private key',
  'key-and-full-chain': 'the private key, the certificate and its chain',
  'certificate-and-key': 'the certificate and the private key', 'key-and-certificate': 'the private key and the certificate', 'certificate-key-and-chain': 'the certificate, the private key and the chain',
}
const encodingNames: Record<Encoding, string> = { 'pem': '', 'der': ' as DER', 'pkcs7-pem': ' as PKCS#7', 'pkcs7-der': ' as PKCS#7 (DER)' }
const formatNames: Record<KeystoreEntryStep['format'], string> = { pkcs12: 'PKCS#12', jks: 'JKS', jceks: 'JCEKS' }

/** How people call the way to TLS. */
export const startTlsNames: Readonly<Record<StartTls, string>> = {
  smtp: 'SMTP with STARTTLS', lmtp: 'LMTP with STARTTLS', imap: 'IMAP with STARTTLS', pop3: 'POP3 with STLS', sieve: 'ManageSieve with STARTTLS', ftp: 'FTP with AUTH TLS', postgres: 'PostgreSQL', mysql: 'MySQL',
}

/** "127.0.0.1:443 (shop.example)", "127.0.0.1:25 (mail.example, SMTP with STARTTLS)" */
export function describeEndpoint({ address, port, serverName, keyType, startTls }: Endpoint): string {
  const host = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const extra = [serverName, keyType, startTls ? startTlsNames[startTls] : null].filter(Boolean).join(', ')
  return extra ? `${host} (${extra})` : host
}

const withVariables = ({ environment = {} }: { environment?: Record<string, string> }) => Object.entries(environment).map(([name, value]) => `${name}=${value} `).join('')
const asUser = ({ runAs }: { runAs?: Account }) => (runAs === undefined ? '' : ` as user ${runAs.uid}`)

function ownershipOf({ ownership, replaces }: { ownership: Ownership | null; replaces: string | null }): string {
  if (ownership === null) return ''
  const facts = [`mode ${octal(ownership.mode)}`, ...(replaces === null ? [] : [`user ${ownership.uid}`, `group ${ownership.gid}`]), ...(ownership.context === undefined ? [] : [ownership.context])]
  return ` (${replaces === null ? 'new file, ' : ''}${facts.join(', ')})`
}

/** One line for people; the same text in terminal, page and log. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'write-file': {
      const how = ownershipOf(step)
      return `${step.replaces === null ? 'Write' : 'Replace'} ${partNames[step.part]}${encodingNames[step.encoding ?? 'pem']} in ${step.path}${how}`
    }
    case 'keystore-entry': {
      const how = ownershipOf(step)
      return `Put the certificate, its chain and the private key as "${step.alias}" into the ${formatNames[step.format]} keystore ${step.path}${how}`
    }
    case 'http-request': return `${step.title}: ${step.method} ${step.url}`
    case 'socket-command': return `${step.title}: ${'path' in step.socket ? step.socket.path : describeEndpoint({ ...step.socket, serverName: null, keyType: null })}`
    case 'run-script': {
      const what = step.source.from === 'device' ? step.source.argv.join(' ') : `a script of ${step.source.text.split('\n').length} lines with ${step.source.interpreter}`
      return `Run ${step.when === 'before' ? 'before anything is changed' : 'after the proof'}: ${what}`
    }
    case 'make-directory': return `Make the folder ${step.path} (mode ${octal(step.ownership.mode)})`
    case 'restore-file': return step.contentDigest === null ? `Take away ${step.path}, which was not there before` : `Put back ${step.path} as it was before`
    case 'remove-directory': return `Take away the folder ${step.path}, which was not there before`
    case 'run-command': return `Test the configuration${asUser(step)}: ${withVariables(step)}${step.argv.join(' ')}`
    case 'reload-service': return `${step.frees === undefined ? 'Reload' : 'Stop'} ${step.service}${asUser(step)}: ${withVariables(step)}${step.argv.join(' ')}`
    case 'prove': return `Prove that ${step.expect.slice(0, 16)}… is served on ${step.endpoints.map((e) => describeEndpoint(e.endpoint)).join(', ')}`
  }
}
