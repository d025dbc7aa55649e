import { CertloopError, type Endpoint, type HttpRequestStep, type ReloadServiceStep, type Step } from '@certloop/contract'
import type { DriverContext, PlanMaterial } from '@certloop/plugin-kit'
import { unitCommands } from '../shared/java/process.ts'
import { javaUnit } from '../shared/java/unit.ts'
import { catalinaSteps } from './catalina.ts'
import type { ServerConfiguration, TlsConnector } from './connectors.ts'
import type { TomcatFields } from './driver.ts'
import { addressOf } from './endpoints.ts'
import type { Tomcat } from './instance.ts'
import type { Slot } from './slots.ts'

const requestSeconds = 60
const restartSeconds = 180

/** What has to be done so that Tomcat serves what lies on disk, and the secrets that it takes. */
export interface Activation { steps: Step[]; secrets: Record<string, string> }

export interface ActivationInput {
  context: DriverContext
  tomcat: Tomcat
  /** All that change together. */
  slots: readonly Slot[]
  fields: TomcatFields
  material: PlanMaterial
}

/** @throws CertloopError PLAN_FAILED when the way that the fields name is not there; PROGRAM_NOT_TRUSTED */
export async function activationOf(input: ActivationInput): Promise<Activation> {
  const { fields } = input
  switch (fields.activation ?? 'auto') {
    case 'manager': case 'jmx-proxy': return requested(input)
    case 'command': return { steps: [commanded(input)], secrets: {} }
    case 'restart': return { steps: await restarted(input), secrets: {} }
    default: return fields.managerUser === undefined ? { steps: await restarted(input), secrets: {} } : requested(input)
  }
}

async function requested(input: ActivationInput): Promise<Activation> {
  const { fields: { managerUser: user, managerPassword, activation }, slots } = input
  if (user === undefined || managerPassword === undefined) throw new CertloopError('PLAN_FAILED', 'The manager of Tomcat needs a user and a password. Fill in the fields "Manager user" and "Manager password", or choose a restart.')
  const { url, pins } = await managerOf(input)
  const common = {
    kind: 'http-request', purpose: 'activate', method: 'GET', authorization: { scheme: 'basic', user, password: 'managerPassword' }, ...(pins.length === 0 ? {} : { pins }),
    expect: { status: [200], body: '^OK\\b' }, timeoutSeconds: requestSeconds,
  } as const satisfies Partial<HttpRequestStep>
  const targets = slots.map(({ configured: { hostName, connector } }) => (activation === 'jmx-proxy' ? jmxRequest(url, hostName, connector) : reloadRequest(url, hostName)))
  const steps = [...new Map(targets.map((target) => [target.url, { ...common, ...target }])).values()]
  return { steps, secrets: { managerPassword } }
}

/** ManagerServlet.sslReload: the host of this name on every connector that has it. */
const reloadRequest = (manager: string, hostName: string) => ({ title: `Reload the TLS configuration of ${hostName} in Tomcat`, url: `${manager}/text/sslReload?tlsHostName=${encodeURIComponent(hostName)}` })

/** The protocol handler has its name from AbstractProtocol.createObjectName. */
function jmxRequest(manager: string, hostName: string, { domain, port, address }: TlsConnector) {
  const bean = `${domain}:type=ProtocolHandler,port=${port}${address === undefined ? '' : `,address="${address}"`}`
  return { title: `Reload the TLS configuration of ${hostName} on port ${port} in Tomcat`, url: `${manager}/jmxproxy/?invoke=${encodeURIComponent(bean)}&op=reloadSslHostConfig&ps=${encodeURIComponent(hostName)}` }
}

/**
 * The address of the manager, and the certificates it may show: what it shows now, and the new one, as it may be asked
 * again after the change. Only for addresses of this machine: elsewhere the roots of the system decide.
 */
async function managerOf({ context: { probe }, tomcat: { configuration }, fields, material }: ActivationInput): Promise<{ url: string; pins: string[] }> {
  const text = fields.managerUrl ?? nearManager(configuration)
  if (text === undefined) throw new CertloopError('PLAN_FAILED', 'Where the manager of Tomcat answers is not known. Fill in the field "Manager".')
  if (!URL.canParse(text) || !/^https?:\/\/[^@?#]*$/.test(text)) throw new CertloopError('PLAN_FAILED', 'The address of the manager is none of the form http://127.0.0.1:8080/manager, without user and password.')
  const url = text.replace(/\/+$/, '')
  const endpoint = loopbackEndpoint(new URL(url))
  if (endpoint === undefined) return { url, pins: [] }
  const { fingerprint } = await probe(endpoint)
  return { url, pins: [...new Set([...(fingerprint === null ? [] : [fingerprint]), material.fingerprint])] }
}

/** On the first connector without TLS, else on the first. */
function nearManager(configuration: ServerConfiguration): string | undefined {
  const { connectors } = configuration
  const connector = connectors.find(({ tls }) => !tls) ?? connectors[0]
  const address = connector && addressOf(connector, configuration)
  if (connector === undefined || address === undefined) return undefined
  return `${connector.tls ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${connector.port}/manager`
}

function loopbackEndpoint({ protocol, hostname, port }: URL): Endpoint | undefined {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1')
  const address = bare === 'localhost' ? '127.0.0.1' : bare
  if (protocol !== 'https:' || !/^(127\.[\d.]+|::1)$/.test(address)) return undefined
  return { address, port: Number(port || 443), serverName: bare === 'localhost' ? bare : null, keyType: null }
}

function commanded({ tomcat: { java: { runAs }, base }, fields: { restartCommand, restartAs } }: ActivationInput): ReloadServiceStep {
  if (restartCommand === undefined) throw new CertloopError('PLAN_FAILED', 'The target says that Tomcat is restarted with a command, and names none. Fill in the field "Restart command".')
  return { kind: 'reload-service', service: `Tomcat (${base})`, argv: [...restartCommand], script: true, timeoutSeconds: restartSeconds, ...(restartAs === 'bot' || runAs === undefined ? {} : { runAs }) }
}

async function restarted({ context: { host }, tomcat, fields: { sudo = false } }: ActivationInput): Promise<ReloadServiceStep[]> {
  const unit = await javaUnit(host, tomcat.java.process)
  if (unit === null) {
    // What the bot itself started lives in the bot's unit, and would end with it.
    const own = host.kind === 'local' ? (await host.processes()).find(({ pid }) => pid === process.pid)?.service ?? null : null
    return catalinaSteps(host, tomcat, { botUnit: own })
  }
  const { restart } = unitCommands(unit, { sudo })
  // Where a connector could not start with its certificate, the unit runs on without it: to start it would do nothing.
  return [{ kind: 'reload-service', service: unit, argv: restart, start: restart, timeoutSeconds: restartSeconds }]
}
