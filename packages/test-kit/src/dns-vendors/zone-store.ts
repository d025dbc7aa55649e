/** One record as a simulated vendor keeps it. Of TXT the text itself, without quotes. */
export interface StoredRecord { id: number; zone: string; name: string; type: string; value: string; ttl: number }

/** Zones and records of a simulated vendor, seen from within. */
export interface ZoneStore {
  zones: string[]
  /** Of one zone, optionally of one name, of one type. */
  records(zone: string, name?: string, type?: string): StoredRecord[]
  add(record: Omit<StoredRecord, 'id'>): StoredRecord
  remove(id: number): boolean
  /** Replaces all values of one name and type. */
  replace(zone: string, name: string, type: string, values: readonly string[], ttl: number): void
  /** Another one after each change of this name and type; undefined while it has no values. */
  revision(zone: string, name: string, type: string): string | undefined
  /** The zone that a query for the name would be answered from. */
  zoneOf(name: string): string | undefined
  /** What a query would find there. */
  held(name: string): { type: string; value: string }[]
  /** Somebody else writes there. */
  put(name: string, record: { type: string; value: string }): void
}

export function createZoneStore(zones: readonly string[]): ZoneStore {
  let nextId = 1000
  let changes = 0
  let all: StoredRecord[] = []
  const revisions = new Map<string, string>()
  const changed = (zone: string, name: string, type: string) => { revisions.set(`${zone} ${name} ${type}`, `revision-${++changes}`) }
  const store: ZoneStore = {
    zones: [...zones],
    records: (zone, name, type) => all.filter((record) => record.zone === zone && (name === undefined || record.name === name) && (type === undefined || record.type === type)),
    add(given) {
      const record = { ...given, id: ++nextId }
      all.push(record)
      changed(record.zone, record.name, record.type)
      return record
    },
    remove(id) {
      const record = all.find((each) => each.id === id)
      if (!record) return false
      all = all.filter((each) => each !== record)
      changed(record.zone, record.name, record.type)
      return true
    },
    replace(zone, name, type, values, ttl) {
      all = all.filter((record) => !(record.zone === zone && record.name === name && record.type === type))
      for (const value of values) store.add({ zone, name, type, value, ttl })
      changed(zone, name, type)
    },
    revision: (zone, name, type) => (store.records(zone, name, type).length === 0 ? undefined : revisions.get(`${zone} ${name} ${type}`)),
    zoneOf: (name) => store.zones.filter((zone) => name === zone || name.endsWith(`.${zone}`)).toSorted((a, b) => b.length - a.length)[0],
    held(name) {
      const zone = store.zoneOf(name)
      return zone === undefined ? [] : store.records(zone, name).map(({ type, value }) => ({ type, value }))
    },
    put(name, { type, value }) {
      const zone = store.zoneOf(name)
      if (zone === undefined) throw new Error(`no zone holds ${name}`)
      store.add({ zone, name, type, value, ttl: store.records(zone, name, type)[0]?.ttl ?? 3600 })
    },
  }
  return store
}

/** In master file form: quoted, in strings of at most 255 characters. */
export const inQuotes = (value: string): string => (value.match(/[^]{1,255}/g) ?? ['']).map((part) => `"${part.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(' ')

/** The text of a TXT value in master file form. @throws Error when it is not in that form */
export function outOfQuotes(text: string): string {
  let [value, rest] = ['', text.trim()]
  while (rest !== '') {
    const part = /^"((?:[^"\\]|\\.)*)"\s*/.exec(rest)
    if (!part?.[1] && part?.[1] !== '') throw new Error(`not in quotes: ${text}`)
    if (part[1].replaceAll(/\\./g, 'x').length > 255) throw new Error('a string of a TXT record is longer than 255 characters')
    value += part[1].replaceAll(/\\(.)/g, '$1')
    rest = rest.slice(part[0].length)
  }
  return value
}
