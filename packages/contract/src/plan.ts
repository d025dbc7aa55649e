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

/** Parts of the material a file can hold. PEM; chain order leaf first, no root. */
export const MaterialPart = Type.Union([Type.Literal('certificate'), Type.Literal('chain'), Type.Literal('full-chain'), Type.Literal('key'), Type.Literal('full-chain-and-key'), Type.Literal('key-and-full-chain')])
export type MaterialPart = Static<typeof MaterialPart>

export const Ownership = Type.Object({ mode: Type.Integer({ description: 'Permission bits, e.g. 0o600 = 384' }), uid: Type.Integer(), gid: Type.Integer() }, { additionalProperties: false })
export type Ownership = Static<typeof Ownership>

/** Replaces or makes one file by an atomic rename in its folder. `path` is the real file, links resolved. */
export const WriteFileStep = Type.Object({
  kind: Type.Literal('write-file'),
  path,
  part: MaterialPart,
  contentDigest: Type.String({ description: 'certificate parts: SHA-256 of the text; key: SHA-256 of its SPKI; both in one file: SHA-256 of these two. Hex.' }),
  ownership: Type.Union([Ownership, Type.Null()], { description: 'For a file that is not there yet; null: keep what the file has' }),
  replaces: Type.Union([Type.String(), Type.Null()], { description: 'SHA-256 of the present content (of the SPKI for a key file), null when there is no file' }),
}, { additionalProperties: false })
export type WriteFileStep = Static<typeof WriteFileStep>

export const MakeDirectoryStep = Type.Object({ kind: Type.Literal('make-directory'), path, ownership: Ownership }, { additionalProperties: false })
export type MakeDirectoryStep = Static<typeof MakeDirectoryStep>

/** The account a service runs under, where it is not root: what it loads must not run with more rights than it has. */
export const Account = Type.Object({ uid: Type.Integer({ minimum: 0 }), gid: Type.Integer({ minimum: 0 }) }, { additionalProperties: false })
export type Account = Static<typeof Account>

/** Variables that a program needs besides the usual few. No secrets: plans are read by people. */
export const StepEnvironment = Type.Record(Type.String({ pattern: '^[^=\\0]+$' }), Type.String({ pattern: '^[^\\0]*$' }))

/** argv, no shell. `test` must not change anything and runs again after an undo. */
export const RunCommandStep = Type.Object({
  kind: Type.Literal('run-command'),
  purpose: Type.Union([Type.Literal('test'), Type.Literal('script')]),
  argv: Type.Array(Type.String(), { minItems: 1 }),
  environment: Type.Optional(StepEnvironment),
  runAs: Type.Optional(Account),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type RunCommandStep = Static<typeof RunCommandStep>

/** Makes a running service take up new files. Runs again after an undo. */
export const ReloadServiceStep = Type.Object({
  kind: Type.Literal('reload-service'),
  service: Type.String(),
  argv: Type.Array(Type.String(), { minItems: 1 }),
  environment: Type.Optional(StepEnvironment),
  runAs: Type.Optional(Account),
  start: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'Starts it; harmless while it runs. Used only when it answered at planning and is down after files of it were touched' })),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 3600 }),
}, { additionalProperties: false })
export type ReloadServiceStep = Static<typeof ReloadServiceStep>

/** Handshakes until every endpoint serves the expected leaf, or the time is over. */
export const ProveStep = Type.Object({
  kind: Type.Literal('prove'),
  expect: fingerprint,
  endpoints: Type.Array(Type.Object({ endpoint: Endpoint, before: Type.Union([fingerprint, Type.Null()], { description: 'What was served when the plan was made; null: nothing answered' }) }, { additionalProperties: false })),
  timeoutSeconds: Type.Integer({ minimum: 1, maximum: 600 }),
  steadyMilliseconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: 'How long nothing else may be seen, where a server lets old and new workers answer side by side for a moment; absent: one look is enough' })),
}, { additionalProperties: false })
export type ProveStep = Static<typeof ProveStep>

export const Step = Type.Union([WriteFileStep, MakeDirectoryStep, RunCommandStep, ReloadServiceStep, ProveStep], { $id: 'Step' })
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
const partNames: Record<MaterialPart, string> = { certificate: 'the certificate', chain: 'the chain', 'full-chain': 'the certificate and its chain', key: 'the private key', 'full-chain-and-key': 'the certificate, its chain and the private key', 'key-and-full-chain': 'the private key, the certificate and its chain' }

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

/** One line for people; the same text in terminal, page and log. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'write-file': {
      const how = step.ownership ? ` (new file, mode ${octal(step.ownership.mode)})` : ''
      return `${step.replaces === null ? 'Write' : 'Replace'} ${partNames[step.part]} in ${step.path}${how}`
    }
    case 'make-directory': return `Make the folder ${step.path} (mode ${octal(step.ownership.mode)})`
    case 'run-command': return `${step.purpose === 'test' ? 'Test the configuration' : 'Run'}${asUser(step)}: ${withVariables(step)}${step.argv.join(' ')}`
    case 'reload-service': return `Reload ${step.service}${asUser(step)}: ${withVariables(step)}${step.argv.join(' ')}`
    case 'prove': return `Prove that ${step.expect.slice(0, 16)}… is served on ${step.endpoints.map((e) => describeEndpoint(e.endpoint)).join(', ')}`
  }
}
