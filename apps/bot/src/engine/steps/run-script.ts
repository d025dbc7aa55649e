import type { RunScriptStep } from '@certloop/contract'
import { runOrFail } from './run-command.ts'
import type { StepContext, StepExecutor } from './executor.ts'

const nameOf = ({ short, index }: StepContext) => `${short}-${index}`

/** A script runs at most once: it can't be undone or tried twice. What the platform sent lies on the host only while it runs. */
export const runScript: StepExecutor<RunScriptStep> = {
  role: () => 'script',
  async do(context, step) {
    const { host, deploymentId, plan } = context
    const { source, when, timeoutSeconds } = step
    const environment = { ...step.environment, CERTLOOP_WHEN: when, CERTLOOP_DEPLOYMENT_ID: deploymentId, CERTLOOP_SERVER_TYPE: plan.serverType }
    const run = (argv: readonly string[]) => runOrFail(context, { argv, timeoutSeconds, environment, script: true }, 'SCRIPT_FAILED', when === 'before' ? 'The script before the deployment' : 'The script after the deployment')
    if (source.from === 'device') return run(source.argv)
    try {
      return await run([source.interpreter, await host.placeScript(nameOf(context), Buffer.from(source.text))])
    } finally {
      await host.removeScript(nameOf(context))
    }
  },
  canResume: async (_context, _step, begun) => !begun,
  async clean(context, { source }) {
    if (source.from === 'platform' && context.troubled) await context.host.removeScript(nameOf(context))
  },
}
