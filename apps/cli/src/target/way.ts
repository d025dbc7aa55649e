import { readFile } from 'node:fs/promises'
import type { ConfigurationInput, JumpHost, LoginSecrets, Reach } from '@certloop/api-client'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'

type TargetInput = ConfigurationInput['targets'][number]
export type Secrets = NonNullable<TargetInput['secrets']>

/** How a host is reached and what is shown there to be let in. Passwords and keys come from files or standard input alone: command lines can be read by others. */
export const wayOptions = {
  'password-stdin': { type: 'boolean', help: 'log in with the password that comes on standard input' },
  'key-file': { type: 'string', value: 'FILE', help: 'log in with this private key; it is kept in the platform, sealed' },
  'passphrase-file': { type: 'string', value: 'FILE', help: 'passphrase of that key' },
  'bot-key': { type: 'string', value: 'PATH', help: 'log in with a key file on the machine of the bot' },
  'host-key': { type: 'string', value: 'SHA256:…', help: 'fingerprint of the host\'s key; without it the first look tells which one is there' },
  'sudo': { type: 'boolean', help: 'run every command and read every file there through "sudo -n"' },
  'jump': { type: 'string', value: 'SSH-URL', multiple: true, help: 'go through this host, e.g. ssh://hop@gate.example:22; repeat for more, the first one first' },
  'jump-key-file': { type: 'string', value: 'FILE', multiple: true, help: 'private key for the jump host at the same place in the list' },
  'jump-password-file': { type: 'string', value: 'FILE', multiple: true, help: 'password for the jump host at the same place in the list, where no --jump-key-file is given' },
  'jump-host-key': { type: 'string', value: 'SHA256:…', multiple: true, help: 'fingerprint of the jump host at the same place in the list' },
} as const satisfies OptionSpecs
export type WayOptions = Given<Record<never, never>, typeof wayOptions>['options']

const textOf = (what: string, file: string) => readFile(file, 'utf8').catch((error: Error) => { throw usage(`The ${what} can not be read: ${error.message}.`) })
const withoutLineEnd = (text: string) => text.replace(/\r?\n$/, '')
/** A secret in a file, or on standard input for "-"; one line end at its end is none of it. */
export async function readSecret({ world }: Context, what: string, file: string): Promise<string> {
  return withoutLineEnd(file === '-' ? await world.readInput() : await textOf(what, file))
}

const schemes = { 'ssh:': 22, 'sftp:': 22, 'ftp:': 21, 'ftps:': 990 } as const
type Scheme = keyof typeof schemes
interface Address { scheme: Scheme; host: string; port: number; user: string }

function readAddress(option: string, text: string, allowed: readonly Scheme[]): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const example = `${allowed[0] ?? 'ssh:'}//deploy@db1.example`
  if (!url || !(allowed as readonly string[]).includes(url.protocol)) throw usage(`--${option} takes an address such as ${example}, not "${text.replace(/:[^/@]+@/, ':…@')}".`)
  if (url.password !== '') throw usage(`--${option} takes no password: command lines can be read by others.`, 'Use --password-stdin.')
  if (url.username === '' || url.hostname === '') throw usage(`--${option} has to name user and host, as in ${example}.`)
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') throw usage(`--${option} takes nothing after host and port.`)
  const scheme = url.protocol as Scheme
  return { scheme, host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1'), port: url.port === '' ? schemes[scheme] : Number(url.port), user: decodeURIComponent(url.username) }
}

interface Login { authentication: JumpHost['authentication']; keyPath?: string; secrets: LoginSecrets }

async function readLogin(context: Context, given: WayOptions): Promise<Login> {
  const ways = (['password-stdin', 'key-file', 'bot-key'] as const).filter((name) => given[name] !== undefined && given[name] !== false)
  if (ways.length > 1) throw usage(`Choose one way to log in: ${ways.map((way) => `--${way}`).join(', ')} do not go together.`)
  const passphrase = given['passphrase-file'] === undefined ? {} : { passphrase: await readSecret(context, 'passphrase', given['passphrase-file']) }
  if (given['key-file'] !== undefined) return { authentication: 'key', secrets: { privateKey: await textOf('private key', given['key-file']), ...passphrase } }
  if (given['bot-key'] !== undefined) return { authentication: 'bot-key', keyPath: given['bot-key'], secrets: passphrase }
  if (given['password-stdin']) return { authentication: 'password', secrets: { password: await readSecret(context, 'password', '-') } }
  if (context.world.canAsk) return { authentication: 'password', secrets: { password: await context.world.ask('Password on that host: ', { hidden: true }) } }
  throw usage('Say how to log in: --password-stdin, --key-file FILE or --bot-key PATH.')
}

async function readJump(context: Context, text: string, i: number, given: WayOptions): Promise<{ jump: JumpHost; secrets: LoginSecrets }> {
  const { host, port, user } = readAddress('jump', text, ['ssh:'])
  const keyFile = given['jump-key-file']?.[i]
  const passwordFile = given['jump-password-file']?.[i]
  const hostKey = given['jump-host-key']?.[i] ?? null
  if (keyFile !== undefined) return { jump: { host, port, user, authentication: 'key', hostKey }, secrets: { privateKey: await textOf('private key of a jump host', keyFile) } }
  if (passwordFile !== undefined) return { jump: { host, port, user, authentication: 'password', hostKey }, secrets: { password: await readSecret(context, 'password of a jump host', passwordFile) } }
  if (given['bot-key'] !== undefined) return { jump: { host, port, user, authentication: 'bot-key', keyPath: given['bot-key'], hostKey }, secrets: {} }
  throw usage(`Say how to log in at the jump host ${host}: --jump-key-file FILE or --jump-password-file FILE, one for each --jump.`)
}

export interface Way { reach: Reach; secrets: Secrets }

/** The way that --reach and its companions name. @throws Failure saying which option does not fit */
export async function readWay(context: Context, text: string, given: WayOptions): Promise<Way> {
  if (text === 'local') return { reach: 'local', secrets: {} }
  const { scheme, ...address } = readAddress('reach', text, ['ssh:', 'sftp:', 'ftp:', 'ftps:'])
  const { authentication, keyPath, secrets: login } = await readLogin(context, given)
  if (scheme === 'ftp:' || scheme === 'ftps:') {
    if (authentication !== 'password') throw usage('FTP takes a password: --password-stdin.')
    return { reach: { kind: 'ftp', ...address, security: scheme === 'ftps:' ? 'implicit-tls' : 'explicit-tls', pin: null }, secrets: { login } }
  }
  const jumps = await Promise.all((given.jump ?? []).map((jump, i) => readJump(context, jump, i, given)))
  const way = { ...address, authentication, ...(keyPath === undefined ? {} : { keyPath }), hostKey: given['host-key'] ?? null, jumps: jumps.map(({ jump }) => jump) }
  const reach: Reach = scheme === 'sftp:' ? { kind: 'sftp', ...way } : { kind: 'ssh', ...way, privilege: given.sudo ? 'sudo' : 'none' }
  return { reach, secrets: { login, ...(jumps.length > 0 ? { jumps: jumps.map(({ secrets }) => secrets) } : {}) } }
}

/** "ssh deploy@db1.example:22 through gate.example", "on the bot's own machine" */
export function reachText(reach: Reach): string {
  if (reach === 'local') return 'on the bot\'s own machine'
  const via = reach.kind === 'ftp' || reach.jumps.length === 0 ? '' : ` through ${reach.jumps.map(({ host }) => host).join(', ')}`
  return `${reach.kind} ${reach.user}@${reach.host}:${reach.port}${via}`
}
