import { CertloopError, type Endpoint, type HttpRequestStep } from '@certloop/contract'
import { isIP } from 'node:net'
import { plainAddress } from '../shared/pem-files/sockets.ts'
import type { Activation, ActivationInput } from './activation.ts'
import type { Weblogic } from './domain.ts'

const requestSeconds = 120
const secretName = 'managementPassword'

/** Where a server is asked. `runtime`: path of its bean below the version. */
interface Place { origin: string; runtime: string }

/**
 * Restarts the SSL channels of each server through REST, once a question that changes nothing has shown that address,
 * user and password are right.
 * @throws CertloopError PLAN_FAILED when user, password or an address that is safe is missing
 */
export async function overRest(input: ActivationInput): Promise<Activation> {
  const { fields: { managementUser: user, managementPassword: password }, servers } = input
  if (user === undefined || password === undefined) throw new CertloopError('PLAN_FAILED', 'REST needs a user of the domain with the role Admin and its password. Fill in the fields "Management user" and "Password of the management user", or choose a restart.')
  const made = await Promise.all(servers.map((server) => requestsFor(server, user, input)))
  return { before: made.map(({ ask }) => ask), steps: made.map(({ restart }) => restart), secrets: { [secretName]: password }, seconds: 0 }
}

async function requestsFor(server: Weblogic, user: string, input: ActivationInput): Promise<{ ask: HttpRequestStep; restart: HttpRequestStep }> {
  const { name } = server.model
  const { origin, runtime } = placeOf(server, input)
  const pins = await pinsFor(new URL(origin), input)
  const base = `${origin}/management/weblogic/latest/${runtime}`
  const common = {
    kind: 'http-request', authorization: { scheme: 'basic', user, password: secretName }, timeoutSeconds: requestSeconds, ...(pins === undefined ? {} : { pins }),
  } as const
  // Some versions ask for X-Requested-By at questions too.
  const headers = { 'Accept': 'application/json', 'X-Requested-By': 'certloop' }
  return {
    ask: { ...common, purpose: 'test', title: `Ask for the WebLogic server ${name}`, method: 'GET', url: `${base}?fields=name,state&links=none`, headers, expect: { status: [200], body: `"name"\\s*:\\s*${escaped(JSON.stringify(name))}` } },
    restart: { ...common, purpose: 'activate', title: `Restart the SSL channels of the WebLogic server ${name}`, method: 'POST', url: `${base}/restartSSLChannels`, headers: { ...headers, 'Content-Type': 'application/json' }, body: '{}', expect: { status: [200, 201] } },
  }
}

const escaped = (text: string) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

function placeOf(server: Weblogic, { fields: { managementUrl }, locate }: ActivationInput): Place {
  const { name, administration, plain, ssl } = server.model
  if (managementUrl !== undefined) return { origin: new URL(managementUrl).origin, runtime: `domainRuntime/serverRuntimes/${encodeURIComponent(name)}` }
  // The SSL channel comes last: it is the one that is restarted.
  const channel = administration ?? plain ?? ssl
  const address = channel === null ? undefined : locate(server, channel)
  if (channel === null || address === undefined) throw new CertloopError('PLAN_FAILED', `Where the management of the WebLogic server ${name} answers can not be told from its configuration. Fill in the field "Administration server", or choose a restart.`)
  return { origin: `${channel === plain ? 'http' : 'https'}://${address.includes(':') ? `[${address}]` : address}:${channel.port}`, runtime: 'serverRuntime' }
}

/**
 * On this host the certificates that are trusted are the one that is shown now and the new one, which may be the same
 * place; elsewhere (undefined) the roots of the system decide.
 * @throws CertloopError PLAN_FAILED when the password would go to another host in the clear
 */
async function pinsFor({ protocol, hostname, port }: URL, { context: { host, probe }, material }: ActivationInput): Promise<string[] | undefined> {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1')
  const address = plainAddress(bare)
  const isHere = address !== undefined && (/^127\.|^::1$/.test(address) || (await host.facts()).addresses.includes(address))
  if (protocol === 'http:') {
    if (!isHere) throw new CertloopError('PLAN_FAILED', `The password would go to ${hostname} in the clear. Give an https address of the administration server.`)
    return undefined
  }
  if (!isHere) return undefined
  const endpoint: Endpoint = { address, port: Number(port || 443), serverName: isIP(bare) === 0 ? bare : null, keyType: null }
  const { fingerprint } = await probe(endpoint)
  return [...new Set([...(fingerprint === null ? [] : [fingerprint]), material.fingerprint])]
}
