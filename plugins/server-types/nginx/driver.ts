import { CertloopError, type DetectedServer, type DetectedSlot, toCertloopError } from '@certloop/contract'
import { type DriverContext, type HostProcess, inParallel, probeAll, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { type Configuration, findSlot, readConfiguration, type Slot } from './configuration.ts'
import { findMasters, type Instance, readInstance, startOptions } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { planSteps, type ReadableSlot } from './plan.ts'

type Fields = Static<typeof fieldSchema>

const slotsAtOnce = 4
const defaultProofSeconds = 10

export const driver: ServerTypeDriver<Fields> = {
  async detect(context) {
    const masters = findMasters(await context.host.processes())
    return Promise.all(masters.map((master) => detectServer(context, master)))
  },

  async inspect(context, fields) {
    const { instance, slot } = await openSlot(context, fields)
    return describeSlot(context, instance, slot)
  },

  async plan(context, fields, material) {
    const { instance, configuration, slot } = await openSlot(context, fields)
    if (slot.problem !== null) throw new CertloopError(slot.problem.code, slot.problem.message, slot.problem.facts)
    if (!isReadable(slot)) throw new CertloopError('PLAN_FAILED', `${slot.pair.certificatePath} could not be read.`)
    const served = await probeAll(context.probe, slot.endpoints)
    return planSteps({ host: context.host, instance, configuration, slot, material, served, proofSeconds: fields.proofSeconds ?? defaultProofSeconds })
  },
}

const isReadable = (slot: Slot): slot is ReadableSlot => slot.files !== undefined

/** The running instance and the slot that the fields name. @throws CertloopError as ServerTypeDriver.inspect */
async function openSlot({ host }: DriverContext, fields: Fields): Promise<{ instance: Instance; configuration: Configuration; slot: Slot }> {
  const instance = await findInstance({ host }, fields)
  const configuration = await readConfiguration(host, instance)
  const slot = findSlot(configuration.slots, fields.certificatePath, fields.keyPath)
  if (slot === undefined) {
    throw new CertloopError('SLOT_NOT_FOUND', `${fields.configurationPath} has no TLS server with the certificate ${fields.certificatePath} and the key ${fields.keyPath}.`, { path: fields.certificatePath })
  }
  return { instance, configuration, slot }
}

async function findInstance({ host }: Pick<DriverContext, 'host'>, fields: Fields): Promise<Instance> {
  const problems: unknown[] = []
  const masters = findMasters(await host.processes()).filter((master) => master.container === null && mayBeNamed(master, fields))
  for (const master of masters) {
    try {
      const instance = await readInstance(host, master, { program: fields.binaryPath, sudo: fields.sudo })
      if (isNamed(instance, fields)) return instance
    } catch (error) {
      problems.push(error)
    }
  }
  // A master that could not be looked at may be the one that is meant.
  if (problems.length > 0) throw toCertloopError(problems[0])
  throw new CertloopError('SERVER_NOT_RUNNING', `No nginx runs with the configuration ${fields.configurationPath}${fields.prefix === undefined ? '' : ` and the prefix ${fields.prefix}`}.`, { path: fields.configurationPath })
}

/** Spares the calls to masters that say themselves that they have another configuration. */
function mayBeNamed(master: HostProcess, { configurationPath }: Fields): boolean {
  const { configuration } = startOptions(master)
  return configuration === null || !path.posix.isAbsolute(configuration) || path.posix.normalize(configuration) === path.posix.normalize(configurationPath)
}

const plain = (folder: string) => path.posix.normalize(`${folder}/`)
const isNamed = (instance: Instance, { configurationPath, prefix }: Fields) =>
  instance.configurationPath === path.posix.normalize(configurationPath) && (prefix === undefined || plain(prefix) === plain(instance.prefix ?? ''))

async function detectServer(context: DriverContext, master: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = master
  const found: DetectedServer = {
    serverType: manifest.id, key: `${master.executable || master.name} ${pid}`, title: `nginx (process ${pid})`, version: null,
    process: { pid, user, service, container, command: master.executable || master.name }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container}`, title: `nginx in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This nginx runs in container ${container.slice(0, 12)}; its files and configuration are not reachable from the host. Run a bot in the container, or put the certificate files on a volume and reload from outside.`, { pid })
    }
    const instance = await readInstance(context.host, master)
    Object.assign(found, { key: keyOf(instance), title: `${instance.product} ${instance.version} (${instance.configurationPath})`, version: instance.version })
    return { ...found, ...await detectSlots(context, instance) }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

const keyOf = ({ configurationPath, prefix }: Instance) => (prefix === null ? configurationPath : `${configurationPath} -p ${prefix}`)

async function detectSlots(context: DriverContext, instance: Instance): Promise<Pick<DetectedServer, 'slots' | 'problem'>> {
  const { used, configuration } = await readWithRights(context, instance)
  const slots = await inParallel(configuration.slots, slotsAtOnce, (slot) => describeSlot(context, used, slot))
  if (configuration.problems.length === 0) return { slots, problem: null }
  const reasons = configuration.problems.map(({ where, reason }) => `${where}: ${reason}`)
  return { slots, problem: new CertloopError('PLACE_UNSUPPORTED', `Some certificates of this server can not be replaced. ${reasons.join('; ')}.`).toWire() }
}

/** Where the bot is not root, nginx may still be called through sudo. */
async function readWithRights({ host }: DriverContext, instance: Instance): Promise<{ used: Instance; configuration: Configuration }> {
  try {
    return { used: instance, configuration: await readConfiguration(host, instance) }
  } catch (error) {
    const isForeign = instance.process.executable === ''
    if (!isForeign || await host.stat('/usr/bin/sudo') === undefined) throw error
    const used = { ...instance, sudo: true }
    // The first reason is the better one where sudo does not help.
    const configuration = await readConfiguration(host, used).catch(() => { throw error })
    return { used, configuration }
  }
}

async function describeSlot(context: DriverContext, instance: Instance, slot: Slot): Promise<DetectedSlot> {
  const { pair, installedPem, problem } = slot
  const [first, ...more] = pair.names
  const name = first === undefined ? path.posix.basename(pair.certificatePath) : more.length === 0 ? first : `${first} and ${more.length} more`
  const fields: Fields = {
    certificatePath: pair.certificatePath, keyPath: pair.keyPath, configurationPath: instance.configurationPath,
    ...(instance.prefix === null ? {} : { prefix: instance.prefix }),
    ...(instance.process.executable === '' ? { binaryPath: instance.program } : {}),
    ...(instance.sudo ? { sudo: true } : {}),
  }
  return { title: `${name} (${pair.certificatePath})`, fields, names: pair.names, served: await probeAll(context.probe, slot.endpoints), installedPem, problem }
}
