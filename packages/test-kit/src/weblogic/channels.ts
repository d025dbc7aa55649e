import { isAbsolute, join } from 'node:path'
import { childrenOf, type ConfigElement, serverOf, valueOf } from './config-xml.ts'
import type { IdentityPlace } from './identity.ts'
import { decryptPassphrase } from './passphrases.ts'

export interface Channel { name: string; address: string; port: number; kind: 'plain' | 'tls' | 'administration'; identity?: IdentityPlace }

const isTrue = (text: string | undefined, otherwise = false) => (text === undefined ? otherwise : text === 'true')
const secureProtocols = new Set(['https', 't3s', 'iiops', 'ldaps', 'admin'])

/** What a server of a domain listens on. An empty listen address would mean every address: the simulator stays on loopback. */
export function channelsOf(folder: string, domain: ConfigElement, name: string): Channel[] {
  const server = serverOf(domain, name)
  if (server === undefined) throw new Error(`config.xml has no server ${name}`)
  const address = valueOf(server, 'listen-address') ?? '127.0.0.1'
  const [ssl] = childrenOf(server, 'ssl')
  const identity = identityOf(folder, server, ssl)
  const channels: Channel[] = []
  if (isTrue(valueOf(server, 'listen-port-enabled'), true)) channels.push({ name: 'Default', address, port: Number(valueOf(server, 'listen-port') ?? 7001), kind: 'plain' })
  if (isTrue(valueOf(ssl, 'enabled'))) channels.push({ name: 'DefaultSecure', address, port: Number(valueOf(ssl, 'listen-port') ?? 7002), kind: 'tls', ...identity })
  if (isTrue(valueOf(domain, 'administration-port-enabled'))) {
    channels.push({ name: 'DefaultAdministration', address, port: Number(valueOf(server, 'administration-port') ?? valueOf(domain, 'administration-port') ?? 9002), kind: 'administration', ...identity })
  }
  return [...channels, ...childrenOf(server, 'network-access-point').flatMap((point): Channel[] => {
    if (!isTrue(valueOf(point, 'enabled'), true) || !secureProtocols.has(valueOf(point, 'protocol') ?? 't3')) return []
    return [{ name: valueOf(point, 'name') ?? '', address: valueOf(point, 'listen-address') ?? address, port: Number(valueOf(point, 'listen-port')), kind: 'tls', ...pointIdentity(folder, server, point, identity) }]
  })]
}

type Found = Pick<Channel, 'identity'>

function storeOf(folder: string, element: ConfigElement): { path: string; password: string } | undefined {
  const file = valueOf(element, 'custom-identity-key-store-file-name')
  const sealed = valueOf(element, 'custom-identity-key-store-pass-phrase-encrypted')
  if (file === undefined || sealed === undefined) return undefined
  return { path: isAbsolute(file) ? file : join(folder, file), password: decryptPassphrase(folder, sealed) }
}

function identityOf(folder: string, server: ConfigElement, ssl: ConfigElement | undefined): Found {
  const store = valueOf(server, 'key-stores')?.startsWith('CustomIdentity') === true ? storeOf(folder, server) : undefined
  const [alias, sealed] = [valueOf(ssl, 'server-private-key-alias'), valueOf(ssl, 'server-private-key-pass-phrase-encrypted')]
  if (store === undefined || alias === undefined || sealed === undefined) return {}
  return { identity: { ...store, alias, keyPassword: decryptPassphrase(folder, sealed) } }
}

/** A channel with an identity of its own may have a keystore; what it does not say is that of the server, which has to have a custom one. */
function pointIdentity(folder: string, server: ConfigElement, point: ConfigElement, { identity }: Found): Found {
  if (identity === undefined) return {}
  if (!isTrue(valueOf(point, 'channel-identity-customized'))) return { identity }
  const store = storeOf(folder, point) ?? storeOf(folder, server)
  const sealed = valueOf(point, 'custom-private-key-pass-phrase-encrypted')
  return { identity: { ...identity, ...store, alias: valueOf(point, 'custom-private-key-alias') ?? identity.alias, keyPassword: sealed === undefined ? identity.keyPassword : decryptPassphrase(folder, sealed) } }
}
