import type { Bot, CertificateSummary, DeploymentState, DeploymentSummary, Order, OrderState, ResponseOf } from '@certloop/api-client'
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

/** Id of the certificate with this id, name, or (when no name fits) DNS name. */
export async function findCertificate(context: Context, text: string): Promise<IdOf<CertificateSummary>> {
  if (isIdOf('crt', text)) return text as IdOf<CertificateSummary>
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
export async function findToken(context: Context, text: string): Promise<`tok_${string}`> {
  const client = await context.client()
  return findNamed('tok', 'API token', 'certloop token list', text, () => client.call('listApiTokens'), ({ name }) => name)
}

/** An order by its id, or by its certificate: the newest one, or the only one in one of these states. */
export async function findOrder(context: Context, text: string, states?: readonly OrderState[]): Promise<Order['id']> {
  if (isIdOf('ord', text)) return text as Order['id']
  const certificateId = await findCertificate(context, text)
  const client = await context.client()
  const { items } = await client.call('listOrders', { query: { certificateId, limit: 200 } })
  return pick(context, 'order', text, items, states)
}
export async function findDeployment(context: Context, text: string, states?: readonly DeploymentState[]): Promise<DeploymentSummary['id']> {
  if (isIdOf('dep', text)) return text as DeploymentSummary['id']
  const certificateId = await findCertificate(context, text)
  const client = await context.client()
  const { items } = await client.call('listDeployments', { query: { certificateId, limit: 200 } })
  return pick(context, 'deployment', text, items, states)
}

/** `items` come newest first. */
function pick<T extends { id: string; state: string; createdAt: string }>(context: Context, what: string, text: string, items: readonly T[], states: readonly string[] | undefined): T['id'] {
  const fitting = items.filter(({ state }) => states?.includes(state) ?? true)
  const [newest] = fitting
  if (!newest) throw new Failure({ exit: exitCodes.failed, what: `"${text}" has no ${what}${states ? ` that is ${states.join(' or ')}` : ''}.`, remedy: `See what there is: certloop ${what} list --certificate ${text}`, code: 'NOT_FOUND' })
  if (states && fitting.length > 1) throw usage(`"${text}" has ${fitting.length} ${what}s that fit; use the id of one:\n${fitting.map(({ id, state, createdAt }) => `  ${id}  ${state}  ${createdAt}`).join('\n')}`)
  context.note(`The ${states ? '' : 'newest '}${what} of ${text}: ${newest.id}`)
  return newest.id
}
