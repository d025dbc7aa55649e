import type { Endpoint, ReloadServiceStep } from '@certloop/contract'
import { probeAll } from '@certloop/plugin-kit'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'
import { runOrFail } from './run-command.ts'

/**
 * Nothing answers on any of the endpoints where something answered when the plan was made, and nothing listens there:
 * a mail server whose certificate can't be read goes on without TLS, and has to be told to read it again.
 */
async function isDown({ host, plan, probe }: StepContext): Promise<boolean> {
  const answered = plan.steps.flatMap((step) => (step.kind === 'prove' ? step.endpoints : [])).filter((e) => e.before !== null)
  if (answered.length === 0) return false
  const seen = await probeAll(probe, answered.map(({ endpoint }) => endpoint))
  if (seen.some((s) => s.fingerprint !== null)) return false
  const listeners = await host.listeners()
  const listens = ({ address, port }: Endpoint) => listeners.some((socket) => socket.port === port && [address, '0.0.0.0', '::'].includes(socket.address))
  return !answered.some(({ endpoint }) => listens(endpoint))
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
