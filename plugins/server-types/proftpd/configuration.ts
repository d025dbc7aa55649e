import type { Host } from '@certloop/plugin-kit'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairEndpoint, type PairPaths, type PairProblem, type PairUse } from '../shared/pem-files/pairs.ts'
import { nearAddresses, plainAddress, proofAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import type { Instance } from './instance.ts'
import { type Configuration, occurrences, readServers, type Server } from './servers.ts'

const compiledPort = 21

/** The configuration as it is written; whether ProFTPD takes it, its test says before anything is activated. */
export async function readConfiguration(host: Host, { configurationPath, modules }: Instance): Promise<PemConfiguration> {
  const configuration = await readServers(host, configurationPath, modules)
  const places = placesOf(configuration)
  const uses: PairUse[] = []
  const problems: PairProblem[] = configuration.unclear.map((where) => ({ where, reason: 'whether it counts depends on how ProFTPD was started, which can not be seen' }))
  for (const place of places) {
    if (!isOn(first(configuration, place.server, 'tlsengine'))) continue
    const { pairs, reasons } = pairsOf(configuration, place.server)
    problems.push(...reasons.map((reason) => ({ where: place.name, reason })))
    uses.push(...pairs.map((pair) => ({ ...pair, holder: place.server, of: pairs.length, names: place.names, endpoints: place.endpoints, left: place.left })))
  }
  return { texts: configuration.texts, pairs: joinUses(uses), problems }
}

const isOn = (value: string | undefined) => /^(on|yes|true|1)$/i.test(value ?? '')

/** Of directives that are looked up, the first occurrence counts; of those that are carried out, the last. */
const first = (configuration: Configuration, server: Server, name: string) => occurrences(configuration, server, name)[0]?.[0]

function pairsOf(configuration: Configuration, server: Server): { pairs: PairPaths[]; reasons: string[] } {
  const chainPath = first(configuration, server, 'tlscertificatechainfile') ?? null
  const pairs = ['rsa', 'ec'].flatMap((kind): PairPaths[] => {
    const certificatePath = first(configuration, server, `tls${kind}certificatefile`)
    if (certificatePath === undefined || !certificatePath.startsWith('/')) return []
    return [{ certificatePath, keyPath: first(configuration, server, `tls${kind}certificatekeyfile`) ?? certificatePath, chainPath }]
  })
  const others = { tlspkcs12file: 'TLSPKCS12File names a PKCS#12 file, not PEM files', tlsdsacertificatefile: 'TLSDSACertificateFile names a DSA certificate, which no present client takes' }
  return { pairs, reasons: Object.entries(others).flatMap(([name, reason]) => (first(configuration, server, name) === undefined ? [] : [reason])) }
}

interface Place { server: Server; name: string; names: string[]; endpoints: PairEndpoint[]; left: string[] }

/**
 * Where each server answers. Of several on one socket, each <VirtualHost> answers to those who ask by its ServerAlias; which
 * one answers to all others can't be told, and the main server goes by no name (seen with 1.3.8).
 */
function placesOf(configuration: Configuration): Place[] {
  const sockets = new Map(configuration.servers.map((server) => [server, socketsOf(server)]))
  const all = [...sockets.values()].flatMap(({ found }) => found.map(socketKey))
  const taken = new Set(all)
  const isShared = (socket: Socket) => all.filter((key) => key === socketKey(socket)).length > 1
  return configuration.servers.map((server) => {
    const { found, left } = sockets.get(server) ?? { found: [], left: [] }
    const aliases = (server.own.get('serveralias') ?? []).flat()
    const title = server.own.get('servername')?.at(-1)?.[0]
    const startTls = occurrences(configuration, server, 'tlsoptions').flat().some((option) => /^UseImplicitSSL$/i.test(option)) ? null : 'ftp' as const
    const endpoints = found.flatMap((socket): PairEndpoint[] => {
      const serverName = isShared(socket) ? (server.isMain ? undefined : aliases.find((alias) => !/[*?[]/.test(alias))) : null
      const address = taken.size === 1 ? nearAddresses(socket.address)[0] : proofAddress(socket, taken)
      if (address !== undefined && serverName !== undefined) return [{ address, port: socket.port, serverName, startTls, holder: server }]
      left.push(`${socket.address} port ${socket.port} belongs to several servers, and this one has no ServerAlias of its own to be asked for`)
      return []
    })
    return { server, name: title ?? server.addresses.join(' '), names: [...new Set([title ?? '', ...aliases])].filter((name) => /^[^\s*?[]+\.[^\s*?[]+$/.test(name)), endpoints, left }
  })
}

function socketsOf({ isMain, addresses, own }: Server): { found: Socket[]; left: string[] } {
  const port = Number(own.get('port')?.at(-1)?.[0] ?? compiledPort)
  if (port === 0) return { found: [], left: ['it is switched off with Port 0'] }
  const named = isMain && addresses.length === 0 ? ['0.0.0.0'] : addresses
  const plain = named.map((address) => plainAddress(address))
  return {
    found: plain.flatMap((address) => (address === undefined ? [] : [{ address, port }])),
    left: named.filter((_, i) => plain[i] === undefined).map((name) => `it listens on the name ${name}, not on an address`),
  }
}
