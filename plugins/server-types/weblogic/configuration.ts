import path from 'node:path'
import { descendants, type XmlElement } from '../shared/xml/document.ts'

/** A socket as the configuration names it. Address: as written, an IP address or a name; '' for all. */
export interface Channel { name: string; address: string; port: number }

/** The entry of a keystore that channels show. */
export interface Identity {
  /** Absolute. */
  keystorePath: string
  alias: string
  channels: Channel[]
}

/** What config.xml says of one server. */
export interface ServerModel {
  name: string
  isAdmin: boolean
  version: string | null
  identities: Identity[]
  /** Without TLS; null: off. */
  plain: Channel | null
  /** Where the administration port is on, management is there alone. */
  administration: Channel | null
  ssl: Channel | null
  /** Channels whose certificate can't be replaced, in plain words. */
  unsupported: string[]
}

const secureProtocols = new Set(['https', 't3s', 'iiops', 'ldaps', 'admin', 'cluster-broadcast-secure'])
const customIdentity = /^CustomIdentityAnd/

const textOf = (element: XmlElement | undefined, name: string): string | undefined => {
  const text = element === undefined ? '' : descendants(element, name)[0]?.text.trim() ?? ''
  return text === '' ? undefined : text
}
const isOn = (element: XmlElement | undefined, name: string, otherwise: boolean): boolean => {
  const text = textOf(element, name)
  return text === undefined ? otherwise : text === 'true'
}

/**
 * Reads what config.xml says of a server. Elements that are missing have the defaults of Oracle's reference of the beans.
 * @param name undefined: the administration server
 * @param startFolder where relative paths of keystores begin
 * @returns undefined when it has no server of this name
 */
export function serverModel(root: XmlElement, name: string | undefined, startFolder: string): ServerModel | undefined {
  const wanted = name ?? textOf(root, 'admin-server-name') ?? 'AdminServer'
  const server = descendants(root, 'server').find((one) => textOf(one, 'name') === wanted)
  return server === undefined ? undefined : new Reader(root, server, startFolder).model(wanted)
}

class Reader {
  readonly #root: XmlElement
  readonly #server: XmlElement
  readonly #ssl: XmlElement | undefined
  readonly #folder: string
  readonly #address: string
  /** 14.1.1 on: closes the plain port and opens the others where nothing else is said. */
  readonly #secured: boolean
  readonly #identities = new Map<string, Identity>()
  readonly #unsupported: string[] = []
  constructor(root: XmlElement, server: XmlElement, folder: string) {
    this.#root = root
    this.#server = server
    this.#folder = folder
    this.#ssl = descendants(server, 'ssl')[0]
    this.#address = textOf(server, 'listen-address') ?? ''
    this.#secured = descendants(root, 'security-configuration', 'secure-mode').some((mode) => isOn(mode, 'secure-mode-enabled', false))
  }

  model(name: string): ServerModel {
    const plain = isOn(this.#server, 'listen-port-enabled', !this.#secured) ? this.#channel('plain', textOf(this.#server, 'listen-port') ?? '7001') : null
    const ssl = isOn(this.#ssl, 'enabled', this.#secured) ? this.#channel('SSL', textOf(this.#ssl, 'listen-port') ?? '7002') : null
    const administered = isOn(this.#root, 'administration-port-enabled', this.#secured) || isOn(this.#server, 'administration-port-enabled', false)
    const administration = administered ? this.#channel('administration', this.#administrationPort()) : null
    for (const channel of [ssl, administration]) if (channel !== null) this.#add(channel, this.#server, this.#alias())
    for (const point of descendants(this.#server, 'network-access-point')) this.#addPoint(point)
    if (textOf(this.#server, 'server-template') !== undefined) this.#unsupported.push(`the server ${name} takes settings from a server template, which are not read`)
    return {
      name, isAdmin: textOf(this.#root, 'admin-server-name') === name, version: textOf(this.#root, 'domain-version') ?? null,
      identities: [...this.#identities.values()], plain, administration, ssl, unsupported: this.#unsupported,
    }
  }

  #alias(): string | undefined {
    return textOf(this.#ssl, 'server-private-key-alias')
  }

  /** 0 and nothing mean the port of the domain. */
  #administrationPort(): string {
    const own = textOf(this.#server, 'administration-port')
    return own !== undefined && own !== '0' ? own : textOf(this.#root, 'administration-port') ?? '9002'
  }

  #channel(name: string, port: string): Channel {
    return { name, address: this.#address, port: Number(port) }
  }

  #addPoint(point: XmlElement): void {
    if (!isOn(point, 'enabled', true) || !secureProtocols.has((textOf(point, 'protocol') ?? 't3').toLowerCase())) return
    const name = `channel ${textOf(point, 'name') ?? ''}`
    const channel = { name, address: textOf(point, 'listen-address') ?? this.#address, port: Number(textOf(point, 'listen-port') ?? Number.NaN) }
    if (!isOn(point, 'channel-identity-customized', false)) return this.#add(channel, this.#server, this.#alias())
    const holder = textOf(point, 'custom-identity-key-store-file-name') === undefined ? this.#server : point
    this.#add(channel, holder, textOf(point, 'custom-private-key-alias') ?? this.#alias())
  }

  /** @param holder names the keystore: the server, or a channel with one of its own */
  #add(channel: Channel, holder: XmlElement, alias: string | undefined): void {
    const kind = this.#kind()
    const file = textOf(holder, 'custom-identity-key-store-file-name')
    // An identity of a channel's own counts only where the server has a custom one, too.
    if (!customIdentity.test(kind)) {
      this.#refuse(channel, kind.startsWith('DemoIdentity') ? 'shows the demo identity, which is for development and has the same key as every other installation' : `takes its identity by ${kind}, which is not known`)
    } else if (file === undefined || alias === undefined) this.#refuse(channel, `has no ${file === undefined ? 'custom identity keystore' : 'private key alias'}`)
    else if (/^kss:/i.test(file) || /^kss$/i.test(textOf(holder, 'custom-identity-key-store-type') ?? '')) this.#refuse(channel, `takes its identity from ${file} of the Keystore Service, which is no file`)
    else this.#put(channel, path.posix.resolve(this.#folder, file), alias)
  }

  /** Before 8.1 identities lay in files of their own; such a setting can outlive upgrades. */
  #kind(): string {
    const locations = textOf(this.#ssl, 'identity-and-trust-locations') ?? 'KeyStores'
    return locations === 'KeyStores' ? textOf(this.#server, 'key-stores') ?? 'DemoIdentityAndDemoTrust' : locations
  }

  #refuse({ name, port }: Channel, why: string): void {
    this.#unsupported.push(`${name} (port ${port}) ${why}`)
  }

  #put(channel: Channel, keystorePath: string, alias: string): void {
    const key = `${alias.toLowerCase()} ${keystorePath}`
    const identity = this.#identities.get(key) ?? { keystorePath, alias, channels: [] }
    identity.channels.push(channel)
    this.#identities.set(key, identity)
  }
}
