import { CertloopError, type ReloadServiceStep, type SignalledProcess } from '@certloop/contract'
import type { Host, HostProcess } from '@certloop/plugin-kit'

const removed = ' (deleted)'
const programOf = (executable: string) => (executable.endsWith(removed) ? executable.slice(0, -removed.length) : executable)

/** The program where both sides know it, else the name. */
function fits({ uid, name, executable, arguments: words }: SignalledProcess, entry: HostProcess): boolean {
  const same = executable === '' || entry.executable === '' ? entry.name === name : programOf(entry.executable) === programOf(executable)
  return same && entry.uid === uid && words.every((word) => entry.argv.includes(word))
}

/**
 * The command with the id that the process has now. One that was started anew since the plan was made is found again;
 * workers below it don't count. No other process is ever named.
 * @throws CertloopError RELOAD_FAILED when it does not run, or several look the same
 */
export async function commandFor(host: Host, { argv, service, process }: ReloadServiceStep): Promise<string[]> {
  if (process === undefined) return argv
  const alike = (await host.processes()).filter((entry) => fits(process, entry))
  const pids = new Set(alike.map(({ pid }) => pid))
  const tops = alike.filter(({ parentPid }) => !pids.has(parentPid))
  if (tops.some(({ pid }) => pid === process.pid)) return argv
  const [found, ...more] = tops
  if (found === undefined) throw new CertloopError('RELOAD_FAILED', `${service} is not told anything: process ${process.pid} is not its own any more, and no other one is.`, { pid: process.pid })
  if (more.length > 0) throw new CertloopError('RELOAD_FAILED', `${service} is not told anything: process ${process.pid} is not its own any more, and ${more.length + 1} others look like it.`, { pid: process.pid })
  return argv.map((word) => (word === String(process.pid) ? String(found.pid) : word))
}
