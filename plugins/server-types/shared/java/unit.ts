import type { Host, HostProcess } from '@certloop/plugin-kit'
import path from 'node:path'
import { unitOf } from '../pem-files/systemd.ts'

/**
 * The systemd unit whose server this JVM is: its main process is the JVM itself, or a script above it that started it
 * and stays, as standalone.sh does. Others above it prove nothing: restarting cron would end what cron is there for.
 * @returns null where there is none, or no systemd
 * @throws CertloopError COMMAND_NOT_ALLOWED, COMMAND_TIMEOUT
 */
export async function javaUnit(host: Host, process: HostProcess): Promise<string | null> {
  if (process.service === null) return null
  return unitOf(host, process, startersOf(process, await host.processes()).map(({ pid }) => pid))
}

const isStarter = ({ executable, argv }: HostProcess) => /^(?:(?:ba|da|k|z|a)?sh|jsvc(?:\.exec)?)$/.test(path.posix.basename(executable || (argv[0] ?? '')))

function startersOf({ pid, parentPid, service }: HostProcess, processes: readonly HostProcess[]): HostProcess[] {
  const parent = processes.find((one) => one.pid === parentPid && one.pid !== pid)
  if (parent === undefined || parent.service !== service || !isStarter(parent)) return []
  return [parent, ...startersOf(parent, processes.filter((one) => one !== parent))]
}
