import { CertloopError, describeEndpoint, type ErrorCode, type ProveStep, type ServedCertificate } from '@certloop/contract'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'

type Expected = ProveStep['endpoints'][number] & { expect: string }

const firstPauseMs = 15
const longestPauseMs = 500
const short = (fingerprint: string) => `${fingerprint.slice(0, 16)}…`

interface Patience { timeoutSeconds: number; steadyMilliseconds?: number | undefined }

/**
 * Handshakes until every endpoint shows what is expected, and nothing else for as long as the step asks, or the time
 * is over; the first at once, then with pauses that grow. Half-way, when something else is still served, the service
 * is told once more.
 */
async function watch(context: StepContext, expected: readonly Expected[], { timeoutSeconds, steadyMilliseconds = 0 }: Patience): Promise<ServedCertificate[]> {
  const start = performance.now()
  const limitMs = timeoutSeconds * 1000
  let pauseMs = firstPauseMs
  let toldAgain = false
  let rightSince: number | undefined
  for (;;) {
    const served = await Promise.all(expected.map(({ endpoint }) => context.probe(endpoint)))
    const wrong = expected.filter((e, i) => served[i]?.fingerprint !== e.expect)
    const nowMs = performance.now()
    const spentMs = nowMs - start
    if (wrong.length === 0) {
      rightSince ??= nowMs
      if (nowMs - rightSince >= steadyMilliseconds) return served
      await pause(firstPauseMs)
      continue
    }
    rightSince = undefined
    if (spentMs >= limitMs) throw notShown(expected, served, timeoutSeconds)
    if (!toldAgain && spentMs >= limitMs / 2 && served.some((s) => s.fingerprint !== null)) {
      toldAgain = true
      await context.activateAgain()
    }
    await pause(Math.min(pauseMs, limitMs - spentMs))
    pauseMs = Math.min(pauseMs * 1.6, longestPauseMs)
  }
}

function notShown(expected: readonly Expected[], served: readonly ServedCertificate[], timeoutSeconds: number): CertloopError {
  const wrong = expected.flatMap((e, i) => (served[i]?.fingerprint === e.expect ? [] : [{ expect: e.expect, where: describeEndpoint(e.endpoint), sight: served[i] }]))
  const silent = wrong.every(({ sight }) => !sight?.fingerprint)
  const code: ErrorCode = silent ? 'PROOF_NO_ANSWER' : 'PROOF_MISMATCH'
  const lines = wrong.map(({ expect, where, sight }) => (sight?.fingerprint
    ? `${where} serves ${short(sight.fingerprint)} instead of ${short(expect)}`
    : `${where} did not answer (${sight?.error ?? 'no reason known'})`))
  return new CertloopError(code, `After ${timeoutSeconds} s: ${lines.join('; ')}.`, { endpoints: wrong.map(({ where }) => where) })
}

const listed = (endpoints: ProveStep['endpoints']) => endpoints.map((e) => describeEndpoint(e.endpoint)).join(', ')

export const prove: StepExecutor<ProveStep> = {
  role: () => 'prove',
  async do(context, step): Promise<StepReport> {
    const served = await watch(context, step.endpoints.map((e) => ({ ...e, expect: step.expect })), step)
    return { message: `${short(step.expect)} is served on ${listed(step.endpoints)}.`, served }
  },
  /** What was served before is served again. Where nothing answered before there is nothing to compare. */
  async again(context, step): Promise<StepReport> {
    const comparable = step.endpoints.flatMap((e) => (e.before === null ? [] : [{ ...e, expect: e.before }]))
    if (comparable.length === 0) return { message: 'Nothing answered before, so there is nothing to prove.', served: [] }
    const served = await watch(context, comparable, context.quick ? { timeoutSeconds: 0 } : step)
    return { message: `What was served before is served again on ${listed(comparable)}.`, served }
  },
}
