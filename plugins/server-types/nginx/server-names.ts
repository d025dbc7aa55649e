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

/**
 * The server that nginx picks for a name on one socket; "unknown" where a regular expression may decide.
 * @param servers those of the socket in order of the configuration
 */
export function serverFor<S extends NamedServer>(name: string, servers: readonly S[], defaultServer: S | undefined): S | 'unknown' | undefined {
  let best: { server: S; rank: number } | undefined
  for (const server of servers) {
    const rank = Math.max(0, ...server.names.map((candidate) => matchRank(candidate, name)))
    if (rank > (best?.rank ?? 0)) best = { server, rank }
  }
  if (best) return best.server
  return servers.some((server) => server.names.some(({ kind }) => kind === 'regex')) ? 'unknown' : defaultServer
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

/**
 * Names to send so that nginx picks `server`: one for each of its names that has such a one.
 * A wildcard gets a label that no other server of the socket claims.
 */
export function proofNames<S extends NamedServer>(server: S, servers: readonly S[], defaultServer: S | undefined): string[] {
  const labels = ['certloop-proof', 'certloop-proof-2', 'certloop-proof-3']
  return [...new Set(server.names.flatMap((name) => {
    const candidates: string[][] = name.kind === 'exact' ? [[name.name]]
      : name.kind === 'front' ? [...(name.withBase ? [[name.suffix]] : []), labels.map((label) => `${label}.${name.suffix}`)]
        : name.kind === 'end' ? [['invalid', 'test', 'example'].map((label) => `${name.prefix}.${label}`)]
          : []
    return candidates.flatMap((choices) => choices.find((choice) => serverFor(choice, servers, defaultServer) === server) ?? [])
  }))]
}
