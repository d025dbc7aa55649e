import { type Account, CertloopError, type Observation, type ServedCertificate, sha256Hex, type SignalledProcess, type Step, type WriteFileStep } from '@certloop/contract'
import { fileDigest, holdsKey, type Host, materialDigest, type PlanDraft, type PlanMaterial, proveStep } from '@certloop/plugin-kit'
import path from 'node:path'
import { type PartFile, partsOf } from './chain-parts.ts'
import type { LinkedFile } from './linked-file.ts'
import { checkReplaceable, type FileUser } from './replaceable.ts'
import type { ReadableSlot, Slot } from './slots.ts'

const commandSeconds = 60

/** How a server takes up new files. */
export interface Activation {
  /** For people: the systemd unit, or what it is. */
  service: string
  /** Tests the configuration and changes nothing; null where the server has no such command. */
  test: readonly string[] | null
  /** null where each new connection reads the files by itself. */
  reload: readonly string[] | null
  /** Whose id `reload` names: it may be another's by the time the command runs. */
  process?: SignalledProcess | undefined
  /** Instead of a reload, e.g. a conversation with the running server. */
  steps?: readonly Step[]
  /** Starts it; harmless while it runs. */
  start?: readonly string[] | undefined
  /** `reload` came with the target: limits.scripts of bot.toml has to allow it. */
  script?: true | undefined
  /** Whose rights `test` and `reload` have, where not those of the server's account; null: as the bot. */
  runAs?: Account | null | undefined
  /** Variables that these programs need. No secrets: plans are read by people. */
  environment?: Record<string, string>
}

export interface PlanInput {
  host: Host
  user: FileUser
  activation: Activation
  /** What the plan relies on besides the files of the slot, e.g. configuration files: name and text. Texts stay on the host. */
  texts: readonly { name: string; text: string }[]
  slot: ReadableSlot
  /** All slots of the server, this one included. */
  slots: readonly Slot[]
  material: PlanMaterial
  /** Of each endpoint of the slot, in order. */
  served: readonly ServedCertificate[]
  proofSeconds: number
  /** How long old and new workers may answer side by side. */
  steadyMilliseconds?: number | undefined
}

/**
 * Steps that put the material into the files of a slot: write, test, reload, prove. What is there already is not
 * written again; when it is served already too, all that is left is the proof.
 * @throws CertloopError PLAN_FAILED when the material can't go there alone
 */
export async function planSteps(input: PlanInput): Promise<PlanDraft> {
  const { slot, slots, material, served, proofSeconds, steadyMilliseconds } = input
  const parts = partsOf(slot, slots, material)
  const writes = (await Promise.all(parts.map(({ part, file }) => writeStep(input.host, part, file, material)))).filter((step) => step !== undefined)
  await checkReplaceable(input.host, input.user, slot.files, writes)
  checkNeighbours(slot, slots, material, writes)
  const isServed = served.every(({ fingerprint }) => fingerprint === material.fingerprint)
  const steps: Step[] = [
    ...writes,
    ...(writes.length === 0 && isServed ? [] : activationSteps(input)),
    proveStep({ expect: material.fingerprint, timeoutSeconds: proofSeconds, steadyMilliseconds }, slot.endpoints, served),
  ]
  return { steps, ...observe(input, parts) }
}

/** The step that puts a part into a file, or undefined when it holds it already. */
export async function writeStep(host: Host, part: PartFile['part'], { realPath, content }: LinkedFile, material: PlanMaterial): Promise<WriteFileStep | undefined> {
  const contentDigest = materialDigest(part, material)
  const replaces = content === undefined ? null : fileDigest(part, content)
  if (replaces === contentDigest) return undefined
  const folder = content === undefined ? await host.stat(path.posix.dirname(realPath)) : undefined
  const mode = holdsKey(part) ? 0o600 : 0o644
  return { kind: 'write-file', path: realPath, part, contentDigest, ownership: folder === undefined ? null : { mode, uid: folder.uid, gid: folder.gid }, replaces }
}

function activationSteps({ activation: { service, test, reload, process, steps = [], start, script, environment = {}, ...own }, user }: PlanInput): Step[] {
  const runAs = own.runAs === undefined ? user.runAs : own.runAs ?? undefined
  const common = { timeoutSeconds: commandSeconds, ...(Object.keys(environment).length === 0 ? {} : { environment }), ...(runAs === undefined ? {} : { runAs }) }
  return [
    ...(test === null ? [] : [{ kind: 'run-command' as const, purpose: 'test' as const, argv: [...test], ...common }]),
    ...(reload === null ? [] : [{ kind: 'reload-service' as const, service, argv: [...reload], ...common, ...(script === undefined ? {} : { script }), ...(process === undefined ? {} : { process }), ...(start === undefined ? {} : { start: [...start] }) }]),
    ...steps,
  ]
}

const failed = (message: string, file: string) => new CertloopError('PLAN_FAILED', message, { path: file })

/** What would break something beside the slot is refused before anything is touched. */
export function checkNeighbours(slot: ReadableSlot, slots: readonly Slot[], material: PlanMaterial, writes: readonly WriteFileStep[]): void {
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
  const holders = new Set(slot.pair.uses.map(({ holder }) => holder))
  if (!other.pair.uses.some(({ holder }) => holders.has(holder))) return
  if (material.keyType === 'other') throw failed(`Beside ${other.pair.certificatePath} only an RSA or ECDSA certificate can be told apart and proven.`, slot.pair.certificatePath)
  if (other.keyType === material.keyType) {
    throw failed(`The server already holds a certificate with an ${material.keyType.toUpperCase()} key in ${other.pair.certificatePath}; a second one in ${slot.pair.certificatePath} would hide it. Order this one with the other kind of key.`, slot.pair.certificatePath)
  }
}

/** All that the plan relies on. The text of a key is not shown, and its digest is that of its public half. */
function observe({ texts, slot: { files } }: PlanInput, parts: readonly PartFile[]): Pick<PlanDraft, 'observed' | 'observedTexts'> {
  const observedTexts: Record<string, string> = {}
  const observed: Observation[] = []
  const note = (name: string, text: string) => {
    observed.push({ name, digest: sha256Hex(text) })
    observedTexts[name] = text
  }
  for (const { name, text } of texts) note(name, text)
  for (const { links, path: name, realPath } of [files.certificate, files.key, ...files.chains]) note(`links of ${name}`, [...links, realPath].join('\n'))
  // Those that stay were looked at as well.
  for (const { realPath, content } of files.chains) if (!parts.some(({ file }) => file.realPath === realPath)) note(realPath, Buffer.from(content ?? []).toString('utf8'))
  for (const { part, file } of parts) {
    observed.push({ name: file.realPath, digest: file.content === undefined ? 'none' : fileDigest(part, file.content) })
    if (!holdsKey(part)) observedTexts[file.realPath] = Buffer.from(file.content ?? []).toString('utf8')
  }
  return { observed: [...new Map(observed.map((entry) => [entry.name, entry])).values()], observedTexts }
}
