import { CertloopError, type HttpRequestStep, type ReloadServiceStep } from '@certloop/contract'
import type { DriverContext, Host } from '@certloop/plugin-kit'
import { unitCommands } from '../shared/java/process.ts'
import { javaUnit } from '../shared/java/unit.ts'
import { plainAddress } from '../shared/pem-files/sockets.ts'
import type { ConfiguredStore } from './configuration.ts'
import type { WildflyFields } from './driver.ts'
import type { Wildfly } from './server.ts'

const managementSeconds = 60
const restartSeconds = 180
const secretName = 'managementPassword'

/** `before`: what shows, with nothing touched, that the way is open. */
export interface Activation { before: HttpRequestStep[]; steps: (HttpRequestStep | ReloadServiceStep)[]; secrets: Record<string, string> }

interface Operation { operation: string; address: Record<string, string>[] }

/** What the management is asked for: Elytron reads its store and its keys again; a realm of old comes with a reload of the server. */
function operationsFor(stores: readonly ConfiguredStore[]): Operation[] {
  const elytron = stores.filter(({ kind }) => kind === 'elytron')
  const at = (resource: Record<string, string>) => [{ subsystem: 'elytron' }, resource]
  return [
    ...[...new Set(elytron.map(({ keyStore }) => keyStore))].map((name) => ({ operation: 'load', address: at({ 'key-store': name }) })),
    ...[...new Set(elytron.flatMap(({ keyManager }) => keyManager ?? []))].map((name) => ({ operation: 'init', address: at({ 'key-manager': name }) })),
    ...(stores.some(({ kind }) => kind === 'realm') ? [{ operation: 'reload', address: [] }] : []),
  ]
}

/** @throws CertloopError PLAN_FAILED when the way that the fields name is not there */
export async function activationOf(wildfly: Wildfly, stores: readonly ConfiguredStore[], fields: WildflyFields, at: DriverContext & { fingerprint: string }): Promise<Activation> {
  switch (fields.activation ?? 'cli') {
    case 'http': return overHttp(wildfly, operationsFor(stores), fields, at)
    case 'service': return { before: [], steps: [await restarted(at.host, wildfly, fields)], secrets: {} }
    case 'command': return { before: [], steps: [commanded(wildfly, fields)], secrets: {} }
    default: return { before: [], steps: [withCli(wildfly, operationsFor(stores))], secrets: {} }
  }
}

const refused = (message: string) => new CertloopError('PLAN_FAILED', message)

/** Address and port of the management interface, from the host itself. */
function managementOf({ model: { management }, process }: Wildfly): { address: string; port: number; tls: boolean } {
  const plain = plainAddress(management?.address ?? '')
  if (management === null || plain === undefined || !(management.port > 0)) throw refused(`Where the management interface of the server in ${process.base} listens can not be told from its configuration. Choose to restart the server instead.`)
  return { address: plain === '0.0.0.0' ? '127.0.0.1' : plain === '::' ? '::1' : plain, port: management.port, tls: management.tls }
}

const hostOf = (address: string) => (address.includes(':') ? `[${address}]` : address)

async function overHttp(wildfly: Wildfly, operations: readonly Operation[], { managementUser, managementPassword }: WildflyFields, { fingerprint, probe }: DriverContext & { fingerprint: string }): Promise<Activation> {
  if (managementUser === undefined || managementPassword === undefined) throw refused('The target says that the management interface is used, and names no user or no password for it. Fill in both, or choose jboss-cli.')
  const { address, port, tls } = managementOf(wildfly)
  const seen = tls ? (await probe({ address, port, serverName: null, keyType: null })).fingerprint : null
  const request = (purpose: HttpRequestStep['purpose'], title: string, body: unknown): HttpRequestStep => ({
    kind: 'http-request', purpose, title, method: 'POST', url: `${tls ? 'https' : 'http'}://${hostOf(address)}:${port}/management`,
    headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), authorization: { scheme: 'digest', user: managementUser, password: secretName },
    // The interface may show the very certificate that is being replaced.
    ...(tls ? { pins: [...new Set([...(seen === null ? [] : [seen]), fingerprint])] } : {}),
    expect: { status: [200], body: '^\\s*\\{\\s*"outcome"\\s*:\\s*"success"' }, timeoutSeconds: managementSeconds,
  })
  const [first] = operations
  const single = operations.length === 1 && first !== undefined
  return {
    before: [request('test', 'Ask the management for the state of the server', { operation: 'read-attribute', address: [], name: 'server-state' })],
    steps: [request('activate', titleOf(operations), single ? first : { operation: 'composite', address: [], steps: operations })],
    secrets: { [secretName]: managementPassword },
  }
}

const titleOf = (operations: readonly Operation[]) => (operations.some(({ operation }) => operation === 'reload') ? 'Reload the server' : `Have Elytron read ${operations.map(({ address }) => Object.values(address.at(-1) ?? {})[0]).join(' and ')} again`)

/** jboss-cli as the account of the server: it proves who it is by a file that only that account and root can read. */
function withCli(wildfly: Wildfly, operations: readonly Operation[]): ReloadServiceStep {
  const { home, java } = wildfly.process
  const { address, port, tls } = managementOf(wildfly)
  const commands = operations.map(commandOf)
  return {
    kind: 'reload-service', service: nameOf(wildfly), timeoutSeconds: managementSeconds,
    argv: [`${home}/bin/jboss-cli.sh`, '--no-color-output', '--connect', `--controller=remote+http${tls ? 's' : ''}://${hostOf(address)}:${port}`, `--commands=${commands.join(',')}`],
    ...(java.javaHome === null ? {} : { environment: { JAVA_HOME: java.javaHome } }), ...(java.runAs === undefined ? {} : { runAs: java.runAs }),
  }
}

function commandOf({ operation, address }: Operation): string {
  const parts = address.flatMap((part) => Object.entries(part)).map(([type, name]) => {
    if (!/^[\w.-]+$/.test(name)) throw refused(`The name ${name} can not be handed to jboss-cli safely. Choose the HTTP management interface instead.`)
    return `/${type}=${name}`
  })
  return `${parts.join('')}:${operation}`
}

const nameOf = ({ product, process: { base } }: Wildfly) => `${product} (${base})`

async function restarted(host: Host, { process: { java, base } }: Wildfly, { sudo = false }: WildflyFields): Promise<ReloadServiceStep> {
  const service = await javaUnit(host, java.process)
  if (service === null) throw refused(`The server in ${base} was not started by a systemd unit of its own. Choose another way in the field "Taking up the new certificate".`)
  const { restart, start } = unitCommands(service, { sudo })
  return { kind: 'reload-service', service, argv: restart, start, timeoutSeconds: restartSeconds }
}

function commanded(wildfly: Wildfly, { restartCommand, restartAs }: WildflyFields): ReloadServiceStep {
  if (restartCommand === undefined) throw refused('The target says that the server is restarted with a command, and names none. Fill in the field "Restart command".')
  const { runAs } = wildfly.process.java
  return { kind: 'reload-service', service: nameOf(wildfly), argv: [...restartCommand], start: [...restartCommand], script: true, timeoutSeconds: restartSeconds, ...(restartAs === 'bot' || runAs === undefined ? {} : { runAs }) }
}
