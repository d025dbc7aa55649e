import { readFile } from 'node:fs/promises'
import type { ConfigurationInput, JumpHost, LoginSecrets, Reach } from '@certloop/api-client'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { readSecret } from '../typed/typed-options.ts'

type TargetInput = ConfigurationInput['targets'][number]
export type Secrets = NonNullable<TargetInput['secrets']>

/** How a host is reached and what is shown there to be let in. Passwords and keys come from files or standard input alone: command lines can be read by others. */
export const wayOptions = {
  'password-stdin': { type: 'boolean', help: 'log in with the password that comes on standard input' },
  'key-file': { type: 'string', value: 'FILE', help: 'log in with this private key; it is kept in the platform, sealed' },
  'passphrase-file': { type: 'string', value: 'FILE', help: 'passphrase of that key' },
  'bot-key': { type: 'string', value: 'PATH', help: 'log in with a key file on the machine of the bot' },
  'host-key': { type: 'string', value: 'SHA256:…', help: 'fingerprint of the host\'s key; without it the one that is kept stays, or the first look tells which one is there. "" forgets the kept one' },
  'sudo': { type: 'boolean', help: 'run every command and read every file there through "sudo -n"' },
  'jump': { type: 'string', value: 'SSH-URL', multiple: true, help: 'go through this host, e.g. ssh://hop@gate.example:22; repeat for more, the first one first' },
  'jump-key-file': { type: 'string', value: 'FILE', multiple: true, help: 'private key for the jump host at the same place in the list' },
  'jump-password-file': { type: 'string', value: 'FILE', multiple: true, help: 'password for the jump host at the same place in the list, where no --jump-key-file is given' },
  'jump-host-key': { type: 'string', value: 'SHA256:…', multiple: true, help: 'fingerprint of the jump host at the same place in the list' },
} as const satisfies OptionSpecs
export type WayOptions = Given<Record<never, never>, typeof wayOptions>['options']

const textOf = (what: string, file: string) => readFile(file, 'utf8').catch((error: Error) => { throw usage(`The ${what} can not be read: ${error.message}.`) })
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

function addressOf(reach: Reach): Address {
  if (reach === 'local') throw usage('The options of the way in go with --reach.')
  const { host, port, user } = reach
  return { scheme: reach.kind !== 'ftp' ? `${reach.kind}:` : reach.security === 'implicit-tls' ? 'ftps:' : 'ftp:', host, port, user }
}
const isAt = ({ host, port, user }: Omit<Address, 'scheme'>, before: Omit<Address, 'scheme'>) => host.toLowerCase() === before.host.toLowerCase() && port === before.port && user === before.user
type FtpReach = Extract<Reach, { kind: 'ftp' }>
type LoginReach = Exclude<Reach, 'local' | FtpReach>
const kindOf = (reach: Reach): { ftp?: FtpReach; ssh?: LoginReach } => (reach === 'local' ? {} : reach.kind === 'ftp' ? { ftp: reach } : { ssh: reach })
const keyOf = (given: string | undefined, before: string | null | undefined): string | null => (given === undefined ? before ?? null : given === '' ? null : given)

interface Login { authentication: JumpHost['authentication']; keyPath?: string; secrets: LoginSecrets }
/** What a host was logged in to with so far. */
type LoginBefore = Pick<JumpHost, 'authentication' | 'keyPath'>

async function readLogin(context: Context, given: WayOptions, before: LoginBefore | undefined): Promise<Login> {
  const ways = (['password-stdin', 'key-file', 'bot-key'] as const).filter((name) => given[name] !== undefined && given[name] !== false)
  if (ways.length > 1) throw usage(`Choose one way to log in: ${ways.map((way) => `--${way}`).join(', ')} do not go together.`)
  const passphrase = given['passphrase-file'] === undefined ? {} : { passphrase: await readSecret(context, 'passphrase', given['passphrase-file']) }
  if (given['key-file'] !== undefined) return { authentication: 'key', secrets: { privateKey: await textOf('private key', given['key-file']), ...passphrase } }
  if (given['bot-key'] !== undefined) return { authentication: 'bot-key', keyPath: given['bot-key'], secrets: passphrase }
  if (given['password-stdin']) return { authentication: 'password', secrets: { password: await readSecret(context, 'password', '-') } }
  if (before) return { authentication: before.authentication, ...(before.keyPath === undefined ? {} : { keyPath: before.keyPath }), secrets: passphrase }
  if (context.world.canAsk) return { authentication: 'password', secrets: { password: await context.world.ask('Password on that host: ', { hidden: true }) } }
  throw usage('Say how to log in: --password-stdin, --key-file FILE or --bot-key PATH.')
}

interface Jump { jump: JumpHost; secrets: LoginSecrets }

async function readJump(context: Context, text: string, i: number, given: WayOptions, earlier: JumpHost | undefined): Promise<Jump> {
  const { host, port, user } = readAddress('jump', text, ['ssh:'])
  const before = earlier && isAt({ host, port, user }, earlier) ? earlier : undefined
  const keyFile = given['jump-key-file']?.[i]
  const passwordFile = given['jump-password-file']?.[i]
  const hostKey = keyOf(given['jump-host-key']?.[i], before?.hostKey)
  if (keyFile !== undefined) return { jump: { host, port, user, authentication: 'key', hostKey }, secrets: { privateKey: await textOf('private key of a jump host', keyFile) } }
  if (passwordFile !== undefined) return { jump: { host, port, user, authentication: 'password', hostKey }, secrets: { password: await readSecret(context, 'password of a jump host', passwordFile) } }
  if (given['bot-key'] !== undefined) return { jump: { host, port, user, authentication: 'bot-key', keyPath: given['bot-key'], hostKey }, secrets: {} }
  if (before) return { jump: { ...before, hostKey }, secrets: {} }
  throw usage(`Say how to log in at the jump host ${host}: --jump-key-file FILE or --jump-password-file FILE, one for each --jump.`)
}

/** Jump hosts that are not named again stay, each with its login. */
function keptJumps(given: WayOptions, before: readonly JumpHost[]): Jump[] {
  for (const name of ['jump-key-file', 'jump-password-file'] as const) if (given[name]) throw usage(`--${name} goes with --jump: name the jump hosts again.`)
  const keys = given['jump-host-key'] ?? []
  if (keys.length > before.length) throw usage(`--jump-host-key is given ${keys.length} times, but there are ${before.length} jump hosts.`)
  return before.map((jump, i) => ({ jump: { ...jump, hostKey: keyOf(keys[i], jump.hostKey) }, secrets: {} }))
}

export interface Way { reach: Reach; secrets: Secrets }

/**
 * The way that --reach and its companions name. What is not given stays as long as user, host and port do.
 * @param text undefined: the address stays
 * @throws Failure saying which option does not fit
 */
export async function readWay(context: Context, text: string | undefined, given: WayOptions, present: Reach = 'local'): Promise<Way> {
  if (text === 'local') return { reach: 'local', secrets: {} }
  const { scheme, ...address } = text === undefined ? addressOf(present) : readAddress('reach', text, ['ssh:', 'sftp:', 'ftp:', 'ftps:'])
  const { ftp, ssh } = kindOf(present !== 'local' && addressOf(present).scheme === scheme && isAt(address, present) ? present : 'local')
  const login = await readLogin(context, given, ftp ? { authentication: 'password' } : ssh)
  if (scheme !== 'ftp:' && scheme !== 'ftps:') return readSshWay(context, { scheme, ...address }, given, login, ssh)
  return ftpWay({ scheme, ...address }, login, ftp)
}

function ftpWay({ scheme, ...address }: Address, login: Login, ftp: FtpReach | undefined): Way {
  if (login.authentication !== 'password') throw usage('FTP takes a password: --password-stdin.')
  const { security = 'explicit-tls', pin = null } = ftp ?? {}
  return { reach: { kind: 'ftp', ...address, security: scheme === 'ftps:' ? 'implicit-tls' : security, pin }, secrets: { login: login.secrets } }
}

async function readSshWay(context: Context, { scheme, ...address }: Address, given: WayOptions, login: Login, ssh: LoginReach | undefined): Promise<Way> {
  const { authentication, keyPath, secrets } = login
  const earlier = ssh?.jumps ?? []
  const jumps = given.jump ? await Promise.all(given.jump.map((jump, i) => readJump(context, jump, i, given, earlier[i]))) : keptJumps(given, earlier)
  const way = { ...address, authentication, ...(keyPath === undefined ? {} : { keyPath }), hostKey: keyOf(given['host-key'], ssh?.hostKey), jumps: jumps.map(({ jump }) => jump) }
  const sudo = given.sudo ?? (ssh?.kind === 'ssh' && ssh.privilege === 'sudo')
  const reach: Reach = scheme === 'sftp:' ? { kind: 'sftp', ...way } : { kind: 'ssh', ...way, privilege: sudo ? 'sudo' : 'none' }
  return { reach, secrets: { login: secrets, ...(jumps.length > 0 ? { jumps: jumps.map((jump) => jump.secrets) } : {}) } }
}

/** "ssh deploy@db1.example:22 through gate.example", "on the bot's own machine" */
export function reachText(reach: Reach): string {
  if (reach === 'local') return 'on the bot\'s own machine'
  const via = reach.kind === 'ftp' || reach.jumps.length === 0 ? '' : ` through ${reach.jumps.map(({ host }) => host).join(', ')}`
  return `${reach.kind} ${reach.user}@${reach.host}:${reach.port}${via}`
}
