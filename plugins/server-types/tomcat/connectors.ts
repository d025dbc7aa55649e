import { descendants, type XmlElement } from '../shared/xml/document.ts'
import { expand, type PropertyValues } from './properties.ts'

/** One place of server.xml that holds a certificate. */
export interface ConfiguredCertificate {
  connector: TlsConnector
  /** Lower case, as Tomcat compares it. */
  hostName: string
  type: string
  /** How many certificates its host has. */
  of: number
  attributes: Attributes
}

export interface TlsConnector {
  /** Of the MBeans: the name of the engine. */
  domain: string
  /** With the offset of the server. */
  port: number
  /** As written. */
  address: string | undefined
  /** Of the host that answers when no name fits. */
  defaultHost: string
  hostNames: string[]
}

/** Values of attributes with their `${…}` replaced. */
export interface Attributes {
  get(name: string): string | undefined
  /** Why the value can't be known. */
  unknown(name: string): string | undefined
}

export interface ServerConfiguration {
  certificates: ConfiguredCertificate[]
  /** Every HTTP connector with a port: for sockets that are taken, and the way to the manager. */
  connectors: { port: number; address: string | undefined; tls: boolean }[]
  problems: string[]
}

/** Attributes of a Connector in Tomcat 9 and older, and what they became. */
const legacy: Readonly<Record<string, string>> = {
  keystoreFile: 'certificateKeystoreFile', keystorePass: 'certificateKeystorePassword', keystorePassFile: 'certificateKeystorePasswordFile', keystoreType: 'certificateKeystoreType',
  keystoreProvider: 'certificateKeystoreProvider', keyAlias: 'certificateKeyAlias', keyPass: 'certificateKeyPassword', keyPassFile: 'certificateKeyPasswordFile',
  SSLCertificateFile: 'certificateFile', SSLCertificateKeyFile: 'certificateKeyFile', SSLCertificateChainFile: 'certificateChainFile', SSLPassword: 'certificateKeyPassword', SSLPasswordFile: 'certificateKeyPasswordFile',
}
const anyHost = '_default_'
const isTrue = (text: string | undefined) => text?.toLowerCase() === 'true'

function attributesOf(element: XmlElement, values: PropertyValues, names: Readonly<Record<string, string>> = {}): Attributes {
  const found = new Map([...element.attributes].map(([name, text]) => [names[name] ?? name, expand(text, values)] as const))
  return { get: (name) => found.get(name)?.text, unknown: (name) => found.get(name)?.unknown }
}

/**
 * What a server.xml says about certificates.
 * @param major of Tomcat's version; undefined when it is not known. Up to 9 attributes of connectors and hosts count too.
 */
export function readServerXml(root: XmlElement, values: PropertyValues, major: number | undefined): ServerConfiguration {
  const found: ServerConfiguration = { certificates: [], connectors: [], problems: [] }
  const offset = Number(attributesOf(root, values).get('portOffset') ?? 0)
  for (const service of descendants(root, 'Service')) {
    const [engine] = descendants(service, 'Engine')
    const domain = engine === undefined ? 'Catalina' : attributesOf(engine, values).get('name') ?? 'Catalina'
    for (const connector of descendants(service, 'Connector')) readConnector(connector, { values, major, domain, offset, found })
  }
  return found
}

interface Reading { values: PropertyValues; major: number | undefined; domain: string; offset: number; found: ServerConfiguration }

function readConnector(element: XmlElement, { values, major, domain, offset, found }: Reading): void {
  const own = attributesOf(element, values)
  if (/ajp/i.test(own.get('protocol') ?? '')) return
  const port = portOf(own, offset)
  const [tls, address] = [isTrue(own.get('SSLEnabled')), own.get('address')]
  if (port === undefined) {
    if (tls) found.problems.push(`the connector in line ${element.line} has no port of its own`)
    return
  }
  found.connectors.push({ port, address, tls })
  if (!tls) return
  const defaultHost = (own.get('defaultSSLHostConfigName') ?? anyHost).toLowerCase()
  const hosts = hostsOf(element, { values, older: (major ?? 9) <= 9, defaultHost })
  if (hosts.length === 0) found.problems.push(`the connector in line ${element.line} has SSLEnabled and no SSLHostConfig`)
  const connector = { domain, port, address, defaultHost, hostNames: hosts.map(({ name }) => name) }
  for (const { name, certificates } of hosts) for (const { type, attributes } of certificates) found.certificates.push({ connector, hostName: name, type, of: certificates.length, attributes })
}

/** 0 is any port, and below there is none. */
function portOf(attributes: Attributes, offset: number): number | undefined {
  const port = Number(attributes.get('port'))
  return Number.isInteger(port + offset) && port > 0 && port + offset < 65_536 ? port + offset : undefined
}

interface TlsHost { name: string; certificates: { type: string; attributes: Attributes }[] }

function hostsOf(element: XmlElement, { values, older, defaultHost }: { values: PropertyValues; older: boolean; defaultHost: string }): TlsHost[] {
  const hosts = descendants(element, 'SSLHostConfig').map((host): TlsHost => {
    const own = attributesOf(host, values)
    const certificates = descendants(host, 'Certificate').map((certificate) => {
      const attributes = attributesOf(certificate, values)
      return { type: (attributes.get('type') ?? 'UNDEFINED').toUpperCase(), attributes }
    })
    // A host without Certificate has one with defaults, or in Tomcat 9 with the attributes of the host.
    const implied = { type: 'UNDEFINED', attributes: older ? own : attributesOf({ ...host, attributes: new Map() }, values) }
    return { name: (own.get('hostName') ?? anyHost).toLowerCase(), certificates: certificates.length === 0 ? [implied] : certificates }
  })
  const oldStyle = older && (hosts.length === 0 || Object.keys(legacy).some((name) => element.attributes.has(name)))
  return oldStyle && !hosts.some(({ name }) => name === defaultHost) ? [{ name: defaultHost, certificates: [{ type: 'UNDEFINED', attributes: attributesOf(element, values, legacy) }] }, ...hosts] : hosts
}
