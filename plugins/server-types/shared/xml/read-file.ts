import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeXml } from './decode.ts'
import { externalFiles, parseXml, type XmlElement } from './document.ts'
import { XmlProblem } from './tokens.ts'

/** A configuration file with what it takes in. */
export interface XmlFile {
  root: XmlElement
  /** The file and each file that an entity names, as read. */
  texts: { path: string; text: string }[]
}

const limitBytes = 8 << 20

/**
 * Reads an XML file of a host, with the files its entities name (relative to its folder).
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE: not there, not readable, or not well-formed, with path and line
 */
export async function readXmlFile(host: Host, file: string): Promise<XmlFile> {
  try {
    const text = await textOf(host, file)
    const files = new Map<string, { path: string; text: string }>()
    for (const systemId of externalFiles(text)) {
      const place = placeOf(systemId, file)
      if (place !== undefined) files.set(systemId, { path: place, text: await textOf(host, place) })
    }
    return { root: parseXml(text, (systemId) => files.get(systemId)?.text), texts: [{ path: file, text }, ...files.values()] }
  } catch (error) {
    if (!(error instanceof XmlProblem)) throw error
    throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file} is not well-formed XML: line ${error.line}: ${error.message}.`, { path: file, line: error.line }, error)
  }
}

/** Only files: other addresses are not followed, and count as not there. */
function placeOf(systemId: string, file: string): string | undefined {
  if (systemId.startsWith('file:')) return URL.canParse(systemId) ? fileURLToPath(systemId) : undefined
  return /^[a-z][a-z0-9+.-]*:/i.test(systemId) ? undefined : path.posix.resolve(path.posix.dirname(file), decodeURIComponent(systemId))
}

async function textOf(host: Host, file: string): Promise<string> {
  let content: Uint8Array | undefined
  try {
    content = await host.readFile(file, limitBytes)
  } catch (error) {
    throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file} can not be read: ${error instanceof Error ? error.message : String(error)}`, { path: file }, error)
  }
  if (content === undefined) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${file} is not there.`, { path: file })
  return decodeXml(content)
}
