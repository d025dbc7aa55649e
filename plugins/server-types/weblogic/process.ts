import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { findJava, type JavaProcess, readJava } from '../shared/java/process.ts'

/** A running server of a domain. */
export interface WeblogicProcess {
  java: JavaProcess
  /** -Dweblogic.Name; undefined: the administration server, as it is where nothing is said. */
  name: string | undefined
  /** Absolute, links resolved. Relative paths of the configuration begin where the server was started, which is `startFolder`. */
  domain: string
  startFolder: string
}

const serverClass = 'weblogic.Server'
const nodeManager = 'weblogic.NodeManager'

/** Servers and Node Managers. */
export const findWeblogics = (processes: readonly HostProcess[]): HostProcess[] => findJava(processes, (arg) => arg === serverClass || arg === nodeManager)
export const isNodeManager = ({ argv }: HostProcess): boolean => argv.includes(nodeManager)

/** undefined when no folder that the process names has a config/config.xml. */
export async function readWeblogic(host: Host, process: HostProcess): Promise<WeblogicProcess | undefined> {
  const java = await readJava(host, process)
  const { properties, environment } = java
  const startFolder = process.workingDirectory
  for (const named of [properties.get('weblogic.RootDirectory'), properties.get('domain.home'), startFolder, environment?.get('DOMAIN_HOME')]) {
    if (named === undefined || named === '') continue
    const domain = path.posix.resolve(startFolder || '/', named)
    if (await host.stat(path.posix.join(domain, 'config/config.xml')) !== undefined) return { java, name: properties.get('weblogic.Name'), domain: await host.realPath(domain) ?? domain, startFolder: startFolder || domain }
  }
  return undefined
}
