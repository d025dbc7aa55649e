import { asSentence, CertloopError, describeStep } from '@certloop/contract'
import { type Run, stepsOf } from './run.ts'
import type { Undone } from './undo.ts'

/** What a person has to know who mends it by hand: where, which files are back, what is wrong, what to run, and where the copies are. */
export async function rollbackFailed(run: Run, error: CertloopError, undone: Undone): Promise<CertloopError> {
  const where = run.host.kind === 'local' ? await run.host.facts().then(({ hostName }) => hostName, () => 'the host of the bot') : run.machine
  const words = [
    `The deployment failed (${error.message}) and could not be undone completely.`,
    `On ${where}: ${filesIn(run, undone)}`,
    ...undone.problems.map(asSentence),
    ...byHand(run, undone),
    `The journal with the copies of the old files is the folder ${run.folder} on the host of the bot.`,
  ]
  return new CertloopError('ROLLBACK_FAILED', words.join(' '), { ...error.facts, cause: error.code, host: where, folder: run.folder })
}

function filesIn(run: Run, { unclean }: Undone): string {
  const changed = stepsOf(run, 'change').flatMap(({ index, step }) => (run.begun.has(index) && 'path' in step ? [{ index, path: step.path }] : []))
  const listed = (left: boolean) => changed.filter(({ index }) => unclean.has(index) === left).map(({ path }) => path).join(', ')
  const [back, left] = [listed(false), listed(true)]
  const sentences = [...(back === '' ? [] : [`the old files are in place again (${back})`]), ...(left === '' ? [] : [`these files are not as they were: ${left}`])]
  return `${sentences.length === 0 ? 'no file had been changed' : sentences.join('; ')}.`
}

/** The steps that make the service take up the old files, where they did not work. */
function byHand({ plan }: Run, { notRun }: Undone): string[] {
  return [...notRun].flatMap((index) => {
    const step = plan.steps[index]
    return step === undefined ? [] : [`Step ${index + 1} of ${plan.steps.length} did not work with them; run it by hand: ${describeStep(step)}.`]
  })
}
