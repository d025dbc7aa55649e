import { isIP } from 'node:net'
import type { DumpedHost, DumpedSocket } from './dump.ts'
import { globMatches, parseGlob } from './glob.ts'

/** Patterns of ServerAlias know * and ? in any part of a name. */
const hasName = ({ name, aliases, wildAliases }: DumpedHost, asked: string) =>
  name === asked || aliases.includes(asked) || wildAliases.some((alias) => globMatches(parseGlob(alias, { sets: false }), asked))

/** The virtual host that a name leads to: the first that has it in any way, or else the default. */
export const hostFor = ({ hosts }: DumpedSocket, asked: string): DumpedHost | undefined => hosts.find((host) => hasName(host, asked)) ?? hosts[0]

/** Names that a client can send as SNI: no addresses (RFC 6066, section 3), no trailing dots. */
const isSent = (name: string) => name.length <= 253 && isIP(name) === 0 && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(name)

const labels = ['certloop-proof', 'certloop-proof-2', 'certloop-proof-3']

/** What to send so that httpd picks this host: null (no name) where it is the default, its names, a made-up one for each pattern. */
export function proofNames(host: DumpedHost, socket: DumpedSocket): (string | null)[] {
  const leads = (name: string) => isSent(name) && hostFor(socket, name) === host
  const made = host.wildAliases.flatMap((alias) => labels.map((label) => alias.replaceAll('*', label).replaceAll('?', 'x')).find(leads) ?? [])
  return [...(socket.hosts[0] === host ? [null] : []), ...new Set([...[host.name, ...host.aliases].filter(leads), ...made])]
}

/** Names that a certificate for this host would need. */
export const certificateNames = ({ name, aliases, wildAliases }: DumpedHost): string[] =>
  [...[name, ...aliases].filter(isSent), ...wildAliases.filter((alias) => alias.startsWith('*.') && isSent(alias.slice(2)))]
