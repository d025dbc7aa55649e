import { type BadInput, type ConformanceOptions, type ConformanceSubject, type Failure, serverTypeConformance } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { cannotMount } from '../engine/mounts.ts'
import { reachesFor } from './reach.ts'

/** What takes minutes for some server types. */
const everything: Pick<ConformanceOptions, 'thorough'> = process.env['CERTLOOP_CONFORMANCE'] === 'all' ? { thorough: true } : {}

/** The conformance suite for a server type of the registry, with the engine of the bot, on this machine and over SSH. CERTLOOP_CONFORMANCE=all: thoroughly, for every type. */
export function conformance(id: string, options: Omit<ConformanceOptions, 'folder' | 'reaches'> & Partial<Pick<ConformanceOptions, 'reaches'>>): void {
  const entry = serverTypes.find(id)
  assert.ok(entry, `${id} is not in the registry`)
  serverTypeConformance(entry, { folder: new URL(`../../../../plugins/server-types/${id}/`, import.meta.url), reaches: reachesFor(id), ...options, ...everything })
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

/** A folder in which nothing may be written, which shows only when the new files are made ready. */
export const unwritableFolder = (folder: string): BadInput => ({
  what: 'a folder that may not be written', code: 'FILE_UNWRITABLE', names: new RegExp(basename(folder)), skip: cannotMount,
  async spoil() {
    const mount = (...args: string[]) => execFileSync('mount', [...args, folder], { stdio: 'pipe' })
    mount('--bind', folder)
    mount('-o', 'remount,bind,ro')
    return { mend: async () => execFileSync('umount', ['-l', folder]) }
  },
})

/** A field with a path that the configuration of the server does not name. */
export const unnamedPath = (field: string, path = '/nowhere/else.pem'): BadInput => ({
  what: `a ${field} that the configuration does not name`, code: 'SLOT_NOT_FOUND', names: new RegExp(path),
  spoil: async (fields) => ({ fields: { ...fields, [field]: path } }),
})

/** Puts a text behind what a file holds; mending it takes the text away again. */
export async function appended(file: string, text: string): Promise<() => Promise<void>> {
  const whole = await readFile(file)
  await writeFile(file, Buffer.concat([whole, Buffer.from(text)]))
  return () => writeFile(file, whole)
}

/** A configuration that does not pass the server's own test, at planning. */
export const brokenConfiguration = (file: string, text: string, names: RegExp): BadInput => ({
  what: 'a configuration that is broken', code: 'SERVER_CONFIGURATION_UNREADABLE', names,
  spoil: async () => ({ mend: await appended(file, text) }),
})

/** The same while the files are being replaced. */
export const breakingConfiguration = (file: string, text: string): Failure => ({
  what: 'a configuration that breaks while the files are replaced', code: 'CONFIG_TEST_FAILED',
  spoil: () => appended(file, text),
})
