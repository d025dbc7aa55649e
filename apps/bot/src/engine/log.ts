import { describeStep, type DeployLogEntry, type Plan, toCertloopError } from '@certloop/contract'
import { forLog, withoutPrivateKeys } from './redact.ts'
import type { StepReport } from './steps/executor.ts'
import type { Redactor } from './secrets.ts'
import type { LogSink } from './types.ts'

type Phase = DeployLogEntry['phase']
/** What takes longer than this is named while it runs. */
const longMs = 3_000

/** The log of one deployment: each line goes out at once and into the result. */
export interface DeployLog {
  readonly entries: readonly DeployLogEntry[]
  say(phase: Phase, message: string, more?: Partial<Pick<DeployLogEntry, 'step' | 'ok' | 'output' | 'durationMs'>>): void
  /** Runs work and logs how it went and how long it took. What it throws is logged and thrown on. */
  timed<T>(phase: Phase, step: number | null, what: string, work: () => Promise<T>): Promise<T>
  /** The same for a step, which says itself how it went. */
  reported(phase: Phase, step: number, what: string, work: () => Promise<StepReport | undefined>): Promise<StepReport | undefined>
}

/** Nothing that `hide` knows comes into a line. */
export function createLog(now: () => Date, sink: LogSink | undefined, hide: Redactor): DeployLog {
  const entries: DeployLogEntry[] = []
  let listener = sink
  const say: DeployLog['say'] = (phase, message, more = {}) => {
    const entry: DeployLogEntry = { at: now().toISOString(), step: null, phase, ok: true, message: hide.text(withoutPrivateKeys(message)), output: null, durationMs: null, ...more }
    if (entry.output !== null) entry.output = hide.text(entry.output)
    entries.push(entry)
    try {
      listener?.(entry)
    } catch (error) {
      listener = undefined // a listener that fails must not undo a deployment; the result keeps the whole log
      say(phase, `The log could not be passed on while the work went on: ${toCertloopError(error).message}`, { ok: false })
    }
  }
  async function measured<T>(phase: Phase, step: number | null, what: string, work: () => Promise<T>, report: (value: T) => StepReport | undefined): Promise<T> {
    const start = performance.now()
    const spent = () => Math.round((performance.now() - start) * 10) / 10
    const since = now().toISOString().slice(11, 19)
    const long = setTimeout(() => { say(phase, `${what}: runs since ${since} UTC and is waited for.`, { step }) }, longMs).unref()
    try {
      const value = await work()
      const { message = what, output = null } = report(value) ?? {}
      say(phase, message, { step, output, durationMs: spent() })
      return value
    } catch (thrown) {
      const error = toCertloopError(thrown)
      const output = typeof error.facts['output'] === 'string' ? forLog(error.facts['output']) : null
      say(phase, `${what}: ${error.message}`, { step, ok: false, output, durationMs: spent() })
      throw error
    } finally {
      clearTimeout(long)
    }
  }
  return {
    entries,
    say,
    timed: (phase, step, what, work) => measured(phase, step, what, work, () => undefined),
    reported: (phase, step, what, work) => measured(phase, step, what, work, (report) => report),
  }
}

/** "Step 2 of 5: Test the configuration: …" */
export function stepTitle(plan: Plan, index: number): string {
  const step = plan.steps[index]
  return `Step ${index + 1} of ${plan.steps.length}: ${step === undefined ? 'unknown' : describeStep(step)}`
}
