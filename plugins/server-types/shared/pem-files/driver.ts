import { type Account, CertloopError, type DetectedServer, type DetectedSlot, toCertloopError } from '@certloop/contract'
import { type DriverContext, type Host, type HostProcess, inParallel, type PlanMaterial, probeAll, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import { firstFitting } from '../host/first-fitting.ts'
import { ownAddresses } from './own-addresses.ts'
import { type ConfiguredPair, type PairProblem, withKeyTypes } from './pairs.ts'
import { type Activation, planSteps } from './plan.ts'
import { findSlot, type ReadableSlot, readSlots, type Slot } from './slots.ts'

/** A running server and how to speak to it. */
export interface PemInstance {
  process: HostProcess
  program: string
  /** "nginx", "OpenResty" */
  product: string
  /** '' where the server tells nobody. */
  version: string
  configurationPath: string
  /** The account of a server that is not root's. Its program and modules are its own, so nothing of it runs as root. */
  runAs?: Account
  /** Further groups of that account, where files may be readable through them. */
  groups?: readonly number[]
  /** Its commands go through `sudo -n`. */
  sudo: boolean
}

/** A configuration as the running process reads it. */
export interface PemConfiguration {
  /** What a plan relies on, e.g. each configuration file: name and text. Texts stay on the host. */
  texts: { name: string; text: string }[]
  pairs: ConfiguredPair[]
  /** Pairs that can't be replaced, and what else is to be told. */
  problems: PairProblem[]
}

/** Fields that every type with PEM files has. */
export interface PemFields { certificatePath: string; keyPath: string; configurationPath?: string; binaryPath?: string; sudo?: boolean; proofSeconds?: number }

/** What is particular to a server type whose certificates are PEM files named in its configuration. */
export interface PemServerType<F extends PemFields, I extends PemInstance, C extends PemConfiguration> {
  /** Its id, and the fields with their defaults. */
  manifest: { id: string; fields: { properties: { proofSeconds: { default: number } } } }
  /** For people, within a sentence. */
  title: string
  /** Running servers among all processes; one for each instance. */
  findProcesses(processes: readonly HostProcess[]): HostProcess[]
  /** false spares the calls to a process that says itself that it is another one than the fields name. Absent: any may be. */
  mayBeNamed?(process: HostProcess, fields: F): boolean
  /**
   * How a process is to be spoken to.
   * @param given what the fields of a target say; `fields`: all of them, absent while servers are looked for
   * @throws CertloopError PROGRAM_NOT_TRUSTED, SERVER_CONFIGURATION_UNREADABLE, COMMAND_NOT_ALLOWED, COMMAND_FAILED
   */
  readInstance(host: Host, process: HostProcess, given: { program?: string | undefined; sudo?: boolean | undefined; fields?: F | undefined }): Promise<I>
  /** Absent: the one whose configuration the fields name. */
  isNamed?(instance: I, fields: F): boolean
  /** The same for the same server at each scan, and different for each server of a host. Absent: its configuration. */
  keyOf?(instance: I): string
  /** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE in the server's own words */
  readConfiguration(host: Host, instance: I): Promise<C>
  /** @throws CertloopError when there is no way: PLAN_FAILED, PROGRAM_NOT_TRUSTED */
  activation(instance: I, configuration: C, target: { host: Host; fields: F; slot: ReadableSlot; material: PlanMaterial }): Activation | Promise<Activation>
  /** The pair as it will be with another certificate, where the names in it decide for whom it is; absent: as it is. */
  pairWith?(configuration: C, pair: ConfiguredPair, material: PlanMaterial): ConfiguredPair
  /** Further fields that name this instance. */
  moreFields?(instance: I): Partial<F>
  /** How long old and new workers may answer side by side after a reload. */
  steadyMilliseconds?: number
  /** Why a pair with an encrypted key is left alone; absent: it is replaced by one that is not. */
  encryptedKey?: string
  /** The field that names the instance, and what it names within a sentence; absent: configurationPath, "the configuration". */
  named?: { field: Extract<keyof F, string>; words: string }
}

const slotsAtOnce = 4

/** The driver of such a type. */
export function pemServerDriver<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>): ServerTypeDriver<F> {
  return {
    async detect(context) {
      const found = type.findProcesses(await context.host.processes())
      return Promise.all(found.map((process) => detectServer(type, context, process)))
    },

    async inspect(context, fields) {
      const { instance, slot } = await openSlot(type, context, fields)
      return describeSlot(type, context, instance, slot)
    },

    async plan(context, fields, material) {
      const { instance, configuration, ...now } = await openSlot(type, context, fields)
      const { slot, slots } = slotsWith(type, configuration, now, { material, here: await hereOn(context.host) })
      if (slot.problem !== null) throw new CertloopError(slot.problem.code, slot.problem.message, slot.problem.facts)
      if (!isReadable(slot)) throw new CertloopError('PLAN_FAILED', `${slot.pair.certificatePath} could not be read.`)
      const served = await probeAll(context.probe, slot.endpoints)
      return planSteps({
        host: context.host, user: { product: instance.product, groups: instance.groups ?? [], ...(instance.runAs === undefined ? {} : { runAs: instance.runAs }) },
        activation: await type.activation(instance, configuration, { host: context.host, fields, slot, material }), texts: configuration.texts,
        slot, slots, material, served, proofSeconds: fields.proofSeconds ?? type.manifest.fields.properties.proofSeconds.default, steadyMilliseconds: type.steadyMilliseconds,
      })
    },
  }
}

/** The slots as they will be; the one that changes is the same object in both. */
function slotsWith<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, configuration: C, { slot, slots }: { slot: Slot; slots: Slot[] }, { material, here }: { material: PlanMaterial; here: Here }) {
  if (type.pairWith === undefined) return { slot, slots }
  const pair = here(type.pairWith(configuration, slot.pair, material))
  const changed = { ...slot, pair, endpoints: withKeyTypes(pair, material.keyType === 'other' ? null : material.keyType) }
  if (slot.problem === null && changed.endpoints.length === 0) throw new CertloopError('PLAN_FAILED', `Nothing could prove the new certificate in ${pair.certificatePath}: ${pair.left.join('; ')}.`, { path: pair.certificatePath })
  return { slot: changed, slots: slots.map((other) => (other === slot ? changed : other)) }
}

type Here = (pair: ConfiguredPair) => ConfiguredPair

/** Leaves of a pair only the endpoints on addresses that this machine has: behind others its neighbour would be proven. */
async function hereOn(host: Host): Promise<Here> {
  const isOwn = await ownAddresses(host)
  if (isOwn === undefined) return (pair) => pair
  return (pair) => {
    const away = [...new Set(pair.endpoints.map(({ address }) => address).filter((address) => !isOwn(address)))]
    const left = away.map((address) => `${address} is not an address of this machine now, so a handshake would reach another one`)
    return away.length === 0 ? pair : { ...pair, endpoints: pair.endpoints.filter(({ address }) => !away.includes(address)), left: [...pair.left, ...left] }
  }
}

const isReadable = (slot: Slot): slot is ReadableSlot => slot.files !== undefined

interface OpenSlot<I, C> { instance: I; configuration: C; slots: Slot[]; slot: Slot }

/** The running instance and the slot that the fields name. @throws CertloopError as ServerTypeDriver.inspect */
async function openSlot<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, { host }: DriverContext, fields: F): Promise<OpenSlot<I, C>> {
  const instance = await findInstance(type, host, fields)
  const configuration = await type.readConfiguration(host, instance)
  const slots = await readSlots(host, configuration.pairs.map(await hereOn(host)), type)
  const slot = findSlot(slots, fields.certificatePath, fields.keyPath)
  if (slot === undefined) {
    throw new CertloopError('SLOT_NOT_FOUND', `${placeOf(type, fields)} has no TLS server with the certificate ${fields.certificatePath} and the key ${fields.keyPath}.`, { path: fields.certificatePath })
  }
  return { instance, configuration, slots, slot }
}

async function findInstance<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, host: Host, fields: F): Promise<I> {
  const candidates = async () => type.findProcesses(await host.processes()).filter((process) => process.container === null && type.mayBeNamed?.(process, fields) !== false)
  const found = await firstFitting(candidates, async (process) => {
    const instance = await type.readInstance(host, process, { program: fields.binaryPath, sudo: fields.sudo, fields })
    return (type.isNamed === undefined ? hasConfiguration(instance, fields) : type.isNamed(instance, fields)) ? instance : undefined
  })
  if (found !== undefined) return found
  throw new CertloopError('SERVER_NOT_RUNNING', `No ${type.title} runs with ${type.named?.words ?? 'the configuration'} ${placeOf(type, fields)} as the target names it.`, { path: placeOf(type, fields) })
}

const hasConfiguration = ({ configurationPath }: PemInstance, fields: PemFields) => fields.configurationPath !== undefined && configurationPath === path.posix.normalize(fields.configurationPath)

/** What names the instance. */
function placeOf<F extends PemFields, I extends PemInstance, C extends PemConfiguration>({ named }: PemServerType<F, I, C>, fields: F): string {
  return String(fields[named?.field ?? 'configurationPath'])
}

async function detectServer<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, context: DriverContext, process: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = process
  const command = process.executable || process.name
  const found: DetectedServer = {
    serverType: type.manifest.id, key: `${command} ${pid}`, title: `${type.title} (process ${pid})`, version: null,
    process: { pid, user, service, container, command }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container}`, title: `${type.title} in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This ${type.title} runs in container ${container.slice(0, 12)}; its files and configuration are not reachable from the host. Run a bot in the container, or put the certificate files on a volume and reload from outside.`, { pid })
    }
    const instance = await type.readInstance(context.host, process, {})
    Object.assign(found, { key: type.keyOf?.(instance) ?? instance.configurationPath, title: [instance.product, instance.version, `(${instance.configurationPath})`].filter((word) => word !== '').join(' '), version: instance.version || null })
    return { ...found, ...await detectSlots(type, context, instance) }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

async function detectSlots<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, context: DriverContext, instance: I): Promise<Pick<DetectedServer, 'slots' | 'problem'>> {
  const { used, configuration } = await readWithRights(type, context.host, instance)
  const read = await readSlots(context.host, configuration.pairs.map(await hereOn(context.host)), type)
  const slots = await inParallel(read, slotsAtOnce, (slot) => describeSlot(type, context, used, slot))
  if (configuration.problems.length === 0) return { slots, problem: null }
  const reasons = configuration.problems.map(({ where, reason }) => `${where}: ${reason}`)
  return { slots, problem: new CertloopError('PLACE_UNSUPPORTED', `Some certificates of this server can not be replaced. ${reasons.join('; ')}.`).toWire() }
}

/** Where the bot is not root, the server's program may still be called through sudo. */
async function readWithRights<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, host: Host, instance: I): Promise<{ used: I; configuration: C }> {
  try {
    return { used: instance, configuration: await type.readConfiguration(host, instance) }
  } catch (error) {
    const isForeign = instance.process.executable === ''
    if (!isForeign || await host.stat('/usr/bin/sudo') === undefined) throw error
    const used = { ...instance, sudo: true }
    // The first reason is the better one where sudo does not help.
    const configuration = await type.readConfiguration(host, used).catch(() => { throw error })
    return { used, configuration }
  }
}

async function describeSlot<F extends PemFields, I extends PemInstance, C extends PemConfiguration>(type: PemServerType<F, I, C>, context: DriverContext, instance: I, slot: Slot): Promise<DetectedSlot> {
  const { pair, installedPem, problem } = slot
  const [first, ...more] = pair.names
  const name = first === undefined ? path.posix.basename(pair.certificatePath) : more.length === 0 ? first : `${first} and ${more.length} more`
  const fields = {
    certificatePath: pair.certificatePath, keyPath: pair.keyPath, [type.named?.field ?? 'configurationPath']: instance.configurationPath, ...type.moreFields?.(instance),
    ...(instance.process.executable === '' && 'binaryPath' in type.manifest.fields.properties ? { binaryPath: instance.program } : {}),
    ...(instance.sudo ? { sudo: true } : {}),
  }
  return { title: `${name} (${pair.certificatePath})`, fields, names: pair.names, served: await probeAll(context.probe, slot.endpoints), installedPem, problem }
}
