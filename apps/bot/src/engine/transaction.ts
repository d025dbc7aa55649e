import { type CertloopError, type DeployResult, type ServedCertificate, toCertloopError } from '@certloop/contract'
import { cancelled, endCancelling, heedCancel } from './cancelling.ts'
import type { Placed } from './ledger.ts'
import { stepTitle } from './log.ts'
import { rollbackFailed } from './rollback-failed.ts'
import { contextOf, inspectionOf, type Run, stepsOf } from './run.ts'
import { executorOf } from './steps/index.ts'
import { undoAndShow } from './undo.ts'
import { stillThere } from './unfinished.ts'

/** Stages everything, then carries out every step. The journal is open and the backups are made. */
export async function execute(run: Run): Promise<DeployResult> {
  heedCancel(run)
  try {
    await stageAll(run)
  } catch (thrown) {
    return abandon(run, whyStopped(run, 'before anything was touched', thrown))
  }
  run.material = undefined
  run.restored = undefined
  run.journal.note({ type: 'staged', digests: Object.fromEntries(run.staged) })
  return proceed(run, 0)
}

/** All new files beside the present ones: no space, no rights and read-only disks show here, with nothing touched. */
async function stageAll(run: Run): Promise<void> {
  for (const { index, step } of stepsOf(run)) {
    const executor = executorOf(step)
    if (executor.stage === undefined) continue
    run.cancel?.throwIfAborted()
    run.point(`stage-${index}:before`)
    await run.log.timed('backup', index, `${stepTitle(run.plan, index)}: made ready`, async () => executor.stage?.(contextOf(run, index), step))
    run.point(`stage-${index}:after`)
  }
}

/**
 * Carries out the steps from one on and ends the deployment one way or the other.
 * @throws HostAway when the host can't be asked any more: the journal says how far it came
 */
export async function proceed(run: Run, from: number): Promise<DeployResult> {
  const served: ServedCertificate[] = []
  let current = from
  try {
    for (; current < run.plan.steps.length; current++) served.push(...await runStep(run, current))
    endCancelling(run)
    // After a crash the proof may have been given before it.
    const inspection = await inspectionOf(run, served.length === 0 ? undefined : served)
    return await conclude(run, 'new', { outcome: 'deployed', touched: true, error: null, inspection })
  } catch (thrown) {
    return settle(run, whyStopped(run, `in ${stepTitle(run.plan, current)}`, thrown), current)
  }
}

/** Whatever a step says when it is broken off: the reason is that somebody asked for it. */
const whyStopped = (run: Run, where: string, thrown: unknown): CertloopError => (run.cancel?.aborted ? cancelled(where) : toCertloopError(thrown))

async function runStep(run: Run, index: number): Promise<ServedCertificate[]> {
  const step = run.plan.steps[index]
  if (step === undefined) return []
  run.cancel?.throwIfAborted()
  const executor = executorOf(step)
  await run.journal.append({ type: 'begun', step: index })
  run.begun.add(index)
  run.point(`do-${index}:before`)
  const phase = executor.role(step) === 'prove' ? 'prove' : 'do'
  const report = await run.log.reported(phase, index, stepTitle(run.plan, index), () => executor.do(contextOf(run, index), step))
  run.point(`do-${index}:after`)
  // A script is not run twice: that it ended has to be known for sure.
  if (executor.role(step) === 'script') await run.journal.append({ type: 'done', step: index })
  else run.journal.note({ type: 'done', step: index })
  return report?.served ?? []
}

/** After a failed step: keeps the new files only where nobody wanted an undo and the proof alone is missing. */
async function settle(run: Run, error: CertloopError, index: number): Promise<DeployResult> {
  run.troubled = true
  await stillThere(run)
  const step = run.plan.steps[index]
  if (step === undefined) run.log.say('commit', error.message, { ok: false })
  const proofOnly = step !== undefined && executorOf(step).role(step) === 'prove' && error.code.startsWith('PROOF_')
  if (run.rollback || !proofOnly) return undo(run, error)
  run.log.say('commit', 'The new files stay, since this deployment is not to be rolled back.')
  return conclude(run, 'new', { outcome: 'failed', touched: true, error: error.toWire(), inspection: await inspectionOf(run, undefined) })
}

/** Goes back to what was there before and says whether that could be shown. @throws HostAway */
export async function undo(run: Run, error: CertloopError): Promise<DeployResult> {
  endCancelling(run)
  run.troubled = true
  if (!(run.recovering || await anythingTouched(run))) return abandon(run, error)
  await writeOrLog(run, () => run.journal.append({ type: 'undo', error: run.hide.error(error).toWire() }))
  const undone = await undoAndShow(run)
  const { problems, unclean } = undone
  const inspection = await inspectionOf(run, undefined)
  if (problems.length === 0) return conclude(run, 'old', { outcome: 'rolled-back', touched: true, error: error.toWire(), inspection })
  const failure = await rollbackFailed(run, error, undone)
  return conclude(run, 'old', { outcome: 'failed', touched: true, error: failure.toWire(), inspection }, unclean)
}

/** Ends a deployment that touched nothing. */
export function abandon(run: Run, error: CertloopError): Promise<DeployResult> {
  endCancelling(run)
  return conclude(run, 'old', { outcome: 'failed', touched: false, error: error.toWire(), inspection: null })
}

async function anythingTouched(run: Run): Promise<boolean> {
  if (stepsOf(run, 'activate').some(({ index }) => run.begun.has(index))) return true
  for (const { index, step } of stepsOf(run, 'change').filter((s) => run.begun.has(s.index))) {
    // What can't be looked at counts as touched: then it is undone and proven.
    const sides = await executorOf(step).check?.(contextOf(run, index), step).catch(() => undefined)
    if (sides === undefined || !sides.old || sides.new) return true
  }
  return false
}

type Ending = Omit<DeployResult, 'log' | 'differences'>

/** Records the outcome, removes what is no longer needed and closes the journal. The record decides: what follows it may be repeated. */
async function conclude(run: Run, keeps: 'new' | 'old', ending: Ending, unclean: ReadonlySet<number> = new Set()): Promise<DeployResult> {
  endCancelling(run)
  run.log.say('commit', howItEnded(run, ending), { ok: ending.outcome === 'deployed' })
  const result = run.hide.result({ ...ending, differences: [], log: [...run.log.entries] })
  const record = () => run.journal.append({ type: 'outcome', keeps, unclean: [...unclean], result: run.journal.fitting(result) })
  if (ending.outcome === 'deployed') await record()
  else await writeOrLog(run, record)
  await cleanAndClose(run, keeps, unclean)
  return { ...result, log: [...run.log.entries] }
}

function howItEnded(run: Run, { outcome, touched }: Ending): string {
  const proven = stepsOf(run, 'prove').length > 0
  if (outcome === 'failed') return touched ? 'Failed.' : 'Failed; nothing was touched.'
  if (outcome === 'rolled-back') return run.undoes === undefined ? 'Rolled back: what was there before is in place again.' : 'Not taken back: what the deployment installed is in place again.'
  const done = run.undoes === undefined ? 'Deployed' : 'Taken back: what was there before is in place'
  return proven ? `${done} and proven.` : `${done}. There is nothing that could be proven.`
}

/** The journal stays open when something can't be removed: the next start tries again. */
export async function cleanAndClose(run: Run, keeps: 'new' | 'old', unclean: ReadonlySet<number> = new Set()): Promise<void> {
  let clean = await writeOrLog(run, () => noteInLedger(run, keeps, unclean))
  for (const { index, step } of stepsOf(run).toReversed()) {
    const executor = executorOf(step)
    if (executor.clean === undefined || unclean.has(index)) continue
    run.point(`clean-${index}:before`)
    clean = await writeOrLog(run, async () => executor.clean?.(contextOf(run, index), step, keeps)) && clean
    run.point(`clean-${index}:after`)
  }
  if (clean) await writeOrLog(run, () => run.journal.append({ type: 'closed' }))
}

/**
 * What stays on the target is this engine's own work from now on, also what an undo could not take away.
 * Known by what was staged, so that nothing that came later is taken for it.
 */
async function noteInLedger(run: Run, keeps: 'new' | 'old', unclean: ReadonlySet<number>): Promise<void> {
  const stays = stepsOf(run, 'change').filter(({ index }) => keeps === 'new' || unclean.has(index))
  const placed = stays.flatMap(({ index, step }): Placed[] => {
    const digest = run.staged.get(index)
    // What is put back may be anybody's: it is not taken for this engine's own.
    if (digest === undefined || !('path' in step) || step.kind === 'restore-file') return []
    return [{ path: step.path, digest, ...(step.kind === 'keystore-entry' ? { entry: { alias: step.alias, leaf: run.leaf } } : {}) }]
  })
  if (placed.length === 0) return
  run.point('ledger:before')
  await run.ledger(placed)
  run.point('ledger:after')
}

/** For what must not stop an ending that is decided already. */
async function writeOrLog(run: Run, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (thrown) {
    run.log.say('commit', toCertloopError(thrown).message, { ok: false })
    return false
  }
}
