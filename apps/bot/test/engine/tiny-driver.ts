import { CertloopError, type DetectedSlot, type Endpoint, type Observation, sha256Hex, type Step, type WriteFileStep } from '@certloop/contract'
import { type DriverContext, fileDigest, materialDigest, type PlanMaterial, type ServerTypeDriver } from '@certloop/plugin-kit'

/** A server type for tests: two files, a configuration that is only observed, and commands that are given. */
export interface TinyFields extends Record<string, unknown> {
  certificatePath: string
  keyPath: string
  configurationPath: string
  port: number
  testArgv: string[]
  reloadArgv: string[]
  startArgv: string[] | null
  /** The reload is a command that somebody gave. */
  givenReload?: true
  /** Made for new files; null: the files are there. */
  newFolder: string | null
  proofSeconds: number
}

const endpointOf = ({ port }: TinyFields): Endpoint => ({ address: '127.0.0.1', port, serverName: 'shop.test', keyType: null })

async function write({ host }: DriverContext, path: string, part: WriteFileStep['part'], mode: number, material: PlanMaterial): Promise<Step> {
  const present = await host.readFile(path)
  return {
    kind: 'write-file', path, part, contentDigest: materialDigest(part, material),
    ownership: present === undefined ? { mode, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 } : null,
    replaces: present === undefined ? null : fileDigest(part, present),
  }
}

async function observed({ host }: DriverContext, { configurationPath }: TinyFields): Promise<{ observed: Observation[]; observedTexts: Record<string, string> }> {
  const text = Buffer.from(await host.readFile(configurationPath) ?? '').toString('utf8')
  return { observed: [{ name: configurationPath, digest: sha256Hex(text) }], observedTexts: { [configurationPath]: text } }
}

async function plan(context: DriverContext, fields: TinyFields, material: PlanMaterial) {
  const endpoint = endpointOf(fields)
  const { fingerprint: before } = await context.probe(endpoint)
  if (before === null && fields.startArgv === null && fields.newFolder === null) throw new CertloopError('SERVER_NOT_RUNNING', `Nothing answers on port ${fields.port}.`)
  const owner = { mode: 0o750, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const steps: Step[] = [
    ...(fields.newFolder === null ? [] : [{ kind: 'make-directory', path: fields.newFolder, ownership: owner } as const]),
    await write(context, fields.certificatePath, 'full-chain', 0o644, material),
    await write(context, fields.keyPath, 'key', 0o600, material),
    { kind: 'run-command', purpose: 'test', argv: fields.testArgv, timeoutSeconds: 30 },
    { kind: 'reload-service', service: 'tiny', argv: fields.reloadArgv, timeoutSeconds: 30, ...(fields.startArgv === null ? {} : { start: fields.startArgv }), ...(fields.givenReload ? { script: true as const } : {}) },
    { kind: 'prove', expect: material.fingerprint, endpoints: [{ endpoint, before }], timeoutSeconds: fields.proofSeconds },
  ]
  return { ...await observed(context, fields), steps }
}

async function inspect(context: DriverContext, fields: TinyFields): Promise<DetectedSlot> {
  const content = await context.host.readFile(fields.certificatePath)
  return {
    title: 'tiny', fields, names: ['shop.test'], served: [await context.probe(endpointOf(fields))],
    installedPem: content === undefined ? null : Buffer.from(content).toString('utf8'), problem: null,
  }
}

export const tinyDriver: ServerTypeDriver = {
  detect: async () => [],
  inspect: (context, fields) => inspect(context, fields as TinyFields),
  plan: (context, fields, material) => plan(context, fields as TinyFields, material),
}
