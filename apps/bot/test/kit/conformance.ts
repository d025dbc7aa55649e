import { type ConformanceOptions, type ConformanceSubject, serverTypeConformance } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { reachesFor } from './reach.ts'

/** The conformance suite for a server type of the registry, with the engine of the bot, on this machine and over SSH. */
export function conformance(id: string, options: Omit<ConformanceOptions, 'folder' | 'reaches'> & Partial<Pick<ConformanceOptions, 'reaches'>>): void {
  const entry = serverTypes.find(id)
  assert.ok(entry, `${id} is not in the registry`)
  serverTypeConformance(entry, { folder: new URL(`../../../../plugins/server-types/${id}/`, import.meta.url), reaches: reachesFor(id), ...options })
}

export interface WatchedFiles {
  /** Those that a deployment replaces. In each of their folders everything else is watched as foreign. */
  own: readonly string[]
  /** Others that may not change, e.g. the configuration. */
  foreign?: readonly string[]
}

/** `snapshot` and `foreign` of a subject that consists of files. Puts a neighbour beside each of the own. */
export async function watching({ own, foreign = [] }: WatchedFiles): Promise<Pick<ConformanceSubject, 'snapshot' | 'foreign'>> {
  const folders = [...new Set(own.map((file) => dirname(file)))]
  for (const folder of folders) await writeFile(join(folder, 'neighbour.txt'), 'left alone\n', { mode: 0o640 })
  const ours = new Set(own.map((file) => `${basename(dirname(file))}/${basename(file)}`))
  const foreignNow = async () => {
    const beside = await Promise.all(folders.map(async (folder) => (await readdir(folder)).filter((name) => !ours.has(`${basename(folder)}/${name}`)).map((name) => join(folder, name))))
    return statesOf([...new Set([...foreign, ...beside.flat()])].toSorted())
  }
  return { foreign: foreignNow, snapshot: async () => [await statesOf(own), await foreignNow()] }
}

const statesOf = (files: readonly string[]): Promise<unknown> => Promise.all(files.map(stateOf))

/** Content, owner and mode of one file; where a link leads. Not its inode: what is put back from a copy is as good. */
export async function stateOf(file: string): Promise<unknown> {
  const facts = await stat(file).catch(() => undefined)
  if (facts === undefined) return [file, null]
  const content = facts.isFile() ? createHash('sha256').update(await readFile(file)).digest('hex') : facts.isDirectory() ? 'folder' : 'neither file nor folder'
  return [file, (facts.mode & 0o7777).toString(8), facts.uid, facts.gid, await readlink(file).catch(() => null), content]
}
