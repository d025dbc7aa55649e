import type { RemoveDirectoryStep } from '@certloop/contract'
import type { StepExecutor } from './executor.ts'

/** Taken away at the very end, when nothing lies in it any more; one that somebody else uses by now stays. */
export const removeDirectory: StepExecutor<RemoveDirectoryStep> = {
  role: () => 'change',
  do: async (_context, { path }) => ({ message: `The folder ${path} is taken away when it is empty.` }),
  async clean({ host }, { path }, keeps) {
    if (keeps === 'new' && await host.stat(path) !== undefined && (await host.list(path)).length === 0) await host.removeDirectory(path)
  },
}
