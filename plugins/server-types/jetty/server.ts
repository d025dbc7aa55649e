import { CertloopError, type Endpoint } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import { isIP } from 'node:net'
import path from 'node:path'
import { type HeldKey, type KeystorePlace, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { plainAddress, proofAddress, socketKey } from '../shared/pem-files/sockets.ts'
import { plainPassword } from './password.ts'
import { type JettyProcess, readJetty } from './process.ts'
import { parseXml, type XmlElement } from '../shared/xml/document.ts'
import { XmlProblem } from '../shared/xml/tokens.ts'
import { readStart, type StartConfiguration } from './start.ts'
import { type ConfiguredContext, type TlsModel, tlsModel } from './tls-model.ts'

/** A running Jetty with its configuration. */
export interface Jetty {
  process: JettyProcess
  start: StartConfiguration
  model: TlsModel
}

/** @param known what was read of its process before @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, FILE_UNWRITABLE */
export async function openJetty(host: Host, process: HostProcess, known?: JettyProcess): Promise<Jetty> {
  const unreadable = (why: string) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', why, { pid: process.pid })
  const found = known ?? await readJetty(host, process)
  if (found === undefined) throw unreadable(`Where the home and the base of the Jetty in process ${process.pid} lie can not be told: it was started in an unusual way, or the bot runs as another user and can not see its folder.`)
  const start = await readStart(host, found)
  const model = tlsModel(start.xmls.map(rootOf), { properties: start.properties, systemProperties: found.java.properties, environment: found.java.environment })
  return { process: found, start, model }
}

/** Jetty's files take nothing in from others. */
function rootOf({ path: file, text }: StartConfiguration['xmls'][number]): XmlElement {
  try {
    return parseXml(text)
  } catch (error) {
    if (!(error instanceof XmlProblem)) throw error
    throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file} is not well-formed XML: line ${error.line}: ${error.message}.`, { path: file, line: error.line }, error)
  }
}

/** As its libraries have it in their names. */
export async function versionOf(host: Host, { home }: JettyProcess): Promise<string | null> {
  const names = await host.list(path.posix.join(home, 'lib'))
  return names.flatMap((name) => /^jetty-util-(\d.*)\.jar$/.exec(name)?.[1] ?? [])[0] ?? null
}

/** The keystore of a context as an absolute path; undefined when it has none. */
export function keystorePathOf({ values }: ConfiguredContext, base: string): string | undefined {
  const said = values.get('keystorepath')
  if (said === undefined || said === '') return undefined
  return path.posix.resolve(base, said.startsWith('file:') ? decodeURIComponent(said.replace(/^file:(\/\/)?/, '')) : said)
}

/** What opens the keystore: the passwords of the target, or else of the configuration. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export function keystorePlaceOf(jetty: Jetty, context: ConfiguredContext, given: { keystorePassword?: string | undefined; keyPassword?: string | undefined }): KeystorePlace {
  const { java, base } = jetty.process
  const file = keystorePathOf(context, base)
  if (file === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Which keystore ${context.id} has can not be told from the configuration of the Jetty in ${base}.`, { path: base })
  const said = (value: string, property: string) => context.values.get(value) ?? java.properties.get(property)
  const password = given.keystorePassword ?? mapped(said('keystorepassword', 'org.eclipse.jetty.ssl.password'))
  if (password === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The password of the keystore ${file} can not be read from the configuration of the Jetty in ${base}. Give it in the target.`, { path: file })
  return { path: file, password, keyPassword: given.keyPassword ?? mapped(said('keymanagerpassword', 'org.eclipse.jetty.ssl.keypassword')) }
}

const mapped = (password: string | undefined) => (password === undefined ? undefined : plainPassword(password))

/** Names that Jetty looks for a certificate by: the DNS names, or for want of them the common name. */
export function namesOf({ names, commonName }: HeldKey['leaf']): string[] {
  const dns = names.filter((name) => isIP(name) === 0)
  return dns.length === 0 && commonName !== null && commonName.includes('.') && isIP(commonName) === 0 ? [commonName.toLowerCase()] : dns
}

/** What a certificate under an alias would be chosen for. */
export interface Candidate { alias: string; names: readonly string[]; keyType: 'rsa' | 'ec' | null }

/** Where an entry of a keystore can be looked at, and why it can't. `contexts`: all that serve from it. */
export function endpointsOf(jetty: Jetty, contexts: readonly ConfiguredContext[], keystore: OpenKeystore, candidate: Candidate): { endpoints: Endpoint[]; reason: string | null } {
  const each = contexts.map((context) => endpointsWith(jetty, context, keystore, candidate))
  const endpoints = each.flatMap((one) => one.endpoints)
  return { endpoints, reason: endpoints.length > 0 ? null : each[0]?.reason ?? noConnector }
}

/** All that serve from a keystore; those that no connector uses count only where there are no others. */
export function contextsOf({ model, process: { base } }: Jetty, file: string): ConfiguredContext[] {
  const all = model.contexts.filter((one) => keystorePathOf(one, base) === file)
  const used = all.filter(({ id }) => model.connectors.some(({ contexts }) => contexts.includes(id)))
  return used.length > 0 ? used : all
}

const noConnector = 'no connector with an address of this host uses this keystore'

function endpointsWith(jetty: Jetty, context: ConfiguredContext, keystore: OpenKeystore, candidate: Candidate): { endpoints: Endpoint[]; reason: string | null } {
  const only = context.values.get('certalias')
  if (only !== undefined && only !== '' && only.toLowerCase() !== candidate.alias.toLowerCase()) return { endpoints: [], reason: `Jetty is set to serve the alias "${only}" alone` }
  const addresses = addressesOf(jetty, context)
  if (addresses.length === 0) return { endpoints: [], reason: noConnector }
  const rivals = only ? [] : keystore.keys.filter(({ alias }) => alias.toLowerCase() !== candidate.alias.toLowerCase())
  const asked = serverNames(candidate, rivals, context)
  if (asked.length === 0) return { endpoints: [], reason: rivals.length > 0 ? 'its certificate has no name of its own: Jetty chooses among the entries by name, and other entries have the same names or it has none' : 'Jetty asks for a server name, and its certificate has none' }
  return { endpoints: addresses.flatMap((socket) => asked.map(({ serverName, keyType }) => ({ ...socket, serverName, keyType }))), reason: null }
}

/** An entry that is alone is served whatever is asked for; of several, each by names that no other one of its kind has. */
function serverNames({ names, keyType }: Candidate, rivals: readonly HeldKey[], context: ConfiguredContext): Pick<Endpoint, 'serverName' | 'keyType'>[] {
  const withName = (name: string) => rivals.filter(({ leaf }) => namesOf(leaf).includes(name))
  const own = names.filter((name) => withName(name).every((rival) => rival.keyType !== keyType || keyType === null))
  const asked = own.map((name) => ({ serverName: name.replace(/^\*\./, 'certloop-proof.'), keyType: withName(name).length > 0 ? keyType : null }))
  const nameless = rivals.length === 0 && context.values.get('snirequired') !== 'true'
  return nameless ? [{ serverName: null, keyType: null }, ...asked] : asked
}

function addressesOf({ model }: Jetty, { id }: ConfiguredContext): { address: string; port: number }[] {
  const sockets = model.connectors.flatMap(({ host, port, contexts }) => {
    const address = host === undefined || host === '' ? '0.0.0.0' : plainAddress(host)
    return address === undefined || !(port > 0) ? [] : [{ address, port, contexts }]
  })
  const taken = new Set(sockets.map(socketKey))
  return sockets.filter(({ contexts }) => contexts.includes(id)).flatMap((socket) => {
    const address = proofAddress(socket, taken)
    return address === undefined ? [] : [{ address, port: socket.port }]
  })
}
