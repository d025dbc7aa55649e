import type { JumpHost, Reach, ReachKind, TargetInput, TargetSecrets } from '@certloop/contract'
import { reachKind } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import { jumpsOf } from './kept-secrets.ts'

const reachNames: Record<ReachKind, string> = { local: 'on the bot\'s own machine', ssh: 'over SSH', sftp: 'over SFTP', ftp: 'over FTP' }

/** Ways to a target of a type; where its manifest names none, those that every driver works on. */
export const reachesOf = ({ reaches }: Pick<ServerTypeManifest, 'reaches'>): readonly ReachKind[] => reaches ?? ['local', 'ssh']

function loginProblems({ authentication, keyPath }: Pick<JumpHost, 'authentication' | 'keyPath'>, path: string): string[] {
  if (authentication !== 'bot-key') return keyPath === undefined ? [] : [`${path}/keyPath: is used with the authentication "bot-key" alone`]
  if (!keyPath) return [`${path}/keyPath: is missing: the key file on the machine of the bot`]
  return keyPath.startsWith('/') || /^[A-Za-z]:\\/.test(keyPath) ? [] : [`${path}/keyPath: must be an absolute path on the machine of the bot`]
}

const addressOf = ({ host, port }: Pick<JumpHost, 'host' | 'port'>) => `${host.toLowerCase()}:${port}`

/** What is wrong with a way to a target beyond its form, as "path: problem". */
export function reachProblems(reach: Reach, path: string): string[] {
  if (reach === 'local') return []
  const own = reach.kind === 'ftp' ? [] : loginProblems(reach, path)
  const jumps = jumpsOf(reach)
  const addresses = [...jumps.map(addressOf), addressOf(reach)]
  const twice = jumps.flatMap((_, i) => (addresses.indexOf(addresses[i] ?? '') < i || addresses[i] === addressOf(reach) ? [`${path}/jumps/${i}: this host is on the way twice`] : []))
  return [...own, ...jumps.flatMap((jump, i) => loginProblems(jump, `${path}/jumps/${i}`)), ...twice]
}

/** A bot takes no more than this, sealed. */
const mostSecretBytes = 70_000

export const sizeProblems = (secrets: TargetSecrets, path: string): string[] =>
  (Buffer.byteLength(JSON.stringify(secrets)) > mostSecretBytes ? [`${path}: are more than ${mostSecretBytes} bytes together`] : [])

/** @param input as it came @returns problems of its way in that depend on the server type */
export function reachOfTypeProblems(manifest: ServerTypeManifest, { reach = 'local' }: Pick<TargetInput, 'reach'>, path: string): string[] {
  const kind = reachKind(reach)
  const possible = reachesOf(manifest)
  return possible.includes(kind) ? [] : [`${path}: ${manifest.title} can not be reached ${reachNames[kind]}; possible is ${possible.map((each) => `"${each}"`).join(', ')}`]
}
