import { toCertloopError } from '@certloop/contract'
import type { HostProcess } from '@certloop/plugin-kit'

/**
 * What `look` makes of the first process that fits; undefined when none does.
 * @param find called again when something could not be looked at
 * @throws CertloopError why one could not be looked at: it may be the one that is meant, unless it has ended meanwhile
 */
export async function firstFitting<T>(find: () => Promise<readonly HostProcess[]>, look: (process: HostProcess) => Promise<T | undefined>): Promise<T | undefined> {
  const problems: { pid: number; error: unknown }[] = []
  for (const process of await find()) {
    try {
      const found = await look(process)
      if (found !== undefined) return found
    } catch (error) {
      problems.push({ pid: process.pid, error })
    }
  }
  const running = new Set(problems.length === 0 ? [] : (await find()).map(({ pid }) => pid))
  const problem = problems.find(({ pid }) => running.has(pid))
  if (problem !== undefined) throw toCertloopError(problem.error)
  return undefined
}
