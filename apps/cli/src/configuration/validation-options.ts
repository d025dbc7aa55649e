import { type ValidationInput, validationDefaults, type ValidationMethod } from '@certloop/api-client'
import { validationMethods } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findBot, findDnsProvider } from '../find.ts'
import { present } from './words.ts'

export const validationOptions = {
  'validation': { type: 'string', value: 'WAY', choices: validationMethods, help: 'how the authority sees that the names are yours: none; file: the bot places a file; http: the control plane answers; dns: a record through a DNS provider; dns-persist: a record that stays; tls-alpn: the bot answers a TLS handshake; manual: a person does it' },
  'validation-path': { type: 'string', value: 'PATH', help: 'for file: folder on the host that the domain serves' },
  'validation-bot': { type: 'string', value: 'BOT', help: 'for file and tls-alpn: the bot that does it; "" for the bot of the first target' },
  'listen-on': { type: 'string', value: 'ADDRESS:PORT', help: 'for tls-alpn: where the bot answers, e.g. 0.0.0.0:443 or [::]:10443; "" for 0.0.0.0:443' },
  'dns-provider': { type: 'string', value: 'NAME', help: 'for dns and dns-persist: who writes the record; "" for the one that holds the zone' },
  'validation-place': { type: 'string', value: 'WORD', choices: ['dns', 'file'], help: 'for manual: what the person places' },
  'notify': { type: 'string', value: 'E-MAIL', multiple: true, help: 'for manual: who gets the instructions by e-mail; repeat for more; these take the place of the earlier ones, "" takes them out' },
  'leave-out': { type: 'boolean', help: 'let a renewal go on without names that can not be validated (--no-leave-out: one bad name stops all)' },
} as const satisfies OptionSpecs
type ValidationGiven = Given<Record<never, never>, typeof validationOptions>['options']

/** What each option is good for; the first way is meant where none is named. */
const waysOf = {
  'validation-path': ['file'], 'validation-bot': ['file', 'tls-alpn'], 'listen-on': ['tls-alpn'], 'dns-provider': ['dns', 'dns-persist'], 'validation-place': ['manual'], 'notify': ['manual'],
} as const satisfies Partial<Record<keyof ValidationGiven, readonly ValidationMethod[]>>
type Bound = keyof typeof waysOf
const bound = Object.keys(waysOf) as Bound[]
const fits = (option: Bound, way: ValidationMethod) => (waysOf[option] as readonly ValidationMethod[]).includes(way)
const isGiven = (value: string | readonly string[] | undefined) => value !== undefined && [value].flat().some((text) => text !== '')

/** The way that the options speak of. @throws Failure when one does not go with it */
function wayAfter(o: ValidationGiven, before: ValidationMethod): ValidationMethod {
  const given = bound.filter((option) => isGiven(o[option]))
  const meant = o.validation ?? (given.every((option) => fits(option, before)) ? before : waysOf[given[0] ?? 'validation-path'][0])
  const wrong = given.find((option) => !fits(option, meant))
  if (wrong !== undefined) throw usage(`--${wrong} goes with --validation ${waysOf[wrong].join(' or ')}, not with ${meant}.`)
  return meant
}

/** Ids in the place of names; null: "". */
interface Found { botId?: ValidationInput['botId']; dnsProviderId?: ValidationInput['dnsProviderId'] }

/** The whole validation after the options; undefined when they say nothing about it. @throws Failure */
export function validationAfter(o: ValidationGiven, before: ValidationInput = validationDefaults, found: Found = {}): ValidationInput | undefined {
  if (Object.keys(validationOptions).every((name) => o[name as keyof ValidationGiven] === undefined)) return undefined
  const method = wayAfter(o, before.method)
  const said: Omit<ValidationInput, 'method'> = present({
    path: o['validation-path'] === undefined ? undefined : o['validation-path'] || null, listenOn: o['listen-on'] === undefined ? undefined : o['listen-on'] || null, ...found,
    place: o['validation-place'], notify: o.notify?.filter((text) => text !== ''), leaveOut: o['leave-out'],
  })
  return { ...before, ...said, ...unused(method), method }
}

/** What a way has no use for does not stay behind. */
function unused(method: ValidationMethod): Partial<ValidationInput> {
  const { path, botId, listenOn, dnsProviderId, place, notify } = validationDefaults
  return {
    ...(fits('validation-path', method) ? {} : { path }), ...(fits('validation-bot', method) ? {} : { botId }), ...(fits('listen-on', method) ? {} : { listenOn }),
    ...(fits('dns-provider', method) ? {} : { dnsProviderId }), ...(method === 'manual' ? {} : { place, notify }),
  }
}

/** The same with names looked up. */
export async function readValidation(context: Context, o: ValidationGiven, before?: ValidationInput): Promise<ValidationInput | undefined> {
  const [bot, provider] = [o['validation-bot'], o['dns-provider']]
  validationAfter(o, before) // what does not fit is told before anything is asked
  return validationAfter(o, before, present({
    botId: bot === undefined ? undefined : bot === '' ? null : await findBot(context, bot), dnsProviderId: provider === undefined ? undefined : provider === '' ? null : await findDnsProvider(context, provider),
  }))
}
