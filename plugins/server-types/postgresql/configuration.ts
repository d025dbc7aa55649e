import type { FileFacts, Host, HostListener } from '@certloop/plugin-kit'
import type { Account } from '@certloop/contract'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairEndpoint } from '../shared/pem-files/pairs.ts'
import { proofAddress, socketKey } from '../shared/pem-files/sockets.ts'
import { type Instance, setting } from './instance.ts'

/** postgresql.conf(5), "Connections and Authentication: SSL". */
const names = ['ssl', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', 'port'] as const
type Settings = Record<(typeof names)[number], string>

/** The configuration as the server reads it at a reload: files, includes, postgresql.auto.conf and command line together. */
export async function readConfiguration(host: Host, instance: Instance): Promise<PemConfiguration> {
  const values = await Promise.all(names.map(async (name) => [name, await setting(host, instance, name)] as const))
  const settings = Object.fromEntries(values) as Settings
  const texts = [{ name: `settings of ${instance.configurationPath}`, text: values.map(([name, value]) => `${name} = ${value}\n`).join('') }]
  // Nothing is wrong with a server without TLS; it has no place for a certificate.
  if (settings.ssl !== 'on') return { texts, pairs: [], problems: [] }
  const absolute = (file: string) => path.posix.resolve(instance.dataDirectory, file)
  const [certificatePath, keyPath] = [absolute(settings.ssl_cert_file), absolute(settings.ssl_key_file)]
  const holder = instance.process
  const endpoints = endpointsOf(await host.listeners(), instance, settings).map((endpoint): PairEndpoint => ({ ...endpoint, holder }))
  const refusal = await sharedWith(host, { certificatePath, keyPath }, settings, absolute) ?? await keyProblem(host, instance, keyPath)
  const pairs = joinUses([{ certificatePath, keyPath, chainPath: null, holder, of: 1, names: [], endpoints, left: ['the server listens on no TCP port, and PostgreSQL has no TLS on Unix sockets'], refusal }])
  return { texts, pairs, problems: [] }
}

/** Its own sockets; where their processes can't be seen, or a session that begins just now has them too, those on its port. */
function endpointsOf(listeners: readonly HostListener[], { process: { pid } }: Instance, { port }: Settings): Omit<PairEndpoint, 'holder'>[] {
  const certain = listeners.filter((socket) => socket.pid === pid)
  const own = certain.length > 0 ? certain : listeners.filter((socket) => socket.port === Number(port))
  const taken = new Set(listeners.map(socketKey))
  return [...new Map(own.map((socket) => [socketKey(socket), socket])).values()].flatMap((socket) => {
    const address = proofAddress(socket, taken)
    return address === undefined ? [] : [{ address, port: socket.port, serverName: null, startTls: 'postgres' as const }]
  })
}

/** Whoever checks clients by the server's own certificate would check them by the new one from then on. */
async function sharedWith(host: Host, { certificatePath, keyPath }: { certificatePath: string; keyPath: string }, settings: Settings, absolute: (file: string) => string): Promise<string | null> {
  const replaced = new Set(await Promise.all([certificatePath, keyPath].map((file) => host.realPath(file))))
  for (const name of ['ssl_ca_file', 'ssl_crl_file'] as const) {
    if (settings[name] !== '' && replaced.has(await host.realPath(absolute(settings[name])))) {
      return `${name} names the same file, so replacing the certificate would change which clients are let in. Copy it to a file of its own for ${name} first`
    }
  }
  return null
}

async function keyProblem(host: Host, { runAs, process }: Instance, keyPath: string): Promise<string | null> {
  const facts = await host.stat(await host.realPath(keyPath) ?? keyPath)
  if (facts === undefined || runAs === undefined) return null
  const reason = keyRule(facts, runAs)
  return reason === null ? null : `PostgreSQL does not load ${keyPath}: ${reason}. Make ${process.user} its owner with mode 0600, or root with mode 0640`
}

/** Which keys PostgreSQL loads (documentation, "Secure TCP/IP Connections with SSL"; be-secure-common.c). */
export function keyRule({ type, uid, mode }: Pick<FileFacts, 'type' | 'uid' | 'mode'>, account: Account): string | null {
  if (type !== 'file') return 'it is no regular file'
  if (uid !== account.uid && uid !== 0) return 'it belongs neither to its account nor to root'
  if ((mode & (uid === account.uid ? 0o077 : 0o037)) !== 0) return `mode ${mode.toString(8).padStart(4, '0')} lets others at it`
  return null
}
