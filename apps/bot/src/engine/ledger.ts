import { sha256Hex } from '@certloop/contract'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfThere, writeDurably } from '../durable-file.ts'

/** One thing that this engine put somewhere. Digests are SHA-256 of a file's bytes, hex. */
export interface Placed {
  path: string
  digest: string
  /** Of a keystore: the alias, and the SHA-256 of the leaf that lies under it. */
  entry?: { alias: string; leaf: string } | undefined
}

/** What this engine itself put where, machine by machine: <folder>/ledger/<digest of the machine's name>.json. */
export interface Ledger {
  /** On disk when it returns; the same again changes nothing. One machine by one call at a time. */
  note(machine: string, placed: readonly Placed[]): Promise<void>
  /** True when this very file, or the entry of a keystore, was put there by this engine. */
  isOurs(machine: string, placed: Placed): Promise<boolean>
}

interface Page { machine: string; paths: Record<string, { digests: string[]; entries: Record<string, string[]> }> }

/** What was put there before counts as well: an undo or an administrator may have brought it back. */
const kept = 20
const withNewest = (list: readonly string[], one: string) => [...list.filter((other) => other !== one), one].slice(-kept)

export function createLedger(root: string): Ledger {
  const folder = join(root, 'ledger')
  const pathOf = (machine: string) => join(folder, `${sha256Hex(machine).slice(0, 32)}.json`)
  const read = async (machine: string): Promise<Page> => JSON.parse(await readIfThere(pathOf(machine)) ?? JSON.stringify({ machine, paths: {} })) as Page
  return {
    async note(machine, placed) {
      if (placed.length === 0) return
      const page = await read(machine)
      const before = JSON.stringify(page)
      for (const { path, digest, entry } of placed) {
        const { digests, entries } = (page.paths[path] ??= { digests: [], entries: {} })
        const alias = entry?.alias.toLowerCase()
        page.paths[path] = { digests: withNewest(digests, digest), entries: entry && alias !== undefined ? { ...entries, [alias]: withNewest(entries[alias] ?? [], entry.leaf) } : entries }
      }
      if (JSON.stringify(page) === before) return
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeDurably(pathOf(machine), JSON.stringify(page))
    },
    async isOurs(machine, { path, digest, entry }) {
      const known = (await read(machine)).paths[path]
      if (known === undefined) return false
      return entry === undefined ? known.digests.includes(digest) : (known.entries[entry.alias.toLowerCase()] ?? []).includes(entry.leaf)
    },
  }
}
