import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairEndpoint, type PairPaths } from '../shared/pem-files/pairs.ts'
import { nearAddresses, plainAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import type { Instance } from './instance.ts'
import { isOn, settingsOf, valueOf } from './settings.ts'

const compiledCertificate = '/usr/share/ssl/certs/vsftpd.pem'

type Settings = ReadonlyMap<string, string>

/** The pairs that vsftpd loads at its start, and the one socket where it shows them. */
export async function readConfiguration(host: Host, instance: Instance): Promise<PemConfiguration> {
  const { lines, texts, process: { workingDirectory, pid } } = instance
  const settings = settingsOf(lines)
  if (!isOn(settings, 'ssl_enable')) return { texts, pairs: [], problems: [] }
  const holder = { name: 'vsftpd' }
  const pairs = ['rsa', 'dsa'].flatMap((kind) => pairOf(settings, kind, workingDirectory === '' ? '/' : workingDirectory))
  const { sockets, left } = await provable(host, settings, pid)
  const startTls = isOn(settings, 'implicit_ssl') ? null : 'ftp' as const
  const endpoints = sockets.map(({ address, port }): PairEndpoint => ({ address: nearAddresses(address)[0] ?? address, port, serverName: null, startTls, holder }))
  return { texts, pairs: joinUses(pairs.map((pair) => ({ ...pair, holder, of: pairs.length, names: [], endpoints, left }))), problems: [] }
}

/** A key that is not named is in the file of the certificate. */
function pairOf(settings: Settings, kind: string, folder: string): PairPaths[] {
  const named = settings.get(`${kind}_cert_file`) ?? (kind === 'rsa' ? compiledCertificate : '')
  if (named === '') return []
  const [certificatePath, keyPath] = [named, valueOf(settings, `${kind}_private_key_file`) ?? named].map((file) => path.posix.resolve(folder, file))
  return [{ certificatePath: certificatePath ?? named, keyPath: keyPath ?? named, chainPath: null }]
}

/** Where it listens: as configured, since a restart makes it so; the running process has to say the same. */
async function provable(host: Host, settings: Settings, pid: number): Promise<{ sockets: Socket[]; left: string[] }> {
  const socket = socketOf(settings)
  if (typeof socket === 'string') return { sockets: [], left: [socket] }
  const own = (await host.listeners()).filter((listener) => listener.pid === pid).map(socketKey)
  if (own.length === 0 || own.includes(socketKey(socket))) return { sockets: [socket], left: [] }
  return { sockets: [], left: [`its configuration says ${socket.address} port ${socket.port}, and it listens elsewhere; restart it first`] }
}

/** @returns why there is none where a super-server takes the connections */
function socketOf(settings: Settings): Socket | string {
  const six = isOn(settings, 'listen_ipv6')
  if (!six && !isOn(settings, 'listen')) return 'it is started for each connection by inetd, xinetd or a socket of systemd (listen=NO), so the bot can neither see its port nor restart it'
  const named = valueOf(settings, six ? 'listen_address6' : 'listen_address')
  const address = named === undefined ? (six ? '::' : '0.0.0.0') : plainAddress(named)
  if (address === undefined) return `it listens on ${named}, which is no address`
  return { address, port: Number(valueOf(settings, 'listen_port') ?? 21) }
}
