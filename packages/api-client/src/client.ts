import { operations, type BodyOf, type OperationId, type ParamsOf, type QueryOf, type ResponseOf } from '@certloop/contract/api'
import { localProblem, readProblem, type ApiProblem } from './problem.ts'

export interface ClientOptions {
  /** Address of the control plane, e.g. https://certloop.example:8420; empty in its own pages. */
  baseUrl: string
  /** API token, sent as bearer. Without one the browser's session cookie goes along. */
  token?: string
  fetch?: typeof fetch
  /** Called at each 401 answer, before the problem is thrown. */
  onUnauthorized?: (problem: ApiProblem) => void
}

type Given<Name extends string, T> = [T] extends [undefined] ? { [P in Name]?: undefined } : undefined extends T ? { [P in Name]?: T } : { [P in Name]: T }
type GivenQuery<T> = [T] extends [undefined] ? { query?: undefined } : { query?: { [P in keyof T]?: T[P] | undefined } }
export type CallInput<K extends OperationId> = Given<'params', ParamsOf<K>> & Given<'body', BodyOf<K>> & GivenQuery<QueryOf<K>> & {
  /** For POSTs that create: the same key never creates twice. Default: a new one for each call. */
  idempotencyKey?: string
  signal?: AbortSignal
}
type OptionalWhenEmpty<I> = Record<never, never> extends I ? [input?: I] : [input: I]

export interface Client {
  readonly baseUrl: string
  /**
   * One call of the API: `client.call('getCertificate', { params: { id } })`.
   * @returns the body of the answer; undefined for calls that answer 204.
   * @throws ApiProblem for every error answer, and when no answer comes (code CONTROL_PLANE_UNREACHABLE, status 0);
   *         the signal's reason when aborted.
   */
  call<K extends OperationId>(operation: K, ...input: OptionalWhenEmpty<CallInput<K>>): Promise<ResponseOf<K>>
  /** A raw request below /api/v1 with this client's credentials. Throws like `call`. */
  request(path: string, init?: RequestInit): Promise<Response>
  readonly hasToken: boolean
}

/** A typed client of the HTTP API, for browsers and Node. */
export function createClient(options: ClientOptions): Client {
  const baseUrl = options.baseUrl.replace(/\/+$/, '')

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (options.token !== undefined) headers.set('authorization', `Bearer ${options.token}`)
    const response = await send(options.fetch ?? fetch, `${baseUrl}/api/v1${path}`, { credentials: 'same-origin', ...init, headers })
    if (response.ok) return response
    const problem = await readProblem(response)
    if (response.status === 401) options.onUnauthorized?.(problem)
    throw problem
  }

  async function call<K extends OperationId>(operation: K, ...[input]: OptionalWhenEmpty<CallInput<K>>): Promise<ResponseOf<K>> {
    const { method, path } = operations[operation]
    const { params, query, body, idempotencyKey, signal } = (input ?? {}) as LooseInput
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (method === 'POST') headers['idempotency-key'] = idempotencyKey ?? randomKey()
    const response = await request(fillPath(path, params) + queryText(query), {
      method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }), ...(signal ? { signal } : {}),
    })
    return (response.status === 204 ? undefined : await response.json()) as ResponseOf<K>
  }

  return { baseUrl, call, request, hasToken: options.token !== undefined }
}

type Values = Record<string, string | number | boolean | undefined>
interface LooseInput { params?: Values; query?: Values; body?: unknown; idempotencyKey?: string; signal?: AbortSignal }

async function send(fetchFunction: typeof fetch, url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetchFunction(url, init)
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw localProblem('CONTROL_PLANE_UNREACHABLE', `No answer from ${url === '' || url.startsWith('/') ? 'the control plane' : new URL(url).origin}${reasonOf(error)}.`, 0)
  }
}

/** Node's fetch says "fetch failed" and keeps the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  return cause?.message ? `: ${cause.message}` : ''
}

function fillPath(path: string, params: Values = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined) throw new TypeError(`the path parameter "${name}" is missing`)
    return encodeURIComponent(value)
  })
}

function queryText(query: Values = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, String(value))
  return search.size === 0 ? '' : `?${search}`
}

/** crypto.randomUUID is missing on pages served by plain HTTP; getRandomValues is not. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
