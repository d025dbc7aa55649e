interface Entry { manifest: { id: string; title: string } }
export interface Registry<E extends Entry> { all: readonly E[]; find(id: string): E | undefined }

/** Looks entries up by id. @throws Error at start-up when an id is there twice or badly formed, naming it. */
export function registry<E extends Entry>(what: string, entries: readonly E[]): Registry<E> {
  const byId = new Map<string, E>()
  for (const entry of entries) {
    const { id, title } = entry.manifest
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)) throw new Error(`${what} "${title}": the id "${id}" is not in kebab-case`)
    const other = byId.get(id)
    if (other) throw new Error(`${what} id "${id}" is used by "${other.manifest.title}" and "${title}"`)
    byId.set(id, entry)
  }
  return { all: entries, find: (id) => byId.get(id) }
}
