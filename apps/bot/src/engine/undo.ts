import { toCertloopError } from '@certloop/contract'
import { stepTitle } from './log.ts'
import { contextOf, type Run, stepsOf } from './run.ts'
import type { StepReport } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'
import { saysNothing, stillThere } from './unfinished.ts'

/** `problems`: what was left, in sentences; empty when the old state is in place and shown. `unclean`: steps whose copies are to stay. */
export interface Undone { problems: string[]; unclean: Set<number>; /** Some of it could not be asked for: the connection broke, or a service does not answer. */ doubtful: boolean }

/**
 * Undoes all changes in reverse, activates what was there before and proves that it is served again.
 * @throws HostAway when the host can't be asked; then nothing is known to be over
 */
export async function undoAndShow(run: Run): Promise<Undone> {
  const undone = await undoOnce(run)
  if (!undone.doubtful) return undone
  run.log.say('undo', 'The host did not answer for a moment and does now, so the undo is done once more.')
  return undoOnce(run)
}

async function undoOnce(run: Run): Promise<Undone> {
  const undone = await undoChanges(run)
  const shown = await showOldServed(run)
  undone.problems.push(...shown.problems)
  undone.doubtful ||= shown.doubtful
  if (undone.problems.length > 0) await stillThere(run)
  return undone
}

/** One that fails does not keep the others from being undone. */
async function undoChanges(run: Run): Promise<Undone> {
  const undone: Undone = { problems: [], unclean: new Set(), doubtful: false }
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
async function showOldServed(run: Run): Promise<Pick<Undone, 'problems' | 'doubtful'>> {
  const tests = await again(run, 'test')
  run.mayActivate = tests.problems.length === 0
  if (!run.mayActivate) {
    await stillThere(run)
    run.log.say('undo', 'The configuration test does not pass with the previous files either, so the service is not told anything.', { ok: false })
  }
  const told = stepsOf(run, 'activate').some(({ index }) => run.begun.has(index))
  if (!told) {
    const look = await again(run, 'prove', true)
    if (look.problems.length === 0) return { problems: [], doubtful: false }
  }
  const activation = run.mayActivate ? await again(run, 'activate') : none
  const proof = await again(run, 'prove')
  const shown = proof.reports.some((report) => (report.served?.length ?? 0) > 0)
  // Where something is proven, the proof says it all; where nothing can be, the activation's own word counts.
  const problems = proof.problems.length > 0 || shown ? proof.problems.map((p) => `Not served as before: ${p}`) : activation.problems
  return { problems, doubtful: problems.length > 0 && [tests, activation, proof].some((one) => one.doubtful) }
}

interface Repeated { problems: string[]; reports: StepReport[]; doubtful: boolean }
const none: Repeated = { problems: [], reports: [], doubtful: false }

async function again(run: Run, role: 'test' | 'activate' | 'prove', quick = false): Promise<Repeated> {
  let doubtful = false
  const problems: string[] = []
  const reports: StepReport[] = []
  for (const { index, step } of stepsOf(run, role)) {
    const executor = executorOf(step)
    run.point(`again-${index}:before`)
    try {
      const work = async () => executor.again?.(contextOf(run, index, quick), step)
      // A look that finds something else is no failure: the service is told next.
      const report = quick ? await work() : await run.log.reported(role === 'prove' ? 'prove' : 'undo', index, `${stepTitle(run.plan, index)}: again`, work)
      if (report !== undefined) reports.push(report)
    } catch (thrown) {
      const error = toCertloopError(thrown)
      if (saysNothing(error)) doubtful = true
      problems.push(error.message)
    }
    run.point(`again-${index}:after`)
  }
  return { problems, reports, doubtful }
}
