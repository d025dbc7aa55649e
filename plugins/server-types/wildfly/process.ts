import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { findJava, type JavaProcess, readJava } from '../shared/java/process.ts'
import { parseJavaProperties } from '../shared/java/properties-file.ts'

const limitBytes = 1 << 20

/** A running standalone server. Paths are absolute. */
export interface WildflyProcess {
  java: JavaProcess
  home: string
  base: string
  /** The configuration file that it was started with. */
  configurationPath: string
  /** A file of properties that it was started with and that can't be read here; null: none. */
  unreadable: string | null
  /** System properties, also those given behind the main class, with -b and in files. */
  properties: ReadonlyMap<string, string>
}

const standalone = 'org.jboss.as.standalone'
const hostController = 'org.jboss.as.host-controller'

/** Standalone servers, and the host controllers of domains. */
export const findWildflys = (processes: readonly HostProcess[]): HostProcess[] => findJava(processes, (arg) => arg === standalone || arg === hostController)

export const isDomain = ({ argv }: HostProcess): boolean => argv.includes(hostController)

/** Options of the server with a value behind them, and the property that some are short for. */
const valued: Readonly<Record<string, string>> = { '-b': 'jboss.bind.address', '-c': 'config', '--server-config': 'config', '-server-config': 'config', '--read-only-server-config': 'config', '-u': 'jboss.default.multicast.address' }
const propertyFiles = ['-P', '--properties', '-properties']

/** `config`: the name of the configuration file. `unreadable`: what was to be read and can't be. */
interface ServerArguments { properties: Map<string, string>; config: string | undefined; unreadable: string | null }

/**
 * Arguments behind the main class (org.jboss.as.server.Main): -Dname=value, -b address, -c file, -P file with properties,
 * each with "=" or as two words, the later over the earlier; other addresses as -b<interface>.
 */
async function serverArguments(host: Host, { workingDirectory }: HostProcess, args: readonly string[], before: ReadonlyMap<string, string>): Promise<ServerArguments> {
  const found: ServerArguments = { properties: new Map(before), config: undefined, unreadable: null }
  for (let i = 0; i < args.length; i++) {
    const [, option = '', value] = /^(-D[^=]*|-b\w*|-[cuP]|--?[\w-]{2,})(?:=(.*))?$/s.exec(args[i] ?? '') ?? []
    const next = () => value ?? args[++i] ?? ''
    if (option.startsWith('-D')) found.properties.set(option.slice(2), value ?? 'true')
    else if (propertyFiles.includes(option)) await addFile(host, workingDirectory, next(), found)
    else if (valued[option] === 'config') found.config = next()
    else if (option in valued || option.startsWith('-b')) found.properties.set(valued[option] ?? `jboss.bind.address.${option.slice(2)}`, next())
  }
  return found
}

async function addFile(host: Host, workingDirectory: string, named: string, found: ServerArguments): Promise<void> {
  const file = URL.canParse(named) && named.startsWith('file:') ? decodeURIComponent(new URL(named).pathname) : named
  const place = workingDirectory === '' && !path.posix.isAbsolute(file) ? undefined : path.posix.resolve(workingDirectory, file)
  const content = place === undefined ? undefined : await host.readFile(place, limitBytes).catch(() => undefined)
  if (content === undefined) found.unreadable = named
  for (const [name, value] of parseJavaProperties(Buffer.from(content ?? []).toString('latin1'))) found.properties.set(name, value)
}

/** What a standalone server was started with; undefined when where it lies can't be told. */
export async function readWildfly(host: Host, process: HostProcess): Promise<WildflyProcess | undefined> {
  const java = await readJava(host, process)
  const at = java.arguments.indexOf(standalone)
  const { properties, config, unreadable } = await serverArguments(host, process, java.arguments.slice(at + 1), java.properties)
  const home = properties.get('jboss.home.dir') ?? (java.main?.endsWith('jboss-modules.jar') === true ? path.posix.dirname(java.main) : undefined)
  if (at < 0 || home === undefined || !path.posix.isAbsolute(home)) return undefined
  const base = path.posix.resolve(properties.get('jboss.server.base.dir') ?? path.posix.join(home, 'standalone'))
  const folder = properties.get('jboss.server.config.dir') ?? path.posix.join(base, 'configuration')
  const configurationPath = path.posix.resolve(folder, config ?? properties.get('jboss.server.default.config') ?? 'standalone.xml')
  const folders = { 'jboss.home.dir': home, 'jboss.server.base.dir': base, 'jboss.server.config.dir': folder, 'jboss.server.data.dir': `${base}/data`, 'jboss.server.log.dir': `${base}/log`, 'jboss.server.temp.dir': `${base}/tmp` }
  return { java, home: path.posix.resolve(home), base, configurationPath, unreadable, properties: new Map([...Object.entries(folders), ...properties]) }
}
