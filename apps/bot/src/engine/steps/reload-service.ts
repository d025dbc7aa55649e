import { type ReloadServiceStep } from '@certloop/contract'
import { probeAll } from '@certloop/plugin-kit'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'
import { runOrFail } from './run-command.ts'

/** Nothing answers on any of the endpoints where something answered when the plan was made. */
async function isDown({ plan, probe }: StepContext): Promise<boolean> {
  const answered = plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints : [])).filter((e) => e.before !== null)
  if (answered.length === 0) return false
  const seen = await probeAll(probe, answered.map(({ endpoint }) => endpoint))
  return seen.every((s) => s.fingerprint === null)
}

async function reload(context: StepContext, step: ReloadServiceStep): Promise<StepReport> {
  if (!context.troubled || !(await isDown(context))) return runOrFail(context, step, 'RELOAD_FAILED', `The reload of ${step.service}`)
  if (step.start !== undefined) return runOrFail(context, { ...step, argv: step.start }, 'RELOAD_FAILED', `The start of ${step.service}, which was down,`)
  return { message: `${step.service} is down and how to start it is not known: it reads its files when somebody starts it.` }
}

/** Tells a service to take up new files. One that is down after a crash or a failed start is started instead. */
export const reloadService: StepExecutor<ReloadServiceStep> = {
  role: () => 'activate',
  do: reload,
  again: reload,
}
