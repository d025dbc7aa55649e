import { CertloopError, type DeployResult, fromWire } from '@certloop/contract'
import { cancelled, heedCancel } from './cancelling.ts'
import { outcomeIn } from './journal-store.ts'
import type { JournalRecord } from './journal.ts'
import { stepTitle } from './log.ts'
import { contextOf, type Run, stepsOf } from './run.ts'
import { executorOf } from './steps/index.ts'
import { abandon, cleanAndClose, proceed, undo } from './transaction.ts'

/** What to do with a journal found open. docs/adr/0003-journal-and-recovery.md has the reasons. */
export type Way = 'clean' | 'abandon' | 'forward' | 'undo'

/** @param resumable every step that is left can still be carried out, and what was done is still there */
export function wayOut(records: readonly JournalRecord[], resumable: boolean): Way {
  const has = (type: JournalRecord['type']) => records.some((record) => record.type === type)
  if (has('outcome')) return 'clean'
  if (has('undo')) return 'undo'
  if (!has('begun') && !has('staged')) return 'abandon'
  if (has('cancel')) return 'undo'
  return resumable && !has('forward') ? 'forward' : 'undo'
}

/** Ends a deployment that was cut off: forward once where the target still is as the plan left it, else back. @throws HostAway */
export async function recoverRun(run: Run): Promise<DeployResult> {
  if (run.cancel?.aborted) await run.journal.append({ type: 'cancel' })
  else heedCancel(run)
  const { records } = run.journal
  const { begun, done } = remembered(run)
  // What is decided already needs no look at the host, which may be away.
  const decided = records.some(({ type }) => type === 'outcome' || type === 'undo' || type === 'cancel')
  const way = wayOut(records, !decided && await canResume(run, done))
  const last = Math.max(-1, ...begun)
  const where = last < 0 ? 'before anything was touched' : `in ${stepTitle(run.plan, last)}`
  run.log.say('recover', `The bot stopped ${where}. ${sayings[way]}`, { step: last < 0 ? null : last })
  switch (way) {
    case 'clean': return finish(run)
    case 'abandon': return abandon(run, cause(records) ?? interrupted(where))
    case 'undo': return undo(run, cause(records) ?? interrupted(where))
    case 'forward': {
      await run.journal.append({ type: 'forward' })
      const next = run.plan.steps.findIndex((_, index) => !done.has(index))
      return proceed(run, next < 0 ? run.plan.steps.length : next)
    }
  }
}

/** What the journal knows of the steps, for the run to go on with. */
function remembered({ journal: { records }, ...run }: Run): Record<'begun' | 'done', ReadonlySet<number>> {
  const steps = (type: 'begun' | 'done') => new Set(records.flatMap((r) => (r.type === type ? [r.step] : [])))
  const [begun, done] = [steps('begun'), steps('done')]
  for (const index of begun) run.begun.add(index)
  for (const record of records) if (record.type === 'staged') for (const [index, digest] of Object.entries(record.digests ?? {})) run.staged.set(Number(index), digest)
  return { begun, done }
}

const sayings: Record<Way, string> = {
  clean: 'The outcome is recorded; what is left over is removed.',
  abandon: 'What was made ready is removed.',
  forward: 'The target is as the plan left it, so the deployment goes on.',
  undo: 'The deployment is undone.',
}

const interrupted = (where: string) => new CertloopError('INTERRUPTED', `The bot stopped ${where}.`)

function cause(records: readonly JournalRecord[]): CertloopError | undefined {
  const record = records.findLast((r) => r.type === 'undo')
  if (record !== undefined) return fromWire(record.error)
  return records.some((r) => r.type === 'cancel') ? cancelled('; the bot stopped before it was undone') : undefined
}

async function canResume(run: Run, done: ReadonlySet<number>): Promise<boolean> {
  for (const { index, step } of stepsOf(run)) {
    const open = run.begun.has(index) && !done.has(index)
    if (await executorOf(step).canResume?.(contextOf(run, index), step, open) === false) return false
  }
  return true
}

async function finish(run: Run): Promise<DeployResult> {
  const record = run.journal.records.findLast((r) => r.type === 'outcome')
  const result = outcomeIn(run.journal.records)
  if (record === undefined || result === undefined) throw new CertloopError('INTERNAL', 'A journal without outcome was to be closed.')
  await cleanAndClose(run, record.keeps, new Set(record.unclean))
  return result
}
