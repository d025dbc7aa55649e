import { machineOf, secretFields, type BotId, type FieldNotes, type JumpHost, type LoginSecrets, type Reach, type TargetId, type TargetSecrets, type TargetSecretsInput } from '@certloop/contract'
import type { ServerTypeManifest } from '@certloop/plugin-kit'
import type { Secrets } from '../secret/secrets.ts'

/** What a target is sealed with at rest: bound to its row. */
const bindingOf = (id: TargetId) => `target:${id}:secrets`

const isEmpty = (value: object) => Object.values(value).every((inner) => inner === undefined || (typeof inner === 'object' && Object.keys(inner as object).length === 0))
const hasNone = ({ fields = {}, login = {}, jumps = [] }: TargetSecrets) => isEmpty(fields) && isEmpty(login) && jumps.every(isEmpty)

/** @returns null when there is nothing to keep */
export const sealSecrets = (secrets: Secrets, id: TargetId, given: TargetSecrets): string | null => (hasNone(given) ? null : secrets.seal(JSON.stringify(given), bindingOf(id)))

/** @throws CertloopError SECRET_UNREADABLE */
export const openSecrets = (secrets: Secrets, { id, sealedSecrets }: { id: TargetId; sealedSecrets: string | null }): TargetSecrets =>
  (sealedSecrets === null ? {} : JSON.parse(secrets.open(sealedSecrets, bindingOf(id)).toString()) as TargetSecrets)

/** ["fields.keystorePassword", "login.password", "jumps.0.privateKey"] */
export function secretsSet({ fields = {}, login = {}, jumps = [] }: TargetSecrets): string[] {
  const names = (prefix: string, values: object) => Object.entries(values).filter(([, value]) => value !== undefined).map(([name]) => `${prefix}.${name}`)
  return [...names('fields', fields), ...names('login', login), ...jumps.flatMap((jump, i) => names(`jumps.${i}`, jump))]
}

type LoginSecretName = keyof LoginSecrets
type Authentication = JumpHost['authentication']
/** Which secrets a way to log in takes; the first is needed, if it is named so. */
const taken: Record<Authentication, readonly LoginSecretName[]> = { 'password': ['password'], 'key': ['privateKey', 'passphrase'], 'bot-key': ['passphrase'] }
const needed: Partial<Record<Authentication, LoginSecretName>> = { password: 'password', key: 'privateKey' }

interface Login { authentication: Authentication }
/** The login at the end of the way, undefined on the bot's own machine. FTP knows passwords alone. */
export const loginOf = (reach: Reach): Login | undefined => (reach === 'local' ? undefined : reach.kind === 'ftp' ? { authentication: 'password' } : reach)
export const jumpsOf = (reach: Reach): readonly JumpHost[] => (reach === 'local' || reach.kind === 'ftp' ? [] : reach.jumps)

/** The host that a secret is given to, and how; not its key, which a person confirms. */
const whereTo = (login: JumpHost) => [login.host.toLowerCase(), login.port, login.user, login.authentication].join(' ')
const wayTo = (reach: Reach): string => {
  if (reach === 'local') return 'local'
  // Without TLS a password would go over the network in the clear: that is another place to give it to.
  if (reach.kind === 'ftp') return ['ftp', reach.host.toLowerCase(), reach.port, reach.user, reach.security].join(' ')
  return [...reach.jumps.map(whereTo), whereTo(reach)].join(' > ')
}

export interface SecretPlace { botId: BotId; manifest: ServerTypeManifest; reach: Reach; fields: Record<string, unknown> }

/**
 * Whom a secret field is given to: the server of this kind on this machine, by this bot. Where the manifest says that it
 * is sent on, also to whom, as these fields have it, and the way there: an address such as 127.0.0.1 is that of another
 * machine at the end of another way.
 */
function givenTo({ botId, manifest, fields, reach }: SecretPlace, name: string): string {
  const properties = manifest.fields.properties as Record<string, { 'x-field'?: FieldNotes } | undefined>
  const sentTo = properties[name]?.['x-field']?.sentTo
  return JSON.stringify([botId, manifest.id, machineOf({ reach }), ...(sentTo ? [wayTo(reach), ...sentTo.map((other) => fields[other] ?? null)] : [])])
}

export interface KeptBefore { place: SecretPlace; secrets: TargetSecrets }
/** What is to be kept, and the problems of what was given, each as "path: problem" below the target. */
export interface MergedSecrets { secrets: TargetSecrets; problems: string[]; /** What a complete configuration lacks. */ missing: string[] }

const again = 'has to be entered again: what it was kept for (bot, host, user, way in or another field) is no longer the same'
const defined = <T extends object>(values: T): T => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as T

/** Given ones replace those before; null deletes; what is left out stays where it would go to the same place. Pure. */
export function mergeSecrets(place: SecretPlace, before: KeptBefore | undefined, given: TargetSecretsInput): MergedSecrets {
  const merged: MergedSecrets = { secrets: {}, problems: [], missing: [] }
  mergeFields(merged, place, before, given.fields ?? {})
  mergeLogins(merged, place.reach, before && { ...before, sameBot: before.place.botId === place.botId }, given)
  return merged
}

function mergeFields({ secrets, problems, missing }: MergedSecrets, place: SecretPlace, before: KeptBefore | undefined, given: Record<string, string | null>): void {
  const names = secretFields(place.manifest.fields)
  const required = (place.manifest.fields as { required?: readonly string[] }).required ?? []
  problems.push(...Object.keys(given).filter((name) => !names.includes(name)).map((name) => `secrets/fields/${name}: there is no such secret field`))
  const kept = (name: string) => (before && givenTo(before.place, name) === givenTo(place, name) ? before.secrets.fields?.[name] : undefined)
  const fields = defined(Object.fromEntries(names.map((name) => [name, Object.hasOwn(given, name) ? given[name] : kept(name)]))) as Record<string, string>
  for (const name of required.filter((each) => names.includes(each) && fields[each] === undefined)) {
    missing.push(`fields/${name}: ${given[name] === undefined && before?.secrets.fields?.[name] !== undefined ? again : 'is missing'}`)
  }
  if (Object.keys(fields).length > 0) secrets.fields = fields
}

/** The same for a way in alone, with nothing kept before. */
export function loginProblemsOf(reach: Reach, given: Pick<TargetSecretsInput, 'login' | 'jumps'>): MergedSecrets {
  const merged: MergedSecrets = { secrets: {}, problems: [], missing: [] }
  mergeLogins(merged, reach, undefined, given)
  return merged
}

function mergeLogins(merged: MergedSecrets, reach: Reach, before: (KeptBefore & { sameBot: boolean }) | undefined, given: TargetSecretsInput): void {
  const login = loginOf(reach)
  const same = before?.sameBot === true && wayTo(before.place.reach) === wayTo(reach)
  const own = mergeLogin(merged, 'secrets/login', login, given.login ?? {}, before?.secrets.login, same)
  if (!isEmpty(own)) merged.secrets.login = own
  const jumps = jumpsOf(reach)
  if ((given.jumps?.length ?? 0) > jumps.length) merged.problems.push(`secrets/jumps/${jumps.length}: there is no such jump host`)
  const earlier = before ? jumpsOf(before.place.reach) : []
  // The way up to a jump host has to be the same, too.
  const sameUpTo = (i: number) => before?.sameBot === true && jumps.slice(0, i + 1).every((jump, j) => { const was = earlier[j]; return was !== undefined && whereTo(was) === whereTo(jump) })
  const all = jumps.map((jump, i) => mergeLogin(merged, `secrets/jumps/${i}`, jump, given.jumps?.[i] ?? {}, before?.secrets.jumps?.[i], sameUpTo(i)))
  if (!all.every(isEmpty)) merged.secrets.jumps = all
}

type GivenLogin = NonNullable<TargetSecretsInput['login']>

function mergeLogin({ problems, missing }: MergedSecrets, path: string, login: Login | undefined, given: GivenLogin, before: LoginSecrets | undefined, stays: boolean): LoginSecrets {
  const names = login ? taken[login.authentication] : []
  const useless = Object.keys(defined(given)).filter((name) => !(names as readonly string[]).includes(name))
  problems.push(...useless.map((name) => `${path}/${name}: ${login ? `is not used with the authentication "${login.authentication}"` : 'is not used on the machine of the bot itself'}`))
  const kept: LoginSecrets = stays ? before ?? {} : {}
  const merged = defined(Object.fromEntries(names.map((name) => [name, given[name] === undefined ? kept[name] : given[name]]))) as LoginSecrets
  // A passphrase belongs to its key.
  if (given.privateKey && given.passphrase === undefined) delete merged.passphrase
  const need = login ? needed[login.authentication] : undefined
  if (need && !merged[need]) missing.push(`${path}/${need}: ${given[need] === undefined && before?.[need] !== undefined ? again : 'is missing'}`)
  return merged
}
