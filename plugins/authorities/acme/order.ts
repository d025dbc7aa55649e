import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import type { IssueRequest } from '@certloop/plugin-kit'
import type { Accounts, AskingNoted } from './account.ts'
import type { Directory } from './directory.ts'
import type { AcmeFields } from './fields.ts'
import { readProblem, type Problem } from './problem.ts'
import { dateOf, isText, isUrl } from './reading.ts'
import { certIdOf } from './renewal-info.ts'
import type { Answer, Wire } from './wire.ts'

export interface Identifier { type: 'dns' | 'ip'; value: string }
/** RFC 8555, 7.1.3 */
export interface AcmeOrder {
  url: string
  status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid'
  expires: Date | null
  identifiers: Identifier[]
  authorizations: string[]
  finalize: string
  certificate: string | undefined
  profile: string | undefined
  error: Problem | undefined
  retryAfter: Date | undefined
}
const statuses: Readonly<Record<string, AcmeOrder['status']>> = {
  pending: 'pending', ready: 'ready', processing: 'processing', valid: 'valid', invalid: 'invalid',
  // Not of the standard: some show an order by what became of its authorizations.
  deactivated: 'invalid', expired: 'invalid', revoked: 'invalid', canceled: 'invalid',
}

export const identifierOf = (name: string): Identifier => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name.toLowerCase() })
/** Of two lists, whatever their order. */
export const sameIdentifiers = (a: readonly Identifier[], b: readonly Identifier[]): boolean => {
  const text = (all: readonly Identifier[]) => all.map(({ type, value }) => `${type} ${value.toLowerCase()}`).toSorted().join('\n')
  return text(a) === text(b)
}

const isIdentifier = (value: unknown): value is Identifier => typeof value === 'object' && value !== null && ['dns', 'ip'].includes((value as Identifier).type) && isText((value as Identifier).value)

/** @throws CertloopError AUTHORITY_ANSWER_INVALID */
export function readOrder(name: string, url: string, answer: Answer): AcmeOrder {
  const { status, expires, identifiers, authorizations, finalize, certificate, profile, error } = answer.json()
  const known = isText(status) && Object.hasOwn(statuses, status) ? statuses[status] : undefined
  if (known === undefined || !Array.isArray(authorizations) || !authorizations.every(isUrl) || !isUrl(finalize) || !Array.isArray(identifiers)) {
    throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name}: what is at ${url} is no ACME order.`)
  }
  return {
    url, status: known, expires: dateOf(expires), identifiers: identifiers.filter(isIdentifier), authorizations: authorizations.slice(0, 1000), finalize,
    certificate: isUrl(certificate) ? certificate : undefined, profile: isText(profile) && profile !== '' ? profile : undefined, error: readProblem(error), retryAfter: answer.retryAfter,
  }
}

interface Ordering { name: string; fields: AcmeFields; accounts: Accounts; wire: Wire; now: () => Date }

/** The profile that is asked for; null: none. @throws CertloopError PROFILE_REFUSED before anything is sent */
function profileOf(name: string, directory: Directory, wanted: string | null): string | null {
  if (wanted === null || directory.profiles.has(wanted)) return wanted
  const choice = [...directory.profiles.keys()]
  throw new CertloopError('PROFILE_REFUSED', choice.length === 0 ? `${name} has no profiles to choose from, so "${wanted}" can not be asked for.` : `${name} has no profile "${wanted}". It has: ${choice.join(', ')}.`, { profile: wanted, profiles: choice })
}

/** These are about what it takes the place of, or may be; the rest of the request may be fine. */
const aboutReplaced = ({ problem, status }: Answer) => ['alreadyReplaced', 'malformed', 'unauthorized'].includes(problem?.type ?? '') || status === 409 || status === 404

/** undefined: the order is not taken as a renewal, and is to be tried without saying so. */
async function replacing(content: Record<string, unknown>, { name, accounts }: Ordering, { newOrder: url }: Directory, asking: AskingNoted): Promise<Answer | undefined> {
  const without = (why: string | number) => asking.note?.(`${name} does not take the order as the renewal of the present certificate (${why}); it is ordered without saying so.`)
  try {
    const answer = await accounts.post(url, content, asking)
    if (answer.ok || !aboutReplaced(answer)) return answer
    without(answer.problem?.type ?? answer.status)
  } catch (error) {
    // Some fall over a certificate that they do not know. An order too many does no harm.
    if (!(error instanceof CertloopError) || error.facts['acmeError'] !== 'serverInternal') throw error
    without('serverInternal')
  }
  return undefined
}

/** What the order is to say. */
function contentOf({ name, fields, now }: Ordering, directory: Directory, request: IssueRequest): Record<string, unknown> {
  const profile = profileOf(name, directory, request.profile ?? fields.profile ?? null)
  const ends = fields.requestNotAfter && request.validityDays !== null ? new Date(Math.floor(now().getTime() / 1000) * 1000 + request.validityDays * 86_400_000) : undefined
  return { identifiers: request.names.map(identifierOf), ...(profile === null ? {} : { profile }), ...(ends ? { notAfter: ends.toISOString().replace('.000Z', 'Z') } : {}) }
}

/** Makes an order for just these names. Nothing is issued for it before it is finalized, so one too many does no harm. */
export async function newOrder(ordering: Ordering, directory: Directory, request: IssueRequest, asking: AskingNoted): Promise<AcmeOrder> {
  const { name, accounts, wire } = ordering
  const content = contentOf(ordering, directory, request)
  const replaces = request.replaces && directory.renewalInfo ? certIdOf(request.replaces.certificatePem) : undefined
  const answer = (replaces === undefined ? undefined : await replacing({ ...content, replaces }, ordering, directory, asking)) ?? await accounts.post(directory.newOrder, content, asking)
  if (!answer.ok) throw wire.refusal(answer, 'order', { names: request.names })
  if (!answer.location) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} took the order and did not say where it is.`)
  return readOrder(name, answer.location, answer)
}

/** Not there any more, or not ours. A page for people in its place comes from something else than the authority. */
export const isGone = ({ problem, status, body }: Answer): boolean => (problem ? [403, 404, 410].includes(status) || problem.type === 'unauthorized' : status === 404 && body.trim() === '')

/** undefined: it is not there any more, or not ours. */
export async function findOrder({ name, accounts, wire }: Pick<Ordering, 'name' | 'accounts' | 'wire'>, url: string, asking: AskingNoted): Promise<AcmeOrder | undefined> {
  const answer = await accounts.post(url, '', asking)
  if (answer.ok) return readOrder(name, url, answer)
  if (isGone(answer)) return undefined
  throw wire.refusal(answer, 'other')
}
