import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PairPaths } from '../shared/pem-files/pairs.ts'
import type { Attributes, ConfiguredCertificate } from './connectors.ts'
import type { Tomcat } from './instance.ts'

/** Where a certificate comes from. Paths are absolute and as server.xml names them. */
export type Source = { kind: 'pem' } & PairPaths | KeystoreSource

export interface KeystoreSource { kind: 'keystore'; path: string; password: string; keyPassword: string | undefined; alias: string | undefined }

/** Passwords that a target gives for values that can't be read. */
export interface GivenPasswords { keystorePassword?: string; keyPassword?: string }

const limitBytes = 1 << 16
/** Tomcat's own, SSLHostConfigCertificate. */
const defaultPassword = 'changeit'
const fileTypes = new Set(['JKS', 'PKCS12', 'JCEKS'])

const unsupported = (message: string) => new CertloopError('PLACE_UNSUPPORTED', message)

/** What the attributes of a certificate name. @throws CertloopError PLACE_UNSUPPORTED, SERVER_CONFIGURATION_UNREADABLE */
export async function sourceOf(host: Host, tomcat: Tomcat, { attributes, type }: ConfiguredCertificate, given: GivenPasswords): Promise<Source> {
  if (type !== 'RSA' && type !== 'EC' && type !== 'UNDEFINED') throw unsupported(`A certificate of type ${type} can not be told apart from others in a handshake, so what is served could not be proven.`)
  const place = (name: string) => placeOf(tomcat, name, known(attributes, name))
  const certificatePath = place('certificateFile')
  if (certificatePath !== undefined) return { kind: 'pem', certificatePath, keyPath: place('certificateKeyFile') ?? certificatePath, chainPath: place('certificateChainFile') ?? null }
  const file = place('certificateKeystoreFile') ?? defaultKeystore(tomcat)
  return keystoreOf({ host, tomcat, attributes, given }, file)
}

async function keystoreOf(reading: Reading, file: string): Promise<KeystoreSource> {
  const { tomcat, attributes, given } = reading
  const storeType = (known(attributes, 'certificateKeystoreType') ?? tomcat.values.find('javax.net.ssl.keyStoreType') ?? 'JKS').toUpperCase()
  if (!fileTypes.has(storeType)) throw unsupported(`The keystore is of type ${storeType}; only files of type PKCS12, JKS and JCEKS can be changed.`)
  const password = await passwordOf('certificateKeystorePassword', reading, given.keystorePassword) ?? defaultPassword
  const keyPassword = await passwordOf('certificateKeyPassword', reading, given.keyPassword)
  return { kind: 'keystore', path: file, password, keyPassword: keyPassword === password ? undefined : keyPassword, alias: known(attributes, 'certificateKeyAlias') }
}

function known(attributes: Attributes, name: string): string | undefined {
  const unknown = attributes.unknown(name)
  if (unknown !== undefined) throw unsupported(`${name} in server.xml is ${unknown}; the bot can not ask it.`)
  return attributes.get(name)
}

function defaultKeystore({ userHome, java }: Tomcat): string {
  if (userHome !== undefined) return path.posix.join(userHome, '.keystore')
  throw unsupported(`server.xml names no keystore, so it is .keystore in the home folder of ${java.process.user}, which is not known. Name it in certificateKeystoreFile.`)
}

/** Relative to CATALINA_BASE; file: addresses too, others not. */
function placeOf({ base }: Tomcat, name: string, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (text.startsWith('file:') && URL.canParse(text)) return fileURLToPath(text)
  if (/^[a-z][a-z0-9+.-]+:/i.test(text)) throw unsupported(`${name} in server.xml is ${text}, which is no file.`)
  return path.posix.resolve(base, text)
}

interface Reading { host: Host; tomcat: Tomcat; attributes: Attributes; given: GivenPasswords }

/** The first line of the file, where one is named; it counts before the attribute, as Tomcat has it. */
async function passwordOf(name: string, { host, tomcat, attributes }: Reading, given: string | undefined): Promise<string | undefined> {
  const file = placeOf(tomcat, `${name}File`, known(attributes, `${name}File`))
  if (file !== undefined) {
    const content = await host.readFile(file, limitBytes)
    if (content === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file}, which server.xml names as ${name}File, is not there.`, { path: file })
    return Buffer.from(content).toString('utf8').split(/\r\n|\r|\n/)[0]
  }
  if (attributes.unknown(name) === undefined) return attributes.get(name)
  if (given !== undefined) return given
  throw unsupported(`${name} in server.xml is ${attributes.unknown(name)}; the bot can not ask it. Put the password into the target.`)
}
