import { CertloopError, type HttpRequestStep, type ReloadServiceStep } from '@certloop/contract'
import type { DriverContext, Host, HostProcess, PlanMaterial } from '@certloop/plugin-kit'
import path from 'node:path'
import { unitCommands } from '../shared/java/process.ts'
import { unitOf } from '../shared/pem-files/systemd.ts'
import type { Domain, Weblogic } from './domain.ts'
import type { WeblogicFields } from './driver.ts'
import type { Locate } from './endpoints.ts'
import { overRest } from './management.ts'
import { isNodeManager } from './process.ts'

/** A server with its applications takes minutes to start. */
const restartSeconds = 900
const startedSeconds = 600

/** `before`: what shows, with nothing touched, that the way is open. `seconds`: how long the proof has to wait at least. */
export interface Activation { before: HttpRequestStep[]; steps: (HttpRequestStep | ReloadServiceStep)[]; secrets: Record<string, string>; seconds: number }

export interface ActivationInput {
  context: DriverContext
  domain: Domain
  /** All that show the entry. */
  servers: readonly Weblogic[]
  fields: WeblogicFields
  material: PlanMaterial
  locate: Locate
}

/** @throws CertloopError PLAN_FAILED when the way that the fields name is not there */
export async function activationOf(input: ActivationInput): Promise<Activation> {
  const { fields } = input
  switch (fields.activation ?? 'auto') {
    case 'rest': return overRest(input)
    case 'service': return restarting(await byUnits(input))
    case 'command': return restarting([byCommand(input)])
    default: return fields.managementUser === undefined ? restarting(await byUnits(input)) : overRest(input)
  }
}

const restarting = (steps: ReloadServiceStep[]): Activation => ({ before: [], steps, secrets: {}, seconds: startedSeconds })

function byCommand({ domain, servers: [server], fields: { restartCommand, restartAs } }: ActivationInput): ReloadServiceStep {
  if (restartCommand === undefined) throw new CertloopError('PLAN_FAILED', 'The target says that WebLogic is restarted with a command, and names none. Fill in the field "Restart command".')
  const runAs = server?.process.java.runAs
  return { kind: 'reload-service', service: `WebLogic (${domain.folder})`, argv: [...restartCommand], script: true, timeoutSeconds: restartSeconds, ...(restartAs === 'bot' || runAs === undefined ? {} : { runAs }) }
}

async function byUnits({ context: { host }, servers, fields: { sudo = false } }: ActivationInput): Promise<ReloadServiceStep[]> {
  const processes = await host.processes()
  const units = await Promise.all(servers.map((server) => unitFor(host, server, processes)))
  return [...new Set(units)].map((unit) => {
    const { restart, start } = unitCommands(unit, { sudo })
    return { kind: 'reload-service', service: unit, argv: restart, start, timeoutSeconds: restartSeconds }
  })
}

/** Not cron, a login or the manager of a user: their units are not those of the server. */
const isScript = ({ name, executable, argv }: HostProcess) => /^(ba|da|k|z)?sh$/.test(path.posix.basename(executable || name)) && argv.length > 1

/** startWebLogic.sh stays above the server that it started, so that the unit's own process may be a script above it. */
async function unitFor(host: Host, { process: { java: { process } }, model: { name } }: Weblogic, processes: readonly HostProcess[]): Promise<string> {
  const above = ancestorsOf(process, processes)
  if (above.some(isNodeManager)) throw new CertloopError('PLAN_FAILED', `The WebLogic server ${name} was started by Node Manager, and a restart of the unit would not be one of the server. Give a management user, so that its SSL channels are restarted through REST, or a restart command.`)
  const unit = await unitOf(host, process, above.filter(isScript).map(({ pid }) => pid))
  if (unit === null) throw new CertloopError('PLAN_FAILED', `The WebLogic server ${name} was not started by a systemd unit of its own. Give a management user, so that its SSL channels are restarted through REST, or a restart command.`)
  return unit
}

function ancestorsOf({ parentPid }: HostProcess, processes: readonly HostProcess[]): HostProcess[] {
  const parent = parentPid > 1 ? processes.find(({ pid }) => pid === parentPid) : undefined
  return parent === undefined ? [] : [parent, ...ancestorsOf(parent, processes.filter((one) => one !== parent))]
}
