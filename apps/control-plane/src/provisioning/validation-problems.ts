import { isIP } from 'node:net'
import type { BotId, ConfigurationInput, ValidationSettings } from '@certloop/contract'
import { findBot } from '../bot/bot-store.ts'
import type { FieldProblem } from '../csr-template/template-rules.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { listDnsProviders } from '../dns-provider/dns-provider-store.ts'
import type { Filled } from './configuration-check.ts'

/** What the settings of a validation are held against. */
export interface ValidationFacts {
  names: readonly string[]
  /** Bots of the targets, in their order. */
  targetBots: readonly BotId[]
  /** The bot that is named; null: there is none, or it was revoked, or it is for discovery alone. */
  bot: { name: string } | null
  providers: readonly { id: string; name: string; zones: readonly string[] }[]
  renewsItself: boolean
}
/** missing: not said yet, which a draft may leave for later. */
export interface ValidationProblem extends FieldProblem { missing?: true }

export async function validationFacts(tx: Tx, { validation: { botId }, renewal }: Filled, names: readonly string[], targets: ConfigurationInput['targets']): Promise<ValidationFacts> {
  const bot = botId === null ? undefined : await findBot(tx, botId)
  return {
    names, targetBots: targets.map((target) => target.botId), bot: bot && !bot.revokedAt && bot.purpose !== 'discovery' ? { name: bot.name } : null,
    providers: (await listDnsProviders(tx)).map(({ id, name, zones }) => ({ id, name, zones: fromJson<string[]>(zones) })), renewsItself: renewal.enabled,
  }
}

const at = (field: keyof ValidationSettings, problem: string): FieldProblem => ({ field: `validation/${field}`, problem })
const missing = (field: keyof ValidationSettings, problem: string): ValidationProblem => ({ ...at(field, problem), missing: true })
const usesBot = ({ method }: ValidationSettings) => method === 'file' || method === 'tls-alpn'
const usesDns = ({ method, place }: ValidationSettings) => method === 'dns' || method === 'dns-persist' || (method === 'manual' && place === 'dns')
/** RFC 8738: an address can not be proven by a record. */
const addresses = (names: readonly string[]) => names.filter((name) => isIP(name) !== 0)
const wildcards = (names: readonly string[]) => names.filter((name) => name.startsWith('*.'))

/** Pure. */
export function validationProblems(settings: ValidationSettings, facts: ValidationFacts): ValidationProblem[] {
  const { method } = settings
  const ips = usesDns(settings) ? addresses(facts.names) : []
  return [
    ...(method === 'file' ? pathProblems(settings) : []), ...(usesBot(settings) ? botProblems(settings, facts) : []), ...(method === 'dns' || method === 'dns-persist' ? providerProblems(settings, facts) : []),
    ...(method === 'tls-alpn' ? listenProblems(settings) : []),
    ...(ips.length > 0 ? [at(method === 'manual' ? 'place' : 'method', `an IP address can not be proven by a DNS record: ${ips.join(', ')}`)] : []),
  ]
}

function pathProblems({ path }: ValidationSettings): ValidationProblem[] {
  if (path === null) return [missing('path', 'name the folder on the host that the domain serves')]
  return !path.startsWith('/') || path.split('/').includes('..') || path.includes('\0') ? [at('path', 'must be an absolute path on the host, without ".."')] : []
}
function botProblems({ method, botId }: ValidationSettings, { bot, targetBots }: ValidationFacts): ValidationProblem[] {
  if (botId !== null) return bot ? [] : [at('botId', 'there is no such bot that may work')]
  return targetBots.length > 0 ? [] : [missing('method', method === 'file' ? 'the bot of a target places the file, and there is no target; name a bot' : 'the bot of a target answers, and there is no target; name a bot')]
}
function providerProblems({ method, dnsProviderId }: ValidationSettings, { providers }: ValidationFacts): ValidationProblem[] {
  if (dnsProviderId !== null) return providers.some(({ id }) => id === dnsProviderId) ? [] : [at('dnsProviderId', 'there is no such DNS provider')]
  // A standing record may be kept by a person.
  return providers.length === 0 && method === 'dns' ? [missing('method', 'no DNS provider is configured; add the one that holds the zone')] : []
}
function listenProblems({ listenOn }: ValidationSettings): ValidationProblem[] {
  if (listenOn === null) return []
  const [, address = '', port = ''] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(listenOn) ?? []
  const isGood = isIP(address) !== 0 && (isIP(address) === 6) === listenOn.startsWith('[') && Number(port) >= 1 && Number(port) <= 65_535
  return isGood ? [] : [at('listenOn', 'must be an IP address and a port, such as 0.0.0.0:443 or [::]:443')]
}

/** Pure. Allowed, and perhaps not meant. */
export function validationWarnings(settings: ValidationSettings, facts: ValidationFacts): FieldProblem[] {
  return [...unusedSettings(settings), ...wildcardWarnings(settings, facts), ...manualWarnings(settings, facts), ...zoneWarnings(settings, facts), ...portWarnings(settings, facts)]
}

function unusedSettings(settings: ValidationSettings): FieldProblem[] {
  const { method, path, botId, listenOn, dnsProviderId, notify } = settings
  const given: [keyof ValidationSettings, boolean, boolean][] = [
    ['path', path !== null, method === 'file'], ['botId', botId !== null, usesBot(settings)], ['listenOn', listenOn !== null, method === 'tls-alpn'],
    ['dnsProviderId', dnsProviderId !== null, method === 'dns' || method === 'dns-persist'], ['notify', notify.length > 0, method === 'manual'],
  ]
  return given.flatMap(([field, isGiven, isUsed]) => (isGiven && !isUsed ? [at(field, `is not used with the method "${method}"`)] : []))
}

const what: Partial<Record<ValidationSettings['method'], string>> = { 'file': 'no file', 'http': 'no HTTP answer', 'tls-alpn': 'no TLS handshake' }
function wildcardWarnings({ method, place }: ValidationSettings, { names }: ValidationFacts): FieldProblem[] {
  if (wildcards(names).length === 0) return []
  if (method === 'manual' && place === 'file') return [at('place', 'public authorities take no file as proof for a wildcard; let the person place a DNS record')]
  return what[method] === undefined ? [] : [at('method', `public authorities take ${what[method]} as proof for a wildcard`)]
}
function manualWarnings({ method, notify }: ValidationSettings, { renewsItself }: ValidationFacts): FieldProblem[] {
  if (method !== 'manual') return []
  return [
    ...(notify.length === 0 ? [at('notify', 'nobody gets the instructions by e-mail; they are only seen on the page of the order')] : []),
    ...(renewsItself ? [at('method', 'each renewal waits until a person has placed the proof')] : []),
  ]
}
/** Of what is known: a provider whose zones were never read may hold any. */
function zoneWarnings({ method, dnsProviderId }: ValidationSettings, { names, providers }: ValidationFacts): FieldProblem[] {
  if (method !== 'dns') return []
  const asked = providers.filter(({ id }) => dnsProviderId === null || id === dnsProviderId)
  if (asked.length === 0 || asked.some(({ zones }) => zones.length === 0)) return []
  const zones = asked.flatMap((provider) => provider.zones)
  const without = names.filter((name) => isIP(name) === 0).map((name) => name.replace(/^\*\./, '')).filter((name) => !zones.some((zone) => name === zone || name.endsWith(`.${zone}`)))
  return without.length === 0 ? [] : [at('dnsProviderId', `no zone of ${without.slice(0, 5).join(', ')} was found at ${asked.map(({ name }) => name).join(', ')}; that is only right when _acme-challenge of the name is a CNAME record into one of its zones`)]
}
function portWarnings({ method, listenOn, botId }: ValidationSettings, { targetBots }: ValidationFacts): FieldProblem[] {
  const isTakenPerhaps = method === 'tls-alpn' && listenOn === null && targetBots.length > 0 && (botId === null || targetBots.includes(botId))
  return isTakenPerhaps ? [at('listenOn', 'the bot answers on port 443 of a host that has a target, where a server may listen already; let that server hand "acme-tls/1" on to another port, and name that port here')] : []
}
