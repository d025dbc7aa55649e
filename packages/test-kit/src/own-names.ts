import { randomBytes } from 'node:crypto'
import { hasEnded } from './daemon.ts'

// For what a test has to put into folders of the system: its name tells which process it belongs to, so that the next
// test can remove what one left behind that was killed.

/** "<prefix><pid>-<random>". */
export const ownName = (prefix: string): string => `${prefix}${process.pid}-${randomBytes(5).toString('hex')}`

/** Those of the names that ownName gave to a process that is gone. */
export async function abandoned(prefix: string, names: readonly string[]): Promise<string[]> {
  const isAbandoned = async (name: string) => {
    const pid = name.startsWith(prefix) ? /^(\d+)-/.exec(name.slice(prefix.length))?.[1] : undefined
    return pid !== undefined && hasEnded(Number(pid))
  }
  const gone = await Promise.all(names.map(isAbandoned))
  return names.filter((_name, index) => gone[index])
}
