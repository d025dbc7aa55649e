import { CertloopError, type MaterialPart, type Observation, type ServedCertificate, sha256Hex, type Step, type WriteFileStep } from '@certloop/contract'
import { fileDigest, type Host, materialDigest, type PlanDraft, type PlanMaterial } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Configuration, Slot } from './configuration.ts'
import type { LinkedFile } from './files.ts'
import { commandOf, type Instance } from './instance.ts'
import { checkReplaceable } from './replaceable.ts'
import type { TlsServer } from './servers.ts'

const commandSeconds = 60

// A reloading master lets old and new workers accept side by side for 100 ms before it ends the old ones.
const steadyMilliseconds = 250

/** A slot whose files could be read. */
export type ReadableSlot = Slot & { files: NonNullable<Slot['files']> }

export interface PlanInput {
  host: Host
  instance: Instance
  configuration: Configuration
  slot: ReadableSlot
  material: PlanMaterial
  /** Of each endpoint of the slot, in order. */
  served: readonly ServedCertificate[]
  proofSeconds: number
}

/**
 * Steps that put the material into the files of a slot. What is there already is not written again; when it is served
 * already too, all that is left is the proof.
 * @throws CertloopError PLAN_FAILED when the material can't go there alone
 */
export async function planSteps(input: PlanInput): Promise<PlanDraft> {
  const { slot, configuration, material, instance, served, proofSeconds } = input
  const parts = partsOf(slot)
  const writes = (await Promise.all(parts.map(({ part, file }) => writeStep(input.host, part, file, material)))).filter((step) => step !== undefined)
  await checkReplaceable(input.host, instance, slot.files, writes)
  checkNeighbours(slot, configuration, material, writes)
  const isServed = served.every(({ fingerprint }) => fingerprint === material.fingerprint)
  const steps: Step[] = [
    ...writes,
    ...(writes.length === 0 && isServed ? [] : activation(instance, configuration)),
    {
      kind: 'prove', expect: material.fingerprint, timeoutSeconds: proofSeconds, steadyMilliseconds,
      endpoints: slot.endpoints.map((endpoint, i) => ({ endpoint, before: served[i]?.fingerprint ?? null })),
    },
  ]
  return { steps, ...observe(input, parts) }
}

interface PartFile { part: MaterialPart; file: LinkedFile }

/** One file for both makes one step. */
function partsOf({ files: { certificate, key } }: ReadableSlot): PartFile[] {
  if (certificate.realPath === key.realPath) return [{ part: 'full-chain-and-key', file: certificate }]
  return [{ part: 'full-chain', file: certificate }, { part: 'key', file: key }]
}

async function writeStep(host: Host, part: MaterialPart, { realPath, content }: LinkedFile, material: PlanMaterial): Promise<WriteFileStep | undefined> {
  const contentDigest = materialDigest(part, material)
  const replaces = content === undefined ? null : fileDigest(part, content)
  if (replaces === contentDigest) return undefined
  const folder = content === undefined ? await host.stat(path.posix.dirname(realPath)) : undefined
  const ownership = folder === undefined ? null : { mode: part === 'full-chain' ? 0o644 : 0o600, uid: folder.uid, gid: folder.gid }
  return { kind: 'write-file', path: realPath, part, contentDigest, ownership, replaces }
}

function activation(instance: Instance, configuration: Configuration): Step[] {
  const { process, configurationPath } = instance
  const account = instance.runAs === undefined ? {} : { runAs: instance.runAs }
  const start = startCommand(instance, configuration)
  return [
    { kind: 'run-command', purpose: 'test', argv: commandOf(instance, '-t', '-q'), timeoutSeconds: commandSeconds, ...account },
    {
      kind: 'reload-service', service: process.service ?? `${instance.product} (${configurationPath})`,
      argv: commandOf(instance, '-s', 'reload'), timeoutSeconds: commandSeconds, ...account, ...(start === undefined ? {} : { start }),
    },
  ]
}

/** How to start it should it be found down. One that stays in the foreground is started by whoever watches over it. */
function startCommand(instance: Instance, { root }: Configuration): string[] | undefined {
  const { service } = instance.process
  // systemctl would need root again, which these steps give up.
  if (service !== null && instance.runAs !== undefined) return undefined
  if (service !== null) return [...(instance.sudo ? ['sudo', '-n'] : []), 'systemctl', 'start', service]
  const inForeground = root.some(({ name, args }) => name === 'daemon' && args[0]?.toLowerCase() === 'off') || /\bdaemon\s+off\b/i.test(instance.globals ?? '')
  return inForeground ? undefined : commandOf(instance)
}

const failed = (message: string, file: string) => new CertloopError('PLAN_FAILED', message, { path: file })

/** What would break something beside the slot is refused before anything is touched. */
function checkNeighbours(slot: ReadableSlot, { slots }: Configuration, material: PlanMaterial, writes: readonly WriteFileStep[]): void {
  const written = new Set(writes.map((step) => step.path))
  const { key } = slot.files
  for (const other of slots) {
    if (other === slot) continue
    const shared = [other.files?.certificate, other.files?.key].find((file) => file !== undefined && written.has(file.realPath))
    const keyChanges = written.has(key.realPath)
    if (shared !== undefined && keyChanges) {
      throw failed(`${shared.realPath} is also used with ${shared.realPath === key.realPath ? other.pair.certificatePath : other.pair.keyPath}; with a new key these would no longer fit together. Give each certificate a key file of its own.`, shared.realPath)
    }
    checkPair(slot, other, material)
  }
}

/** Beside RSA there is room for ECDSA and the reverse; of two of a kind, one would never be served. */
function checkPair(slot: Slot, other: Slot, material: PlanMaterial): void {
  const servers = new Set<TlsServer>(slot.pair.uses.map(({ server }) => server))
  if (!other.pair.uses.some(({ server }) => servers.has(server))) return
  if (material.keyType === 'other') throw failed(`Beside ${other.pair.certificatePath} only an RSA or ECDSA certificate can be told apart and proven.`, slot.pair.certificatePath)
  if (other.keyType === material.keyType) {
    throw failed(`The server already holds a certificate with an ${material.keyType.toUpperCase()} key in ${other.pair.certificatePath}; a second one in ${slot.pair.certificatePath} would hide it. Order this one with the other kind of key.`, slot.pair.certificatePath)
  }
}

/** All that the plan relies on. The text of a key is not shown, and its digest is that of its public half. */
function observe({ instance, configuration, slot }: PlanInput, parts: readonly PartFile[]): Pick<PlanDraft, 'observed' | 'observedTexts'> {
  const observedTexts: Record<string, string> = {}
  const observed: Observation[] = []
  const note = (name: string, text: string) => {
    observed.push({ name, digest: sha256Hex(text) })
    observedTexts[name] = text
  }
  for (const file of configuration.files) note(file.path, file.text)
  note(`${instance.program} -V`, instance.build)
  for (const { links, path: name, realPath } of [slot.files.certificate, slot.files.key]) note(`links of ${name}`, [...links, realPath].join('\n'))
  for (const { part, file } of parts) {
    observed.push({ name: file.realPath, digest: file.content === undefined ? 'none' : fileDigest(part, file.content) })
    if (part === 'full-chain') observedTexts[file.realPath] = Buffer.from(file.content ?? []).toString('utf8')
  }
  return { observed: [...new Map(observed.map((entry) => [entry.name, entry])).values()], observedTexts }
}
