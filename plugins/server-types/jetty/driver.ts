import { CertloopError, type DetectedServer, type DetectedSlot, type Endpoint, sha256Hex, toCertloopError } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import { type DriverContext, type Host, type HostProcess, probeAll, proveStep, type PlanDraft, type PlanMaterial, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { entryStep, type HeldKey, heldKeyOf, openKeystore, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { checkServerRight } from '../shared/java/server-right.ts'
import { activationOf } from './activation.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { findJettys, readJetty } from './process.ts'
import { redacted } from './redacted.ts'
import { type Candidate, contextsOf, endpointsOf, type Jetty, keystorePathOf, keystorePlaceOf, namesOf, openJetty, versionOf } from './server.ts'
import type { ConfiguredContext } from './tls-model.ts'

export type JettyFields = Static<typeof fieldSchema>

export const driver: ServerTypeDriver<JettyFields> = {
  async detect(context) {
    const found = findJettys(await context.host.processes())
    return Promise.all(found.map((process) => detectServer(context, process)))
  },

  async inspect(context, fields) {
    const place = await openPlace(context.host, fields)
    return describe(context, place, place.key ?? { alias: fields.alias })
  },

  async plan(context, fields, material) {
    const place = await openPlace(context.host, fields)
    const alias = place.key?.alias ?? fields.alias
    const { endpoints, reason } = endpointsOf(place.jetty, place.contexts, place.keystore, candidateOf(alias, material))
    if (reason !== null) throw new CertloopError('PLAN_FAILED', `The new certificate could not be proven as "${alias}" in ${place.keystore.place.path}: ${reason}.`, { path: place.keystore.place.path, alias })
    return planSteps(context, fields, place, { alias, material, endpoints })
  },
}

function candidateOf(alias: string, { chainPem: [leafPem = ''], keyType }: PlanMaterial): Candidate {
  return { alias, names: namesOf(readCertificate(leafPem)), keyType: keyType === 'other' ? null : keyType }
}

/** contexts: all that serve from the keystore. */
interface Place { jetty: Jetty; contexts: ConfiguredContext[]; keystore: OpenKeystore; key: HeldKey | undefined }

/** @throws CertloopError SERVER_NOT_RUNNING, SLOT_NOT_FOUND, ALIAS_NOT_FOUND and those of the keystore and the configuration */
async function openPlace(host: Host, fields: JettyFields): Promise<Place> {
  const jetty = await findJetty(host, fields)
  const named = path.posix.normalize(fields.keystorePath)
  const contexts = contextsOf(jetty, named)
  const [context] = contexts
  if (context === undefined) throw new CertloopError('SLOT_NOT_FOUND', `The Jetty in ${fields.basePath} has no keystore ${fields.keystorePath}.`, { path: fields.keystorePath })
  const keystore = await openKeystore(host, keystorePlaceOf(jetty, context, fields))
  const key = heldKeyOf(keystore, fields.alias)
  if (key === undefined && fields.newEntry !== true) {
    const aliases = keystore.keys.map(({ alias }) => alias).slice(0, 50)
    throw new CertloopError('ALIAS_NOT_FOUND', `The keystore ${fields.keystorePath} has no key "${fields.alias}". ${aliases.length === 0 ? 'It has no key at all.' : `It has: ${aliases.join(', ')}.`}`, { path: fields.keystorePath, alias: fields.alias, aliases })
  }
  return { jetty, contexts, keystore, key }
}

async function findJetty(host: Host, { basePath }: JettyFields): Promise<Jetty> {
  for (const process of findJettys(await host.processes())) {
    if (process.container !== null) continue
    const found = await readJetty(host, process)
    if (found?.base === path.posix.normalize(basePath).replace(/(.)\/$/, '$1')) return openJetty(host, process, found)
  }
  throw new CertloopError('SERVER_NOT_RUNNING', `No Jetty runs with the base ${basePath}.`, { path: basePath })
}

async function detectServer(context: DriverContext, process: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = process
  const command = process.executable || process.name
  const found: DetectedServer = {
    serverType: manifest.id, key: `${command} ${pid}`, title: `Jetty (process ${pid})`, version: null,
    process: { pid, user, service, container, command }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container} ${pid}`, title: `Jetty in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This Jetty runs in container ${container.slice(0, 12)}; its keystore and configuration are not reachable from the host. Run a bot in the container, or put the keystore on a volume and switch on the module ssl-reload.`, { pid })
    }
    const jetty = await openJetty(context.host, process)
    const version = await versionOf(context.host, jetty.process)
    Object.assign(found, { key: jetty.process.base, title: `Jetty ${version ?? ''} (${jetty.process.base})`.replace('  ', ' '), version })
    return { ...found, ...await detectSlots(context, jetty) }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

async function detectSlots(context: DriverContext, jetty: Jetty): Promise<Pick<DetectedServer, 'slots' | 'problem'>> {
  const different = [...new Map(jetty.model.contexts.map((one) => [keystorePathOf(one, jetty.process.base) ?? one, one])).values()]
  const read = await Promise.allSettled(different.map(async (one) => {
    const keystore = await openKeystore(context.host, keystorePlaceOf(jetty, one, {}))
    const contexts = contextsOf(jetty, keystore.place.path)
    return Promise.all(keystore.keys.map((key) => describe(context, { jetty, contexts, keystore, key }, key)))
  }))
  const failure = read.find((result) => result.status === 'rejected')
  return { slots: read.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])), problem: failure === undefined ? null : toCertloopError(failure.reason).toWire() }
}

async function describe(context: DriverContext, { jetty, contexts, keystore, key }: Place, { alias }: { alias: string }): Promise<DetectedSlot> {
  const names = key === undefined ? [] : namesOf(key.leaf)
  const { endpoints, reason } = key === undefined ? { endpoints: [], reason: null } : endpointsOf(jetty, contexts, keystore, { alias, names, keyType: key.keyType })
  return {
    title: `${names[0] ?? alias} (${alias} in ${keystore.place.path})`,
    fields: { basePath: jetty.process.base, keystorePath: keystore.place.path, alias },
    names, served: await probeAll(context.probe, endpoints), installedPem: key?.entry.chainPem.join('') ?? null,
    problem: reason === null ? null : new CertloopError('PLACE_UNSUPPORTED', `What is served from "${alias}" in ${keystore.place.path} can not be proven: ${reason}.`, { path: keystore.place.path, alias }).toWire(),
  }
}

interface Intent { alias: string; material: PlanMaterial; endpoints: Endpoint[] }

async function planSteps(context: DriverContext, fields: JettyFields, place: Place, { alias, material, endpoints }: Intent): Promise<PlanDraft> {
  const { jetty, keystore } = place
  const served = await probeAll(context.probe, endpoints)
  const { step, secrets } = entryStep(keystore, alias, material)
  const { steps, seconds } = await activationOf(context.host, jetty, place.contexts, fields)
  await checkServerRight(context.host, keystore, 'Jetty', jetty.process.java, steps)
  const isServed = served.every(({ fingerprint }) => fingerprint === material.fingerprint)
  const prove = proveStep({ expect: material.fingerprint, timeoutSeconds: Math.max(fields.proofSeconds ?? manifest.fields.properties.proofSeconds.default, seconds) }, endpoints, served)
  return { steps: [...(step === undefined ? [] : [step]), ...(step === undefined && isServed ? [] : steps), prove], secrets, ...observe(place) }
}

/** All that the plan relies on; passwords are taken out of the texts. */
function observe({ jetty: { start, process }, keystore }: Place): Pick<PlanDraft, 'observed' | 'observedTexts'> {
  const texts = [
    ...[...start.inis, ...start.xmls].map(({ path: name, text }) => [name, redacted(text)] as const),
    ['arguments of Jetty', redacted(process.arguments.join('\n'))] as const,
    [`links of ${keystore.place.path}`, keystore.realPath] as const,
  ]
  return {
    observed: [...texts.map(([name, text]) => ({ name, digest: sha256Hex(text) })), { name: keystore.realPath, digest: keystore.file.digest }].filter(({ name }, i, all) => all.findIndex((one) => one.name === name) === i),
    observedTexts: Object.fromEntries(texts),
  }
}
