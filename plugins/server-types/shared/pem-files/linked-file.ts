import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'

/** A file named by a configuration, and where its links lead. */
export interface LinkedFile {
  /** As named. */
  path: string
  /** What changes. */
  realPath: string
  /** Each link on the way: "/a/live.pem -> ../archive/1.pem". */
  links: string[]
  /** undefined: not there. */
  content: Uint8Array | undefined
}

const maxLinks = 40

/** Reads a file at the end of its links. @throws CertloopError FILE_UNWRITABLE when it may not be read */
export async function readLinked(host: Host, file: string): Promise<LinkedFile> {
  const [realPath, links] = await Promise.all([host.realPath(file), linksOf(host, file)])
  return { path: file, realPath: realPath ?? file, links, content: await host.readFile(realPath ?? file) }
}

async function linksOf(host: Host, file: string): Promise<string[]> {
  const links: string[] = []
  let current = file
  while (links.length < maxLinks) {
    const target = (await host.stat(current))?.linkTarget ?? null
    if (target === null) break
    links.push(`${current} -> ${target}`)
    // A relative link starts in the folder that really holds it.
    const folder = await host.realPath(path.posix.dirname(current)) ?? path.posix.dirname(current)
    current = path.posix.resolve(folder, target)
  }
  return links
}
