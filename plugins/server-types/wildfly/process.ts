import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { findJava, type JavaProcess, readJava } from '../shared/java/process.ts'

/** A running standalone server. Paths are absolute. */
export interface WildflyProcess {
  java: JavaProcess
  home: string
  base: string
  /** The configuration file that it was started with. */
  configurationPath: string
  /** System properties, also those given behind the main class and with -b. */
  properties: ReadonlyMap<string, string>
}

const standalone = 'org.jboss.as.standalone'
const hostController = 'org.jboss.as.host-controller'

/** Standalone servers, and the host controllers of domains. */
export const findWildflys = (processes: readonly HostProcess[]): HostProcess[] => findJava(processes, (arg) => arg === standalone || arg === hostController)

export const isDomain = ({ argv }: HostProcess): boolean => argv.includes(hostController)

/** Options of the server with a value behind them, and the property that some are short for. */
const valued: Readonly<Record<string, string>> = { '-b': 'jboss.bind.address', '-bmanagement': 'jboss.bind.address.management', '-c': 'config', '--server-config': 'config', '--read-only-server-config': 'config', '-u': 'jboss.default.multicast.address' }

/** Arguments behind the main class: -Dname=value, -b address, -c file, each with "=" or as two words; other addresses as -b<interface>. */
function serverArguments(args: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const [, option = '', value] = /^(-D[^=]*|-b\w*|-c|-u|--[\w-]+)(?:=(.*))?$/s.exec(args[i] ?? '') ?? []
    if (option.startsWith('-D')) found.set(option.slice(2), value ?? 'true')
    else if (option in valued || option.startsWith('-b')) found.set(valued[option] ?? `jboss.bind.address.${option.slice(2)}`, value ?? args[++i] ?? '')
  }
  return found
}

/** What a standalone server was started with; undefined when where it lies can't be told. */
export async function readWildfly(host: Host, process: HostProcess): Promise<WildflyProcess | undefined> {
  const java = await readJava(host, process)
  const at = java.arguments.indexOf(standalone)
  const given = serverArguments(java.arguments.slice(at + 1))
  const properties = new Map([...java.properties, ...given])
  const home = properties.get('jboss.home.dir') ?? (java.main?.endsWith('jboss-modules.jar') === true ? path.posix.dirname(java.main) : undefined)
  if (at < 0 || home === undefined || !path.posix.isAbsolute(home)) return undefined
  const base = path.posix.resolve(properties.get('jboss.server.base.dir') ?? path.posix.join(home, 'standalone'))
  const folder = properties.get('jboss.server.config.dir') ?? path.posix.join(base, 'configuration')
  const configurationPath = path.posix.resolve(folder, given.get('config') ?? properties.get('jboss.server.default.config') ?? 'standalone.xml')
  const folders = { 'jboss.home.dir': home, 'jboss.server.base.dir': base, 'jboss.server.config.dir': folder, 'jboss.server.data.dir': `${base}/data`, 'jboss.server.log.dir': `${base}/log`, 'jboss.server.temp.dir': `${base}/tmp` }
  return { java, home: path.posix.resolve(home), base, configurationPath, properties: new Map([...Object.entries(folders), ...properties]) }
}
