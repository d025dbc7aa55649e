import type { Health, TestReport } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import { paintState } from '../format/paint.ts'
import { type Cell, facts, headed, table } from '../format/table.ts'
import { moment } from '../format/time.ts'

/** What a test of an authority or a DNS provider tried and saw. */
export function reportLines({ paint }: Context, { ok, steps, error }: TestReport): string[] {
  return [
    ok ? paint('green', 'The test went well.') : paint('red', 'The test failed.'),
    ...headed('Steps', steps.length === 0 ? [] : table(['', 'WHAT', 'SEEN', 'TOOK'], steps.map((step) => [step.ok ? paint('green', 'ok') : paint('red', 'FAIL'), step.title, step.seen, `${step.milliseconds} ms`]))),
    ...headed('Error', error === null ? [] : [`${error.message} (${error.code})`]),
  ]
}

/** Prints the report. @returns the exit code: 1 when it failed */
export async function showReport(context: Context, report: TestReport): Promise<number> {
  const { errorSpecs } = await context.api()
  const remedy = report.error && report.error.code in errorSpecs ? errorSpecs[report.error.code].remedy : undefined
  context.show(report, (safe) => [...reportLines(context, safe), ...facts([['What to do', remedy]], '  ')])
  return report.ok ? exitCodes.done : exitCodes.failed
}

export function healthFacts({ paint, world }: Context, { state, since, lastReport, nextCheckAt }: Health): (readonly [string, Cell])[] {
  return [
    ['Health', `${paintState(paint, state)}${since === null ? '' : ` since ${moment(since, world)}`}`],
    ['Last test', lastReport && `${moment(lastReport.at, world)}${lastReport.error ? `: ${lastReport.error.message} (${lastReport.error.code})` : ''}`], ['Next test', moment(nextCheckAt, world)],
  ]
}
