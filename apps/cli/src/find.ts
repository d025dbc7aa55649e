import type { Bot, CertificateSummary, DeploymentSummary, DnsProvider, Order, OrderState, ResponseOf, Rollout } from '@certloop/api-client'
import type { Context } from './context.ts'
import { exitCodes, Failure, usage } from './failure.ts'
import { nearest } from './nearest.ts'
import { readPages } from './page.ts'

type IdOf<T extends { id: unknown }> = T['id']
interface Named { id: string; name: string }

export const isIdOf = (prefix: string, text: string) => new RegExp(`^${prefix}_[0-9a-z]{26}$`).test(text)
const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()

function notFound(what: string, text: string, near: readonly string[], list: string): Failure {
  const guess = nearest(text, near) ?? near[0]
  return new Failure({ exit: exitCodes.failed, what: `There is no ${what} "${text}".${guess === undefined ? '' : ` Did you mean "${guess}"?`}`, remedy: `See what there is: ${list}`, code: 'NOT_FOUND' })
}

/** The one that is meant. @throws Failure naming all that could be meant */
function theOne<T extends Named>(what: string, text: string, found: readonly T[], describe: (one: T) => string): T | undefined {
  if (found.length > 1) throw usage(`"${text}" names ${found.length} ${what}s; use the id of one:\n${found.map((one) => `  ${one.id}  ${describe(one)}`).join('\n')}`)
  return found[0]
}

const nouns = { crt: 'certificate', ord: 'order', dep: 'deployment', rol: 'rollout', bat: 'batch', blk: 'bulk change', act: 'action', bot: 'bot', ver: 'version', val: 'validation' } as const

/** What begins like an id is one, mistyped or of something else: no certificate has such a name. */
function refuseOtherId(text: string): void {
  const prefix = (Object.keys(nouns) as (keyof typeof nouns)[]).find((one) => text.startsWith(`${one}_`))
  if (prefix === undefined) return
  const whole = isIdOf(prefix, text)
  throw new Failure({ exit: exitCodes.failed, what: whole ? `"${text}" is the id of a ${nouns[prefix]}, and that is not what is asked for here.` : `There is no ${nouns[prefix]} "${text}".`, ...(whole ? {} : { why: `An id is ${prefix}_ and 26 letters and digits.` }), remedy: 'Give the whole id, or the name of a certificate.', code: 'NOT_FOUND' })
}

const newestWord = (text: string) => text.toLowerCase() === 'newest'

/** Id of the certificate with this id, name, or (when no name fits) DNS name. */
export async function findCertificate(context: Context, text: string): Promise<IdOf<CertificateSummary>> {
  if (isIdOf('crt', text)) return text as IdOf<CertificateSummary>
  refuseOtherId(text)
  const client = await context.client()
  const { items } = await readPages({ limit: undefined, all: true, cursor: undefined }, (query) => client.call('listCertificates', { query: { ...query, search: text.slice(0, 200) } }))
  const describe = ({ name, status, fingerprint }: CertificateSummary) => [name, status, fingerprint?.slice(0, 16)].filter(Boolean).join('  ')
  const named = items.filter(({ name }) => same(name, text))
  const one = theOne('certificate', text, named, describe) ?? theOne('certificate', text, items.filter(({ names }) => names.some((name) => same(name, text))), describe)
  if (one) return one.id
  const near = items.length > 0 ? items : (await client.call('listCertificates', { query: { limit: 200 } })).items
  throw notFound('certificate', text, items.length > 0 ? items.map(({ name }) => name) : guesses(text, near), 'certloop certificate list')
}

/** Only what is really near: the whole list would be no help. */
const guesses = (text: string, things: readonly Pick<Named, 'name'>[]) => {
  const near = nearest(text, things.map(({ name }) => name))
  return near === undefined ? [] : [near]
}

/** What to say when there is none of this name; with one that is really near, if there is one. */
export function noneNamed(what: string, list: string, text: string, things: readonly Pick<Named, 'name'>[]): Failure {
  return notFound(what, text, guesses(text, things), list)
}

export async function findNamed<T extends Named>(prefix: string, what: string, list: string, text: string, read: () => Promise<{ items: T[] }>, describe: (one: T) => string): Promise<T['id']> {
  if (isIdOf(prefix, text)) return text
  const { items } = await read()
  const one = theOne(what, text, items.filter(({ name }) => same(name, text)), describe)
  if (!one) throw noneNamed(what, list, text, items)
  return one.id
}

export async function findBot(context: Context, text: string): Promise<Bot['id']> {
  const client = await context.client()
  // A revoked bot and its successor often have the same name: then the one that works is meant.
  const read = async () => {
    const { items } = await client.call('listBots')
    const working = items.filter((bot) => bot.status !== 'revoked')
    return { items: working.some(({ name }) => same(name, text)) ? working : items }
  }
  return findNamed<Bot>('bot', 'bot', 'certloop bot list', text, read, ({ name, status }) => `${name}  ${status}`)
}
export async function findAuthority(context: Context, text: string): Promise<ResponseOf<'listAuthorities'>['items'][number]['id']> {
  const client = await context.client()
  return findNamed('ath', 'authority', 'certloop authority list', text, () => client.call('listAuthorities'), ({ name, title }) => `${name}  ${title}`)
}
export async function findDnsProvider(context: Context, text: string): Promise<DnsProvider['id']> {
  const client = await context.client()
  return findNamed<DnsProvider>('dnp', 'DNS provider', 'certloop dns-provider list', text, () => client.call('listDnsProviders'), ({ name, title }) => `${name}  ${title}`)
}
export async function findToken(context: Context, text: string): Promise<`tok_${string}`> {
  const client = await context.client()
  return findNamed('tok', 'API token', 'certloop token list', text, () => client.call('listApiTokens'), ({ name }) => name)
}

/** Which of several is meant when only a certificate is named. */
interface Fitting<T> { what: string; fits: (one: T) => boolean }
const inStates = (states: readonly string[] | undefined): Fitting<{ state: string }> | undefined => states && { what: `that is ${states.join(' or ')}`, fits: ({ state }) => states.includes(state) }
const able = <W extends string>(what: string, word: W | undefined): Fitting<{ can: readonly W[] }> | undefined => word && { what: `that can be ${what}`, fits: ({ can }) => can.includes(word) }

/** An order by its id, or by its certificate: the newest one, or the only one in one of these states. */
export async function findOrder(context: Context, text: string, states?: readonly OrderState[]): Promise<Order['id']> {
  if (isIdOf('ord', text)) return text as Order['id']
  const client = await context.client()
  const { items } = await client.call('listOrders', { query: newestWord(text) ? { limit: 1 } : { certificateId: await findCertificate(context, text), limit: 200 } })
  return pick<Order>(context, 'order', text, items, inStates(states), () => '')
}

const deploymentDone = { approve: 'approved', cancel: 'cancelled', undo: 'undone', retry: 'tried again' } as const
/** A deployment by its id, or by its certificate: the newest one, or the only one with which this can be done. */
export async function findDeployment(context: Context, text: string, can?: DeploymentSummary['can'][number]): Promise<DeploymentSummary['id']> {
  if (isIdOf('dep', text)) return text as DeploymentSummary['id']
  const client = await context.client()
  const { items } = await client.call('listDeployments', { query: newestWord(text) ? { limit: 1 } : { certificateId: await findCertificate(context, text), limit: 200 } })
  return pick<DeploymentSummary>(context, 'deployment', text, items, can && able(deploymentDone[can], can), ({ targetTitle, botName }) => `${targetTitle} on ${botName}`)
}

const rolloutDone = { pause: 'paused', resume: 'resumed', stop: 'stopped', undo: 'undone' } as const
/** A rollout by its id, or by its certificate: the newest one, or the only one with which this can be done. */
export async function findRollout(context: Context, text: string, can?: Rollout['can'][number]): Promise<Rollout['id']> {
  if (isIdOf('rol', text)) return text as Rollout['id']
  const client = await context.client()
  const { items } = await client.call('listRollouts', { query: newestWord(text) ? { limit: 1 } : { certificateId: await findCertificate(context, text), limit: 200 } })
  return pick<Rollout>(context, 'rollout', text, items, can && able(rolloutDone[can], can), ({ targets }) => `${targets.length} targets`)
}

/** `items` come newest first. */
function pick<T extends { id: string; state: string; createdAt: string }>(context: Context, what: string, text: string, items: readonly T[], wanted: Fitting<T> | undefined, describe: (one: T) => string): T['id'] {
  const fitting = items.filter((one) => wanted?.fits(one) ?? true)
  const [newest] = fitting
  if (!newest) throw new Failure({ exit: exitCodes.failed, what: `${newestWord(text) ? 'There is' : `"${text}" has`} no ${what}${wanted ? ` ${wanted.what}` : ''}.`, ...(items[0] ? { why: `The newest, ${items[0].id}, is ${items[0].state}.` } : {}), remedy: `See what there is: certloop ${what} list${newestWord(text) ? '' : ` --certificate ${text}`}`, code: 'NOT_FOUND' })
  if (wanted && fitting.length > 1) throw usage(`"${text}" has ${fitting.length} ${what}s that fit; use the id of one:\n${fitting.map((one) => `  ${one.id}  ${one.state}  ${one.createdAt}  ${describe(one)}`.trimEnd()).join('\n')}`)
  context.note(newestWord(text) ? `The newest ${what}: ${newest.id}` : `The ${wanted ? '' : 'newest '}${what} of ${text}: ${newest.id}`)
  return newest.id
}
