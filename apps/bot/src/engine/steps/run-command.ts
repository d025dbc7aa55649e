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

/** A test changes nothing and runs again after an undo. */
export const runCommand: StepExecutor<RunCommandStep> = {
  role: () => 'test',
  do: (context, step) => runOrFail(context, step, 'CONFIG_TEST_FAILED', 'The configuration test'),
  again: (context, step) => runOrFail(context, step, 'CONFIG_TEST_FAILED', 'The configuration test with the previous files'),
}
