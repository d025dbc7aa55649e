import { CertloopError, type MakeDirectoryStep } from '@certloop/contract'
import type { StepExecutor } from './executor.ts'

/** Made while staging, since files are staged in it; removed again, when empty, if the old side stays. */
export const makeDirectory: StepExecutor<MakeDirectoryStep> = {
  role: () => 'change',
  async backup(host, step) {
    if (await host.stat(step.path) !== undefined) throw new CertloopError('PLAN_CHANGED', `${step.path} is there already.`, { path: step.path })
    return []
  },
  stage: ({ host }, step) => host.makeDirectory(step.path, step.ownership),
  async do({ host }, step) {
    await host.makeDirectory(step.path, step.ownership)
    return { message: `The folder ${step.path} is there.` }
  },
  async clean({ host }, step, keeps) {
    if (keeps === 'old' && await host.stat(step.path) !== undefined) await host.removeDirectory(step.path)
  },
}
