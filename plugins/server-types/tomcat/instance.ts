import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { findJava, type JavaProcess, readJava, userHome } from '../shared/java/process.ts'
import { readXmlFile } from '../shared/xml/read-file.ts'
import { readServerXml, type ServerConfiguration } from './connectors.ts'
import { type PropertyValues, propertyValues } from './properties.ts'

/** A running Tomcat and its configuration. */
export interface Tomcat {
  java: JavaProcess
  /** Real paths. */
  base: string
  home: string
  serverXmlPath: string
  /** "10.1.60"; null when it can't be seen. */
  version: string | null
  configuration: ServerConfiguration
  /** Of the account: the default keystore is in it. */
  userHome: string | undefined
  values: PropertyValues
}

const main = 'org.apache.catalina.startup.Bootstrap'
const limitBytes = 1 << 20

/** JVMs of Tomcat, apart from those that only stop or test one. */
export const findTomcats = (processes: readonly HostProcess[]): HostProcess[] =>
  findJava(processes, (arg) => arg === main).filter(({ argv }) => !['stop', 'configtest'].includes(argv.at(-1) ?? ''))

/** Where an instance lives, without reading its configuration. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE */
export async function readBase(host: Host, process: HostProcess): Promise<{ java: JavaProcess; base: string; home: string }> {
  const java = await readJava(host, process)
  const home = java.properties.get('catalina.home')
  const base = java.properties.get('catalina.base') ?? home
  if (home === undefined || base === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Process ${process.pid} does not say where its Tomcat is (-Dcatalina.base, -Dcatalina.home).`, { pid: process.pid })
  return { java, base: path.posix.normalize(base), home: path.posix.normalize(home) }
}

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, with the line where server.xml is not well-formed */
export async function readTomcat(host: Host, found: Awaited<ReturnType<typeof readBase>>): Promise<Tomcat> {
  const { java, base, home } = found
  const given = java.arguments[java.arguments.indexOf('-config') + 1]
  const serverXmlPath = path.posix.resolve(base, java.arguments.includes('-config') && given !== undefined ? given : 'conf/server.xml')
  const [version, homeOfUser] = await Promise.all([versionOf(host, home), userHome(host, java)])
  const values = await propertyValues(host, java, { base, home, userHome: homeOfUser })
  const { root } = await readXmlFile(host, serverXmlPath)
  const major = version === null ? undefined : Number.parseInt(version, 10)
  return { ...found, serverXmlPath, version, userHome: homeOfUser, values, configuration: readServerXml(root, values, major) }
}

/** From the name of the jar behind its links, as packages have it, or from the release notes of an unpacked archive. */
async function versionOf(host: Host, home: string): Promise<string | null> {
  const jar = await host.realPath(path.posix.join(home, 'lib/catalina.jar'))
  const named = /-(\d+\.\d+\.\d+)[^/]*\.jar$/.exec(jar ?? '')?.[1]
  if (named !== undefined) return named
  const notes = await host.readFile(path.posix.join(home, 'RELEASE-NOTES'), limitBytes).catch(() => undefined)
  return /Apache Tomcat Version (\d+\.\d+\.\d+)/.exec(Buffer.from(notes ?? []).toString('latin1'))?.[1] ?? null
}
