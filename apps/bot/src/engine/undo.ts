import { type CertloopError, toCertloopError } from '@certloop/contract'
import { stepTitle } from './log.ts'
import { contextOf, type Run, stepsOf } from './run.ts'
import type { StepReport } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'
import { saysNothing, stillThere } from './unfinished.ts'

/** `problems`: what was left, in sentences; empty when the old state is in place and shown. `unclean`: steps whose copies are to stay. */
export interface Undone { problems: string[]; unclean: Set<number>; /** Tests and activations that did not work with the old files. */ notRun: Set<number>; /** Some of it could not be asked for: the connection broke, or a service does not answer. */ doubtful: boolean }

/**
 * Undoes all changes in reverse, activates what was there before and proves that it is served again.
 * @throws HostAway when the host can't be asked; then nothing is known to be over
 */
export async function undoAndShow(run: Run): Promise<Undone> {
  // Taken up again, it is watched already; whoever did that ends it.
  const own = run.stops === undefined ? run.watchStops() : undefined
  run.stops ??= own
  try {
    return await undoUntilKnown(run)
  } finally {
    own?.end()
  }
}

async function undoUntilKnown(run: Run): Promise<Undone> {
  const undone = await undoOnce(run)
  if (!undone.doubtful || run.stops?.again.aborted) return undone
  run.log.say('undo', 'The host did not answer for a moment and does now, so the undo is done once more.')
  return undoOnce(run)
}

async function undoOnce(run: Run): Promise<Undone> {
  const undone = await undoChanges(run)
  const shown = await showOldServed(run)
  undone.problems.push(...shown.problems)
  undone.doubtful ||= shown.doubtful
  undone.notRun = shown.notRun
  if (undone.problems.length > 0) await stillThere(run)
  return undone
}

/** One that fails does not keep the others from being undone. */
async function undoChanges(run: Run): Promise<Undone> {
  const undone: Undone = { problems: [], unclean: new Set(), notRun: new Set(), doubtful: false }
  for (const { index, step } of stepsOf(run, 'change').toReversed()) {
    if (!run.begun.has(index)) continue
    const executor = executorOf(step)
    const context = contextOf(run, index)
    run.point(`undo-${index}:before`)
    try {
      await run.log.timed('undo', index, `${stepTitle(run.plan, index)}: undone`, async () => executor.undo?.(context, step))
      if (await executor.check?.(context, step).then((sides) => !sides.old)) throw new Error(`${stepTitle(run.plan, index)} is not undone: the target is not as it was before.`)
      run.journal.note({ type: 'undone', step: index })
    } catch (thrown) {
      const error = toCertloopError(thrown)
      if (saysNothing(error)) {
        await stillThere(run)
        undone.doubtful = true
      }
      undone.problems.push(error.message)
      undone.unclean.add(index)
    }
    run.point(`undo-${index}:after`)
  }
  return undone
}

/**
 * Tests, activates and proves the previous state. A service that never heard of the change is left alone
 * when it serves what it served before.
 */
async function showOldServed(run: Run): Promise<Pick<Undone, 'problems' | 'doubtful' | 'notRun'>> {
  const tests = await again(run, 'test')
  run.mayActivate = tests.problems.length === 0
  if (!run.mayActivate && tests.brokenOff.length === 0) {
    await stillThere(run)
    run.log.say('undo', 'The configuration test does not pass with the previous files either, so the service is not told anything.', { ok: false })
  }
  const told = stepsOf(run, 'activate').some(({ index }) => run.begun.has(index))
  if (!told) {
    const look = await again(run, 'prove', true)
    if (look.problems.length === 0) return { problems: [], notRun: new Set(), doubtful: false }
  }
  const activation = run.mayActivate ? await again(run, 'activate') : none
  const proof = await again(run, 'prove')
  const shown = proof.reports.some((report) => (report.served?.length ?? 0) > 0)
  // Where something is proven, the proof says it all; where nothing can be, the activation's own word counts. What was broken off did not work, whatever is served.
  const brokenOff = [...tests.brokenOff, ...activation.brokenOff]
  const problems = proof.problems.length > 0 || shown ? [...brokenOff, ...proof.problems.map((p) => `Not served as before: ${p}`)] : activation.problems.concat(tests.brokenOff)
  return { problems, notRun: new Set([...tests.failed, ...(run.mayActivate ? activation.failed : stepsOf(run, 'activate').map(({ index }) => index))]), doubtful: problems.length > 0 && [tests, activation, proof].some((one) => one.doubtful) }
}

interface Repeated { problems: string[]; /** Those of them that a person did not want to wait for. */ brokenOff: string[]; failed: number[]; reports: StepReport[]; doubtful: boolean }
const none: Repeated = { problems: [], brokenOff: [], failed: [], reports: [], doubtful: false }

async function again(run: Run, role: 'test' | 'activate' | 'prove', quick = false): Promise<Repeated> {
  const repeated: Repeated = { problems: [], brokenOff: [], failed: [], reports: [], doubtful: false }
  for (const { index } of stepsOf(run, role)) {
    run.point(`again-${index}:before`)
    try {
      // A look that finds something else is no failure: the service is told next.
      const report = quick ? await stepAgain(run, index, true) : await run.log.reported(role === 'prove' ? 'prove' : 'undo', index, titleAgain(run, index, role), () => stepAgain(run, index))
      if (report !== undefined) repeated.reports.push(report)
    } catch (thrown) {
      noteFailure(run, repeated, { index, role, error: toCertloopError(thrown) })
    }
    run.point(`again-${index}:after`)
  }
  return repeated
}

/** Once a person does not want to wait any longer, nothing is told to the service, and what is served is looked at once. */
async function stepAgain(run: Run, index: number, quick = false): Promise<StepReport | undefined> {
  const step = run.plan.steps[index]
  if (step === undefined) return undefined
  const stop = run.stops?.again
  const executor = executorOf(step)
  const repeat = async (how: { quick?: boolean; stop?: AbortSignal | undefined }) => executor.again?.(contextOf(run, index, how), step)
  if (executor.role(step) === 'prove') return proveAgain(repeat, stop, quick)
  stop?.throwIfAborted()
  return repeat({ stop })
}

type Repeat = (how: { quick?: boolean; stop?: AbortSignal | undefined }) => Promise<StepReport | undefined>

async function proveAgain(repeat: Repeat, stop: AbortSignal | undefined, quick: boolean): Promise<StepReport | undefined> {
  if (quick || stop?.aborted) return repeat({ quick: true })
  return repeat({ stop }).catch((thrown: unknown) => {
    if (stop?.aborted) return repeat({ quick: true })
    throw thrown
  })
}

function noteFailure(run: Run, repeated: Repeated, { index, role, error }: { index: number; role: string; error: CertloopError }): void {
  const brokenOff = role !== 'prove' && run.stops?.again.aborted === true
  const message = brokenOff ? `${stepTitle(run.plan, index)}: with the old files it was not waited for, as somebody cancelled once more.` : error.message
  if (brokenOff) repeated.brokenOff.push(message)
  else if (saysNothing(error)) repeated.doubtful = true
  repeated.problems.push(message)
  repeated.failed.push(index)
}

/** Says beforehand what may hang. */
function titleAgain(run: Run, index: number, role: 'test' | 'activate' | 'prove'): string {
  const title = `${stepTitle(run.plan, index)}: again`
  if (role !== 'activate') return title
  const step = run.plan.steps[index]
  const limit = step !== undefined && 'timeoutSeconds' in step ? `, for at most ${inWords(step.timeoutSeconds)}` : ''
  run.log.say('undo', `${title} with the old files${limit}.`, { step: index })
  return title
}

const inWords = (seconds: number): string => (seconds >= 120 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`)
