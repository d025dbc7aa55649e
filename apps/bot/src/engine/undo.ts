import { toCertloopError } from '@certloop/contract'
import { stepTitle } from './log.ts'
import { contextOf, type Run, stepsOf } from './run.ts'
import type { StepReport } from './steps/executor.ts'
import { executorOf } from './steps/index.ts'

/** `problems`: what was left, in sentences; empty when the old state is in place and shown. `unclean`: steps whose copies are to stay. */
export interface Undone { problems: string[]; unclean: Set<number> }

/** Undoes all changes in reverse, activates what was there before and proves that it is served again. */
export async function undoAndShow(run: Run): Promise<Undone> {
  const undone = await undoChanges(run)
  undone.problems.push(...await showOldServed(run))
  return undone
}

/** One that fails does not keep the others from being undone. */
async function undoChanges(run: Run): Promise<Undone> {
  const undone: Undone = { problems: [], unclean: new Set() }
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
      undone.problems.push(toCertloopError(thrown).message)
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
async function showOldServed(run: Run): Promise<string[]> {
  const tests = await again(run, 'test')
  if (tests.problems.length > 0) {
    run.mayActivate = false
    run.log.say('undo', 'The configuration test does not pass with the previous files either, so the service is not told anything.', { ok: false })
  }
  const told = stepsOf(run, 'activate').some(({ index }) => run.begun.has(index))
  if (!told) {
    const look = await again(run, 'prove', true)
    if (look.problems.length === 0) return []
  }
  const activation = run.mayActivate ? await again(run, 'activate') : { problems: [], reports: [] }
  const proof = await again(run, 'prove')
  const shown = proof.reports.some((report) => (report.served?.length ?? 0) > 0)
  // Where something is proven, the proof says it all; where nothing can be, the activation's own word counts.
  return proof.problems.length > 0 || shown ? proof.problems.map((p) => `Not served as before: ${p}`) : activation.problems
}

async function again(run: Run, role: 'test' | 'activate' | 'prove', quick = false): Promise<{ problems: string[]; reports: StepReport[] }> {
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
      problems.push(toCertloopError(thrown).message)
    }
    run.point(`again-${index}:after`)
  }
  return { problems, reports }
}
