import type { Endpoint } from '@certloop/contract'
import type { Host, HostListener } from '@certloop/plugin-kit'
import { plainAddress, proofAddress, socketKey } from '../shared/pem-files/sockets.ts'
import type { Channel } from './configuration.ts'
import type { Weblogic } from './domain.ts'

/** Says where a channel is reached from the host itself; undefined when that can't be told. */
export type Locate = (server: Weblogic, channel: Channel) => string | undefined

/** Listen addresses may be names: then the sockets of the process show which address they mean. */
export async function locator(host: Host, servers: readonly Weblogic[]): Promise<Locate> {
  const named = servers.some(({ model }) => channelsOf(model).some(({ address }) => address !== '' && plainAddress(address) === undefined))
  const listeners = named ? await host.listeners() : []
  const taken = new Set(servers.flatMap(({ model }) => channelsOf(model).flatMap(({ address, port }) => (address === '' ? [] : [socketKey({ address: plainAddress(address) ?? address, port })]))))
  return ({ process }, { address, port }) => {
    if (!(port > 0)) return undefined
    const plain = address === '' ? '0.0.0.0' : plainAddress(address) ?? listened(listeners, process.java.process.pid, port)
    return plain === undefined ? undefined : proofAddress({ address: plain, port }, taken)
  }
}

const channelsOf = ({ identities, plain, administration, ssl }: Weblogic['model']): Channel[] =>
  [plain, administration, ssl, ...identities.flatMap(({ channels }) => channels)].filter((channel) => channel !== null)

function listened(listeners: readonly HostListener[], pid: number, port: number): string | undefined {
  const found = listeners.filter((one) => one.port === port && (one.pid === pid || one.pid === null)).map(({ address }) => plainAddress(address)).filter((address) => address !== undefined)
  return found.find((address) => address.startsWith('127.')) ?? found.find((address) => !address.includes(':')) ?? found[0]
}

/** The channels of these servers that show one entry, each once, and why one can't be looked at. */
export function endpointsOf(servers: readonly Weblogic[], { keystorePath, alias }: { keystorePath: string; alias: string }, locate: Locate): { endpoints: Endpoint[]; reason: string | null } {
  const found = servers.flatMap((server) => identitiesAt(server, keystorePath, alias).flatMap(({ channels }) => channels.map((channel) => ({ channel, address: locate(server, channel) }))))
  const lost = found.find(({ address }) => address === undefined)
  const endpoints = found.flatMap(({ channel: { port }, address }): Endpoint[] => (address === undefined ? [] : [{ address, port, serverName: null, keyType: null }]))
  return {
    endpoints: [...new Map(endpoints.map((endpoint) => [socketKey(endpoint), endpoint])).values()],
    reason: lost === undefined ? null : `where ${lost.channel.name} listens can not be told from "${lost.channel.address}" and port ${lost.channel.port}`,
  }
}

/** Java does not tell upper and lower case of aliases apart. */
export const identitiesAt = ({ model }: Weblogic, keystorePath: string, alias: string): Weblogic['model']['identities'] =>
  model.identities.filter((identity) => identity.keystorePath === keystorePath && identity.alias.toLowerCase() === alias.toLowerCase())
