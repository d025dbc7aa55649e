import { isIP } from 'node:net'

/** As in server_name, in order of precedence: exact, wildcard in front, wildcard at the end, regular expression. */
export type ServerName =
  | { kind: 'exact'; name: string }
  /** ".example.com" (withBase) or "*.example.com"; suffix "example.com". */
  | { kind: 'front'; suffix: string; withBase: boolean }
  /** "www.example.*"; prefix "www.example". */
  | { kind: 'end'; prefix: string }
  | { kind: 'regex' }
  /** "", "_" and what else no client sends. */
  | { kind: 'never' }

/** @param hostName what $hostname stands for */
export function parseServerName(text: string, hostName: string): ServerName {
  if (text.startsWith('~')) return { kind: 'regex' }
  const name = (text === '$hostname' ? hostName : text).toLowerCase()
  if (name.startsWith('*.')) return isHostName(name.slice(2)) ? { kind: 'front', suffix: name.slice(2), withBase: false } : { kind: 'never' }
  if (name.startsWith('.')) return isHostName(name.slice(1)) ? { kind: 'front', suffix: name.slice(1), withBase: true } : { kind: 'never' }
  if (name.endsWith('.*')) return isHostName(name.slice(0, -2)) ? { kind: 'end', prefix: name.slice(0, -2) } : { kind: 'never' }
  // An IP address is never sent as SNI (RFC 6066, section 3).
  return isHostName(name) && isIP(name) === 0 ? { kind: 'exact', name } : { kind: 'never' }
}

const isHostName = (name: string) => name.length <= 253 && /^(?!_$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(name)

/** The names a certificate for this server would need; what can't be in one is left out. */
export function certificateNames(names: readonly ServerName[]): string[] {
  return names.flatMap((name) => {
    if (name.kind === 'exact') return [name.name]
    if (name.kind === 'front') return name.withBase ? [name.suffix, `*.${name.suffix}`] : [`*.${name.suffix}`]
    return []
  })
}

export interface NamedServer { names: readonly ServerName[] }

/** The names that count on one socket, each with its server, in order of the configuration. */
export interface NameTable<S> { entries: { server: S; name: ServerName }[]; defaultServer: S | undefined }

/**
 * Enters names as nginx does. One that is taken already is ignored with all it stands for: ".example.com" as a whole
 * when somebody has "example.com" or "*.example.com", and "example.com" when somebody has ".example.com".
 */
export function nameTable<S extends NamedServer>(servers: readonly S[], defaultServer: S | undefined): NameTable<S> {
  const taken = new Set<string>()
  const take = (key: string) => !taken.has(key) && taken.add(key) !== undefined
  const isFree = (name: ServerName): boolean => {
    switch (name.kind) {
      case 'exact': return take(name.name)
      case 'front': return (!name.withBase || take(name.suffix)) && take(`*.${name.suffix}`)
      case 'end': return take(`${name.prefix}.*`)
      case 'regex': case 'never': return true
    }
  }
  return { defaultServer, entries: servers.flatMap((server) => server.names.filter(isFree).map((name) => ({ server, name }))) }
}

/** The server that nginx picks for a name; "unknown" where a regular expression may decide. */
export function serverFor<S>(name: string, { entries, defaultServer }: NameTable<S>): S | 'unknown' | undefined {
  let best: { server: S; rank: number } | undefined
  for (const entry of entries) {
    const rank = matchRank(entry.name, name)
    if (rank > (best?.rank ?? 0)) best = { server: entry.server, rank }
  }
  if (best) return best.server
  return entries.some((entry) => entry.name.kind === 'regex') ? 'unknown' : defaultServer
}

/** 0: no match. Exact over front over end; among these the longest. */
function matchRank(candidate: ServerName, name: string): number {
  switch (candidate.kind) {
    case 'exact': return candidate.name === name ? 3_000 : 0
    case 'front': return name.endsWith(`.${candidate.suffix}`) || (candidate.withBase && name === candidate.suffix) ? 2_000 + candidate.suffix.length : 0
    case 'end': return name.startsWith(`${candidate.prefix}.`) ? 1_000 + candidate.prefix.length : 0
    case 'regex': case 'never': return 0
  }
}

const labels = ['certloop-proof', 'certloop-proof-2', 'certloop-proof-3']

/**
 * Names to send so that nginx picks `server`: one for each of its names that has such a one.
 * A wildcard gets a label that no other server of the socket claims.
 */
export function proofNames<S>(server: S, table: NameTable<S>): string[] {
  const own = table.entries.filter((entry) => entry.server === server)
  return [...new Set(own.flatMap(({ name }) => candidatesFor(name).flatMap((choices) => choices.find((choice) => serverFor(choice, table) === server) ?? [])))]
}

/** Lists of names of which the first that fits is taken. */
function candidatesFor(name: ServerName): string[][] {
  switch (name.kind) {
    case 'exact': return [[name.name]]
    case 'front': return [...(name.withBase ? [[name.suffix]] : []), labels.map((label) => `${label}.${name.suffix}`)]
    case 'end': return [['invalid', 'test', 'example'].map((label) => `${name.prefix}.${label}`)]
    case 'regex': case 'never': return []
  }
}
