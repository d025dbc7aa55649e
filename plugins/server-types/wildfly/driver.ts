import { CertloopError, type DetectedServer, type DetectedSlot, type Endpoint, sha256Hex, type Step, toCertloopError } from '@certloop/contract'
import { type DriverContext, type Host, type HostProcess, probeAll, proveStep, type PlanDraft, type PlanMaterial, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { entryStep, type HeldKey, heldKeyOf, openKeystore, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { checkServerRight } from '../shared/java/server-right.ts'
import { activationOf } from './activation.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { findWildflys, isDomain, readWildfly } from './process.ts'
import { redacted } from './redacted.ts'
import { endpointsOf, keystorePlaceOf, openWildfly, storesUsing, type Wildfly } from './server.ts'

export type WildflyFields = Static<typeof fieldSchema>

export const driver: ServerTypeDriver<WildflyFields> = {
  async detect(context) {
    const found = findWildflys(await context.host.processes())
    return Promise.all(found.map((process) => detectServer(context, process)))
  },

  async inspect(context, fields) {
    return describe(context, await openPlace(context.host, fields))
  },

  async plan(context, fields, material) {
    const place = await openPlace(context.host, fields)
    const { alias } = place.key
    const { endpoints, reason } = endpointsOf(place.wildfly, place.keystore, { alias, keyType: material.keyType === 'other' ? null : material.keyType })
    if (reason !== null) throw new CertloopError('PLAN_FAILED', `The new certificate could not be proven as "${alias}" in ${fields.keystorePath}: ${reason}.`, { path: fields.keystorePath, alias })
    return planSteps(context, fields, place, { material, endpoints })
  },
}

interface Place { wildfly: Wildfly; keystore: OpenKeystore; key: HeldKey }

/** @throws CertloopError SERVER_NOT_RUNNING, SLOT_NOT_FOUND, ALIAS_NOT_FOUND and those of the keystore and the configuration */
async function openPlace(host: Host, fields: WildflyFields): Promise<Place> {
  const wildfly = await findServer(host, fields)
  const named = path.posix.normalize(fields.keystorePath)
  const stores = wildfly.model.stores.filter((one) => one.path === named)
  const store = storesUsing(wildfly, named, fields.alias)[0] ?? stores[0]
  if (store === undefined) throw new CertloopError('SLOT_NOT_FOUND', `${wildfly.process.configurationPath} has no key store or security realm with the keystore ${fields.keystorePath}.`, { path: fields.keystorePath })
  const keystore = await openKeystore(host, keystorePlaceOf(store, fields))
  const key = heldKeyOf(keystore, fields.alias)
  if (key === undefined) {
    const aliases = keystore.keys.map(({ alias }) => alias).slice(0, 50)
    throw new CertloopError('ALIAS_NOT_FOUND', `The keystore ${fields.keystorePath} has no key "${fields.alias}". ${aliases.length === 0 ? 'It has no key at all.' : `It has: ${aliases.join(', ')}.`}`, { path: fields.keystorePath, alias: fields.alias, aliases })
  }
  return { wildfly, keystore, key }
}

async function findServer(host: Host, { basePath }: WildflyFields): Promise<Wildfly> {
  const named = path.posix.resolve(basePath)
  for (const process of findWildflys(await host.processes())) {
    if (process.container !== null || isDomain(process)) continue
    const found = await readWildfly(host, process)
    if (found?.base === named) return openWildfly(host, process, found)
  }
  throw new CertloopError('SERVER_NOT_RUNNING', `No standalone WildFly or JBoss EAP runs with the base ${basePath}.`, { path: basePath })
}

async function detectServer(context: DriverContext, process: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = process
  const command = process.executable || process.name
  const found: DetectedServer = {
    serverType: manifest.id, key: `${command} ${pid}`, title: `WildFly (process ${pid})`, version: null,
    process: { pid, user, service, container, command }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container} ${pid}`, title: `WildFly in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This WildFly runs in container ${container.slice(0, 12)}; its keystore and configuration are not reachable from the host. Run a bot in the container.`, { pid })
    }
    if (isDomain(process)) throw new CertloopError('PLACE_UNSUPPORTED', 'This is the host controller of a managed domain: its servers get their configuration from the domain controller, and their key stores have to be read again on each of them. Only standalone servers are supported. Keep the keystore up to date as a file, with a command that asks the domain controller.', { pid })
    const wildfly = await openWildfly(context.host, process)
    const { process: { base }, product, version } = wildfly
    Object.assign(found, { key: base, title: `${product}${version === null ? '' : ` ${version}`} (${base})`, version })
    return { ...found, ...await detectSlots(context, wildfly) }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

/** Stores that nothing serves are left out: they hold keys for other purposes. */
async function detectSlots(context: DriverContext, wildfly: Wildfly): Promise<Pick<DetectedServer, 'slots' | 'problem'>> {
  const served = wildfly.model.stores.filter(({ listeners }) => listeners.length > 0)
  const different = [...new Map(served.map((store) => [store.path, store])).values()]
  const read = await Promise.allSettled(different.map(async (store) => {
    const keystore = await openKeystore(context.host, keystorePlaceOf(store, {}))
    const used = keystore.keys.filter(({ alias }) => storesUsing(wildfly, store.path, alias).length > 0)
    return Promise.all(used.map((key) => describe(context, { wildfly, keystore, key })))
  }))
  const failure = read.find((result) => result.status === 'rejected')
  return { slots: read.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])), problem: failure === undefined ? null : toCertloopError(failure.reason).toWire() }
}

async function describe(context: DriverContext, { wildfly, keystore, key }: Place): Promise<DetectedSlot> {
  const { alias, leaf, entry } = key
  const { endpoints, reason } = endpointsOf(wildfly, keystore, key)
  const file = keystore.place.path
  return {
    title: `${leaf.names[0] ?? leaf.commonName ?? alias} (${alias} in ${file})`, fields: { basePath: wildfly.process.base, keystorePath: file, alias },
    names: leaf.names, served: await probeAll(context.probe, endpoints), installedPem: entry.chainPem.join(''),
    problem: reason === null ? null : new CertloopError('PLACE_UNSUPPORTED', `What is served from "${alias}" in ${file} can not be proven: ${reason}.`, { path: file, alias }).toWire(),
  }
}

async function planSteps(context: DriverContext, fields: WildflyFields, { wildfly, keystore, key }: Place, { material, endpoints }: { material: PlanMaterial; endpoints: Endpoint[] }): Promise<PlanDraft> {
  const { process: { java }, product } = wildfly
  const [served, activation] = await Promise.all([
    probeAll(context.probe, endpoints),
    activationOf(wildfly, storesUsing(wildfly, keystore.place.path, key.alias), fields, { ...context, fingerprint: material.fingerprint }),
  ])
  await checkServerRight(context.host, keystore, product, java, activation.steps)
  const { step, secrets } = entryStep(keystore, key.alias, material)
  const isDone = step === undefined && served.every(({ fingerprint }) => fingerprint === material.fingerprint)
  const prove = proveStep({ expect: material.fingerprint, timeoutSeconds: fields.proofSeconds ?? manifest.fields.properties.proofSeconds.default }, endpoints, served)
  const change: Step[] = isDone ? [] : [...activation.before, ...(step === undefined ? [] : [step]), ...activation.steps]
  return { steps: [...change, prove], secrets: isDone ? {} : { ...secrets, ...activation.secrets }, ...observe(wildfly, keystore) }
}

/** All that the plan relies on; passwords are taken out of the texts. */
function observe({ process, texts }: Wildfly, keystore: OpenKeystore): Pick<PlanDraft, 'observed' | 'observedTexts'> {
  const named = [...texts.map(({ path: name, text }) => [name, redacted(text)] as const), [`server of ${process.base}`, `${process.home}\n${process.configurationPath}`] as const, [`links of ${keystore.place.path}`, keystore.realPath] as const]
  return { observed: [...named.map(([name, text]) => ({ name, digest: sha256Hex(text) })), { name: keystore.realPath, digest: keystore.file.digest }], observedTexts: Object.fromEntries(named) }
}
