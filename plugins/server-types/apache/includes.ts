import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { globMatches, parseGlob } from './glob.ts'

const maxMatches = 10_000

/**
 * The files that an Include names, in httpd's order: wildcards in any part of the path, folders with all that is in
 * them. None when nothing matches: httpd's own test tells whether that is wrong.
 * @param pattern absolute
 */
export async function includedFiles(host: Host, pattern: string): Promise<string[]> {
  let found = ['/']
  for (const part of pattern.split('/').filter(Boolean)) {
    const next: string[] = []
    for (const folder of found) next.push(...(await namesIn(host, folder, part)).map((name) => path.posix.join(folder, name)))
    found = next.slice(0, maxMatches)
  }
  const files: string[] = []
  for (const entry of found) files.push(...await filesAt(host, entry, 0))
  return files
}

async function namesIn(host: Host, folder: string, part: string): Promise<string[]> {
  if (!/[*?[]/.test(part)) return [part]
  const glob = parseGlob(part, { sets: true })
  // A leading dot has to be there in the pattern too.
  return (await sorted(host, folder)).filter((name) => name.startsWith('.') === part.startsWith('.') && globMatches(glob, name))
}

const maxDepth = 20

/** The file itself, or all files below a folder. */
async function filesAt(host: Host, entry: string, depth: number): Promise<string[]> {
  const real = await host.realPath(entry)
  const facts = real === undefined ? undefined : await host.stat(real)
  if (real === undefined || facts === undefined || depth > maxDepth) return []
  if (facts.type !== 'directory') return [entry]
  const files: string[] = []
  for (const name of await sorted(host, real)) files.push(...await filesAt(host, path.posix.join(entry, name), depth + 1))
  return files
}

/** By bytes, as strcmp does. */
const sorted = async (host: Host, folder: string): Promise<string[]> =>
  (await host.list(await host.realPath(folder) ?? folder)).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
