import { CertloopError, checkShape, errorSpecs, type ErrorCode, type ErrorFacts, type Static, type TSchema } from '@certloop/contract'
import type { Answer } from './transport.ts'

/**
 * The body of a good answer, its shape checked; fields that a newer control plane added are dropped.
 * @throws CertloopError what a problem document says; CONTROL_PLANE_UNREACHABLE for an answer of a gateway between;
 * ANSWER_INVALID for anything else
 */
export function readAnswer<S extends TSchema>(schema: S, answer: Answer, what: string): Static<S> {
  if (answer.status < 200 || answer.status > 299) throw refusal(answer)
  return checkShape(schema, parseJson(answer.body), { what, code: 'ANSWER_INVALID', unknownFields: 'drop' })
}

/** For calls that answer nothing. @throws as readAnswer */
export function expectAccepted(answer: Answer): void {
  if (answer.status < 200 || answer.status > 299) throw refusal(answer)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refusal({ status, headers, body }: Answer): CertloopError {
  const retryAfter = retryAfterSeconds(headers['retry-after'])
  const wait: ErrorFacts = retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }
  const problem = parseJson(body) as { code?: unknown; detail?: unknown } | null | undefined
  if (typeof problem?.code === 'string' && Object.hasOwn(errorSpecs, problem.code)) {
    return new CertloopError(problem.code as ErrorCode, typeof problem.detail === 'string' ? problem.detail : '', wait)
  }
  if (status === 413) return new CertloopError('BODY_TOO_LARGE', 'A proxy between here and the control plane lets only smaller requests through.')
  if (status === 429 || (status >= 502 && status <= 504)) return new CertloopError('CONTROL_PLANE_UNREACHABLE', `Something before the control plane answered with HTTP status ${status}.`, { status, ...wait })
  return new CertloopError('ANSWER_INVALID', `Expected an answer of a control plane, got HTTP status ${status} without a problem document.`, { status })
}

/** RFC 9110, 10.2.3, in seconds; the form with a date is left out, as a skewed clock would misread it. */
const retryAfterSeconds = (header: string | undefined): number | undefined => header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined
