import type { ReloadServiceStep } from '@certloop/contract'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'
import { isDown } from './is-down.ts'
import { runOrFail } from './run-command.ts'
import { commandFor } from './signalled.ts'
import { stopService } from './stop-service.ts'

async function reload(context: StepContext, step: ReloadServiceStep): Promise<StepReport> {
  if (step.frees !== undefined) return stopService(context, step, step.frees)
  // What a command that somebody gave does is not known, so nothing says that it could be left out.
  if (step.script === true || !context.troubled || !(await isDown(context))) return runOrFail(context, { ...step, argv: await commandFor(context.host, step) }, 'RELOAD_FAILED', `The reload of ${step.service}`)
  if (step.start !== undefined) return runOrFail(context, { ...step, argv: step.start }, 'RELOAD_FAILED', `The start of ${step.service}, which was down,`)
  return { message: `${step.service} is down and how to start it is not known: it reads its files when somebody starts it.` }
}

/** Tells a service to take up new files. One that is down after a crash or a failed start is started instead. */
export const reloadService: StepExecutor<ReloadServiceStep> = {
  role: () => 'activate',
  do: reload,
  again: reload,
}
