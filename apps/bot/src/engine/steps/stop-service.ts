import { CertloopError, type ReloadServiceStep } from '@certloop/contract'
import { setTimeout as pause } from 'node:timers/promises'
import type { StepContext, StepReport } from './executor.ts'
import { runOrFail } from './run-command.ts'

const pauseMs = 200

/**
 * Ends a process whose ports the next one needs: commands of this kind often return before it has ended. What counts
 * is that nothing listens there any more, also where there was nothing to be stopped.
 * @throws CertloopError RELOAD_FAILED
 */
export async function stopService(context: StepContext, step: ReloadServiceStep, ports: readonly number[]): Promise<StepReport> {
  const end = performance.now() + step.timeoutSeconds * 1000
  let report: StepReport
  try {
    report = await runOrFail(context, step, 'RELOAD_FAILED', `The stop of ${step.service}`)
  } catch (thrown) {
    if ((await taken(context, ports)).length > 0) throw thrown
    return { message: `${step.service} did not run.` }
  }
  for (;;) {
    const left = await taken(context, ports)
    if (left.length === 0) return report
    if (performance.now() >= end) throw new CertloopError('RELOAD_FAILED', `${step.service} was told to stop and still listens on port ${left.join(', ')} after ${step.timeoutSeconds} s.`, { ports: left.map(String) })
    await pause(pauseMs, undefined, { signal: context.cancel })
  }
}

async function taken({ host }: StepContext, ports: readonly number[]): Promise<number[]> {
  const listening = new Set((await host.listeners()).map(({ port }) => port))
  return ports.filter((port) => listening.has(port))
}
