import { CertloopError, type DetectedServer, type DetectedSlot, toCertloopError } from '@certloop/contract'
import { type DriverContext, type Host, type HostProcess, inParallel, probeAll, type ServerTypeDriver } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Static } from 'typebox'
import { firstFitting } from '../shared/host/first-fitting.ts'
import { findTomcats, readBase, readTomcat, type Tomcat } from './instance.ts'
import { type fields as fieldSchema, manifest } from './manifest.ts'
import { planSteps } from './plan.ts'
import { readSlots, type Slot } from './slots.ts'

export type TomcatFields = Static<typeof fieldSchema>

const slotsAtOnce = 4

export const driver: ServerTypeDriver<TomcatFields> = {
  async detect(context) {
    const found = findTomcats(await context.host.processes())
    return Promise.all(found.map((process) => detectServer(context, process)))
  },

  async inspect(context, fields) {
    const { tomcat, slot } = await openSlot(context.host, fields)
    return describeSlot(context, tomcat, slot)
  },

  async plan(context, fields, material) {
    return planSteps({ context, fields, material, ...await openSlot(context.host, fields) })
  },
}

/** The running instance and the slot that the fields name. @throws CertloopError as ServerTypeDriver.inspect */
async function openSlot(host: Host, fields: TomcatFields): Promise<{ tomcat: Tomcat; slot: Slot } & Awaited<ReturnType<typeof readSlots>>> {
  const tomcat = await findTomcat(host, fields)
  const { port, hostName, certificateType } = fields
  const read = await readSlots(host, tomcat, fields)
  const slot = read.slots.find(({ configured: { connector, ...one } }) =>
    connector.port === port && (connector.address ?? '') === (fields.address ?? '') && one.hostName === hostName.toLowerCase() && one.type === certificateType)
  if (slot === undefined) throw new CertloopError('SLOT_NOT_FOUND', `${tomcat.serverXmlPath} has no certificate of type ${certificateType} for the host ${hostName} on ${fields.address ?? '*'}:${port}.`, { path: tomcat.serverXmlPath })
  return { tomcat, slot, ...read }
}

async function findTomcat(host: Host, { basePath }: TomcatFields): Promise<Tomcat> {
  const wanted = path.posix.normalize(basePath).replace(/(?<=.)\/$/, '')
  const real = await host.realPath(wanted)
  const candidates = async () => findTomcats(await host.processes()).filter(({ container }) => container === null)
  const tomcat = await firstFitting(candidates, async (process) => {
    const found = await readBase(host, process)
    return found.base === wanted || await host.realPath(found.base) === real ? readTomcat(host, found) : undefined
  })
  if (tomcat !== undefined) return tomcat
  throw new CertloopError('SERVER_NOT_RUNNING', `No Tomcat runs with the CATALINA_BASE ${basePath}.`, { path: basePath })
}

async function detectServer(context: DriverContext, process: HostProcess): Promise<DetectedServer> {
  const { pid, user, service, container } = process
  const command = process.executable || process.name
  const found: DetectedServer = {
    serverType: manifest.id, key: `${command} ${pid}`, title: `Tomcat (process ${pid})`, version: null,
    process: { pid, user, service, container, command }, slots: [], problem: null,
  }
  try {
    if (container !== null) {
      Object.assign(found, { key: `container ${container}`, title: `Tomcat in container ${container.slice(0, 12)}` })
      throw new CertloopError('PLACE_UNSUPPORTED', `This Tomcat runs in container ${container.slice(0, 12)}; its files and configuration are not reachable from the host. Run a bot in the container, or put the keystore on a volume and let files and a command be the target.`, { pid })
    }
    const base = await readBase(context.host, process)
    Object.assign(found, { key: base.base, title: `Tomcat (${base.base})` })
    const tomcat = await readTomcat(context.host, base)
    Object.assign(found, { version: tomcat.version, title: `Tomcat ${tomcat.version ?? ''} (${base.base})`.replace('  ', ' ') })
    const { slots } = await readSlots(context.host, tomcat, {})
    found.slots = await inParallel(slots, slotsAtOnce, (slot) => describeSlot(context, tomcat, slot))
    const { problems } = tomcat.configuration
    return { ...found, problem: problems.length === 0 ? null : new CertloopError('PLACE_UNSUPPORTED', `Some connectors could not be looked at: ${problems.join('; ')}.`).toWire() }
  } catch (error) {
    return { ...found, problem: toCertloopError(error).toWire() }
  }
}

async function describeSlot({ probe }: DriverContext, { base }: Tomcat, { configured, endpoints, installedPem, problem }: Slot): Promise<DetectedSlot> {
  const { connector: { port, address }, hostName, type } = configured
  const named = hostName === '_default_' ? 'Default host' : hostName
  return {
    title: `${named} on ${address ?? '*'}:${port}${type === 'UNDEFINED' ? '' : ` (${type})`}`,
    fields: { basePath: base, port, ...(address === undefined ? {} : { address }), hostName, certificateType: type },
    names: hostName === '_default_' ? [] : [hostName], served: await probeAll(probe, endpoints), installedPem, problem,
  }
}
