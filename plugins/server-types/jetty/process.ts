import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { findJava, type JavaProcess, readJava } from '../shared/java/process.ts'

/** A running Jetty and what was said on its command line. Paths are absolute. */
export interface JettyProcess {
  java: JavaProcess
  home: string
  base: string
  /** Of start.jar: properties, modules, XML files. */
  arguments: readonly string[]
}

const mainClasses = ['org.eclipse.jetty.start.Main', 'org.eclipse.jetty.xml.XmlConfiguration']
const isMain = (arg: string) => mainClasses.includes(arg) || /(^|\/)(jetty9-)?start\.jar$/.test(arg)

/**
 * Running Jettys of the distribution; products with a Jetty inside are none. With options for the virtual machine
 * start.jar starts a second one: both are one server, and the first has the arguments.
 */
export function findJettys(processes: readonly HostProcess[]): HostProcess[] {
  const found = findJava(processes, isMain)
  const pids = new Set(found.map(({ pid }) => pid))
  return found.filter(({ parentPid }) => !pids.has(parentPid))
}

/** "name=value"; without "=" the value is empty. */
export function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** What a Jetty was started with; undefined when it is none, or where it lies can't be told. */
export async function readJetty(host: Host, process: HostProcess): Promise<JettyProcess | undefined> {
  const java = await readJava(host, process)
  if (java.main === null || !isMain(java.main)) return undefined
  const said = new Map([...java.properties, ...java.arguments.map(pair)])
  const home = said.get('jetty.home') ?? (java.main.endsWith('.jar') ? path.posix.dirname(java.main) : undefined)
  const { workingDirectory } = process
  if (home === undefined || (workingDirectory === '' && !(path.posix.isAbsolute(home) && said.has('jetty.base')))) return undefined
  const absolute = (name: string) => path.posix.resolve(workingDirectory || '/', name)
  // Of the second virtual machine: a file with the properties that are read here from where they come.
  const words = java.arguments.filter((word) => !/\/start[^/]*\.properties$/.test(word))
  return { java, home: absolute(home), base: absolute(said.get('jetty.base') ?? '.'), arguments: words }
}
