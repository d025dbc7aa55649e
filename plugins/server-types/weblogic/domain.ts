import { CertloopError } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import type { XmlElement } from '../shared/xml/document.ts'
import { readXmlFile } from '../shared/xml/read-file.ts'
import { type ServerModel, serverModel } from './configuration.ts'
import { findWeblogics, isNodeManager, readWeblogic, type WeblogicProcess } from './process.ts'

/** A running server with what its domain says of it. */
export interface Weblogic { process: WeblogicProcess; model: ServerModel }

/** The servers of a domain that run on this host. */
export interface Domain {
  folder: string
  /** config.xml with all it takes in. */
  texts: { path: string; text: string }[]
  servers: Weblogic[]
}

const configPath = (domain: string) => path.posix.join(domain, 'config/config.xml')

/** @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, PLACE_UNSUPPORTED */
export async function openServer(host: Host, process: HostProcess): Promise<Weblogic> {
  const found = await readWeblogic(host, process)
  if (found === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Where the domain of the WebLogic server in process ${process.pid} lies can not be told: neither its command line nor its working folder leads to a config/config.xml.`, { pid: process.pid })
  const { root } = await readXmlFile(host, configPath(found.domain))
  return { process: found, model: modelOf(root, found) }
}

function modelOf(root: XmlElement, { name, domain, startFolder }: WeblogicProcess): ServerModel {
  const model = serverModel(root, name, startFolder)
  if (model === undefined) throw new CertloopError('PLACE_UNSUPPORTED', `${configPath(domain)} has no server ${name ?? ''}: it is a dynamic server, made from a server template. Its settings are not read. Give it a configuration of its own, or keep its keystore up to date as a file.`, { path: configPath(domain) })
  return model
}

/** @throws CertloopError SERVER_NOT_RUNNING, SERVER_CONFIGURATION_UNREADABLE, PLACE_UNSUPPORTED */
export async function openDomain(host: Host, { domainPath, serverName }: { domainPath: string; serverName: string }): Promise<{ domain: Domain; server: Weblogic }> {
  const named = path.posix.resolve(domainPath)
  const folder = await host.realPath(named) ?? named
  const candidates = findWeblogics(await host.processes()).filter((process) => process.container === null && !isNodeManager(process))
  const running = (await Promise.all(candidates.map((process) => readWeblogic(host, process)))).filter((process) => process?.domain === folder).filter((process) => process !== undefined)
  if (running.length === 0) throw notRunning(domainPath, serverName)
  const { root, texts } = await readXmlFile(host, configPath(folder))
  const wanted = running.find(({ name }) => name === serverName)
  if (wanted !== undefined) modelOf(root, wanted) // says why, where it is a dynamic one
  const servers = running.flatMap((process): Weblogic[] => {
    const model = serverModel(root, process.name, process.startFolder)
    return model === undefined ? [] : [{ process, model }]
  }).toSorted((a, b) => a.model.name.localeCompare(b.model.name, 'en'))
  const server = servers.find(({ model }) => model.name === serverName)
  if (server === undefined) throw notRunning(domainPath, serverName)
  return { domain: { folder, texts, servers }, server }
}

const notRunning = (domainPath: string, serverName: string) => new CertloopError('SERVER_NOT_RUNNING', `No WebLogic server ${serverName} of the domain ${domainPath} runs on this host.`, { path: domainPath, server: serverName })
