import { errorSpecs, type ErrorCode, type Problem } from '@certloop/contract/api'

/** An error answer of the API, with the fields of its problem document (RFC 9457). `message` is its detail. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: ErrorCode
  readonly class: string
  /** What happened, in general words. */
  override readonly cause: string
  readonly remedy: string
  /** Where a person mends it. */
  readonly where: string
  /** What is wrong with single fields of the request. */
  readonly fields: readonly { field: string; problem: string }[]
  /** Request id, to find it in the log of the control plane. */
  readonly instance: string | undefined
  readonly facts: unknown
  /** Seconds to wait, from Retry-After. */
  readonly retryAfterSeconds: number | undefined

  constructor(problem: Problem, retryAfterSeconds?: number) {
    super(problem.detail)
    this.name = 'ApiProblem'
    this.status = problem.status
    this.code = problem.code
    this.class = problem.class
    this.cause = problem.cause
    this.remedy = problem.remedy
    this.where = problem.where
    this.fields = problem.fields ?? []
    this.instance = problem.instance
    this.facts = problem.facts
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** A problem of our own making, for answers that are none (no connection, a proxy's error page). `status` 0: no answer came. */
export function localProblem(code: ErrorCode, detail: string, status: number): ApiProblem {
  const { cause, class: errorClass, remedy, where } = errorSpecs[code]
  return new ApiProblem({ type: `urn:certloop:error:${code}`, title: cause, status, detail, code, class: errorClass, cause, remedy, where })
}

/** Reads an answer that is not 2xx. Never throws; what is no problem document becomes UNAVAILABLE or INTERNAL with its status. */
export async function readProblem(response: Response): Promise<ApiProblem> {
  const retryAfter = Number(response.headers.get('retry-after'))
  const retryAfterSeconds = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined
  const text = await response.text().catch(() => '')
  if (/\bapplication\/problem\+json\b/.test(response.headers.get('content-type') ?? '')) {
    try {
      return new ApiProblem(JSON.parse(text) as Problem, retryAfterSeconds)
    } catch {
      return localProblem('INTERNAL', `The answer with status ${response.status} can not be read.`, response.status)
    }
  }
  const code = [502, 503, 504].includes(response.status) ? 'UNAVAILABLE' : 'INTERNAL'
  return localProblem(code, `Something other than Certloop answered with status ${response.status}; is there a proxy between?`, response.status)
}
