import { type Account, CertloopError, type ErrorCode, type RunCommandStep } from '@certloop/contract'
import { forLog } from '../redact.ts'
import type { StepContext, StepExecutor, StepReport } from './executor.ts'

interface Command { argv: readonly string[]; timeoutSeconds: number; script?: boolean; environment?: Record<string, string>; runAs?: Account }

/** Runs a program and takes any exit code but 0 as a failure with this code, its output in the facts. */
export async function runOrFail(context: StepContext, { argv, timeoutSeconds, script = false, environment = {}, runAs }: Command, code: ErrorCode, what: string): Promise<StepReport> {
  const result = await context.host.run(argv, { timeoutSeconds, script, environment, runAs })
  const output = forLog([result.stdout, result.stderr].filter((text) => text.trim() !== '').join('\n'))
  if (result.exitCode !== 0) {
    throw new CertloopError(code, `${what} ended with exit code ${result.exitCode}: ${argv.join(' ')}`, { exitCode: result.exitCode, ...(output === null ? {} : { output }) })
  }
  return { message: `${what} passed: ${argv.join(' ')}`, output }
}

/** A test changes nothing and runs again after an undo. A script runs at most once: it can't be undone or tried twice. */
export const runCommand: StepExecutor<RunCommandStep> = {
  role: (step) => (step.purpose === 'test' ? 'test' : 'change'),
  do: (context, step) => (step.purpose === 'test'
    ? runOrFail(context, step, 'CONFIG_TEST_FAILED', 'The configuration test')
    : runOrFail(context, { ...step, script: true }, 'COMMAND_FAILED', 'The command')),
  canResume: async (_context, step, begun) => step.purpose === 'test' || !begun,
  again: (context, step) => runOrFail(context, step, 'CONFIG_TEST_FAILED', 'The configuration test with the previous files'),
}
