import type { ServerTypeEntry } from './driver.ts'

/** Looks entries up by id. @throws Error at start-up when an id is there twice or badly formed, naming it. */
export function registry(entries: readonly ServerTypeEntry[]): { all: readonly ServerTypeEntry[]; find(id: string): ServerTypeEntry | undefined } {
  const byId = new Map<string, ServerTypeEntry>()
  for (const entry of entries) {
    const { id, title } = entry.manifest
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)) throw new Error(`server type "${title}": the id "${id}" is not in kebab-case`)
    const other = byId.get(id)
    if (other) throw new Error(`server type id "${id}" is used by "${other.manifest.title}" and "${title}"`)
    byId.set(id, entry)
  }
  return { all: entries, find: (id) => byId.get(id) }
}
