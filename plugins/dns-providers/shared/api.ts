import { asSentence, CertloopError, checkShape, type Static, type TSchema } from '@certloop/contract'
import type { DnsProviderContext, OutboundRequest, OutboundResponse } from '@certloop/plugin-kit'

/** What an answer that is no success means. Left out: what its status says. */
export interface Problem {
  /** In the words of the provider, without secrets if possible: they are taken out anyway. */
  text: string
  kind?: 'refused' | 'busy' | 'failed'
  /** When it says so other than by Retry-After. */
  retryAt?: Date | undefined
}
export interface ApiOptions {
  /** For messages: "Cloudflare". */
  title: string
  /** Never in a message. Tokens that come later are pushed. */
  secrets: string[]
  /** Headers that show who asks, for this very request. */
  authorize(request: ApiRequest): Promise<Record<string, string>> | Record<string, string>
  explain(answer: OutboundResponse): Problem
}
export interface ApiRequest extends Omit<OutboundRequest, 'signal' | 'body'> {
  method: NonNullable<OutboundRequest['method']>
  body?: string
  /** Statuses that the caller looks at itself, besides success. */
  accept?: readonly number[]
}
type JsonRequest = Omit<ApiRequest, 'body'> & { body?: unknown }
export interface Api {
  /** @throws CertloopError DNS_PROVIDER_REFUSED, DNS_PROVIDER_UNREACHABLE, DNS_RECORD_FAILED */
  send(request: ApiRequest): Promise<OutboundResponse>
  /** Sends JSON, and reads the answer as JSON of this form; more than the form says may be there. @throws as send */
  json<S extends TSchema>(form: S, request: JsonRequest): Promise<Static<S>>
  /** The same where the answer may also be that it is not there. */
  jsonOrNot<S extends TSchema>(form: S, request: JsonRequest): Promise<Static<S> | undefined>
  /** JSON of this form, or a refusal that says that something else answered. */
  read<S extends TSchema>(form: S, answer: OutboundResponse): Static<S>
  /** The error that goes with an answer which is no success. */
  failure(answer: OutboundResponse): CertloopError
  /** What somebody said, fit for a message. */
  clean(text: string): string
}

/** Retry-After as an instant: seconds or a date (RFC 9110, 10.2.3). */
function retryAfter(header: string | undefined, now: Date): Date | undefined {
  if (header === undefined) return undefined
  const at = /^\d+$/.test(header.trim()) ? now.getTime() + Number(header) * 1000 : Date.parse(header)
  return Number.isNaN(at) ? undefined : new Date(at)
}

function hidden(text: string, secrets: readonly string[]): string {
  const forms = secrets.filter((secret) => secret.length > 3).flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...(['base64', 'base64url', 'hex'] as const).map((way) => Buffer.from(secret).toString(way))])
  return forms.toSorted((a, b) => b.length - a.length).reduce((left, form) => left.replaceAll(form, '…'), text)
}

function kindOf(status: number): NonNullable<Problem['kind']> {
  if (status === 401 || status === 403) return 'refused'
  return status === 408 || status === 429 || status >= 500 || status < 400 ? 'busy' : 'failed'
}

/** Calls one provider, and puts what goes wrong into the words and codes that all of them share. */
export function createApi(context: Pick<DnsProviderContext, 'outbound' | 'now' | 'signal'>, options: ApiOptions): Api {
  const { title, secrets, authorize, explain } = options
  const out = context.outbound()
  const clean = (text: string) => {
    const line = hidden(text, secrets).replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
    return line.length > 300 ? `${line.slice(0, 299)}…` : line
  }

  function failure(answer: OutboundResponse): CertloopError {
    const { text, kind = kindOf(answer.status), retryAt = retryAfter(answer.headers['retry-after'], context.now()) } = explain(answer)
    const said = asSentence(clean(text) || `status ${answer.status}`)
    const facts = { status: answer.status }
    if (kind === 'refused') return new CertloopError('DNS_PROVIDER_REFUSED', `${title} refuses the credentials, or they may not do this: ${said}`, facts)
    if (kind === 'failed') return new CertloopError('DNS_RECORD_FAILED', `${title} did not do it: ${said}`, facts)
    return new CertloopError('DNS_PROVIDER_UNREACHABLE', `${title} has no time or is disturbed: ${said}`, retryAt ? { ...facts, retryAt: retryAt.toISOString() } : facts)
  }

  async function send({ accept = [], ...request }: ApiRequest): Promise<OutboundResponse> {
    const headers = { accept: 'application/json', ...request.headers, ...(await authorize(request)) }
    const answer = await out.request({ ...request, headers, signal: context.signal })
    if ((answer.status >= 200 && answer.status < 300) || accept.includes(answer.status)) return answer
    throw failure(answer)
  }

  const read = <S extends TSchema>(form: S, answer: OutboundResponse): Static<S> =>
    checkShape(form, parsed(answer.text(), title), { what: `What answers in the place of ${title}`, code: 'DNS_PROVIDER_UNREACHABLE' })
  const sendJson = ({ body, headers = {}, ...request }: JsonRequest) =>
    send({ ...request, ...(body === undefined ? { headers } : { body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } }) })
  return {
    clean, failure, send, read,
    json: async (form, request) => read(form, await sendJson(request)),
    jsonOrNot: async (form, request) => {
      const answer = await sendJson({ ...request, accept: [404] })
      return answer.status === 404 ? undefined : read(form, answer)
    },
  }
}

function parsed(text: string, title: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new CertloopError('DNS_PROVIDER_UNREACHABLE', `What answers in the place of ${title} does not speak its language: no JSON.`, {}, error)
  }
}

/** The body of an answer where it is a JSON object; else nothing of it. */
export function bodyOf<T extends object>(answer: OutboundResponse): Partial<T> {
  try {
    const value: unknown = JSON.parse(answer.text())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {} // what a proxy or a page of a broken server says; the status is enough
  }
}

/** When a limit is over, where it is told as seconds since 1970 (ratelimit-reset) beside a 429. */
export function resetAt({ status, headers }: OutboundResponse): Date | undefined {
  const reset = headers['ratelimit-reset']
  return status === 429 && headers['retry-after'] === undefined && typeof reset === 'string' && /^\d{9,11}$/.test(reset) ? new Date(Number(reset) * 1000) : undefined
}
