import { CertloopError } from '@certloop/contract'
import type { Outbound } from '@certloop/plugin-kit'
import { signed, type AccountKey, type Payload } from './jws.ts'
import { errorOfProblem, plainText, readProblem, type Doing, type Problem } from './problem.ts'

/** What came back. Refusals are answers too; being told to wait, faults of the authority and unreadable answers are thrown. */
export interface Answer {
  status: number
  ok: boolean
  problem: Problem | undefined
  body: string
  /** Absolute. */
  location: string | undefined
  /** Absolute addresses of this relation. */
  links(relation: string): string[]
  retryAfter: Date | undefined
  /** What the body holds as JSON; undefined: it is none. */
  value: unknown
  /** @throws CertloopError AUTHORITY_ANSWER_INVALID: it is no JSON object */
  json(): Record<string, unknown>
}
export interface Signing { key: AccountKey; accountUrl?: string | undefined }
export interface Asking { signal?: AbortSignal | undefined; accept?: string }
export interface Wire {
  get(url: string, asking?: Asking): Promise<Answer>
  post(url: string, payload: Payload, signing: Signing, asking?: Asking): Promise<Answer>
  /** A refusal in our words. */
  refusal(answer: Answer, doing: Doing, more?: { names?: readonly string[] }): CertloopError
}
interface WireOptions { authority: string; /** The directory is one: everything it leads to has to be one too (RFC 8555, 6.1). */ httpsOnly: boolean; outbound: Outbound; now: () => Date; newNonce: (asking?: Asking) => Promise<string> }

/** A nonce may be refused at any time; what refuses five in a row will refuse more. */
const noncesPerRequest = 5
const noncesKept = 20
/** Some authorities answer a finalization only when they are done. */
const timeoutMs = 60_000
const longestWaitMs = 7 * 86_400_000
/** Where one is told to wait and not how long. */
const usualWaitMs = 10 * 60_000

/** Seconds or an HTTP date (RFC 9110, 10.2.3). */
function retryAfterOf(text: string | undefined, now: Date): Date | undefined {
  if (text === undefined) return undefined
  const at = /^\d+$/.test(text.trim()) ? now.getTime() + Number(text) * 1000 : Date.parse(text)
  return Number.isNaN(at) ? undefined : new Date(Math.min(Math.max(at, now.getTime() + 1000), now.getTime() + longestWaitMs))
}

const asJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // said by whoever needs it
  }
}
function absolute(link: string, base: string): string | undefined {
  return URL.canParse(link, base) ? new URL(link, base).href : undefined
}
function linksOf(header: string | string[] | undefined, relation: string, base: string): string[] {
  const all = [header ?? []].flat().join(', ')
  return [...all.matchAll(/<([^<>]*)>((?:\s*;\s*[a-z-]+=(?:"[^"]*"|[^",;\s]*))*)/gi)]
    .filter(([, , parameters = '']) => (/;\s*rel=(?:"([^"]*)"|([^",;\s]*))/i.exec(parameters) ?? []).slice(1).some((words) => words?.split(/\s+/).includes(relation)))
    .flatMap(([, link = '']) => absolute(link, base) ?? [])
}

/** What fails in here failed before anything that counts was sent. */
export async function beforehand<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CertloopError && error.facts['sent'] === 'maybe') throw new CertloopError(error.code, error.message, { ...error.facts, sent: 'no' }, error)
    throw error
  }
}

/** Requests to one directory: signs, keeps nonces, and repeats what was refused for its nonce alone. */
export function createWire({ authority, httpsOnly, outbound, now, newNonce }: WireOptions): Wire {
  const nonces: string[] = []
  const keepNonce = (nonce: string | string[] | undefined) => { if (typeof nonce === 'string' && /^[A-Za-z0-9_-]+$/.test(nonce)) nonces.push(nonce) }
  const invalid = (url: string, what: string, facts = {}) => new CertloopError('AUTHORITY_ANSWER_INVALID', `${authority}: ${url} ${what}.`, facts)

  async function send(method: 'GET' | 'HEAD' | 'POST', url: string, { signal, accept = 'application/json' }: Asking, body?: string): Promise<Answer> {
    if (httpsOnly && !url.startsWith('https://')) throw invalid(url, 'is no https address, although the directory is one; nothing was sent there. A proxy before the authority may hide from it how it is called', { sent: 'no' })
    const response = await outbound.request({ method, url, timeoutMs, headers: { accept, 'accept-language': 'en', ...(body === undefined ? {} : { 'content-type': 'application/jose+json' }) }, ...(body === undefined ? {} : { body }), ...(signal ? { signal } : {}) })
    const { status, headers } = response
    // What a GET brings may come out of a cache.
    if (method !== 'GET') keepNonce(headers['replay-nonce'])
    if (nonces.length > noncesKept) nonces.shift()
    const text = response.text()
    const ok = status >= 200 && status < 300
    const parsed = asJson(text)
    return {
      status, ok, body: text, value: parsed, problem: ok ? undefined : readProblem(parsed),
      location: typeof headers.location === 'string' ? absolute(headers.location, url) : undefined,
      links: (relation) => linksOf(headers.link, relation, url),
      retryAfter: retryAfterOf(headers['retry-after'], now()),
      json: () => {
        if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>
        throw invalid(url, `answered ${status} with something else than the JSON that was expected: "${plainText(text, 100)}"`)
      },
    }
  }

  /** What is the same for every request: to wait, or to try again later. */
  function unlessBusy(url: string, answer: Answer): Answer {
    const { status, problem, retryAfter } = answer
    const isLimit = status === 429 || problem?.type === 'rateLimited' || (status === 503 && retryAfter !== undefined)
    const detail = problem ?? { type: '', detail: `${url} answered ${status}${plainText(answer.body, 200) === '' ? '' : `: ${plainText(answer.body, 200)}`}`, identifier: undefined, instance: undefined, subproblems: [] }
    if (isLimit) throw errorOfProblem({ ...detail, type: 'rateLimited' }, { authority, doing: 'other', retryAt: retryAfter ?? new Date(now().getTime() + usualWaitMs) })
    if (status >= 500) throw errorOfProblem({ ...detail, type: 'serverInternal' }, { authority, doing: 'other', sent: 'maybe' })
    return answer
  }

  async function freshNonce(asking: Asking): Promise<string> {
    const kept = nonces.pop()
    if (kept !== undefined) return kept
    const url = await newNonce(asking)
    unlessBusy(url, await send('HEAD', url, asking))
    const nonce = nonces.pop()
    if (nonce === undefined) throw invalid(url, 'gave no nonce', { sent: 'no' })
    return nonce
  }

  return {
    get: async (url, asking = {}) => unlessBusy(url, await send('GET', url, asking)),
    async post(url, payload, signing, asking = {}) {
      for (let tries = 1; ; tries++) {
        const nonce = await beforehand(() => freshNonce(asking))
        const answer = await send('POST', url, asking, JSON.stringify(await signed(payload, { ...signing, url, nonce })))
        if (answer.problem?.type !== 'badNonce') return unlessBusy(url, answer)
        if (tries === noncesPerRequest) throw invalid(url, `refused ${noncesPerRequest} nonces in a row that it had given out itself; nothing was done. A cache or several servers that do not share them may stand there`, { sent: 'no', acmeError: 'badNonce' })
      }
    },
    refusal(answer, doing, { names } = {}) {
      const { problem, status, body } = answer
      if (problem) return errorOfProblem(problem, { authority, doing, ...(names ? { names } : {}), termsUrl: answer.links('terms-of-service')[0] })
      return new CertloopError('AUTHORITY_ANSWER_INVALID', `${authority} answered ${status} without saying why: "${plainText(body, 200)}".`)
    },
  }
}
