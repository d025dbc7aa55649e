import { CertloopError, type Observation, sha256Hex, type Step } from '@certloop/contract'
import { type DriverContext, fileDigest, holdsKey, type PlanDraft, type PlanMaterial, probeAll, proveStep } from '@certloop/plugin-kit'
import { checkKeystoreRight, entryStep } from '../shared/keystore/keystore-place.ts'
import { partsOf } from '../shared/pem-files/chain-parts.ts'
import { groupsOf } from '../shared/pem-files/groups.ts'
import { checkNeighbours, writeStep } from '../shared/pem-files/plan.ts'
import { checkReplaceable } from '../shared/pem-files/replaceable.ts'
import type { Slot as PemSlot } from '../shared/pem-files/slots.ts'
import { activationOf } from './activation.ts'
import type { TomcatFields } from './driver.ts'
import type { Tomcat } from './instance.ts'
import { manifest } from './manifest.ts'
import { type Content, describePlace, isSamePlace, type Slot } from './slots.ts'

export interface PlanInput {
  context: DriverContext
  tomcat: Tomcat
  slot: Slot
  slots: readonly Slot[]
  pemSlots: readonly PemSlot[]
  fields: TomcatFields
  material: PlanMaterial
}

/** Steps that change what lies on disk, and what they rely on. */
interface Changes { steps: Step[]; secrets: Record<string, string>; observed: Observation[]; observedTexts: Record<string, string> }

/**
 * Write, activate, prove. What is there already is not written again; when it is served already too, all that is left
 * is the proof. Hosts that are served from the same entry or files change along and are proven as well.
 * @throws CertloopError PLAN_FAILED, PROGRAM_NOT_TRUSTED, KEYSTORE_PASSWORD_WRONG
 */
export async function planSteps(input: PlanInput): Promise<PlanDraft> {
  const { context, tomcat, slot, slots, fields, material } = input
  const together = [slot, ...slots.filter((other) => other !== slot && isSamePlace(slot, other))]
  for (const one of together) checkType(one, material)
  const endpoints = [...new Map(together.flatMap((one) => one.endpoints).map((endpoint) => [JSON.stringify(endpoint), endpoint])).values()]
  const changes = await changesOf(input)
  const served = await probeAll(context.probe, endpoints)
  const isDone = changes.steps.length === 0 && served.every(({ fingerprint }) => fingerprint === material.fingerprint)
  const activation = isDone ? { steps: [], secrets: {} } : await activationOf({ context, tomcat, slots: together, fields, material })
  const { name, text } = configurationText(tomcat, slots)
  return {
    steps: [...changes.steps, ...activation.steps, proveStep({ expect: material.fingerprint, timeoutSeconds: fields.proofSeconds ?? manifest.fields.properties.proofSeconds.default }, endpoints, served)],
    observed: [{ name, digest: sha256Hex(text) }, ...changes.observed],
    observedTexts: { [name]: text, ...changes.observedTexts },
    secrets: { ...changes.secrets, ...activation.secrets },
  }
}

/** server.xml as far as the plan relies on it: other edits, and passwords in it, are not part of a plan. */
const configurationText = ({ serverXmlPath }: Tomcat, slots: readonly Slot[]) => ({ name: serverXmlPath, text: slots.map(describePlace).join('') })

/** A place for one kind of key takes no other. */
function checkType({ configured: { type, hostName, connector } }: Slot, { keyType }: PlanMaterial): void {
  if (type === 'UNDEFINED' || type.toLowerCase() === keyType) return
  throw new CertloopError('PLAN_FAILED', `${hostName} on port ${connector.port} has this certificate for keys of type ${type}, and the new one has ${keyType === 'other' ? 'another' : `an ${keyType.toUpperCase()}`} key. Order it with a key of this type.`)
}

async function changesOf(input: PlanInput): Promise<Changes> {
  const { context: { host }, slot: { content, problem }, tomcat: { java }, material } = input
  if (problem !== null) throw new CertloopError(problem.code, problem.message, problem.facts)
  if (content === undefined) throw new CertloopError('PLAN_FAILED', 'What this place is served from could not be read.')
  if (content.kind === 'pem') return pemChanges(input, content)
  const { store, entry } = content
  const { step, secrets } = entryStep(store, entry.alias, material)
  if (step !== undefined) checkKeystoreRight(store, 'Tomcat', java.runAs, await groupsOf(host, java.process.pid))
  const links = `links of ${store.place.path}`
  return {
    steps: step === undefined ? [] : [step], secrets,
    observed: [{ name: links, digest: sha256Hex(store.realPath) }, { name: store.realPath, digest: store.file.digest }], observedTexts: { [links]: store.realPath },
  }
}

async function pemChanges({ context: { host }, tomcat: { java: { runAs, process } }, pemSlots, material }: PlanInput, { slot }: Content & { kind: 'pem' }): Promise<Changes> {
  const own = pemSlots.find(({ pair }) => pair === slot.pair)
  const others = pemSlots.filter((other) => other !== own)
  const parts = partsOf(slot, [slot, ...others], material)
  const steps = (await Promise.all(parts.map(({ part, file }) => writeStep(host, part, file, material)))).filter((step) => step !== undefined)
  await checkReplaceable(host, { product: 'Tomcat', ...(runAs === undefined ? {} : { runAs, groups: await groupsOf(host, process.pid) }) }, slot.files, steps)
  checkNeighbours(slot, [slot, ...others], material, steps)
  const observedTexts: Record<string, string> = {}
  const { certificate, key, chains } = slot.files
  for (const { path, links, realPath } of [certificate, key, ...chains]) observedTexts[`links of ${path}`] = [...links, realPath].join('\n')
  const observed = Object.entries(observedTexts).map(([name, text]) => ({ name, digest: sha256Hex(text) }))
  const files = new Map([...chains.map((file) => ({ part: 'chain' as const, file })), ...parts].map((one) => [one.file.realPath, one]))
  for (const { part, file } of files.values()) {
    observed.push({ name: file.realPath, digest: file.content === undefined ? 'none' : fileDigest(part, file.content) })
    if (!holdsKey(part)) observedTexts[file.realPath] = Buffer.from(file.content ?? []).toString('utf8')
  }
  return { steps, secrets: {}, observed, observedTexts }
}
