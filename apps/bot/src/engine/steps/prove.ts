import { CertloopError, describeEndpoint, type ErrorCode, type ProveStep, type ServedCertificate } from '@certloop/contract'
import { probeAll } from '@certloop/plugin-kit'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'

type Expected = ProveStep['endpoints'][number] & { expect: string }

const firstPauseMs = 15
const longestPauseMs = 500
const short = (fingerprint: string) => `${fingerprint.slice(0, 16)}…`

interface Patience { timeoutSeconds: number; steadyMilliseconds?: number | undefined }
interface Sight { expected: Expected; served: ServedCertificate }

const isRight = ({ expected, served }: Sight) => served.fingerprint === expected.expect

async function look({ probe }: StepContext, expected: readonly Expected[]): Promise<Sight[]> {
  const all = await probeAll(probe, expected.map(({ endpoint }) => endpoint))
  return expected.flatMap((one, i) => (all[i] === undefined ? [] : [{ expected: one, served: all[i] }]))
}

/**
 * Handshakes until every endpoint shows what is expected, and nothing else for as long as the step asks, or the time
 * is over. Many names may share few sockets, and the server has other visitors: until all is right only what was wrong
 * is looked at again, and after that one endpoint of each socket.
 */
async function watch(context: StepContext, expected: readonly Expected[], patience: Patience): Promise<ServedCertificate[]> {
  const wait = waiting(context, patience)
  const sample = onePerSocket(expected)
  let round = expected
  let rightSince: number | undefined
  let all: Sight[] = []
  for (;;) {
    const sights = await look(context, round)
    const wrong = sights.filter((sight) => !isRight(sight))
    if (wrong.length > 0) {
      rightSince = undefined
      round = wrong.map((sight) => sight.expected)
      await wait(wrong)
      continue
    }
    if (round === expected) {
      all = sights
      rightSince = performance.now()
      round = sample
    } else if (rightSince === undefined) {
      round = expected
      continue
    }
    if (rightSince !== undefined && performance.now() - rightSince >= (patience.steadyMilliseconds ?? 0)) return all.map(({ served }) => served)
    await pause(firstPauseMs, undefined, { signal: context.cancel })
  }
}

function onePerSocket(expected: readonly Expected[]): Expected[] {
  return [...new Map(expected.map((one) => [JSON.stringify([one.endpoint.address, one.endpoint.port, one.endpoint.keyType, one.endpoint.startTls ?? null]), one])).values()]
}

/** Pauses that grow. Half-way, when something else is still served, the service is told once more; at the end it throws. */
function waiting(context: StepContext, { timeoutSeconds }: Patience): (wrong: readonly Sight[]) => Promise<void> {
  const start = performance.now()
  const limitMs = timeoutSeconds * 1000
  let pauseMs = firstPauseMs
  let toldAgain = false
  return async (wrong) => {
    const spentMs = performance.now() - start
    if (spentMs >= limitMs) throw notShown(wrong, timeoutSeconds)
    if (!toldAgain && spentMs >= limitMs / 2 && wrong.some(({ served }) => served.fingerprint !== null)) {
      toldAgain = true
      await context.activateAgain()
    }
    await pause(Math.min(pauseMs, limitMs - spentMs), undefined, { signal: context.cancel })
    pauseMs = Math.min(pauseMs * 1.6, longestPauseMs)
  }
}

function notShown(wrong: readonly Sight[], timeoutSeconds: number): CertloopError {
  const silent = wrong.every(({ served }) => !served.fingerprint)
  const code: ErrorCode = silent ? 'PROOF_NO_ANSWER' : 'PROOF_MISMATCH'
  const lines = wrong.map(({ expected: { endpoint, expect }, served }) => (served.fingerprint
    ? `${describeEndpoint(endpoint)} serves ${short(served.fingerprint)} instead of ${short(expect)}`
    : `${describeEndpoint(endpoint)} did not answer (${served.error ?? 'no reason known'})`))
  return new CertloopError(code, `After ${timeoutSeconds} s: ${lines.join('; ')}.`, { endpoints: wrong.map(({ expected }) => describeEndpoint(expected.endpoint)) })
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
