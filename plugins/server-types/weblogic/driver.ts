import { CertloopError, type DetectedServer, type DetectedSlot, sha256Hex, type Step, toCertloopError } from '@certloop/contract'
import { type DriverContext, type HostProcess, probeAll, proveStep, type PlanDraft, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { checkServerRight } from '../shared/java/server-right.ts'
import { entryStep, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { activationOf } from './activation.ts'
import type { Identity } from './configuration.ts'
import { type Domain, openDomain, openServer, type Weblogic } from './domain.ts'
import { endpointsOf, identitiesAt, type Locate, locator } from './endpoints.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { installedIn, openEntry } from './place.ts'
import { findWeblogics, isNodeManager } from './process.ts'
import { redacted } from './redacted.ts'

export type WeblogicFields = Static<typeof fieldSchema>

export const driver: ServerTypeDriver<WeblogicFields> = {
  async detect(context) {
    const found = findWeblogics(await context.host.processes())
    return Promise.all(found.map((process) => detectServer(context, process)))
  },

  async inspect(context, fields) {
    const { server, identity } = await findPlace(context, fields)
    return describe(context, server, identity, fields)
  },

  async plan(context, fields, material) {
    const { domain, server, identity, servers } = await findPlace(context, fields)
    const { keystorePath, alias } = identity
    const { keystore, key } = await openEntry(context.host, { ...fields, keystorePath, alias })
    const locate = await locator(context.host, servers)
    const { endpoints, reason } = endpointsOf(servers, identity, locate)
    if (reason !== null) throw new CertloopError('PLAN_FAILED', `The new certificate could not be proven as "${alias}" in ${keystorePath}: ${reason}.`, { path: keystorePath, alias })
    const [served, activation] = await Promise.all([probeAll(context.probe, endpoints), activationOf({ context, domain, servers, fields, material, locate })])
    await checkServerRight(context.host, keystore, 'WebLogic', server.process.java, activation.steps)
    const { step, secrets } = entryStep(keystore, key.alias, material)
    const isDone = step === undefined && served.every(({ fingerprint }) => fingerprint === material.fingerprint)
    const prove = proveStep({ expect: material.fingerprint, timeoutSeconds: Math.max(fields.proofSeconds ?? manifest.fields.properties.proofSeconds.default, activation.seconds) }, endpoints, served)
    const change: Step[] = isDone ? [] : [...activation.before, ...(step === undefined ? [] : [step]), ...activation.steps]
    return { steps: [...change, prove], secrets: isDone ? {} : { ...secrets, ...activation.secrets }, ...observe(domain, servers, keystore) }
  },
}

interface Place {
  domain: Domain
  server: Weblogic
  identity: Identity
  /** All that run here and show this entry: they change together. */
  servers: Weblogic[]
}

/** @throws CertloopError SERVER_NOT_RUNNING, SLOT_NOT_FOUND, PLACE_UNSUPPORTED and those of the configuration */
async function findPlace({ host }: DriverContext, fields: WeblogicFields): Promise<Place> {
  const { domain, server } = await openDomain(host, fields)
  const named = path.posix.normalize(fields.keystorePath)
  const [identity] = identitiesAt(server, named, fields.alias)
  if (identity === undefined) throw notThere(server, fields)
  return { domain, server, identity, servers: domain.servers.filter((one) => identitiesAt(one, named, fields.alias).length > 0) }
}

function notThere({ model: { name, identities, unsupported } }: Weblogic, { keystorePath, alias }: WeblogicFields): CertloopError {
  if (identities.length === 0 && unsupported.length > 0) return unsupportedError(name, unsupported)
  const has = identities.map((one) => `"${one.alias}" in ${one.keystorePath}`).join(', ')
  return new CertloopError('SLOT_NOT_FOUND', `The WebLogic server ${name} does not use "${alias}" in ${keystorePath}. ${has === '' ? 'It has no channel with TLS and an identity of its own.' : `It uses ${has}.`}`, { path: keystorePath, alias })
}

const unsupportedError = (name: string, reasons: readonly string[]) => new CertloopError('PLACE_UNSUPPORTED', `WebLogic server ${name}: ${reasons.join('; ')}. Give it a custom identity: a JKS or PKCS#12 file with an entry, and Custom Identity in the Keystores and SSL settings of the server or channel. Then scan again.`, { server: name })

async function detectServer(context: DriverContext, process: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = process
  const command = process.executable || process.name
  const found: DetectedServer = {
    serverType: manifest.id, key: `${command} ${pid}`, title: `WebLogic (process ${pid})`, version: null,
    process: { pid, user, service, container, command }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container} ${pid}`, title: `WebLogic in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This WebLogic runs in container ${container.slice(0, 12)}; its keystore and configuration are not reachable from the host. Run a bot in the container.`, { pid })
    }
    if (isNodeManager(process)) {
      Object.assign(found, { key: `node manager ${process.workingDirectory}`, title: 'WebLogic Node Manager' })
      throw new CertloopError('PLACE_UNSUPPORTED', 'This is a Node Manager. Its own certificate (nodemanager.properties) is not replaced: it needs a restart, and the administration server has to trust it. Keep its keystore up to date as a file, with a command that restarts it.', { pid })
    }
    const server = await openServer(context.host, process)
    const { model: { name, isAdmin, version, unsupported }, process: { domain } } = server
    Object.assign(found, { key: `${domain} ${name}`, title: `WebLogic ${version ?? ''} ${isAdmin ? 'administration server' : 'managed server'} ${name} (${domain})`.replace('  ', ' '), version })
    const slots = await detectSlots(context, server)
    return { ...found, slots, problem: unsupported.length === 0 ? null : unsupportedError(name, unsupported).toWire() }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

async function detectSlots(context: DriverContext, server: Weblogic): Promise<DetectedSlot[]> {
  const fields = { domainPath: server.process.domain, serverName: server.model.name }
  return Promise.all(server.model.identities.map(async (identity) => {
    const { keystorePath, alias } = identity
    return describe(context, server, identity, { ...fields, keystorePath, alias }).catch(async (error: unknown) => ({ ...await shown(context, server, identity, null), problem: toCertloopError(error).toWire() }))
  }))
}

type Installed = Awaited<ReturnType<typeof installedIn>>

async function describe(context: DriverContext, server: Weblogic, identity: Identity, fields: WeblogicFields): Promise<DetectedSlot> {
  return shown(context, server, identity, await installedIn(context.host, { ...fields, keystorePath: identity.keystorePath, alias: identity.alias }))
}

async function shown(context: DriverContext, server: Weblogic, identity: Identity, installed: Installed): Promise<DetectedSlot> {
  const { keystorePath, alias, channels } = identity
  const locate: Locate = await locator(context.host, [server])
  const { endpoints, reason } = endpointsOf([server], identity, locate)
  return {
    title: `${server.model.name}, ${channels.map(({ name }) => name).join(', ')} (${alias} in ${keystorePath})`,
    fields: { domainPath: server.process.domain, serverName: server.model.name, keystorePath, alias },
    names: [...installed?.names ?? []], served: await probeAll(context.probe, endpoints), installedPem: installed?.chainPem.join('') ?? null,
    problem: reason === null ? null : new CertloopError('PLACE_UNSUPPORTED', `What is served from "${alias}" in ${keystorePath} can not be proven: ${reason}.`, { path: keystorePath, alias }).toWire(),
  }
}

/** All that the plan relies on; passphrases are taken out of the texts. */
function observe({ folder, texts }: Domain, servers: readonly Weblogic[], keystore: OpenKeystore): Pick<PlanDraft, 'observed' | 'observedTexts'> {
  const running = servers.map(({ model: { name }, process: { startFolder } }) => `${name} started in ${startFolder}`).join('\n')
  const named = [...texts.map(({ path: file, text }) => [file, redacted(text)] as const), [`servers of ${folder} with this entry`, running] as const, [`links of ${keystore.place.path}`, keystore.realPath] as const]
  return { observed: [...named.map(([name, text]) => ({ name, digest: sha256Hex(text) })), { name: keystore.realPath, digest: keystore.file.digest }], observedTexts: Object.fromEntries(named) }
}
