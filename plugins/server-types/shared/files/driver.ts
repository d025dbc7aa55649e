import { CertloopError, type DetectedSlot, type Endpoint, type Observation, sha256Hex, type StartTls, type Step } from '@certloop/contract'
import { type DriverContext, encodingProblem, fileDigest, holdsKey, type Host, keystoreStep, materialDigest, type PlanMaterial, probeAll, proveStep, type ServerTypeDriver } from '@certloop/plugin-kit'
import { readCertificates } from '@certloop/pki'
import path from 'node:path'
import type { FileFields } from './fields.ts'
import { isKeystore } from './outputs.ts'
import { ownershipFor, type WantedOwnership } from './ownership.ts'
import { aliasFor, installedPem, openStore, type PresentFile, readPresent } from './present.ts'

/** What is particular to a type that puts files somewhere. */
export interface FilesType<F extends FileFields> {
  /** Where a path of a field really lies on the host. */
  locate?: (host: Host, path: string) => Promise<string>
  /** @param key the file holds the key */
  ownership?: (fields: F, key: boolean) => WantedOwnership
  /** Makes what reads the files take them up. */
  activation?: (fields: F) => Step[]
  defaultProofSeconds: number
}

/** Whatever reads the files may let old and new workers answer side by side for a moment. */
const steadyMilliseconds = 250

/** The driver of such a type. Nothing is detected: any file may be a place. */
export function filesDriver<F extends FileFields>(type: FilesType<F>): ServerTypeDriver<F> {
  const present = ({ host }: DriverContext, fields: F) => readPresent(host, fields, async (file) => (type.locate === undefined ? file : type.locate(host, file)))
  return {
    detect: () => Promise.resolve([]),

    async inspect(context, fields): Promise<DetectedSlot> {
      const installed = await installedPem(await present(context, fields).catch(missing(fields)), fields)
      if (installed === null) throw new CertloopError('SLOT_NOT_FOUND', `${fields.certificatePath} is not there.`, { path: fields.certificatePath })
      const names = readCertificates(installed)[0]?.names ?? []
      const { keystorePassword: _, keyPassword: __, ...shown } = fields
      return { title: `${names[0] ?? path.posix.basename(fields.certificatePath)} (${fields.certificatePath})`, fields: shown, names: [...names], served: await probeAll(context.probe, endpointsOf(fields)), installedPem: installed, problem: null }
    },

    async plan(context, fields, material) {
      const files = await present(context, fields)
      const { steps: writes, secrets } = await writeSteps(context.host, files, fields, material, type)
      const endpoints = endpointsOf(fields)
      const served = await probeAll(context.probe, endpoints)
      const isServed = served.every(({ fingerprint }) => fingerprint === material.fingerprint)
      const proof: Step[] = endpoints.length === 0 ? [] : [
        proveStep({ expect: material.fingerprint, timeoutSeconds: fields.proofSeconds ?? type.defaultProofSeconds, steadyMilliseconds }, endpoints, served),
      ]
      const activation = writes.length === 0 && isServed ? [] : type.activation?.(fields) ?? []
      return { steps: [...writes, ...activation, ...proof], ...observe(files), secrets }
    },
  }
}

/** A place whose folder is gone is a place that is not there. */
const missing = ({ certificatePath }: FileFields) => (error: unknown): never => {
  if (error instanceof CertloopError && error.code === 'FOLDER_MISSING') throw new CertloopError('SLOT_NOT_FOUND', `${certificatePath} is not there. ${error.message}`, { path: certificatePath }, error)
  throw error
}

function endpointsOf({ proofPort, proofAddress, proofName, proofProtocol = 'tls' }: FileFields): Endpoint[] {
  if (proofPort === undefined) return []
  const startTls: { startTls?: StartTls } = proofProtocol === 'tls' ? {} : { startTls: proofProtocol }
  return [{ address: proofAddress ?? '127.0.0.1', port: proofPort, serverName: proofName ?? null, keyType: null, ...startTls }]
}

const passwords = ['keystorePassword', 'keyPassword'] as const

interface Writes { steps: Step[]; secrets: Record<string, string> }

async function writeSteps<F extends FileFields>(host: Host, files: readonly PresentFile[], fields: F, material: PlanMaterial, type: FilesType<F>): Promise<Writes> {
  const steps: Step[] = []
  const secrets: Record<string, string> = {}
  for (const file of files) {
    const { output } = file
    const step = isKeystore(output) ? await keystore(host, file, output.format, fields, material, type) : await part(host, file, fields, material, type)
    if (step !== undefined) steps.push(step)
    if (isKeystore(output)) Object.assign(secrets, Object.fromEntries(passwords.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]]))))
  }
  return { steps, secrets }
}

async function ownership<F extends FileFields>(host: Host, { file, folder }: PresentFile, fields: F, key: boolean, type: FilesType<F>) {
  const [now, around] = await Promise.all([host.stat(file.realPath), host.stat(folder)])
  if (around === undefined) throw new CertloopError('FOLDER_MISSING', `The folder ${folder} is gone.`, { path: folder })
  return ownershipFor(host, file.content === undefined ? undefined : now, around, key ? 0o600 : 0o644, type.ownership?.(fields, key) ?? {})
}

async function part<F extends FileFields>(host: Host, present: PresentFile, fields: F, material: PlanMaterial, type: FilesType<F>): Promise<Step | undefined> {
  const { output, file } = present
  if (isKeystore(output)) return undefined
  const { path: named, part: what, encoding } = output
  const problem = encodingProblem(what, encoding) ?? emptyPart(what, material)
  if (problem !== undefined) throw new CertloopError('PLAN_FAILED', `${named} ${problem}.`, { path: named })
  const contentDigest = materialDigest(what, material, encoding)
  const replaces = file.content === undefined ? null : fileDigest(what, file.content, encoding)
  const { wanted, differs } = await ownership(host, present, fields, holdsKey(what), type)
  if (replaces === contentDigest && !differs) return undefined
  return { kind: 'write-file', path: file.realPath, part: what, ...(encoding === 'pem' ? {} : { encoding }), contentDigest, ownership: wanted, replaces }
}

/** A chain file without anything in it helps nobody, and most programs refuse it. */
const emptyPart = (what: string, { chainPem }: PlanMaterial) => (what === 'chain' && chainPem.length < 2 ? 'would be empty: the certificate comes without intermediate certificates. Take the chain file out of the target' : undefined)

async function keystore<F extends FileFields>(host: Host, present: PresentFile, format: 'pkcs12' | 'jks', fields: F, material: PlanMaterial, type: FilesType<F>): Promise<Step | undefined> {
  const { keyPassword, protection } = fields
  const store = await openStore(present, fields)
  const { wanted } = await ownership(host, present, fields, true, type)
  const place = {
    path: present.file.realPath, format, alias: aliasFor(store, present, fields), password: 'keystorePassword', ownership: wanted,
    ...(keyPassword === undefined ? {} : { keyPassword: 'keyPassword' }), ...(protection === undefined || store !== undefined ? {} : { protection }),
  }
  return keystoreStep(place, material, store)
}

/** What the plan relies on besides the contents, which its steps name. */
function observe(files: readonly PresentFile[]): { observed: Observation[]; observedTexts: Record<string, string> } {
  const texts = Object.fromEntries(files.flatMap(({ output, file }) => (file.links.length === 0 ? [] : [[`links of ${output.path}`, file.links.join('\n')]])))
  return { observed: Object.entries(texts).map(([name, text]) => ({ name, digest: sha256Hex(text) })), observedTexts: texts }
}

