import { CertloopError, toCertloopError, type ErrorCode, type TestReport } from '@certloop/contract'
import type { TestSteps } from '@certloop/plugin-kit'

/** So long one step may take: whoever presses the button waits for it. */
const longestStepMs = 30_000

export interface TestOptions {
  /** What is said of a step that takes too long. */
  late: ErrorCode
  /** So long one step may take; default 30 s. */
  milliseconds?: number
}

async function inTime<T>(run: () => Promise<T>, { late: code, milliseconds = longestStepMs }: TestOptions): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => reject(new CertloopError(code, `There was no answer within ${milliseconds / 1000} s.`, { sent: 'maybe' })), milliseconds) })
  try {
    return await Promise.race([run(), late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Runs the test of a connector, and says what it tried and saw; what goes wrong is in the report. Nothing is tried after the
 * first step that fails.
 */
export async function testPlugin(connect: () => Promise<{ test(steps: TestSteps): Promise<void> }>, now: () => Date, options: TestOptions = { late: 'AUTHORITY_UNREACHABLE' }): Promise<TestReport> {
  const [at, steps] = [now().toISOString(), [] as TestReport['steps']]
  const step: TestSteps['step'] = async (title, run, seen) => {
    const began = now().getTime()
    const note = (ok: boolean, text: string) => steps.push({ title, ok, seen: text, milliseconds: Math.max(0, now().getTime() - began) })
    try {
      const result = await inTime(run, options)
      note(true, seen(result))
      return result
    } catch (error) {
      note(false, toCertloopError(error).message)
      throw error
    }
  }
  try {
    await (await connect()).test({ step })
    return { at, ok: true, steps, error: null }
  } catch (thrown) {
    const error = toCertloopError(thrown)
    if (!steps.some(({ ok }) => !ok)) steps.push({ title: 'Getting ready', ok: false, seen: error.message, milliseconds: 0 })
    return { at, ok: false, steps, error: error.toWire() }
  }
}
