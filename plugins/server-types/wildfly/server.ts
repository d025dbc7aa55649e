import { CertloopError, type Endpoint } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { HeldKey, KeystorePlace, OpenKeystore } from '../shared/keystore/keystore-place.ts'
import { plainAddress, proofAddress, socketKey } from '../shared/pem-files/sockets.ts'
import { readXmlFile } from '../shared/xml/read-file.ts'
import { type ConfiguredStore, type Credential, wildflyModel, type WildflyModel } from './configuration.ts'
import { readWildfly, type WildflyProcess } from './process.ts'

/** A running standalone server with its configuration. */
export interface Wildfly {
  process: WildflyProcess
  /** "WildFly", "JBoss EAP" */
  product: string
  version: string | null
  texts: { path: string; text: string }[]
  model: WildflyModel
}

/** @param known what was read of its process before @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export async function openWildfly(host: Host, process: HostProcess, known?: WildflyProcess): Promise<Wildfly> {
  const found = known ?? await readWildfly(host, process)
  if (found === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Where the home of the server in process ${process.pid} lies can not be told from its command line.`, { pid: process.pid })
  if (found.unreadable !== null) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The server in ${found.base} was started with the properties in ${found.unreadable}, which can not be read here: ports, paths and passwords may come from there.`, { path: found.unreadable })
  const [{ root, texts }, named] = await Promise.all([readXmlFile(host, found.configurationPath), productOf(host, found)])
  return { process: found, ...named, texts, model: wildflyModel(root, { properties: found.properties, environment: found.java.environment }) }
}

/** The distribution says in version.txt what it is; WildFly has its version in the name of one of its files alone. */
async function productOf(host: Host, { home }: WildflyProcess): Promise<{ product: string; version: string | null }> {
  const text = Buffer.from(await host.readFile(path.posix.join(home, 'version.txt'), 65_536) ?? []).toString('utf8')
  const eap = /JBoss (?:EAP|Enterprise Application Platform)[^\d\n]*(\d+(?:\.\d+)*)/.exec(text)
  if (eap !== null) return { product: 'JBoss EAP', version: eap[1] ?? null }
  const names = await host.list(path.posix.join(home, 'modules/system/layers/base/org/jboss/as/version/main'))
  const core = names.flatMap((name) => /^wildfly-version-(\d[^/]*)\.jar$/.exec(name)?.[1] ?? [])[0]
  const full = (await host.list(path.posix.join(home, 'modules/system/layers/base/org/wildfly/extension/undertow/main'))).flatMap((name) => /^wildfly-undertow-(\d[^/]*)\.jar$/.exec(name)?.[1] ?? [])[0]
  return { product: 'WildFly', version: full ?? (core === undefined ? null : `core ${core}`) }
}

/** What opens a keystore: the passwords of the target, or else of the configuration. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export function keystorePlaceOf(store: ConfiguredStore, given: { keystorePassword?: string | undefined; keyPassword?: string | undefined }): KeystorePlace {
  const password = given.keystorePassword ?? said(store.password, `The password of the keystore ${store.path}`)
  if (password === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `The configuration names no password for the keystore ${store.path}. Give it in the target.`, { path: store.path })
  return { path: store.path, password, keyPassword: given.keyPassword ?? (given.keystorePassword === undefined ? said(store.keyPassword, `The password of the key in ${store.path}`) : textOf(store.keyPassword)) }
}

const textOf = (credential: Credential | undefined) => (credential !== undefined && 'text' in credential ? credential.text : undefined)

function said(credential: Credential | undefined, what: string): string | undefined {
  if (credential !== undefined && 'elsewhere' in credential) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${what} is not in the configuration: ${credential.elsewhere}. Give it in the target.`)
  return credential?.text
}

/** The stores of one file that use an entry. */
export const storesUsing = ({ model }: Wildfly, file: string, alias: string): ConfiguredStore[] => model.stores.filter((store) => store.path === file && (store.takes?.(alias) ?? true))

/** Where an entry can be looked at, and why it can't. @param keyType of what is or will be under the alias */
export function endpointsOf(wildfly: Wildfly, { place, keys }: OpenKeystore, { alias, keyType }: Pick<HeldKey, 'alias' | 'keyType'>): { endpoints: Endpoint[]; reason: string | null } {
  const stores = storesUsing(wildfly, place.path, alias)
  if (stores.length === 0) return { endpoints: [], reason: 'an alias filter of the configuration leaves it out' }
  const rivals = keys.filter((key) => key.alias.toLowerCase() !== alias.toLowerCase() && stores.some(({ takes }) => takes?.(key.alias) ?? true))
  if (rivals.some((rival) => rival.keyType === keyType || keyType === null)) return { endpoints: [], reason: 'the key manager has several entries with the same kind of key and takes any of them; set its alias-filter' }
  const sockets = new Set(wildfly.model.stores.flatMap(({ listeners }) => listeners.flatMap(({ address, port }) => (address === null ? [] : [socketKey({ address: plainAddress(address) ?? address, port })]))))
  const endpoints = stores.flatMap(({ listeners }) => listeners).flatMap(({ address, port, serverName }): Endpoint[] => {
    const plain = address === null ? undefined : plainAddress(address)
    const near = plain === undefined || !(port > 0) ? undefined : proofAddress({ address: plain, port }, sockets)
    const name = serverName?.replace(/^\*\./, 'certloop-proof.') ?? null
    return near === undefined || (name !== null && !/^[\w.-]+$/.test(name)) ? [] : [{ address: near, port, serverName: name, keyType: rivals.length > 0 ? keyType : null }]
  })
  const different = [...new Map(endpoints.map((endpoint) => [JSON.stringify(endpoint), endpoint])).values()]
  return { endpoints: different, reason: different.length === 0 ? 'no https-listener with an address of this host uses it' : null }
}
