import path from 'node:path'
import { descendants, type XmlElement } from '../shared/xml/document.ts'
import { type Names, resolved } from './expressions.ts'

/** A credential-reference: its text, or why there is none. */
export type Credential = { text: string } | { elsewhere: string }

/** A file with keys: an Elytron key store, or the server identity of a security realm of EAP 7 and WildFly up to 24. */
export interface ConfiguredStore {
  kind: 'elytron' | 'realm'
  name: string
  /** Absolute. */
  path: string
  password: Credential | undefined
  keyPassword: Credential | undefined
  /** Which of its entries are used; undefined: all. */
  takes: ((alias: string) => boolean) | undefined
  /** The key manager that reads it; null for a realm. */
  keyManager: string | null
  /** The key store to be loaded: the one behind a filter. */
  keyStore: string
  listeners: Listener[]
}

/** Where a store is served. Address: IP; 0.0.0.0 for all; null where it can't be told. serverName: of an SNI context. */
export interface Listener { name: string; address: string | null; port: number; serverName: string | null }

export interface WildflyModel {
  stores: ConfiguredStore[]
  /** Of the HTTP management interface; null when there is none. */
  management: { address: string | null; port: number; tls: boolean } | null
}

/** Reads the configuration of a standalone server. Elements are told by their names; subsystems have many versions. */
export function wildflyModel(root: XmlElement, given: Names): WildflyModel {
  const own = new Map(descendants(root, 'system-properties', 'property').map(({ attributes }) => [attributes.get('name') ?? '', attributes.get('value') ?? '']))
  return new Reader(root, { ...given, properties: new Map([...own, ...given.properties]) }).model()
}

interface Use { keyManager: string; listener: Listener }

class Reader {
  readonly #root: XmlElement
  readonly #names: Names
  readonly #profile: XmlElement[]
  constructor(root: XmlElement, names: Names) {
    this.#root = root
    this.#names = names
    this.#profile = descendants(root, 'profile', 'subsystem')
  }

  model(): WildflyModel {
    const listeners = [...this.#httpsListeners(), ...this.#managementListeners()]
    return { stores: [...this.#elytronStores(listeners), ...this.#realmStores(listeners)], management: this.#management() }
  }

  /** All elements of a name anywhere below the subsystems. */
  #all(name: string): XmlElement[] {
    return this.#profile.flatMap((subsystem) => withinOf(subsystem)).filter((element) => element.name === name)
  }

  #text(element: XmlElement | undefined, attribute: string): string | undefined {
    const raw = element?.attributes.get(attribute)
    return raw === undefined ? undefined : resolved(raw, this.#names)
  }

  #named(elements: readonly XmlElement[], name: string | undefined): XmlElement | undefined {
    return name === undefined ? undefined : elements.find((element) => this.#text(element, 'name') === name)
  }

  #httpsListeners(): { element: XmlElement; listener: Listener }[] {
    return this.#all('https-listener').filter((element) => this.#text(element, 'enabled') !== 'false').map((element) => ({ element, listener: this.#listener(`https-listener ${this.#text(element, 'name') ?? ''}`, this.#text(element, 'socket-binding')) }))
  }

  #managementListeners(): { element: XmlElement; listener: Listener }[] {
    return descendants(this.#root, 'management', 'management-interfaces', 'http-interface').flatMap((element) => {
      const [binding] = descendants(element, 'socket-binding')
      const https = this.#text(binding, 'https')
      return https === undefined ? [] : [{ element, listener: this.#listener('management interface', https) }]
    })
  }

  #management(): WildflyModel['management'] {
    const [element] = descendants(this.#root, 'management', 'management-interfaces', 'http-interface')
    const [binding] = element === undefined ? [] : descendants(element, 'socket-binding')
    const http = this.#text(binding, 'http')
    const https = this.#text(binding, 'https')
    const name = http ?? https
    if (name === undefined) return null
    const { address, port } = this.#listener('management', name)
    return { address, port, tls: http === undefined }
  }

  #listener(name: string, bindingName: string | undefined): Listener {
    const [group] = descendants(this.#root, 'socket-binding-group')
    const binding = this.#named(group === undefined ? [] : descendants(group, 'socket-binding'), bindingName)
    const offset = this.#text(binding, 'fixed-port') === 'true' ? 0 : Number(this.#text(group, 'port-offset') ?? 0)
    const interfaceName = this.#text(binding, 'interface') ?? this.#text(group, 'default-interface')
    const port = Number(this.#text(binding, 'port') ?? Number.NaN)
    return { name, address: this.#address(interfaceName), port: port + offset, serverName: null }
  }

  #address(interfaceName: string | undefined): string | null {
    const element = this.#named(descendants(this.#root, 'interfaces', 'interface'), interfaceName)
    const [rule, ...more] = element?.children ?? []
    if (rule === undefined || more.length > 0) return null
    if (rule.name === 'any-address') return '0.0.0.0'
    if (rule.name === 'loopback') return '127.0.0.1'
    return rule.name === 'inet-address' || rule.name === 'loopback-address' ? this.#text(rule, 'value') ?? null : null
  }

  /** Which key manager answers where: by the SSL context of a listener, or by those of its SNI context. */
  #uses(listeners: readonly { element: XmlElement; listener: Listener }[]): Use[] {
    return listeners.flatMap(({ element, listener }) => this.#usesOf(this.#text(element, 'ssl-context'), listener))
  }

  #usesOf(contextName: string | undefined, listener: Listener): Use[] {
    const sni = this.#named(this.#all('server-ssl-sni-context'), contextName)
    if (sni !== undefined) {
      const mappings = descendants(sni, 'sni-mapping').map((mapping) => ({ context: this.#text(mapping, 'ssl-context'), serverName: this.#text(mapping, 'host') ?? null }))
      return [{ context: this.#text(sni, 'default-ssl-context'), serverName: null }, ...mappings].flatMap(({ context, serverName }) => (context === contextName ? [] : this.#usesOf(context, { ...listener, serverName })))
    }
    const keyManager = this.#text(this.#named(this.#all('server-ssl-context'), contextName), 'key-manager')
    return keyManager === undefined ? [] : [{ keyManager, listener }]
  }

  #elytronStores(listeners: readonly { element: XmlElement; listener: Listener }[]): ConfiguredStore[] {
    const uses = this.#uses(listeners)
    return this.#all('key-manager').flatMap((manager): ConfiguredStore[] => {
      const name = this.#text(manager, 'name') ?? ''
      const filtering = this.#named(this.#all('filtering-key-store'), this.#text(manager, 'key-store'))
      const store = this.#named(this.#all('key-store'), filtering === undefined ? this.#text(manager, 'key-store') : this.#text(filtering, 'key-store'))
      const [file] = store === undefined ? [] : descendants(store, 'file')
      const where = this.#path(file)
      if (store === undefined || where === undefined) return []
      const filters = [manager, filtering, store].map((element) => this.#text(element, 'alias-filter')).filter((filter) => filter !== undefined)
      return [{
        kind: 'elytron', name, path: where, password: this.#credential(store), keyPassword: this.#credential(manager), keyManager: name, keyStore: this.#text(store, 'name') ?? '',
        takes: filters.length === 0 ? undefined : (alias) => filters.every((filter) => passes(filter, alias)), listeners: uses.filter((use) => use.keyManager === name).map((use) => use.listener),
      }]
    })
  }

  #realmStores(listeners: readonly { element: XmlElement; listener: Listener }[]): ConfiguredStore[] {
    return descendants(this.#root, 'management', 'security-realms', 'security-realm').flatMap((realm) => descendants(realm, 'server-identities', 'ssl', 'keystore').flatMap((store): ConfiguredStore[] => {
      const [name, where, alias] = [this.#text(realm, 'name') ?? '', this.#path(store), this.#text(store, 'alias')]
      if (where === undefined) return []
      return [{
        kind: 'realm', name, path: where, password: this.#credential(store) ?? this.#clear(store, 'keystore-password'), keyPassword: this.#clear(store, 'key-password'), keyManager: null, keyStore: name,
        takes: alias === undefined ? undefined : (one) => one.toLowerCase() === alias.toLowerCase(), listeners: listeners.filter(({ element }) => this.#text(element, 'security-realm') === name).map(({ listener }) => listener),
      }]
    }))
  }

  #clear(element: XmlElement, attribute: string): Credential | undefined {
    const raw = element.attributes.get(attribute)
    if (raw === undefined) return undefined
    const text = resolved(raw, this.#names)
    return text === undefined ? { elsewhere: 'it is encrypted, or comes from a property that is not known' } : { text }
  }

  #credential(element: XmlElement): Credential | undefined {
    const [reference] = element.children.filter(({ name }) => name === 'credential-reference' || name === 'keystore-password-credential-reference')
    if (reference === undefined) return undefined
    return this.#clear(reference, 'clear-text') ?? { elsewhere: `it lies in the credential store ${this.#text(reference, 'store') ?? ''}`.trim() }
  }

  #path(element: XmlElement | undefined, depth = 0): string | undefined {
    const file = this.#text(element, 'path')
    const relative = this.#text(element, 'relative-to')
    if (file === undefined || relative === undefined || path.posix.isAbsolute(file)) return file === undefined || !path.posix.isAbsolute(file) ? undefined : path.posix.normalize(file)
    const folder = this.#names.properties.get(relative) ?? (depth > 9 ? undefined : this.#path(this.#named(descendants(this.#root, 'paths', 'path'), relative), depth + 1))
    return folder === undefined ? undefined : path.posix.resolve(folder, file)
  }
}

const withinOf = (element: XmlElement): XmlElement[] => [element, ...element.children.flatMap(withinOf)]

/** Elytron's filter: "a,b", "ALL:-a:-b" or "NONE:+a". */
function passes(filter: string, alias: string): boolean {
  const [first = '', ...rules] = filter.split(':').map((part) => part.trim().toLowerCase())
  const name = alias.toLowerCase()
  if (first !== 'all' && first !== 'none') return first.split(',').map((part) => part.trim()).includes(name)
  return rules.reduce((taken, rule) => (rule.slice(1) === name ? rule.startsWith('+') : taken), first === 'all')
}
